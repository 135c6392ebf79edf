/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kept.c - see kept.h. */
#include <gst/video/video.h>
#include "kept.h"
#include "memory.h"
#include "client-handle.h"

static HelixClientFrame *make_again(GstVsockEnc *self, HelixClientFrame *picture, GstMiniObject *owner)
{
    return helix_client_frame_again(vsockenc_client(self), picture,
                                    owner ? (GDestroyNotify)gst_mini_object_unref : NULL,
                                    owner ? gst_mini_object_ref(owner) : NULL);
}

void vsockenc_kept_reset(GstVsockEnc *self, gboolean reconnects)
{
    vsockenc_kept_forget(self);
    self->kept->keeps = TRUE;
    self->kept->reconnects = reconnects;
}

void vsockenc_kept_forget(GstVsockEnc *self)
{
    g_clear_pointer(&self->kept->picture, helix_client_frame_unref);
    g_clear_pointer(&self->kept->owner, gst_mini_object_unref);
}

/*
 * What is upstream's of @picture, and has to stay as it is: of a DMA-BUF its memory, not its buffer, which a pool may
 * want for the next picture; of a buffer of ours that upstream drew into the buffer.
 */
static GstMiniObject *owner_of(HelixClientFrame *picture, GstBuffer *input)
{
    GstMemory *memory = gst_buffer_peek_memory(input, 0);

    switch (helix_client_frame_get_path(picture)) {
    case HELIX_CLIENT_PATH_DMABUF:
        return GST_MINI_OBJECT_CAST(memory);
    case HELIX_CLIENT_PATH_GUEST_COPY:
        return vsockenc_memory_get_buffer(memory) ? GST_MINI_OBJECT_CAST(input) : NULL;
    default:
        return NULL;
    }
}

void vsockenc_kept_set(GstVsockEnc *self, HelixClientFrame *picture, GstBuffer *input)
{
    VsockEncKept *kept = self->kept;
    GstMiniObject *owner;

    if (helix_client_frame_is_again(picture)) {
        return;
    }
    vsockenc_kept_forget(self);
    if (kept->keeps || helix_client_frame_is_unverified(picture)) {
        owner = owner_of(picture, input);
        kept->owner = owner ? gst_mini_object_ref(owner) : NULL;
        kept->picture = make_again(self, picture, owner);
    }
}

void vsockenc_kept_use_pixels(GstVsockEnc *self)
{
    VsockEncKept *kept = self->kept;
    HelixClientFrame *pixels;

    if (kept->picture && helix_client_frame_get_path(kept->picture) == HELIX_CLIENT_PATH_GUEST_COPY) {
        pixels = helix_client_frame_as_pixels(kept->picture);
        vsockenc_kept_forget(self);
        kept->picture = pixels;
    }
}

HelixClientFrame *vsockenc_kept_make_first(GstVsockEnc *self)
{
    VsockEncKept *kept = self->kept;
    HelixClientHost host;

    if (!helix_client_needs_initial_frame(vsockenc_client(self))) {
        return NULL;
    }
    helix_client_get_host(vsockenc_client(self), &host);
    if (kept->picture && helix_client_frame_get_required(kept->picture) & ~host.capabilities) {
        vsockenc_kept_use_pixels(self);
    }
    return kept->picture ? make_again(self, kept->picture, kept->owner) : NULL;
}

void vsockenc_kept_note_unit(GstVsockEnc *self, const HelixClientEvent *event)
{
    VsockEncKept *kept = self->kept;

    if ((kept->keeps || event->unverified) && !kept->reconnects) {
        kept->keeps = FALSE; /* the host has one now, and can read its copy mode */
        vsockenc_kept_forget(self);
    }
}

gboolean vsockenc_kept_is_there(GstVsockEnc *self)
{
    return self->kept->picture != NULL;
}
