/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* job.c - see job.h. */
#include <unistd.h>
#include "job.h"

HvaJob *hva_job_new(HvaPixels *pixels, const HvaRect *rect, const HelixClientConfig *config, gboolean idr)
{
    HvaJob *job = g_new0(HvaJob, 1);

    g_atomic_ref_count_init(&job->refs);
    job->process = getpid();
    job->pixels = pixels;
    job->rect = *rect;
    job->config = *config;
    job->idr = idr;
    g_mutex_init(&job->lock);
    g_cond_init(&job->cond);
    return job;
}

HvaJob *hva_job_ref(HvaJob *job)
{
    g_atomic_ref_count_inc(&job->refs);
    return job;
}

void hva_job_unref(HvaJob *job)
{
    if (!g_atomic_ref_count_dec(&job->refs)) {
        return;
    }
    g_clear_pointer(&job->pixels, hva_pixels_unref);
    g_clear_pointer(&job->unit, g_bytes_unref);
    g_mutex_clear(&job->lock);
    g_cond_clear(&job->cond);
    g_free(job);
}

void hva_job_finish(HvaJob *job, VAStatus status, GBytes *unit)
{
    HvaPixels *pixels = NULL;

    g_mutex_lock(&job->lock);
    if (!job->done) {
        job->done = TRUE;
        job->status = status;
        job->unit = unit ? g_bytes_ref(unit) : NULL;
        pixels = g_steal_pointer(&job->pixels);
        g_cond_broadcast(&job->cond);
    }
    g_mutex_unlock(&job->lock);
    if (pixels) {
        hva_pixels_unref(pixels);
    }
}

gboolean hva_job_is_done(HvaJob *job)
{
    gboolean done;

    g_mutex_lock(&job->lock);
    done = job->done;
    g_mutex_unlock(&job->lock);
    return done;
}

VAStatus hva_job_wait(HvaJob *job, gint64 until_us)
{
    gboolean in_time = TRUE;
    VAStatus status;

    if (job->process != getpid()) {
        return VA_STATUS_ERROR_OPERATION_FAILED;
    }
    g_mutex_lock(&job->lock);
    while (!job->done && in_time) {
        if (until_us < 0) {
            g_cond_wait(&job->cond, &job->lock);
        } else {
            in_time = g_cond_wait_until(&job->cond, &job->lock, until_us);
        }
    }
    status = job->done ? job->status : VA_STATUS_ERROR_TIMEDOUT;
    g_mutex_unlock(&job->lock);
    return status;
}

GBytes *hva_job_unit(HvaJob *job)
{
    GBytes *unit;

    g_mutex_lock(&job->lock);
    unit = job->unit ? g_bytes_ref(job->unit) : NULL;
    g_mutex_unlock(&job->lock);
    return unit;
}
