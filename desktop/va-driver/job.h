/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* job.h - one picture to encode: what it is made of, and what became of it. Reference-counted, any thread. */
#ifndef HELIX_VA_JOB_H
#define HELIX_VA_JOB_H

#include <sys/types.h>
#include "convert.h"
#include "pixels.h"

typedef struct HvaJob {
    gatomicrefcount refs;
    pid_t process;     /* whose thread finishes it */
    HvaPixels *pixels; /* until it is done */
    HvaRect rect;      /* the part of them; the host scales it to the size of @config */
    HelixClientConfig config;
    gboolean idr;
    /* Of the session's thread alone: */
    guint failures;
    GMutex lock;
    GCond cond;
    /* With the lock: */
    gboolean done;
    VAStatus status; /* once done */
    GBytes *unit;    /* the access unit; NULL: failed */
} HvaJob;

/* Takes over @pixels. */
HvaJob *hva_job_new(HvaPixels *pixels, const HvaRect *rect, const HelixClientConfig *config, gboolean idr);
HvaJob *hva_job_ref(HvaJob *job);
void hva_job_unref(HvaJob *job);
/* @unit is referenced. Only the first call counts. */
void hva_job_finish(HvaJob *job, VAStatus status, GBytes *unit);
gboolean hva_job_is_done(HvaJob *job);
/* Waits; @until_us: g_get_monotonic_time() at which to return VA_STATUS_ERROR_TIMEDOUT, -1: a session finishes each of
 * its jobs. VA_STATUS_ERROR_OPERATION_FAILED in a child of fork(), which has no such session. */
VAStatus hva_job_wait(HvaJob *job, gint64 until_us);
/* Once done. A reference; NULL: failed. */
GBytes *hva_job_unit(HvaJob *job);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HvaJob, hva_job_unref)

#endif
