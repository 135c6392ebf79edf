/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* properties.c - the values of properties; they are installed in property-table.c. See properties.h. */
#include "default-address.h"
#include "properties.h"

#define GST_CAT_DEFAULT vsockenc_debug

#define DEFAULT_TIMEOUT_MS 10000

void vsockenc_properties_init(GstVsockEnc *self)
{
    VsockEncAddress address = { HELIX_CLIENT_HOST_CID, HELIX_CLIENT_DEFAULT_PORT, NULL };
    g_autofree char *complaint = NULL;

    vsockenc_address_read(&address, &complaint);
    if (complaint) {
        GST_WARNING_OBJECT(self, "left out: %s", complaint);
    }
    self->properties = g_new0(VsockEncProperties, 1);
    self->properties->cid = address.cid;
    self->properties->port = address.port;
    self->properties->socket_path = address.socket_path;
    self->properties->socket_is_default = address.socket_path != NULL;
    self->properties->timeout = DEFAULT_TIMEOUT_MS;
}

void vsockenc_properties_finalize(GstVsockEnc *self)
{
    g_free(self->properties->socket_path);
    g_free(self->properties);
}

/* ---- for the connection ---- */

gboolean vsockenc_properties_apply(GstVsockEnc *self, HelixClient *client)
{
    const VsockEncProperties *properties = self->properties;
    gboolean reconnect;

    GST_OBJECT_LOCK(self);
    helix_client_set_vsock_address(client, properties->cid, properties->port);
    if (properties->socket_path && *properties->socket_path) {
        helix_client_set_socket_path(client, properties->socket_path);
    }
    helix_client_set_timeout(client, properties->timeout);
    reconnect = properties->reconnect;
    helix_client_set_reconnect(client, reconnect);
    GST_OBJECT_UNLOCK(self);
    return reconnect;
}

void vsockenc_properties_apply_keepalive(GstVsockEnc *self, HelixClient *client)
{
    GST_OBJECT_LOCK(self);
    helix_client_set_keepalive(client, self->properties->keepalive_time);
    GST_OBJECT_UNLOCK(self);
}

/* ---- settings that go to the host ---- */

void vsockenc_properties_reset(GstVsockEnc *self)
{
    GST_OBJECT_LOCK(self);
    vsockenc_settings_reset(&self->properties->settings);
    GST_OBJECT_UNLOCK(self);
}

gboolean vsockenc_properties_changed(GstVsockEnc *self)
{
    gboolean changed;

    GST_OBJECT_LOCK(self);
    changed = vsockenc_settings_changed(&self->properties->settings);
    GST_OBJECT_UNLOCK(self);
    return changed;
}

void vsockenc_properties_tell(GstVsockEnc *self, HelixClientConfig *config)
{
    GST_OBJECT_LOCK(self);
    vsockenc_settings_tell(&self->properties->settings, config);
    GST_OBJECT_UNLOCK(self);
}

gboolean vsockenc_properties_keeps_size(GstVsockEnc *self)
{
    gboolean keeps;

    GST_OBJECT_LOCK(self);
    keeps = self->properties->keep_size;
    GST_OBJECT_UNLOCK(self);
    return keeps;
}

guint vsockenc_properties_asked(GstVsockEnc *self, VsockEncSetting setting)
{
    guint asked;

    GST_OBJECT_LOCK(self);
    asked = self->properties->settings.asked[setting];
    GST_OBJECT_UNLOCK(self);
    return asked;
}

static void read_settings(GstVsockEnc *self, guint *values)
{
    for (guint i = 0; i < VSOCKENC_N_SETTINGS; i++) {
        values[i] = vsockenc_settings_get(&self->properties->settings, i);
    }
}

/* Applications that watch a property hear when another value is in force than they set. */
static void notify_changes(GstVsockEnc *self, const guint *before, const guint *after)
{
    static const char *const name[VSOCKENC_N_SETTINGS] = {
        [VSOCKENC_SETTING_BITRATE] = "bitrate",
        [VSOCKENC_SETTING_MAX_BITRATE] = "max-bitrate",
        [VSOCKENC_SETTING_RATE_CONTROL] = "rate-control",
        [VSOCKENC_SETTING_KEY_INT_MAX] = "key-int-max",
        [VSOCKENC_SETTING_MIN_QP] = "min-qp",
        [VSOCKENC_SETTING_MAX_QP] = "max-qp",
        [VSOCKENC_SETTING_NUM_SLICES] = "num-slices",
        [VSOCKENC_SETTING_AUD] = "aud",
    };

    for (guint i = 0; i < VSOCKENC_N_SETTINGS; i++) {
        if (before[i] != after[i]) {
            g_object_notify(G_OBJECT(self), name[i]);
        }
    }
}

/* @active NULL: refused. */
static void take_answer(GstVsockEnc *self, const HelixClientConfig *asked, const HelixClientConfig *active)
{
    guint before[VSOCKENC_N_SETTINGS], after[VSOCKENC_N_SETTINGS];
    VsockEncSettings *settings = &self->properties->settings;

    GST_OBJECT_LOCK(self);
    read_settings(self, before);
    if (active) {
        vsockenc_settings_accept(settings, asked, active);
    } else {
        vsockenc_settings_refuse(settings, asked);
    }
    read_settings(self, after);
    GST_OBJECT_UNLOCK(self);
    notify_changes(self, before, after);
}

void vsockenc_properties_accepted(GstVsockEnc *self, const HelixClientConfig *asked, const HelixClientConfig *active)
{
    take_answer(self, asked, active);
}

void vsockenc_properties_refused(GstVsockEnc *self, const HelixClientConfig *asked)
{
    take_answer(self, asked, NULL);
}
