/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encode-thread.c - encoder threads: one a stream, and the crew of all of a host. */
#include "pre-convert.h"
#include "../protocol/error.h"
#include "scheduler.h"
#include "../loop/threads.h"
#include "../loop/loop-time.h"
#include "encode-thread.h"

#define CONVERTED_MOST 2u /* pictures in NV12: one is encoded while one is converted */

typedef enum JobKind { JOB_ENCODE, JOB_CONFIGURE, JOB_END } JobKind;

/* Goes to the thread as an order and comes back as the answer. */
typedef struct Job {
    HelixEncodeThread *worker;
    JobKind kind;
    gpointer tag;
    HelixSurface *surface;
    HelixPreConvert *ahead; /* surface's conversion, begun; or NULL */
    gboolean force_idr;
    HelixConfigRequest request;
    HelixEncodeResult result;
} Job;

struct HelixEncodePool {
    GSource *source; /* a CrewSource */
    GMainContext *context;
    GAsyncQueue *done; /* Job; shared with the threads */
    GList *workers;
    void (*idle)(gpointer data);
    gpointer idle_data;
    guint64 max_bytes;                  /* that open encoders may keep together */
    gsize headroom, tailroom, max_unit; /* see helix_encode_pool_set_room() */
    GMutex lock;                        /* of what follows; the threads use it */
    guint64 bytes;                      /* that they keep */
    GThread *ended; /* the last thread that is at its end: the next one joins it, or helix_encode_pool_free() */
};

typedef struct CrewSource {
    GSource source;
    HelixEncodePool *crew;
} CrewSource;

struct HelixEncodeThread {
    HelixEncodePool *crew; /* the thread uses its done, context and bytes, which outlive it */

    /* Main loop. */
    GThread *thread;
    HelixEncodeDone done;
    gpointer owner; /* NULL: retired */

    /* Both. */
    GMutex lock; /* of what follows up to busy_height */
    GCond arrived;
    GQueue jobs;                     /* Job */
    guint32 busy_width, busy_height; /* coded, of an encoder that wants NV12 and is at work at the moment; else 0 */
    HelixSurfacePool *converted;
    gint retired;  /* atomic */
    gint want_idr; /* atomic */

    /* The thread. */
    const HelixEncoderClass *klass;
    gboolean hardware_only;
    HelixEncoder *encoder;    /* NULL: none open */
    guint64 bytes;            /* of the crew's, that it keeps */
    HelixEncoderConfig asked; /* 0 is automatic */
    HelixEncoderConfig in_force;
    guint32 frame_width, frame_height; /* of the last frame; 0 before the first */
};

/* ---- the thread ---- */

static void release_memory(HelixEncodePool *crew, guint64 bytes)
{
    g_mutex_lock(&crew->lock);
    crew->bytes -= bytes;
    g_mutex_unlock(&crew->lock);
}

static void close_encoder(HelixEncodeThread *worker)
{
    if (worker->encoder) {
        worker->klass->close(worker->encoder);
        worker->encoder = NULL;
        helix_surface_pool_trim(worker->converted);
        release_memory(worker->crew, worker->bytes);
        worker->bytes = 0;
    }
}

/* What an encoder of this configuration keeps. The guest chooses the coded size, whatever the size of its pictures. */
static guint64 memory_of(const HelixEncodeThread *worker, const HelixEncoderConfig *config)
{
    guint64 bytes = worker->klass->memory ? worker->klass->memory(config) : 0;

    if (worker->klass->wants_nv12) {
        bytes += helix_surface_pool_row(HELIX_FORMAT_NV12, config->width) * config->height * 3 / 2 * CONVERTED_MOST;
    }
    return bytes;
}

/*
 * Count @bytes for an encoder to be opened: @beside the one that is open, or in its place if there is no room for both,
 * which then counts no more. FALSE, and nothing has changed, if there is no room at all.
 */
static gboolean reserve_memory(HelixEncodeThread *worker, const HelixEncoderConfig *config, guint64 bytes,
                               gboolean *beside, GError **error)
{
    HelixEncodePool *crew = worker->crew;
    guint64 others;
    gboolean fits;

    g_mutex_lock(&crew->lock);
    others = crew->bytes - worker->bytes;
    fits = bytes <= crew->max_bytes && others <= crew->max_bytes - bytes;
    *beside = fits && crew->bytes <= crew->max_bytes - bytes;
    if (fits) {
        crew->bytes = (*beside ? crew->bytes : others) + bytes;
        worker->bytes = *beside ? worker->bytes : 0;
    }
    g_mutex_unlock(&crew->lock);
    if (!fits) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL,
                    "encoder %s for %u x %u needs %" G_GUINT64_FORMAT " bytes, which do not "
                    "fit beside the %" G_GUINT64_FORMAT " of other encoders; %" G_GUINT64_FORMAT
                    " is all that helix-max-memory allows: "
                    "fewer or smaller streams",
                    worker->klass->name, config->width, config->height, bytes, others, crew->max_bytes);
    }
    return fits;
}

/* What @asked comes to for frames of this size. */
static gboolean complete(const HelixEncoderConfig *asked, guint32 width, guint32 height, HelixEncoderConfig *config,
                         GError **error)
{
    *config = *asked;
    if (config->width == 0) {
        config->width = width;
        config->height = height;
    }
    return helix_encoder_config_complete(config, error);
}

/*
 * The one that is open goes once the new one is there. If that can't be opened nothing has changed; but where there is
 * no memory for both the old one is closed, and opened again with the next frame.
 */
static gboolean open_encoder(HelixEncodeThread *worker, const HelixEncoderConfig *config, GError **error)
{
    const guint64 bytes = memory_of(worker, config);
    HelixEncoderConfig in_force = *config;
    HelixEncoder *encoder;
    gboolean beside;

    if (!reserve_memory(worker, config, bytes, &beside, error)) {
        return FALSE;
    }
    if (!beside) {
        close_encoder(worker);
    }
    encoder = worker->klass->open(&in_force, worker->hardware_only, error);
    if (!encoder) {
        release_memory(worker->crew, bytes);
        return FALSE;
    }
    close_encoder(worker);
    worker->encoder = encoder;
    worker->in_force = in_force;
    worker->bytes = bytes;
    return TRUE;
}

/* An encoder for frames of @surface's size: the open one, or a new one, whose first frame is an IDR by nature. */
static gboolean ready_for(HelixEncodeThread *worker, const HelixSurface *surface, GError **error)
{
    gboolean same_size = worker->frame_width == surface->width && worker->frame_height == surface->height;
    HelixEncoderConfig config;

    if (!(worker->klass->surface_kinds & (1u << surface->kind))) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "encoder %s cannot read surfaces of kind %d",
                    worker->klass->name, surface->kind);
        return FALSE;
    }
    worker->frame_width = surface->width;
    worker->frame_height = surface->height;
    if (worker->encoder && (worker->asked.width != 0 || same_size)) {
        return TRUE;
    }
    if (!complete(&worker->asked, surface->width, surface->height, &config, error)) {
        close_encoder(worker);
        return FALSE;
    }
    if (worker->encoder && config.width == worker->in_force.width && config.height == worker->in_force.height) {
        return TRUE; /* an odd size and the even one above it are coded alike */
    }
    close_encoder(worker);
    return open_encoder(worker, &config, error);
}

static void set_busy(HelixEncodeThread *worker, guint32 width, guint32 height)
{
    g_mutex_lock(&worker->lock);
    worker->busy_width = width;
    worker->busy_height = height;
    g_mutex_unlock(&worker->lock);
}

/* The picture as the encoder wants it; a reference. */
static HelixSurface *picture_of(HelixEncodeThread *worker, Job *job)
{
    const HelixEncoderConfig *config = &worker->in_force;
    HelixSurface *picture;

    if (!worker->klass->wants_nv12) {
        return helix_surface_ref(job->surface);
    }
    if (!job->ahead) {
        job->ahead = helix_pre_convert_begin(job->surface, config->width, config->height, worker->converted, G_MAXUINT);
    }
    if (!job->ahead) {
        return helix_surface_ref(job->surface);
    }
    picture = helix_pre_convert_end(g_steal_pointer(&job->ahead));
    job->result.unit.cpu_bytes = picture->cpu_bytes;
    return picture;
}

/* A stay goes on with the next picture if that is there already. */
static void leave_gate(HelixEncodeThread *worker)
{
    const Job *next;
    gboolean goes_on;

    g_mutex_lock(&worker->lock);
    next = g_queue_peek_head(&worker->jobs);
    goes_on = next && next->kind == JOB_ENCODE;
    g_mutex_unlock(&worker->lock);
    if (!goes_on) {
        helix_scheduler_leave();
    }
}

/* Pictures that come once this one has its turn, the time that its conversion takes included, are converted meanwhile.
 */
static gboolean encode_picture(HelixEncodeThread *worker, Job *job, gboolean force_idr)
{
    gboolean good, wants_nv12 = worker->klass->wants_nv12;
    HelixSurface *picture;

    if (worker->klass->on_cpu) {
        helix_scheduler_enter();
    }
    if (wants_nv12) {
        set_busy(worker, worker->in_force.width, worker->in_force.height);
    }
    picture = picture_of(worker, job);
    good = worker->klass->encode(worker->encoder, picture, force_idr, &job->result.unit, &job->result.error);
    helix_surface_unref(picture);
    if (wants_nv12) {
        set_busy(worker, 0, 0);
    }
    return good;
}

/* Copies the access unit into a buffer with room around it. FALSE with an error. */
static gboolean hand_over(HelixEncodeThread *worker, HelixEncodeResult *result)
{
    const HelixEncodePool *crew = worker->crew;
    gsize size = 0;
    const guint8 *data = result->unit.data ? g_bytes_get_data(result->unit.data, &size) : NULL;
    gsize whole = crew->headroom + size + crew->tailroom;
    guint8 *bytes;

    if (size == 0 || size > crew->max_unit) {
        g_set_error(&result->error, HELIX_ERROR, HELIX_CODE_ENCODE,
                    "encoder %s made an access unit of %" G_GSIZE_FORMAT " bytes: 1 to %" G_GSIZE_FORMAT
                    " can be sent; a lower bitrate may help",
                    worker->klass->name, size, crew->max_unit);
        return FALSE;
    }
    bytes = g_try_malloc(whole);
    if (!bytes) {
        g_set_error(&result->error, HELIX_ERROR, HELIX_CODE_INTERNAL,
                    "no memory for an answer of %" G_GSIZE_FORMAT " bytes", whole);
        return FALSE;
    }
    memcpy(bytes + crew->headroom, data, size);
    result->buffer = g_byte_array_new_take(bytes, whole);
    result->unit_size = size;
    return TRUE;
}

static void encode(HelixEncodeThread *worker, Job *job)
{
    HelixAccessUnit *unit = &job->result.unit;
    GError **error = &job->result.error;
    gboolean force_idr;

    if (job->force_idr) {
        g_atomic_int_set(&worker->want_idr, TRUE);
    }
    if (!ready_for(worker, job->surface, error)) {
        return;
    }
    /* Taken before and put back after: a KEYFRAME_REQ that comes during the encode is for the next frame. */
    force_idr = g_atomic_int_compare_and_exchange(&worker->want_idr, TRUE, FALSE);
    unit->submitted_ns = g_get_monotonic_time() * 1000;
    if (!encode_picture(worker, job, force_idr)) {
        close_encoder(worker);
        return;
    }
    if (unit->dropped && force_idr) {
        g_atomic_int_set(&worker->want_idr, TRUE);
    }
    if (unit->dropped) {
        g_clear_pointer(&unit->data, g_bytes_unref);
    }
    if (!unit->dropped && !hand_over(worker, &job->result)) {
        close_encoder(worker); /* the guest misses a reference: start again with an IDR */
    }
    g_clear_pointer(&unit->data, g_bytes_unref);
}

/* Bring what is asked for into force. An encoder whose frames' size is not known yet is opened with the first of them.
 */
static gboolean apply(HelixEncodeThread *worker, GError **error)
{
    gboolean size_known = worker->asked.width != 0 || worker->frame_width != 0;
    GError *refused = NULL;
    HelixEncoderConfig config, tried;

    /* The smallest size of one macroblock stands in to check the other values. */
    if (!complete(&worker->asked, worker->frame_width ? worker->frame_width : 16,
                  worker->frame_height ? worker->frame_height : 16, &config, error)) {
        return FALSE;
    }
    if (!size_known) {
        config.width = config.height = 0;
        config.bitrate = worker->asked.bitrate;
        worker->in_force = config;
        return TRUE;
    }
    tried = config;
    if (worker->encoder && config.width == worker->in_force.width && config.height == worker->in_force.height) {
        if (worker->klass->reconfigure(worker->encoder, &tried, &refused)) {
            worker->in_force = tried;
            return TRUE;
        }
        if (refused) {
            g_propagate_error(error, refused);
            return FALSE;
        }
    }
    return open_encoder(worker, &config, error);
}

static void configure(HelixEncodeThread *worker, Job *job)
{
    HelixEncoderConfig before = worker->asked;

    worker->asked = helix_config_request_merge(&before, &job->request);
    if (!apply(worker, &job->result.error)) {
        worker->asked = before;
    }
}

static Job *next_job(HelixEncodeThread *worker)
{
    Job *job;

    g_mutex_lock(&worker->lock);
    while (!(job = g_queue_pop_head(&worker->jobs))) {
        g_cond_wait(&worker->arrived, &worker->lock);
    }
    g_mutex_unlock(&worker->lock);
    return job;
}

/*
 * The main loop joins no thread: one that has told of its end may be put aside before it is gone. Each joins the one
 * that came to its end before it, which has no more to do than that, and so the last one's end is that of all.
 */
static void join_last(HelixEncodeThread *worker)
{
    HelixEncodePool *crew = worker->crew;
    GThread *last;

    g_mutex_lock(&crew->lock);
    last = crew->ended;
    crew->ended = worker->thread;
    g_mutex_unlock(&crew->lock);
    if (last) {
        g_thread_join(last);
    }
}

static void post(HelixEncodePool *crew, Job *job)
{
    g_async_queue_push(crew->done, job);
    g_main_context_wakeup(crew->context);
}

static gpointer worker_main(gpointer data)
{
    HelixEncodeThread *worker = data;
    HelixEncodePool *crew = worker->crew;
    gboolean end = FALSE;

    while (!end) {
        Job *job = next_job(worker);

        end = job->kind == JOB_END;
        if (end) {
            close_encoder(worker);
            join_last(worker);
        } else if (!g_atomic_int_get(&worker->retired)) {
            (job->kind == JOB_ENCODE ? encode : configure)(worker, job);
            job->result.config = worker->in_force;
            job->result.encoded_ns = g_get_monotonic_time() * 1000;
        }
        /* Before the answer, which says that the picture is read no more. */
        if (job->ahead) { /* it was not encoded */
            helix_surface_unref(helix_pre_convert_end(g_steal_pointer(&job->ahead)));
            if (!worker->encoder) { /* it was begun for one that has closed since, and is counted no more */
                helix_surface_pool_trim(worker->converted);
            }
        }
        helix_surface_unref(g_steal_pointer(&job->surface));
        post(crew, job); /* of the end: the worker may be freed from here on */
        if (!end && worker->klass->on_cpu) {
            leave_gate(worker);
        }
    }
    return NULL;
}

/* ---- the main loop ---- */

static void job_free(Job *job)
{
    helix_surface_unref(job->surface);
    g_clear_error(&job->result.error);
    g_clear_pointer(&job->result.buffer, g_byte_array_unref);
    g_free(job);
}

static void worker_free(HelixEncodeThread *worker)
{
    g_mutex_clear(&worker->lock);
    g_cond_clear(&worker->arrived);
    helix_surface_pool_unref(worker->converted);
    g_free(worker);
}

static void reap(HelixEncodeThread *worker)
{
    worker->crew->workers = g_list_remove(worker->crew->workers, worker);
    worker_free(worker);
}

static gboolean crew_ready(GSource *source, gint *timeout)
{
    if (timeout) {
        *timeout = -1;
    }
    return g_async_queue_length(((CrewSource *)source)->crew->done) > 0;
}

static gboolean crew_check(GSource *source)
{
    return crew_ready(source, NULL);
}

static gboolean crew_dispatch(GSource *source, GSourceFunc callback, gpointer data)
{
    HelixEncodePool *crew = ((CrewSource *)source)->crew;
    Job *job = g_async_queue_try_pop(crew->done);
    gboolean ended = job && job->kind == JOB_END;
    HELIX_LOOP_SCOPE;

    /* One at a time: what is called may free the crew, and the source then comes again only if it is still there. */
    if (ended) {
        reap(job->worker);
    } else if (job && job->worker->owner) {
        job->worker->done(job->worker->owner, job->tag, &job->result);
    }
    if (job) {
        job_free(job);
    }
    if (ended && !crew->workers && crew->idle) {
        crew->idle(crew->idle_data);
    }
    return G_SOURCE_CONTINUE;
}

static GSourceFuncs crew_funcs = { .prepare = crew_ready, .check = crew_check, .dispatch = crew_dispatch };

HelixEncodePool *helix_encode_pool_new(GMainContext *context)
{
    HelixEncodePool *crew = g_new0(HelixEncodePool, 1);

    crew->context = g_main_context_ref(context ? context : g_main_context_default());
    crew->done = g_async_queue_new();
    crew->source = g_source_new(&crew_funcs, sizeof(CrewSource));
    ((CrewSource *)crew->source)->crew = crew;
    crew->max_bytes = G_MAXUINT64;
    crew->max_unit = G_MAXUINT32 / 2;
    g_mutex_init(&crew->lock);
    g_source_attach(crew->source, crew->context);
    return crew;
}

void helix_encode_pool_free(HelixEncodePool *crew)
{
    g_source_destroy(crew->source);
    g_source_unref(crew->source);
    for (GList *link = crew->workers; link; link = link->next) {
        helix_encode_thread_retire(link->data);
    }
    while (crew->workers) {
        Job *job = g_async_queue_pop(crew->done);

        if (job->kind == JOB_END) {
            reap(job->worker);
        }
        job_free(job);
    }
    if (crew->ended) {
        g_thread_join(crew->ended);
    }
    g_async_queue_unref(crew->done);
    g_main_context_unref(crew->context);
    g_mutex_clear(&crew->lock);
    g_free(crew);
}

void helix_encode_pool_set_limit(HelixEncodePool *crew, guint64 max_bytes)
{
    crew->max_bytes = max_bytes;
}

void helix_encode_pool_set_room(HelixEncodePool *crew, gsize headroom, gsize tailroom, gsize max_unit)
{
    crew->headroom = headroom;
    crew->tailroom = tailroom;
    crew->max_unit = max_unit;
}

void helix_encode_pool_set_idle(HelixEncodePool *crew, void (*idle)(gpointer data), gpointer data)
{
    crew->idle = idle;
    crew->idle_data = data;
}

guint helix_encode_pool_size(const HelixEncodePool *crew)
{
    return g_list_length(crew->workers);
}

static Job *job_new(HelixEncodeThread *worker, JobKind kind, gpointer tag)
{
    Job *job = g_new0(Job, 1);

    job->worker = worker;
    job->kind = kind;
    job->tag = tag;
    return job;
}

/* The thread is woken once the lock is free: with a GAsyncQueue it wakes only to wait for that. */
static void order(HelixEncodeThread *worker, Job *job)
{
    g_mutex_lock(&worker->lock);
    g_queue_push_tail(&worker->jobs, job);
    g_mutex_unlock(&worker->lock);
    g_cond_signal(&worker->arrived);
}

HelixEncodeThread *helix_encode_thread_new(HelixEncodePool *crew, const HelixEncoderClass *klass,
                                           gboolean hardware_only, HelixEncodeDone done, gpointer owner, GError **error)
{
    HelixEncodeThread *worker = g_new0(HelixEncodeThread, 1);
    g_autoptr(GError) refused = NULL;
    HelixThreadsBefore before;

    worker->crew = crew;
    worker->done = done;
    worker->owner = owner;
    g_mutex_init(&worker->lock);
    g_cond_init(&worker->arrived);
    g_queue_init(&worker->jobs);
    worker->converted = helix_surface_pool_new(CONVERTED_MOST);
    worker->klass = klass;
    worker->asked.realtime = 1;
    worker->hardware_only = hardware_only;

    helix_threads_begin(&before, klass->on_cpu);
    worker->thread = g_thread_try_new("helix-encoder", worker_main, worker, &refused);
    helix_threads_end(&before);
    if (!worker->thread) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NO_ENCODER,
                    "the host has no thread for another encoder: %s; try again later", refused->message);
        worker_free(worker);
        return NULL;
    }
    crew->workers = g_list_prepend(crew->workers, worker);
    return worker;
}

void helix_encode_thread_retire(HelixEncodeThread *worker)
{
    worker->owner = NULL;
    if (g_atomic_int_compare_and_exchange(&worker->retired, FALSE, TRUE)) {
        order(worker, job_new(worker, JOB_END, NULL));
    }
}

/*
 * If the encoder has a picture and nothing waits, @job's will be next, and is converted meanwhile. One helper is
 * enough: an encode takes longer.
 */
static void convert_ahead(HelixEncodeThread *worker, Job *job)
{
    guint32 width, height;

    g_mutex_lock(&worker->lock);
    width = g_queue_is_empty(&worker->jobs) ? worker->busy_width : 0;
    height = worker->busy_height;
    g_mutex_unlock(&worker->lock);
    if (width) {
        job->ahead = helix_pre_convert_begin(job->surface, width, height, worker->converted, 1);
    }
}

void helix_encode_thread_encode(HelixEncodeThread *worker, HelixSurface *surface, gint64 pts_ns, gboolean force_idr,
                                gpointer tag)
{
    Job *job = job_new(worker, JOB_ENCODE, tag);

    job->surface = helix_surface_ref(surface);
    job->result.unit.pts_ns = pts_ns;
    job->force_idr = force_idr;
    convert_ahead(worker, job);
    order(worker, job);
}

void helix_encode_thread_configure(HelixEncodeThread *worker, const HelixConfigRequest *request, gpointer tag)
{
    Job *job = job_new(worker, JOB_CONFIGURE, tag);

    job->request = *request;
    order(worker, job);
}

void helix_encode_thread_force_idr(HelixEncodeThread *worker)
{
    g_atomic_int_set(&worker->want_idr, TRUE);
}
