/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu-copy.c - chooses the path of a texture, and returns the surface when the GPU has drawn and copied it. */
#include "../../protocol/error.h"
#include "../../loop/autorelease.h"
#include "../../loop/loop-budget.h"
#include "gl-blit.h"
#include "gpu-copy.h"
#include "metal-copy.h"

#define POLL_MS 1u
#define DEAD_US (2 * G_TIME_SPAN_SECOND)
#define TRIM_S 5u /* Seconds after which unused IOSurfaces are freed; at most twice as long. */

/* A copy in progress. */
typedef struct Job {
    HelixPooledIOSurface *entry; /* NULL: used in place */
    HelixSurface *in_place;      /* the renderer's own IOSurface, or NULL */
    HelixGlFence *fence;         /* behind the blit, or behind the renderer's drawing */
    id commands;                 /* of a Metal copy, else NULL */
    guint32 width, height;       /* that the picture is coded in, even */
    HelixHostPath path;
    gint64 begun; /* us */
    HelixResolved done;
    gpointer data;
} Job;

struct HelixGpuCopier {
    GMainContext *context;
    HelixGlBlit *blit;
    HelixMetalCopy *metal;
    HelixIOSurfacePool *iosurfaces;
    GQueue jobs;   /* Job, the oldest first */
    GSource *poll; /* NULL: no job */
    GSource *trim; /* NULL: the pool is empty */
};

static void forget_entry(gpointer data, HelixPooledIOSurface *entry)
{
    HelixGpuCopier *copier = data;

    helix_gl_blit_forget(copier->blit, entry);
    helix_metal_copy_forget(entry);
}

HelixGpuCopier *helix_gpu_copier_new(GMainContext *context)
{
    HelixGpuCopier *copier = g_new0(HelixGpuCopier, 1);

    copier->context = context;
    copier->blit = helix_gl_blit_new();
    copier->metal = helix_metal_copy_new();
    copier->iosurfaces = helix_iosurface_pool_new(forget_entry, copier);
    g_queue_init(&copier->jobs);
    return copier;
}

/* ---- the end of a copy ---- */

static void end_gpu_part(HelixGpuCopier *copier, Job *job)
{
    if (job->commands) {
        helix_metal_copy_end(job->commands);
    } else {
        helix_gl_blit_end(copier->blit, job->fence);
    }
}

static void finish(HelixGpuCopier *copier, Job *job)
{
    end_gpu_part(copier, job);
    job->done(job->data, job->in_place ? job->in_place : helix_pooled_iosurface_surface(job->entry, job->path), NULL);
    g_free(job);
}

/* The GPU may still write into the IOSurface: it is not used again. */
static void fail(HelixGpuCopier *copier, Job *job, GError *error)
{
    end_gpu_part(copier, job);
    if (job->entry) {
        helix_iosurface_pool_drop(copier->iosurfaces, job->entry);
        helix_pooled_iosurface_unref(job->entry);
    }
    helix_surface_unref(job->in_place);
    job->done(job->data, NULL, error);
    g_free(job);
}

static HelixGpuStatus job_status(HelixGpuCopier *copier, const Job *job)
{
    return job->commands ? helix_metal_copy_status(job->commands) : helix_gl_blit_status(copier->blit, job->fence);
}

/*
 * Dequeue the oldest job that has ended or timed out; NULL: none. A job that never ends does not block those behind it.
 */
static Job *take_ended(HelixGpuCopier *copier, HelixGpuStatus *status)
{
    gint64 now = g_get_monotonic_time();

    for (GList *link = copier->jobs.head; link; link = link->next) {
        Job *job = link->data;

        *status = job_status(copier, job);
        if (*status != HELIX_GPU_PENDING || now - job->begun >= DEAD_US) {
            g_queue_delete_link(&copier->jobs, link);
            return job;
        }
    }
    return NULL;
}

/* Answer ended jobs until the iteration's time budget is spent; one at least. FALSE: there may be more. */
static gboolean end_jobs(HelixGpuCopier *copier)
{
    HelixGpuStatus status;
    Job *job;

    /* search from the front each time: an answer may begin another copy, or reset the GPU */
    while ((job = take_ended(copier, &status))) {
        if (status == HELIX_GPU_DONE) {
            finish(copier, job);
        } else {
            fail(copier, job,
                 g_error_new(HELIX_ERROR, HELIX_CODE_INTERNAL, "the GPU %s",
                             status == HELIX_GPU_FAILED ? "failed to draw or copy the picture"
                                                        : "did not draw and copy the picture within two seconds"));
        }
        if (helix_loop_budget_is_spent()) {
            return FALSE;
        }
    }
    return g_queue_is_empty(&copier->jobs);
}

static gboolean poll_jobs(gpointer data)
{
    HELIX_LOOP_SCOPE;
    HelixGpuCopier *copier = data;
    void *pool = objc_autoreleasePoolPush();
    gboolean over = end_jobs(copier);

    objc_autoreleasePoolPop(pool);
    if (!over) {
        return G_SOURCE_CONTINUE;
    }
    g_clear_pointer(&copier->poll, g_source_unref);
    return G_SOURCE_REMOVE;
}

/* Takes @job over. */
static void watch(HelixGpuCopier *copier, Job *job)
{
    job->begun = g_get_monotonic_time();
    g_queue_push_tail(&copier->jobs, job);
    if (!copier->poll) {
        copier->poll = g_timeout_source_new(POLL_MS);
        g_source_set_callback(copier->poll, poll_jobs, copier, NULL);
        g_source_attach(copier->poll, copier->context);
    }
}

static void fail_all(HelixGpuCopier *copier)
{
    Job *job;

    while ((job = g_queue_pop_head(&copier->jobs))) {
        fail(copier, job,
             g_error_new_literal(HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                                 "the GPU was reset: its resources "
                                 "are gone"));
    }
    if (copier->poll) {
        g_source_destroy(copier->poll);
        g_clear_pointer(&copier->poll, g_source_unref);
    }
}

void helix_gpu_copier_reset(HelixGpuCopier *copier)
{
    void *pool = objc_autoreleasePoolPush();

    fail_all(copier);
    helix_iosurface_pool_clear(copier->iosurfaces);
    helix_gl_blit_reset(copier->blit);
    objc_autoreleasePoolPop(pool);
}

void helix_gpu_copier_free(HelixGpuCopier *copier)
{
    void *pool = objc_autoreleasePoolPush();

    fail_all(copier);
    if (copier->trim) {
        g_source_destroy(copier->trim);
        g_source_unref(copier->trim);
    }
    helix_iosurface_pool_free(copier->iosurfaces);
    helix_gl_blit_free(copier->blit);
    helix_metal_copy_free(copier->metal);
    objc_autoreleasePoolPop(pool);
    g_free(copier);
}

/* ---- the choice ---- */

static gboolean is_side(guint32 side)
{
    return side > 0 && side <= HELIX_MAX_DIMENSION;
}

/* The coded size, always even. Sizes for which no encoder will be opened are ignored. */
static void set_coded_size(Job *job, const HelixPicture *picture, const HelixCaptureTarget *target)
{
    gboolean coded = is_side(target->coded_width) && is_side(target->coded_height);

    job->width = ((coded ? target->coded_width : picture->width) + 1) & ~1u;
    job->height = ((coded ? target->coded_height : picture->height) + 1) & ~1u;
}

static gboolean is_whole(const HelixTexture *texture, const HelixPicture *picture)
{
    return picture->crop_x == 0 && picture->crop_y == 0 && picture->width == texture->width &&
        picture->height == texture->height;
}

/* Whether the texture's pixels can be coded without scaling, flipping or conversion. */
static gboolean is_plain(const HelixTexture *texture, const HelixPicture *picture, const Job *job)
{
    return texture->metal && !texture->bottom_up && job->width == picture->width && job->height == picture->height &&
        helix_metal_is_bgra(texture->metal) && helix_metal_width(texture->metal) == texture->width &&
        helix_metal_height(texture->metal) == texture->height;
}

/* The texture's IOSurface, if it can be used in place; else NULL. */
static IOSurfaceRef plain_surface(const HelixTexture *texture, const HelixPicture *picture, const Job *job)
{
    IOSurfaceRef surface = is_plain(texture, picture, job) && is_whole(texture, picture)
        ? helix_metal_iosurface(texture->metal)
        : NULL;

    return surface && IOSurfaceGetWidth(surface) == picture->width && IOSurfaceGetHeight(surface) == picture->height &&
            IOSurfaceGetPixelFormat(surface) == 0x42475241
        ? surface
        : NULL; /* 'BGRA' */
}

/* Use it in place, once the renderer's GPU work on it has ended. Without a fence it is copied. */
static gboolean begin_in_place(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture,
                               Job *job)
{
    IOSurfaceRef surface = plain_surface(texture, picture, job);

    if (!surface) {
        return FALSE;
    }
    job->fence = helix_gl_blit_fence(copier->blit);
    if (!job->fence) {
        return FALSE;
    }
    job->path = HELIX_HOST_PATH_IOSURFACE;
    job->in_place = helix_iosurface_wrap(surface);
    return TRUE;
}

static gboolean begin_metal(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture, Job *job,
                            GError **error)
{
    HelixRect source = { picture->crop_x, picture->crop_y, picture->width, picture->height };
    id event = is_plain(texture, picture, job) ? helix_gl_blit_metal_event(copier->blit) : NULL;

    if (!event) {
        /* without the event Metal may copy before the renderer has drawn the picture */
        return FALSE;
    }
    job->path = HELIX_HOST_PATH_METAL_COPY;
    job->commands = helix_metal_copy_begin(copier->metal, texture->metal, source, event, job->entry, error);
    helix_metal_release(event);
    return job->commands != NULL;
}

static gboolean begin_blit(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture, Job *job,
                           GError **error)
{
    HelixBlit from = {
        .texture = texture->tex_id,
        .texture_height = texture->height,
        .bottom_up = texture->bottom_up,
        .source = { picture->crop_x, picture->crop_y, picture->width, picture->height },
    };

    if (!texture->tex_id) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_NOT_READABLE, "resource %u has no texture that the GPU can copy",
                    texture->id);
        return FALSE;
    }
    job->path = HELIX_HOST_PATH_GL_BLIT;
    job->fence = helix_gl_blit_begin(copier->blit, &from, job->entry, error);
    return job->fence != NULL;
}

static gboolean check_bounds(const HelixTexture *texture, const HelixPicture *picture, GError **error)
{
    if (picture->width > 0 && picture->height > 0 && (guint64)picture->crop_x + picture->width <= texture->width &&
        (guint64)picture->crop_y + picture->height <= texture->height) {
        return TRUE;
    }
    g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "%ux%u at %u,%u is not within resource %u, which is %ux%u",
                picture->width, picture->height, picture->crop_x, picture->crop_y, texture->id, texture->width,
                texture->height);
    return FALSE;
}

static gboolean trim_pool(gpointer data)
{
    HELIX_LOOP_SCOPE;
    HelixGpuCopier *copier = data;
    void *pool = objc_autoreleasePoolPush();
    gboolean some = helix_iosurface_pool_trim(copier->iosurfaces);

    objc_autoreleasePoolPop(pool);
    if (some) {
        return G_SOURCE_CONTINUE;
    }
    g_clear_pointer(&copier->trim, g_source_unref);
    return G_SOURCE_REMOVE;
}

static HelixPooledIOSurface *take_entry(HelixGpuCopier *copier, const Job *job, GError **error)
{
    HelixPooledIOSurface *entry = helix_iosurface_pool_take(copier->iosurfaces, job->width, job->height, error);

    if (entry && !copier->trim) {
        copier->trim = g_timeout_source_new_seconds(TRIM_S);
        g_source_set_callback(copier->trim, trim_pool, copier, NULL);
        g_source_attach(copier->trim, copier->context);
    }
    return entry;
}

/* Copy into an IOSurface of the pool, by Metal or by GL. */
static gboolean begin_copy(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture, Job *job,
                           GError **error)
{
    job->entry = take_entry(copier, job, error);
    if (!job->entry) {
        return FALSE;
    }
    if (!begin_metal(copier, texture, picture, job, NULL) && !begin_blit(copier, texture, picture, job, error)) {
        helix_iosurface_pool_drop(copier->iosurfaces, job->entry);
        helix_pooled_iosurface_unref(job->entry);
        return FALSE;
    }
    return TRUE;
}

gboolean helix_gpu_copier_copy(HelixGpuCopier *copier, const HelixTexture *texture, const HelixPicture *picture,
                               const HelixCaptureTarget *target, HelixResolved done, gpointer data, GError **error)
{
    gboolean begun;
    void *pool;
    Job *job;

    if (!check_bounds(texture, picture, error) || !helix_gl_blit_usable(error)) {
        return FALSE;
    }
    job = g_new0(Job, 1);
    job->done = done;
    job->data = data;
    set_coded_size(job, picture, target);
    pool = objc_autoreleasePoolPush();
    begun = begin_in_place(copier, texture, picture, job) || begin_copy(copier, texture, picture, job, error);
    objc_autoreleasePoolPop(pool);
    if (!begun) {
        g_free(job);
        return FALSE;
    }
    watch(copier, job);
    return TRUE;
}
