/* SPDX-License-Identifier: GPL-2.0-or-later */
/* request.c - a message that is answered in order. */
#include "request.h"

HelixRequest *helix_request_new(HelixRequestKind kind, guint16 session_id)
{
    HelixRequest *request = g_new0(HelixRequest, 1);

    request->kind = kind;
    request->session_id = session_id;
    return request;
}

void helix_request_free(HelixRequest *request)
{
    helix_surface_unref(request->surface);
    helix_snapshot_unref(request->snapshot);
    g_clear_error(&request->error);
    g_clear_pointer(&request->buffer, g_byte_array_unref);
    if (request->release) {
        request->release(request->release_data);
    }
    g_free(request);
}
