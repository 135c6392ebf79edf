/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* property-ids.h - the properties' numbers, and their functions. */
#ifndef VSOCKENC_PROPERTY_IDS_H
#define VSOCKENC_PROPERTY_IDS_H

#include <glib-object.h>
#include "settings.h"

enum {
    PROP_0,
    PROP_CID,
    PROP_PORT,
    PROP_SOCKET_PATH,
    PROP_TIMEOUT,
    PROP_RECONNECT,
    PROP_KEEPALIVE_TIME,
    PROP_KEEP_SIZE,
    PROP_PATH,
    PROP_PATH_REASON,
    PROP_STATS,
    PROP_QP_MIN, /* x264enc's names of min-qp and max-qp */
    PROP_QP_MAX,
    PROP_SETTING, /* + VsockEncSetting */
};

/* property-access.c */
void vsockenc_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec);
void vsockenc_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec);

#endif
