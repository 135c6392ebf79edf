/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scripted.h - a real encoder that is slow, drops or fails when told to, and remembers what it was given. Any thread.
 */
#ifndef HELIX_TEST_SCRIPTED_H
#define HELIX_TEST_SCRIPTED_H

#include "encode/encoder.h"

typedef struct ScriptedCall {
    guint32 width, height;        /* of the surface */
    guint32 coded_width, bitrate; /* asked for, in force when it was encoded */
    guint32 pixel;                /* its first four bytes */
    HelixHostPath path;
    gboolean force_idr;
    gboolean keyframe, dropped, failed;
} ScriptedCall;

/* Forget everything, and wrap @inner (whose name it bears) from now on. No encoder of it may be open. */
const HelixEncoderClass *scripted_wrap(const HelixEncoderClass *inner);

void scripted_remember(gboolean remember); /* calls; else they are counted only, for runs of any length */
void scripted_delay_ms(guint ms);          /* every encode takes that much longer */
void scripted_drop(guint n);               /* the next n encodes are dropped */
void scripted_drop_every(guint n);         /* 0: none */
void scripted_fail(guint n);               /* the next n encodes fail */
void scripted_oversize(guint n);           /* the next n access units are larger than a message may be */
void scripted_fail_open(guint n);          /* the next n opens fail */
void scripted_refuse(guint n);             /* the next n reconfigures are refused */
void scripted_hold(gboolean hold);         /* encodes do not return until this is FALSE again */

/* Waits for the @n-th encode to have begun, counted from 1; FALSE if that takes too long. */
gboolean scripted_wait_begun(guint n);
guint scripted_n_begun(void);
guint scripted_n_calls(void);        /* encodes that returned */
ScriptedCall scripted_call(guint i); /* from 0 */
guint scripted_n_opened(void), scripted_n_closed(void), scripted_n_reconfigured(void);
gboolean scripted_wait_closed(guint n);
void scripted_want_nv12(void);            /* the host is to prefer NV12 of the coded size; before a stream begins */
void scripted_keep(void);                 /* an open encoder is said to keep 16 bytes a pixel; before it is opened */
HelixEncoderConfig scripted_config(void); /* of the last open or reconfigure, as it was asked for */

#endif
