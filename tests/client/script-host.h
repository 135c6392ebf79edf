/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * script-host.h - a host that does what a test tells it to, right or wrong, on a UNIX socket and a thread of its own.
 *
 * It encodes nothing: its access units are an SPS and made-up slices, enough for an element that never decodes. What
 * needs a decoder is tested against the real core.
 */
#ifndef SCRIPT_HOST_H
#define SCRIPT_HOST_H

#include <glib.h>
#include "../../hw/display/helix/protocol/helix-wire.h"

/* What the host saw of one FRAME_REQUEST. */
typedef struct ScriptFrame {
    guint8 flags;
    guint32 resource_id, width, height, fourcc, stride;
    gint64 pts;
    gboolean force_keyframe;
    guint32 payload_size;
    guint32 crop_x, crop_y, res_width, res_height; /* of the EXT block */
    guint8 luma, cb, cr;                           /* of NV12 sent as pixels, the first of each */
} ScriptFrame;

/* What it does. Set before the element starts; counts are of frames, from 0. -1: never. */
typedef struct Script {
    gboolean frozen_only; /* answers CONFIG_REQ with nothing and PING with PONG */
    gboolean mute;        /* accepts the connection and never says a byte */
    gboolean flaps;       /* closes each connection as soon as it is made, as a proxy without a host does */
    gboolean bad_magic;   /* the first answer has one */
    guint32 capabilities; /* in CONFIG_RESP */
    guint32 max_in_flight;
    gint silent_from;          /* no byte from this frame on */
    gint ignore_from;          /* no answer from this frame on, but to pings */
    gint drip_at;              /* answers this frame with a payload that comes byte by byte and never ends */
    gint close_at;             /* closes instead of answering this frame */
    gint drop_at;              /* answers this one DROPPED */
    gint error_from, error_to; /* answers these with error_code */
    gint32 error_code;
    gint32 repeat_error_code;  /* of these, for a REPEAT; 0: error_code too */
    gint wrong_pts_at;         /* a pts nobody asked for */
    gint truncated_at;         /* a nal_count larger than what follows */
    gint refuse_config_at;     /* answers this CONFIG_REQ (from 0) with an error: */
    gint32 refuse_config_code; /* 0: NO_ENCODER */
    guint8 vui_in_force;       /* what CONFIG_RESP says of colours, in every byte; 0: what was asked */
    guint32 bitrate_in_force;  /* what CONFIG_RESP says, bit/s; 0: what was asked */
    guint delay_ms;            /* before each answer to a picture */
    guint config_delay_ms;     /* before each to CONFIG_REQ */
    gboolean once;             /* silent_from and close_at only on the first connection */
    gboolean hold;             /* answers wait for script_host_allow() */
    gboolean sips;             /* takes 16 KiB of a frame's pixels, 20 times a second */
    gboolean unread;           /* stops reading after CONFIG_REQ: its socket fills up */
} Script;

#define SCRIPT_DEFAULT \
    { .capabilities = HELIX_CAP_ALL, \
      .max_in_flight = 4, \
      .silent_from = -1, \
      .ignore_from = -1, \
      .drip_at = -1, \
      .close_at = -1, \
      .drop_at = -1, \
      .error_from = -1, \
      .error_to = -1, \
      .wrong_pts_at = -1, \
      .truncated_at = -1, \
      .refuse_config_at = -1 }

typedef struct ScriptHost ScriptHost;

ScriptHost *script_host_new(const Script *script);
void script_host_free(ScriptHost *host);
const char *script_host_path(ScriptHost *host);
/* Let @n held answers go. */
void script_host_allow(ScriptHost *host, guint n);
/* What was seen so far; @index must be below the count. */
guint script_host_frames(ScriptHost *host);
ScriptFrame script_host_frame(ScriptHost *host, guint index);
/* Waits until @n frames were seen; FALSE after 5 s. */
gboolean script_host_wait_frames(ScriptHost *host, guint n);
guint script_host_connections(ScriptHost *host);
guint script_host_pings(ScriptHost *host);
guint script_host_configs(ScriptHost *host);
/* Payload of CONFIG_REQ @index and its size. */
const guint8 *script_host_config(ScriptHost *host, guint index, gsize *size);

#endif
