/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* properties.h - the values of properties: as set, and as the host has them in force. Every function takes the object
 * lock. */
#ifndef VSOCKENC_PROPERTIES_H
#define VSOCKENC_PROPERTIES_H

#include "element.h"
#include "settings.h"

typedef struct VsockEncProperties {
    guint cid, port;
    char *socket_path;
    VsockEncSettings settings; /* those that go to the host */
    guint timeout;             /* ms; 0: none */
    guint keepalive_time;      /* ms; 0: none */
    gboolean reconnect;
    gboolean keep_size;
    gboolean socket_is_default; /* no property gave socket_path: one that gives the vsock address takes its place */
} VsockEncProperties;

void vsockenc_properties_install(GObjectClass *object_class);
void vsockenc_properties_init(GstVsockEnc *self);
void vsockenc_properties_finalize(GstVsockEnc *self);

/* Set what they say of the connection on @client, which is not connected yet. Returns reconnect. */
gboolean vsockenc_properties_apply(GstVsockEnc *self, HelixClient *client);
/* The same of keepalive-time, at any time. */
void vsockenc_properties_apply_keepalive(GstVsockEnc *self, HelixClient *client);
/* The host is gone, or a new one comes: properties read what was asked for. */
void vsockenc_properties_reset(GstVsockEnc *self);
/* Is there anything that the host was not told? */
gboolean vsockenc_properties_changed(GstVsockEnc *self);
/* Write what is asked for to @config, and count it as told. */
void vsockenc_properties_tell(GstVsockEnc *self, HelixClientConfig *config);
/* The property keep-size. */
gboolean vsockenc_properties_keeps_size(GstVsockEnc *self);
guint vsockenc_properties_asked(GstVsockEnc *self, VsockEncSetting setting);
/* The host took @asked, and @active is in force: notify of properties that changed by that. */
void vsockenc_properties_accepted(GstVsockEnc *self, const HelixClientConfig *asked, const HelixClientConfig *active);
/* The host refused @asked: likewise. */
void vsockenc_properties_refused(GstVsockEnc *self, const HelixClientConfig *asked);

#endif
