/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session-private.h - a session's inside: the queue (session.c), sending (session-send.c), answers (session-events.c).
 */
#ifndef HELIX_VA_SESSION_PRIVATE_H
#define HELIX_VA_SESSION_PRIVATE_H

#include <sys/types.h>
#include "session.h"

struct HvaSession {
    HvaDriver *driver;
    pid_t process; /* that has the thread: not a child of fork() */
    int wake;      /* an eventfd */
    GThread *thread;
    GMutex lock;         /* the next three */
    GQueue pushed;       /* HvaJob: new ones */
    HelixClient *shared; /* the connection; NULL: there is none */
    gboolean ends;
    /* Of the thread alone: */
    GQueue waiting;           /* HvaJob: not submitted, in order */
    GQueue under_way;         /* HvaJob: submitted and not answered, in order */
    HelixClient *client;      /* @shared, once the thread knows of it */
    HelixClientConfig config; /* sent last */
    gboolean configured, ever_negotiated, idr_pending;
    guint64 pts;
    gint64 without_host_us; /* since when jobs wait for a host; 0: they do not */
};

/* session-send.c */
/* With the lock: connect, if there is no connection. */
gboolean hva_session_connect(HvaSession *self, GError **error);
/* Connect if needed, and submit what may be under way. */
void hva_session_submit(HvaSession *self);
/* All that is under way waits again, to be sent once more, from an IDR on. */
void hva_session_send_again(HvaSession *self);
/* Jobs fail that waited for a host for too long. */
void hva_session_give_up_late(HvaSession *self);
void hva_session_disconnect(HvaSession *self);
void hva_session_fail_all(HvaSession *self, VAStatus status);

/* session-events.c */
void hva_session_take_events(HvaSession *self);
/* The client is of no more use: the jobs fail, and a later one connects anew. */
void hva_session_fail(HvaSession *self, const GError *error);

#endif
