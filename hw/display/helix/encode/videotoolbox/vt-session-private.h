/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vt-session-private.h - a compression session between vt-session.c (its thread), vt-frame.c (a frame) and vt-hung.c
 * (sessions that hang).
 */
#ifndef HELIX_VT_SESSION_PRIVATE_H
#define HELIX_VT_SESSION_PRIVATE_H

#include "vt-session.h"

/* A call that takes longer counts as hanging. */
#define HELIX_VT_DEAD_AFTER_US (2 * G_TIME_SPAN_SECOND)
/* The same for opening a session: the first one starts the process that encodes. */
#define HELIX_VT_OPEN_WITHIN_US (5 * G_TIME_SPAN_SECOND)
/* While this many threads hang in VideoToolbox, no session is opened. */
#define HELIX_VT_MAX_HUNG 4u

typedef enum HelixVtOrder {
    HELIX_VT_ORDER_NONE,
    HELIX_VT_ORDER_OPEN,
    HELIX_VT_ORDER_CONFIGURE,
    HELIX_VT_ORDER_ENCODE,
    HELIX_VT_ORDER_FLUSH
} HelixVtOrder;

struct HelixVtSession {
    gatomicrefcount refs; /* the owner's and the thread's */
    GThread *thread;

    /* Owned by the thread while it carries out an order, else by the owner. */
    HelixVtMade made;          /* vt NULL: none could be opened, or it has ended */
    CFDictionaryRef force_idr; /* frame properties */
    gboolean lost;
    guint held; /* the last frames in a row that came only when flushed; counted up to HELD_BY_HABIT (vt-frame.c) */
    HelixEncoderConfig config, before;
    gboolean hardware_only;
    GString *tried;          /* candidates that did not work */
    OSStatus status;         /* result of an order */
    CVPixelBufferRef buffer; /* retained */
    gint64 stamp, duration;  /* ns */
    gboolean force;
    guint64 number;
    VTEncodeInfoFlags flags;

    GMutex lock; /* protects what follows, which VideoToolbox's threads use too */
    GCond changed;
    HelixVtOrder order; /* HELIX_VT_ORDER_NONE: done */
    gboolean hangs;     /* an order was not carried out in time: no other one is given */
    gboolean end, ended, abandoned;
    guint64 frame; /* number of the current frame; answers to others are dropped */
    gboolean done;
    HelixVtOutput output;
};

/*
 * Have the session's thread carry out @order. FALSE: it did not before @until, and what belongs to the session is its
 * thread's from now on. The owner's thread.
 */
gboolean helix_vt_session_give(HelixVtSession *session, HelixVtOrder order, gint64 until);

/* VTCompressionOutputCallback. VideoToolbox's threads. */
void helix_vt_session_take_output(void *session_pointer, void *frame_number, OSStatus status, VTEncodeInfoFlags flags,
                                  CMSampleBufferRef sample);

/* Count @n more (or fewer) sessions that hang. Any thread. */
void helix_vt_count_hung(gint n);

/*
 * Wait for room to open a session, which may hang. FALSE if HELIX_VT_MAX_HUNG hang. Each begin that is TRUE is followed
 * by an end. Any thread.
 */
gboolean helix_vt_opening_begin(void);
void helix_vt_opening_end(void);

#endif
