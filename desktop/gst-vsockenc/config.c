/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config.c - see config.h. */
#include "coded-size.h"
#include "config.h"
#include "downstream-caps.h"
#include "film-size.h"
#include "input.h"
#include "latency.h"
#include "properties.h"
#include "client-handle.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* Of level 6.2 in High profile: nobody means more. kbit/s. */
#define LARGEST_BITRATE 1000000u
/* That of a good stream of a large picture, which may be set for a small one too. kbit/s. */
#define USUAL_BITRATE 20000u

void vsockenc_config_reset(GstVsockEnc *self)
{
    GST_OBJECT_LOCK(self);
    self->config->host = (HelixClientHost){ 0 };
    GST_OBJECT_UNLOCK(self);
    self->config->coded_width = self->config->coded_height = 0;
    self->config->sent_width = self->config->sent_height = 0;
    g_clear_pointer(&self->config->warned_unit, g_free);
}

void vsockenc_config_init(GstVsockEnc *self)
{
    self->config = g_new0(VsockEncConfig, 1);
}

void vsockenc_config_finalize(GstVsockEnc *self)
{
    g_free(self->config->unit_doubt);
    g_free(self->config->warned_unit);
    g_free(self->config);
}

/* ---- telling ---- */

/* 1000 times too much is no rate that anybody means: the number is bit/s. NULL: it may be right. */
static char *doubt(const char *name, guint kbps, guint64 raw)
{
    if (kbps <= CLAMP(raw, USUAL_BITRATE, LARGEST_BITRATE)) {
        return NULL;
    }
    return g_strdup_printf("%s=%u is in kbit/s and more than %s. It can only be meant in bit/s: set %s=%u.", name, kbps,
                           kbps > LARGEST_BITRATE ? "any level of H.264 allows" : "these pictures have uncompressed",
                           name, MAX(kbps / 1000, 1));
}

/* With the stream lock. Each is said once. */
static void warn_of_unit(GstVsockEnc *self)
{
    VsockEncConfig *config = self->config;
    guint64 raw = vsockenc_input_raw_kbps(self);
    g_autofree char *one = doubt("bitrate", vsockenc_properties_asked(self, VSOCKENC_SETTING_BITRATE), raw);
    g_autofree char *other = doubt("max-bitrate", vsockenc_properties_asked(self, VSOCKENC_SETTING_MAX_BITRATE), raw);
    char *both = one && other ? g_strconcat(one, " ", other, NULL) : g_strdup(one ? one : other);

    GST_OBJECT_LOCK(self);
    g_free(config->unit_doubt);
    config->unit_doubt = both;
    GST_OBJECT_UNLOCK(self);
    if (g_strcmp0(both, config->warned_unit) == 0) {
        return;
    }
    g_free(config->warned_unit);
    config->warned_unit = g_strdup(both);
    if (both) {
        GST_ELEMENT_WARNING(self, LIBRARY, SETTINGS, ("%s", config->warned_unit), (NULL));
    }
}

char *vsockenc_config_dup_unit_doubt(GstVsockEnc *self)
{
    char *text;

    GST_OBJECT_LOCK(self);
    text = g_strdup(self->config->unit_doubt);
    GST_OBJECT_UNLOCK(self);
    return text;
}

void vsockenc_configure(GstVsockEnc *self)
{
    HelixClientConfig config = { .realtime = 1 };

    vsockenc_input_describe(self, &config);
    vsockenc_ask_downstream(GST_VIDEO_ENCODER_SRC_PAD(self), &config);
    vsockenc_film_size_describe(self, &vsockenc_input_get_state(self)->info, &config);
    self->config->sent_width = (config.width + 1) & ~1u;
    self->config->sent_height = (config.height + 1) & ~1u;
    vsockenc_properties_tell(self, &config);
    warn_of_unit(self);
    helix_client_configure(vsockenc_client(self), &config);
}

/* ---- the host's answer ---- */

/* Whether @config asks for what a host without HELIX_CLIENT_CAP_LONG_CONFIG cannot be told. */
static gboolean is_long(const HelixClientConfig *config)
{
    return config->max_bitrate || config->key_int_max || config->rate_control || config->min_qp || config->max_qp ||
        config->slices || config->aud;
}

void vsockenc_config_take(GstVsockEnc *self, const HelixClientEvent *event)
{
    const HelixClientHost *host = &event->host;

    GST_OBJECT_LOCK(self);
    self->config->host = *host;
    GST_OBJECT_UNLOCK(self);
    GST_VIDEO_ENCODER_STREAM_LOCK(self);
    self->config->coded_width = host->active.width;
    self->config->coded_height = host->active.height;
    vsockenc_latency_update(self, 0);
    GST_VIDEO_ENCODER_STREAM_UNLOCK(self);
    if (event->asked.tag) {
        vsockenc_properties_accepted(self, &event->asked, &host->active);
    }
    if (is_long(&event->asked) && !(host->capabilities & HELIX_CLIENT_CAP_LONG_CONFIG)) {
        GST_WARNING_OBJECT(self,
                           "this host cannot be told of rate-control, max-bitrate, min-qp, max-qp, num-slices, aud");
    }
    if (event->asked.vui.sar_width && !(host->capabilities & HELIX_CLIENT_CAP_VUI)) {
        GST_WARNING_OBJECT(self, "this host cannot be told of the pixel aspect ratio: it is in the caps alone");
    }
}

void vsockenc_config_take_refusal(GstVsockEnc *self, const HelixClientEvent *event)
{
    g_autofree char *unit = vsockenc_config_dup_unit_doubt(self);

    vsockenc_properties_refused(self, &event->asked);
    GST_ELEMENT_WARNING(self, LIBRARY, SETTINGS,
                        ("%s%sThe host refuses the change of settings and goes on with those before: %s",
                         unit ? unit : "", unit ? " " : "", event->message),
                        ("error %d", event->code));
}

void vsockenc_config_coded_size(GstVsockEnc *self, const HelixClientEvent *event, gint *width, gint *height)
{
    const VsockEncConfig *config = self->config;

    *width = (gint)(config->coded_width ? config->coded_width : config->sent_width);
    *height = (gint)(config->coded_height ? config->coded_height : config->sent_height);
}

void vsockenc_config_pixels(GstVsockEnc *self, const HelixClientEvent *event, gint *n, gint *d)
{
    gint width, height;

    vsockenc_config_coded_size(self, event, &width, &height);
    if (event->width && event->height && !self->config->host.active.letterbox) {
        vsockenc_coded_size_stretch_pixels(event->width, event->height, (guint32)width, (guint32)height, n, d);
    }
}

HelixClientVui vsockenc_config_active_vui(GstVsockEnc *self)
{
    return self->config->host.active.vui; /* set on this thread */
}

HelixClientHost vsockenc_config_get_host(GstVsockEnc *self)
{
    HelixClientHost host;

    GST_OBJECT_LOCK(self);
    host = self->config->host;
    GST_OBJECT_UNLOCK(self);
    return host;
}

void vsockenc_config_add_stats(GstVsockEnc *self, GstStructure *stats)
{
    const HelixClientHost *host = &self->config->host;

    GST_OBJECT_LOCK(self);
    gst_structure_set(stats, "encoder", G_TYPE_STRING, *host->encoder ? host->encoder : "unknown", "bitrate-kbps",
                      G_TYPE_UINT, host->active.bitrate / 1000, "max-in-flight", G_TYPE_UINT, host->max_in_flight,
                      "capabilities", G_TYPE_UINT, host->capabilities, NULL);
    GST_OBJECT_UNLOCK(self);
}
