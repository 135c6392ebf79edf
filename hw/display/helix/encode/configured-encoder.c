/* SPDX-License-Identifier: GPL-2.0-or-later */
/* configured-encoder.c - a stream's encoder: when it is opened, reconfigured and reopened. */
#include "../protocol/error.h"
#include "configured-encoder.h"

void helix_configured_encoder_init(HelixConfiguredEncoder *self, const HelixEncoderClass *klass, gboolean hardware_only,
                                   HelixEncodeBudget *budget, HelixSurfacePool *converted)
{
    *self = (HelixConfiguredEncoder){
        .klass = klass,
        .hardware_only = hardware_only,
        .budget = budget,
        .converted = converted,
        .asked = { .realtime = 1 },
    };
}

void helix_configured_encoder_close(HelixConfiguredEncoder *self)
{
    if (self->encoder) {
        self->klass->close(self->encoder);
        self->encoder = NULL;
        helix_surface_pool_trim(self->converted);
        helix_encode_budget_release(self->budget, self->bytes);
        self->bytes = 0;
    }
}

/* What an encoder of this configuration keeps. The guest chooses the coded size, independent of its pictures' size. */
static guint64 memory_of(const HelixConfiguredEncoder *self, const HelixEncoderConfig *config)
{
    guint64 bytes = self->klass->memory ? self->klass->memory(config) : 0;

    if (self->klass->wants_nv12) {
        bytes += helix_surface_pool_row(HELIX_FORMAT_NV12, config->width) * config->height * 3 / 2 *
            HELIX_CONVERTED_PICTURES;
    }
    return bytes;
}

/* Reserve @bytes for an encoder about to be opened. Where there is no room for it beside the open one, that one is
 * closed. */
static gboolean reserve_memory(HelixConfiguredEncoder *self, const HelixEncoderConfig *config, guint64 bytes,
                               GError **error)
{
    guint64 others;

    switch (helix_encode_budget_reserve(self->budget, bytes, self->bytes, &others)) {
    case HELIX_ENCODE_ROOM_BESIDE:
        return TRUE;
    case HELIX_ENCODE_ROOM_INSTEAD:
        self->bytes = 0;
        helix_configured_encoder_close(self);
        return TRUE;
    default:
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL,
                    "encoder %s for %u x %u needs %" G_GUINT64_FORMAT " bytes, which do not fit beside the "
                    "%" G_GUINT64_FORMAT " of other encoders; %" G_GUINT64_FORMAT
                    " is all that helix-max-memory allows: fewer or smaller streams",
                    self->klass->name, config->width, config->height, bytes, others, self->budget->max_bytes);
        return FALSE;
    }
}

/* The configuration that what is asked for gives for pictures of this size. */
static gboolean complete(const HelixConfiguredEncoder *self, guint32 width, guint32 height, HelixEncoderConfig *config,
                         GError **error)
{
    *config = self->asked;
    config->letterbox &= self->klass->letterboxes;
    if (config->width == 0) {
        config->width = width;
        config->height = height;
    }
    return helix_encoder_config_complete(config, error);
}

/*
 * The open encoder is closed once the new one is open. If opening fails nothing has changed; but where memory does not
 * suffice for both, the old one is closed first, and opened again with the next picture.
 */
static gboolean open_encoder(HelixConfiguredEncoder *self, const HelixEncoderConfig *config, GError **error)
{
    const guint64 bytes = memory_of(self, config);
    HelixEncoderConfig active = *config;
    HelixEncoder *encoder;

    if (!reserve_memory(self, config, bytes, error)) {
        return FALSE;
    }
    encoder = self->klass->open(&active, self->hardware_only, error);
    if (!encoder) {
        helix_encode_budget_release(self->budget, bytes);
        return FALSE;
    }
    helix_configured_encoder_close(self);
    self->encoder = encoder;
    self->active = active;
    self->bytes = bytes;
    return TRUE;
}

gboolean helix_configured_encoder_prepare(HelixConfiguredEncoder *self, const HelixSurface *surface, GError **error)
{
    gboolean same_size = self->frame_width == surface->width && self->frame_height == surface->height;
    HelixEncoderConfig config;

    if (!(self->klass->surface_kinds & (1u << surface->kind))) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "encoder %s cannot read surfaces of kind %d",
                    self->klass->name, surface->kind);
        return FALSE;
    }
    self->frame_width = surface->width;
    self->frame_height = surface->height;
    if (self->encoder && (self->asked.width != 0 || same_size)) {
        return TRUE;
    }
    if (!complete(self, surface->width, surface->height, &config, error)) {
        helix_configured_encoder_close(self);
        return FALSE;
    }
    if (self->encoder && config.width == self->active.width && config.height == self->active.height) {
        return TRUE; /* an odd size and the even one above it are coded alike */
    }
    helix_configured_encoder_close(self);
    return open_encoder(self, &config, error);
}

static gboolean apply(HelixConfiguredEncoder *self, GError **error)
{
    gboolean size_known = self->asked.width != 0 || self->frame_width != 0;
    GError *refused = NULL;
    HelixEncoderConfig config, tried;

    /* The smallest size of one macroblock stands in to check the other values. */
    if (!complete(self, self->frame_width ? self->frame_width : 16, self->frame_height ? self->frame_height : 16,
                  &config, error)) {
        return FALSE;
    }
    if (!size_known) {
        config.width = config.height = 0;
        config.bitrate = self->asked.bitrate;
        self->active = config;
        return TRUE;
    }
    tried = config;
    if (self->encoder && config.width == self->active.width && config.height == self->active.height) {
        if (self->klass->reconfigure(self->encoder, &tried, &refused)) {
            self->active = tried;
            return TRUE;
        }
        if (refused) {
            g_propagate_error(error, refused);
            return FALSE;
        }
    }
    return open_encoder(self, &config, error);
}

gboolean helix_configured_encoder_configure(HelixConfiguredEncoder *self, const HelixConfigRequest *request,
                                            GError **error)
{
    HelixEncoderConfig before = self->asked;

    self->asked = helix_config_request_merge(&before, request);
    if (!apply(self, error)) {
        self->asked = before;
        return FALSE;
    }
    return TRUE;
}
