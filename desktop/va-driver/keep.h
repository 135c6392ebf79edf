/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * keep.h - snapshots of DMA-BUFs: programs hand a picture back to its producer right after vaEndPicture() of VideoProc,
 * and do not wait. So the host keeps its pixels before that call returns, and the film never shows a newer picture.
 *
 * A snapshot belongs to a connection, and so to an encoder. One is made for each encoder of the driver; before the
 * program has any, for a connection that its first encoder takes over.
 */
#ifndef HELIX_VA_KEEP_H
#define HELIX_VA_KEEP_H

#include "pixels.h"
#include "session.h"

HvaKeeper *hva_keeper_new(void);
/* After the last session. */
void hva_keeper_free(HvaKeeper *keeper);
/* A session for a new encoder, and its end. */
HvaSession *hva_keeper_open(HvaDriver *driver);
void hva_keeper_close(HvaDriver *driver, HvaSession *session);

/* @imported, as its pixels are now: a reference to other pixels with the same DMA-BUF, and with snapshots as far as
 * hosts make them. Waits for them, so not under a lock; at most for the time of HELIX_VA_TIMEOUT_MS. NULL: no memory.
 */
HvaPixels *hva_keep(HvaDriver *driver, HvaPixels *imported);
/* The snapshot that @client's host has of @pixels, referenced. NULL: none; the DMA-BUF is to be read as it is. */
HelixClientSnapshot *hva_kept(HvaPixels *pixels, HelixClient *client);

#endif
