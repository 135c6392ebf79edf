/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* config.h - what the host is told of a stream, and what it says is in force. */
#ifndef VSOCKENC_CONFIG_H
#define VSOCKENC_CONFIG_H

#include "../client/helix-client.h"
#include "element.h"

typedef struct VsockEncConfig {
    /* With the object lock. */
    HelixClientHost host; /* as it reported last */
    char *unit_doubt;     /* what cannot be meant in kbit/s, and what to set instead; NULL: nothing */
    /* With the stream lock. */
    char *warned_unit;                 /* the latest unit_doubt that was warned of */
    guint32 coded_width, coded_height; /* as the host reported; 0: it does not say */
    guint32 sent_width, sent_height;   /* as it was asked for */
} VsockEncConfig;

void vsockenc_config_init(GstVsockEnc *self);
void vsockenc_config_reset(GstVsockEnc *self);
void vsockenc_config_finalize(GstVsockEnc *self);
/* Tell the host what comes and what is asked for. With the stream lock. */
void vsockenc_configure(GstVsockEnc *self);
/* What of that cannot be meant in kbit/s; NULL: nothing. To be freed. Any thread. */
char *vsockenc_config_dup_unit_doubt(GstVsockEnc *self);
/* The host's answer, CONFIGURED or CONFIG_REFUSED. Without a lock: properties are notified. */
void vsockenc_config_take(GstVsockEnc *self, const HelixClientEvent *event);
void vsockenc_config_take_refusal(GstVsockEnc *self, const HelixClientEvent *event);
/* Width and height that a decoder of @event's access unit will see. With the stream lock. */
void vsockenc_config_coded_size(GstVsockEnc *self, const HelixClientEvent *event, gint *width, gint *height);
/* From the pixel aspect ratio *@n / *@d of @event's picture to that of its access unit. On the source pad's task. */
void vsockenc_config_pixels(GstVsockEnc *self, const HelixClientEvent *event, gint *n, gint *d);
/* What the host's SPS says of colours. On the source pad's task. */
HelixClientVui vsockenc_config_active_vui(GstVsockEnc *self);
/* What the host said last; all 0: nothing. Any thread. */
HelixClientHost vsockenc_config_get_host(GstVsockEnc *self);
/* Add what the host said to the statistics. Any thread. */
void vsockenc_config_add_stats(GstVsockEnc *self, GstStructure *stats);

#endif
