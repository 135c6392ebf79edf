/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encode-thread.c - the thread that encodes one stream: its queue of jobs, its begin and its end. */
#include "../loop/threads.h"
#include "../protocol/error.h"
#include "encode-picture.h"
#include "encode-thread.h"

/* ---- the thread ---- */

static HelixJob *next_job(HelixEncodeThread *thread)
{
    HelixJob *job;

    g_mutex_lock(&thread->lock);
    while (!(job = g_queue_pop_head(&thread->jobs))) {
        g_cond_wait(&thread->arrived, &thread->lock);
    }
    g_mutex_unlock(&thread->lock);
    return job;
}

static void run_job(HelixEncodeThread *thread, HelixJob *job)
{
    if (job->kind == HELIX_JOB_ENCODE) {
        helix_encode_picture(thread, job);
    } else {
        helix_configured_encoder_configure(&thread->encoder, &job->request, &job->result.error);
    }
    job->result.config = thread->encoder.active;
    job->result.encoded_ns = g_get_monotonic_time() * 1000;
}

static gpointer thread_main(gpointer data)
{
    HelixEncodeThread *thread = data;
    HelixEncodePool *pool = thread->pool;
    gboolean end = FALSE;

    while (!end) {
        HelixJob *job = next_job(thread);

        end = job->kind == HELIX_JOB_END;
        if (end) {
            helix_configured_encoder_close(&thread->encoder);
            helix_encode_join_last(pool, thread->handle);
        } else if (!g_atomic_int_get(&thread->retired)) {
            run_job(thread, job);
        }
        /* The picture is let go before the result is posted, which tells the guest that it is read no longer. */
        helix_encode_picture_discard(thread, job);
        helix_surface_unref(g_steal_pointer(&job->surface));
        helix_encode_post(pool, job);
    }
    return NULL;
}

/* ---- the main loop ---- */

void helix_encode_thread_free(HelixEncodeThread *thread)
{
    g_mutex_clear(&thread->lock);
    g_cond_clear(&thread->arrived);
    helix_surface_pool_unref(thread->converted);
    g_free(thread);
}

static HelixJob *job_new(HelixEncodeThread *thread, HelixJobKind kind, gpointer tag)
{
    HelixJob *job = g_new0(HelixJob, 1);

    job->thread = thread;
    job->kind = kind;
    job->tag = tag;
    return job;
}

/* Signals after unlocking: a GAsyncQueue would wake the thread while the lock is still held. */
static void queue_job(HelixEncodeThread *thread, HelixJob *job)
{
    g_mutex_lock(&thread->lock);
    g_queue_push_tail(&thread->jobs, job);
    g_mutex_unlock(&thread->lock);
    g_cond_signal(&thread->arrived);
}

HelixEncodeThread *helix_encode_thread_new(HelixEncodePool *pool, const HelixEncoderClass *klass,
                                           gboolean hardware_only, HelixEncodeDone done, gpointer owner, GError **error)
{
    HelixEncodeThread *thread = g_new0(HelixEncodeThread, 1);
    g_autoptr(GError) refused = NULL;
    HelixThreadsBefore before;

    thread->pool = pool;
    thread->done = done;
    thread->owner = owner;
    g_mutex_init(&thread->lock);
    g_cond_init(&thread->arrived);
    g_queue_init(&thread->jobs);
    thread->converted = helix_surface_pool_new(HELIX_CONVERTED_PICTURES);
    helix_configured_encoder_init(&thread->encoder, klass, hardware_only, &pool->budget, thread->converted);

    helix_threads_begin(&before, klass->on_cpu);
    thread->handle = g_thread_try_new("helix-encoder", thread_main, thread, &refused);
    helix_threads_end(&before);
    if (!thread->handle) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "the host cannot start a thread for another encoder: %s; try again later", refused->message);
        helix_encode_thread_free(thread);
        return NULL;
    }
    pool->threads = g_list_prepend(pool->threads, thread);
    return thread;
}

void helix_encode_thread_retire(HelixEncodeThread *thread)
{
    thread->owner = NULL;
    if (g_atomic_int_compare_and_exchange(&thread->retired, FALSE, TRUE)) {
        queue_job(thread, job_new(thread, HELIX_JOB_END, NULL));
    }
}

/*
 * With a picture in the encoder and none waiting, @job's picture is the next one: it is converted meanwhile. One helper
 * thread suffices, as encoding takes longer than converting.
 */
static void pre_convert(HelixEncodeThread *thread, HelixJob *job)
{
    guint32 width, height;

    g_mutex_lock(&thread->lock);
    width = g_queue_is_empty(&thread->jobs) ? thread->busy_width : 0;
    height = thread->busy_height;
    g_mutex_unlock(&thread->lock);
    if (width) {
        job->pre_convert = helix_pre_convert_begin(job->surface, width, height, thread->converted, 1);
    }
}

void helix_encode_thread_encode(HelixEncodeThread *thread, HelixSurface *surface, gint64 pts_ns, gboolean force_idr,
                                gpointer tag)
{
    HelixJob *job = job_new(thread, HELIX_JOB_ENCODE, tag);

    job->surface = helix_surface_ref(surface);
    job->result.unit.pts_ns = pts_ns;
    job->force_idr = force_idr;
    pre_convert(thread, job);
    queue_job(thread, job);
}

void helix_encode_thread_configure(HelixEncodeThread *thread, const HelixConfigRequest *request, gpointer tag)
{
    HelixJob *job = job_new(thread, HELIX_JOB_CONFIGURE, tag);

    job->request = *request;
    queue_job(thread, job);
}

void helix_encode_thread_force_idr(HelixEncodeThread *thread)
{
    g_atomic_int_set(&thread->want_idr, TRUE);
}
