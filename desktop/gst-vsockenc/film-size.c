/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* film-size.c - the coded size: the pictures', or what downstream asks for, or with keep-size the first one; see
 * film-size.h. */
#include "client-handle.h"
#include "coded-size.h"
#include "colours.h"
#include "film-size.h"
#include "properties.h"

#define GST_CAT_DEFAULT vsockenc_debug

void vsockenc_film_size_reset(GstVsockEnc *self)
{
    *self->film = (VsockEncFilmSize){ 0 };
}

static gboolean can_letterbox(GstVsockEnc *self)
{
    return (helix_client_get_capabilities(vsockenc_client(self)) & HELIX_CLIENT_CAP_LETTERBOX) != 0;
}

/* Whether pictures of this size can be coded in the film's without a change of their shape. */
static gboolean is_kept(GstVsockEnc *self, guint32 width, guint32 height)
{
    const VsockEncFilmSize *film = self->film;

    if (!film->width || !vsockenc_properties_keeps_size(self)) {
        return FALSE;
    }
    if (can_letterbox(self) || vsockenc_coded_size_has_shape(width, height, film->width, film->height)) {
        return TRUE;
    }
    GST_WARNING_OBJECT(self, "keep-size: this host cannot put %ux%u into %ux%u with borders, so the size changes",
                       width, height, film->width, film->height);
    return FALSE;
}

/* The size for pictures of @config's size, which it replaces. */
static void choose(GstVsockEnc *self, HelixClientConfig *config)
{
    if (is_kept(self, config->width, config->height)) {
        config->width = self->film->width;
        config->height = self->film->height;
    } else {
        vsockenc_coded_size_choose(GST_VIDEO_ENCODER_SRC_PAD(self), &config->width, &config->height);
    }
}

void vsockenc_film_size_describe(GstVsockEnc *self, const GstVideoInfo *info, HelixClientConfig *config)
{
    guint32 width = config->width, height = config->height;
    gint n = GST_VIDEO_INFO_PAR_N(info), d = GST_VIDEO_INFO_PAR_D(info);
    gboolean kept = is_kept(self, width, height);

    choose(self, config);
    if (config->width != width || config->height != height) {
        vsockenc_coded_size_stretch_pixels(width, height, config->width, config->height, &n, &d);
        config->letterbox = can_letterbox(self) &&
            !vsockenc_coded_size_has_shape(width, height, config->width, config->height) &&
            (kept || !vsockenc_coded_size_takes_pixels(GST_VIDEO_ENCODER_SRC_PAD(self), n, d));
        if (!config->letterbox) {
            vsockenc_colours_set_shape(&config->vui, n, d);
        }
    }
    if (!self->film->width || !kept) {
        self->film->width = config->width;
        self->film->height = config->height;
    }
    self->film->relinks = g_atomic_int_get(&self->film->renegotiations);
}

void vsockenc_film_size_renegotiate(GstVsockEnc *self)
{
    g_atomic_int_inc(&self->film->renegotiations);
}

gboolean vsockenc_film_size_changed(GstVsockEnc *self, guint32 width, guint32 height)
{
    HelixClientConfig config = { .width = width, .height = height };

    if (self->film->relinks == g_atomic_int_get(&self->film->renegotiations)) {
        return FALSE;
    }
    self->film->relinks = g_atomic_int_get(&self->film->renegotiations);
    choose(self, &config);
    return config.width != self->film->width || config.height != self->film->height;
}
