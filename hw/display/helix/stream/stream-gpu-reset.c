/* SPDX-License-Identifier: GPL-2.0-or-later */
/* stream-gpu-reset.c - the guest's GPU was reset: frames that name a resource of before fail, in their order. */
#include "../protocol/error.h"
#include "stream-private.h"

gboolean helix_frame_is_lost(const HelixStream *stream, const HelixRequest *request)
{
    gboolean unresolved = request->kind == HELIX_REQUEST_KIND_SNAPSHOT ||
        (request->kind == HELIX_REQUEST_KIND_FRAME && !request->surface && !request->snapshot);

    return unresolved && request->gpu_generation != stream->context->gpu_generation;
}

GError *helix_frame_lost_error(const HelixRequest *request)
{
    return g_error_new(HELIX_ERROR, HELIX_CODE_NOT_FOUND,
                       "the GPU was reset and resource %u with it: send the picture again",
                       request->frame.picture.resource_id);
}

void helix_frame_lost(HelixStream *stream, HelixRequest *request)
{
    helix_stream_request_fail(stream, request, helix_frame_lost_error(request));
}

/* Only the look-up under way fails here; stream-queue.c fails requests that wait when they reach the head of the queue.
 */
void helix_frame_reset(HelixStream *stream)
{
    HelixRequest *request = stream->resolving ? stream->resolving->request : NULL;

    stream->reset_due = FALSE;
    if (request && helix_frame_is_lost(stream, request)) {
        helix_capture_cancel(stream, &stream->resolving);
        helix_frame_lost(stream, request);
    }
    helix_snapshot_reset(stream);
    if (stream->last_gpu_generation != stream->context->gpu_generation) {
        g_clear_pointer(&stream->last, helix_surface_unref);
    }
}
