/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kept.h - the latest picture, kept for a host that comes back or could not use it. All with the stream lock. */
#ifndef VSOCKENC_KEPT_H
#define VSOCKENC_KEPT_H

#include "../client/helix-client.h"
#include "element.h"

typedef struct VsockEncKept {
    HelixClientFrame *picture; /* until upstream gives the next; NULL: none */
    GstMiniObject *owner;      /* upstream's object that keeps its memory; NULL: the library's own memory */
    gboolean keeps;            /* for a host that comes back, or until the first access unit came */
    gboolean reconnects;       /* the property reconnect, as it was at the start */
} VsockEncKept;

void vsockenc_kept_reset(GstVsockEnc *self, gboolean reconnects);
/* Keep @picture, made of @input, where one is to be kept; instead of the one before. */
void vsockenc_kept_set(GstVsockEnc *self, HelixClientFrame *picture, GstBuffer *input);
void vsockenc_kept_forget(GstVsockEnc *self);
gboolean vsockenc_kept_is_there(GstVsockEnc *self);
/* Turn a kept picture of guest-copy into one of pixel-data, which every host can read. */
void vsockenc_kept_use_pixels(GstVsockEnc *self);
/* The kept picture as a frame for a host that has none; NULL: the host needs none, or none is kept. */
HelixClientFrame *vsockenc_kept_make_first(GstVsockEnc *self);
/* An access unit came: the host has a picture, and can read its copy mode. */
void vsockenc_kept_note_unit(GstVsockEnc *self, const HelixClientEvent *event);

#endif
