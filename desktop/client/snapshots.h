/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots.h - a client's snapshots: asked for as soon as a host can be asked, answered, dropped, lost.
 *
 * They have a lock of their own, taken behind the client's, so that they may outlive it. Any thread.
 */
#ifndef HELIX_CLIENT_SNAPSHOTS_H
#define HELIX_CLIENT_SNAPSHOTS_H

#include "connection.h"
#include "frame.h"

typedef struct ClientSnapshots ClientSnapshots;

ClientSnapshots *client_snapshots_new(void);
/* Drops the client's reference; client_snapshots_end() came before. */
void client_snapshots_unref(ClientSnapshots *self);

/*
 * Functions with @gone move frames to it that are no longer needed: to be unreferenced without a lock, as that runs the
 * caller's code.
 */
/* A snapshot of @frame, which is taken over. */
HelixClientSnapshot *client_snapshots_add(ClientSnapshots *self, HelixClientFrame *frame, GQueue *gone);
/* A host of @capabilities has negotiated on @connection: it is asked for those PENDING, or they are REFUSED. */
void client_snapshots_begin(ClientSnapshots *self, ClientConnection *connection, guint32 capabilities, GQueue *gone);
/* The connection is lost, and @connection of begin() is not used any longer. */
void client_snapshots_lose(ClientSnapshots *self, GQueue *gone);
/* No host will be asked again: all are LOST, also those made later. As lose() otherwise. */
void client_snapshots_end(ClientSnapshots *self, GQueue *gone);
/* While set, nothing waits. */
void client_snapshots_set_flushing(ClientSnapshots *self, gboolean flushing);

/* The frame, with a reference, that snapshot @number was asked for and not answered yet; NULL: it was not. */
HelixClientFrame *client_snapshots_asked(ClientSnapshots *self, guint32 number);
/* The host's answer to it. */
void client_snapshots_done(ClientSnapshots *self, guint32 number, gint32 code, const char *message, GQueue *gone);
/* Bytes were written: an answer is awaited from now on, if one is. */
void client_snapshots_progress(ClientSnapshots *self);
/* Since when the oldest answer is awaited (g_get_monotonic_time()); 0: none is. */
gint64 client_snapshots_waiting(ClientSnapshots *self);

#endif
