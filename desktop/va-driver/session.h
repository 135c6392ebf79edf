/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.h - one stream: a thread that has jobs encoded by the host, in order, and finishes each of them.
 *
 * A client ends its encode at the first call that fails. So what may pass is retried here: frames that the host drops
 * or cannot encode just now, and a host that goes and comes back. The pictures from the failed one on are sent again,
 * the first of them as an IDR. A job is finished with an error when there was no host for the time of
 * HELIX_VA_TIMEOUT_MS, or when the host refuses for good; a line in the log says why.
 */
#ifndef HELIX_VA_SESSION_H
#define HELIX_VA_SESSION_H

#include "job.h"

typedef struct HvaSession HvaSession;

/* No thread and no connection before the first job. */
HvaSession *hva_session_new(HvaDriver *driver);
/* Jobs that are not done fail. Not under a lock: waits for the thread, which waits for nothing. */
void hva_session_free(HvaSession *session);
/* Any thread: the connection, made if there is none, for snapshots. A reference. NULL: no host, or no thread. */
HelixClient *hva_session_client(HvaSession *session);
/* Any thread; does not wait. FALSE: no thread can be had. */
gboolean hva_session_push(HvaSession *session, HvaJob *job);

#endif
