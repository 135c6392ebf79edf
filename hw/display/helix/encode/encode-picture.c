/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encode-picture.c - one picture through the encoder: conversion, coding, the access unit. */
#include <string.h>

#include "../protocol/error.h"
#include "encode-picture.h"

static void set_busy(HelixEncodeThread *thread, guint32 width, guint32 height)
{
    g_mutex_lock(&thread->lock);
    thread->busy_width = width;
    thread->busy_height = height;
    g_mutex_unlock(&thread->lock);
}

/* The picture as the encoder wants it; a reference. */
static HelixSurface *picture_of(HelixEncodeThread *thread, HelixJob *job)
{
    const HelixEncoderConfig *config = &thread->encoder.active;
    HelixSurface *picture;

    if (!thread->encoder.klass->wants_nv12) {
        return helix_surface_ref(job->surface);
    }
    if (!job->pre_convert) {
        job->pre_convert = helix_pre_convert_begin(job->surface, config->width, config->height, thread->converted,
                                                   G_MAXUINT);
    }
    if (!job->pre_convert) {
        return helix_surface_ref(job->surface);
    }
    picture = helix_pre_convert_end(g_steal_pointer(&job->pre_convert));
    job->result.unit.cpu_bytes = picture->cpu_bytes;
    return picture;
}

/* While busy is set, from before the conversion on, pictures that arrive are converted by a helper thread. */
static gboolean convert_and_encode(HelixEncodeThread *thread, HelixJob *job, gboolean force_idr)
{
    const HelixEncoderClass *klass = thread->encoder.klass;
    HelixSurface *picture;
    gboolean encoded;

    if (klass->wants_nv12) {
        set_busy(thread, thread->encoder.active.width, thread->encoder.active.height);
    }
    picture = picture_of(thread, job);
    encoded = klass->encode(thread->encoder.encoder, picture, force_idr, &job->result.unit, &job->result.error);
    helix_surface_unref(picture);
    if (klass->wants_nv12) {
        set_busy(thread, 0, 0);
    }
    return encoded;
}

/* A copy of the access unit with room around it; NULL with HELIX_CODE_INTERNAL. It is made on this thread because the
 * guest chooses its size. */
static GByteArray *copy_with_room(const HelixEncodePool *pool, const guint8 *data, gsize size, GError **error)
{
    gsize whole = pool->headroom + size + pool->tailroom;
    g_autofree guint8 *bytes = g_try_malloc(whole);

    if (!bytes) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "no memory for an answer of %" G_GSIZE_FORMAT " bytes",
                    whole);
        return NULL;
    }
    memcpy(bytes + pool->headroom, data, size);
    return g_byte_array_new_take(g_steal_pointer(&bytes), whole);
}

/* Puts the access unit into the result's buffer. FALSE with an error in @result. */
static gboolean fill_buffer(const HelixEncodeThread *thread, HelixEncodeResult *result)
{
    const HelixEncodePool *pool = thread->pool;
    gsize size = 0;
    const guint8 *data = result->unit.data ? g_bytes_get_data(result->unit.data, &size) : NULL;

    if (size == 0 || size > pool->max_unit) {
        g_set_error(&result->error, HELIX_ERROR, HELIX_CODE_ENCODE,
                    "encoder %s made an access unit of %" G_GSIZE_FORMAT " bytes: 1 to %" G_GSIZE_FORMAT
                    " can be sent; a lower bitrate may help",
                    thread->encoder.klass->name, size, pool->max_unit);
        return FALSE;
    }
    result->buffer = copy_with_room(pool, data, size, &result->error);
    result->unit_size = result->buffer ? size : 0;
    return result->buffer != NULL;
}

void helix_encode_picture(HelixEncodeThread *thread, HelixJob *job)
{
    HelixAccessUnit *unit = &job->result.unit;
    gboolean force_idr;

    if (job->force_idr) {
        g_atomic_int_set(&thread->want_idr, TRUE);
    }
    if (!helix_configured_encoder_prepare(&thread->encoder, job->surface, &job->result.error)) {
        return;
    }
    /* Taken before and set again after a drop: a KEYFRAME_REQ that arrives during the encode is for the next frame. */
    force_idr = g_atomic_int_compare_and_exchange(&thread->want_idr, TRUE, FALSE);
    unit->submitted_ns = g_get_monotonic_time() * 1000; /* for encoders that do not set it behind their conversion */
    if (!convert_and_encode(thread, job, force_idr)) {
        helix_configured_encoder_close(&thread->encoder);
        return;
    }
    if (unit->dropped && force_idr) {
        g_atomic_int_set(&thread->want_idr, TRUE);
    }
    if (!unit->dropped && !fill_buffer(thread, &job->result)) {
        helix_configured_encoder_close(&thread->encoder); /* the guest lacks a reference: start again with an IDR */
    }
    g_clear_pointer(&unit->data, g_bytes_unref);
}

void helix_encode_picture_discard(HelixEncodeThread *thread, HelixJob *job)
{
    if (job->pre_convert) {
        helix_surface_unref(helix_pre_convert_end(g_steal_pointer(&job->pre_convert)));
        if (!thread->encoder.encoder) { /* its encoder has closed since: the budget does not count this memory */
            helix_surface_pool_trim(thread->converted);
        }
    }
}
