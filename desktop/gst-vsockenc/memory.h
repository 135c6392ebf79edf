/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* memory.h - GstMemory that is a virtio-gpu buffer of libhelix-client: upstream draws into it. Any thread. */
#ifndef VSOCKENC_MEMORY_H
#define VSOCKENC_MEMORY_H

#include <gst/gst.h>
#include "../client/helix-client.h"

/* Takes @buffer over. */
GstMemory *vsockenc_memory_new(HelixClientBuffer *buffer, gsize size);
/* The buffer that @memory is, or NULL. */
HelixClientBuffer *vsockenc_memory_get_buffer(GstMemory *memory);

#endif
