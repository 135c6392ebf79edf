/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* property-access.c - the properties as GObject sets and reads them; see property-ids.h. */
#include "path.h"
#include "properties.h"
#include "property-ids.h"
#include "client-handle.h"
#include "stats.h"

static guint setting_of(const GValue *value)
{
    return G_VALUE_HOLDS_BOOLEAN(value) ? (guint)g_value_get_boolean(value)
        : G_VALUE_HOLDS_ENUM(value)     ? (guint)g_value_get_enum(value)
                                        : g_value_get_uint(value);
}

/* Both names of a property are one. */
static guint main_id(guint id)
{
    return id == PROP_QP_MIN ? PROP_SETTING + VSOCKENC_SETTING_MIN_QP
        : id == PROP_QP_MAX  ? PROP_SETTING + VSOCKENC_SETTING_MAX_QP
                             : id;
}

/* With the object lock: the application says where to connect, not the environment. */
static void forget_default_socket(VsockEncProperties *properties)
{
    if (properties->socket_is_default) {
        g_clear_pointer(&properties->socket_path, g_free);
        properties->socket_is_default = FALSE;
    }
}

static void set_keepalive_time(GstVsockEnc *self, guint ms)
{
    HelixClient *client;

    GST_OBJECT_LOCK(self);
    self->properties->keepalive_time = ms;
    GST_OBJECT_UNLOCK(self);
    client = vsockenc_ref_client(self);
    if (client) {
        vsockenc_properties_apply_keepalive(self, client);
        helix_client_unref(client);
    }
}

void vsockenc_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    GstVsockEnc *self = GST_VSOCKENC(object);
    VsockEncProperties *properties = self->properties;

    id = main_id(id);
    if (id == PROP_KEEPALIVE_TIME) {
        set_keepalive_time(self, g_value_get_uint(value));
        return;
    }
    GST_OBJECT_LOCK(self);
    switch (id) {
    case PROP_CID:
        properties->cid = g_value_get_uint(value);
        forget_default_socket(properties);
        break;
    case PROP_PORT:
        properties->port = g_value_get_uint(value);
        forget_default_socket(properties);
        break;
    case PROP_SOCKET_PATH:
        g_free(properties->socket_path);
        properties->socket_path = g_value_dup_string(value);
        properties->socket_is_default = FALSE;
        break;
    case PROP_TIMEOUT:
        properties->timeout = g_value_get_uint(value);
        break;
    case PROP_KEEP_SIZE:
        properties->keep_size = g_value_get_boolean(value);
        break;
    case PROP_RECONNECT:
        properties->reconnect = g_value_get_boolean(value);
        break;
    default:
        if (id >= PROP_SETTING && id < PROP_SETTING + VSOCKENC_N_SETTINGS) {
            vsockenc_settings_set(&properties->settings, id - PROP_SETTING, setting_of(value));
        } else {
            G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
        }
        break;
    }
    GST_OBJECT_UNLOCK(self);
}

static void get_setting(GstVsockEnc *self, VsockEncSetting setting, GValue *value)
{
    guint is = vsockenc_settings_get(&self->properties->settings, setting);

    if (G_VALUE_HOLDS_BOOLEAN(value)) {
        g_value_set_boolean(value, is != 0);
    } else if (G_VALUE_HOLDS_ENUM(value)) {
        g_value_set_enum(value, (gint)is);
    } else {
        g_value_set_uint(value, is);
    }
}

/* With the object lock. */
static void get_set_property(GstVsockEnc *self, guint id, GValue *value, GParamSpec *spec)
{
    const VsockEncProperties *properties = self->properties;

    switch (id) {
    case PROP_CID:
        g_value_set_uint(value, properties->cid);
        break;
    case PROP_PORT:
        g_value_set_uint(value, properties->port);
        break;
    case PROP_SOCKET_PATH:
        g_value_set_string(value, properties->socket_path);
        break;
    case PROP_TIMEOUT:
        g_value_set_uint(value, properties->timeout);
        break;
    case PROP_KEEP_SIZE:
        g_value_set_boolean(value, properties->keep_size);
        break;
    case PROP_RECONNECT:
        g_value_set_boolean(value, properties->reconnect);
        break;
    case PROP_KEEPALIVE_TIME:
        g_value_set_uint(value, properties->keepalive_time);
        break;
    default:
        if (id >= PROP_SETTING && id < PROP_SETTING + VSOCKENC_N_SETTINGS) {
            get_setting(self, id - PROP_SETTING, value);
        } else {
            G_OBJECT_WARN_INVALID_PROPERTY_ID(self, id, spec);
        }
        break;
    }
}

void vsockenc_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    GstVsockEnc *self = GST_VSOCKENC(object);

    id = main_id(id);
    switch (id) {
    case PROP_STATS:
        g_value_take_boxed(value, vsockenc_stats(self));
        break;
    case PROP_PATH:
        g_value_set_static_string(value, vsockenc_path_get_name(self));
        break;
    case PROP_PATH_REASON:
        g_value_take_string(value, vsockenc_path_dup_reason(self));
        break;
    default:
        GST_OBJECT_LOCK(self);
        get_set_property(self, id, value, spec);
        GST_OBJECT_UNLOCK(self);
        break;
    }
}
