/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start.c - see start.h. */
#include "config.h"
#include "errors.h"
#include "film-size.h"
#include "input.h"
#include "kept.h"
#include "keyframe.h"
#include "latency.h"
#include "output.h"
#include "path.h"
#include "properties.h"
#include "refresh.h"
#include "client-handle.h"
#include "start.h"
#include "stats.h"
#include "times.h"
#include "translate.h"

#define GST_CAT_DEFAULT vsockenc_debug

/* ---- what the library says, on its thread ---- */

static void report_failure(GstVsockEnc *self, const GError *why)
{
    GError *error = g_error_copy(why);
    g_autofree char *doubt = NULL;

    if (g_error_matches(error, HELIX_CLIENT_ERROR, HELIX_CLIENT_ERROR_CONFIG) &&
        (doubt = vsockenc_config_dup_unit_doubt(self))) {
        g_prefix_error(&error, "%s ", doubt);
    }
    vsockenc_post_error(self, error);
}

static void report_loss(GstVsockEnc *self, const GError *why)
{
    g_autoptr(GError) error = g_error_copy(why);

    vsockenc_refresh_forget_failures(self); /* the next host has not failed yet */
    vsockenc_translate_error(error);
    gst_element_message_full(GST_ELEMENT(self), GST_MESSAGE_WARNING, error->domain, error->code,
                             g_strdup_printf("%s Reconnecting until it is back (reconnect=true).", error->message),
                             NULL, __FILE__, __func__, __LINE__);
}

static void on_state(HelixClient *client, HelixClientState state, const GError *error, gpointer data)
{
    GstVsockEnc *self = data;

    switch (state) {
    case HELIX_CLIENT_DISCONNECTED:
        report_loss(self, error);
        break;
    case HELIX_CLIENT_CONNECTED:
        GST_ELEMENT_INFO(self, RESOURCE, OPEN_READ_WRITE, ("Connected to the host."), (NULL));
        break;
    case HELIX_CLIENT_FAILED:
        report_failure(self, error);
        break;
    }
}

static void on_log(GLogLevelFlags level, const char *message, gpointer data)
{
    if (level <= G_LOG_LEVEL_MESSAGE) {
        GST_WARNING_OBJECT(data, "%s", message);
    } else {
        GST_INFO_OBJECT(data, "%s", message);
    }
}

/* ---- start and stop ---- */

static void reset_parts(GstVsockEnc *self, gboolean reconnect)
{
    vsockenc_config_reset(self);
    vsockenc_film_size_reset(self);
    vsockenc_properties_reset(self);
    vsockenc_output_reset(self);
    vsockenc_keyframe_reset(self);
    vsockenc_refresh_reset(self);
    vsockenc_kept_reset(self, reconnect);
    vsockenc_times_reset(self);
    vsockenc_latency_reset(self);
}

gboolean vsockenc_start(GstVsockEnc *self)
{
    HelixClient *client = helix_client_new();
    GError *error = NULL;

    reset_parts(self, vsockenc_properties_apply(self, client));
    helix_client_set_frame_data_free(client, (GDestroyNotify)gst_video_codec_frame_unref);
    helix_client_set_state_func(client, on_state, self);
    helix_client_set_log_func(client, on_log, self);
    vsockenc_path_open(self, client);
    vsockenc_client_set_active(self, FALSE);
    if (!helix_client_connect(client, &error)) {
        helix_client_unref(client);
        vsockenc_post_error(self, error);
        vsockenc_stop(self);
        return FALSE;
    }
    vsockenc_client_set(self, client);
    vsockenc_properties_apply_keepalive(self, client); /* one that was set meanwhile found no client */
    return TRUE;
}

static void close_client(GstVsockEnc *self, HelixClient *client)
{
    helix_client_close(client);
    vsockenc_client_keep_stats(self, client);
    helix_client_unref(client);
    vsockenc_stats_post(self);
}

void vsockenc_stop(GstVsockEnc *self)
{
    HelixClient *client;

    vsockenc_client_interrupt(self);
    gst_pad_stop_task(GST_VIDEO_ENCODER_SRC_PAD(self));
    client = vsockenc_client_close(self);
    vsockenc_properties_reset(self);
    if (client) {
        close_client(self, client);
    }
    vsockenc_kept_forget(self);
    vsockenc_output_clear(self);
    vsockenc_input_clear(self);
    vsockenc_path_close(self);
}
