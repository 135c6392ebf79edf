/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* translate.c - see translate.h. */
#include <gst/gst.h>
#include "../client/helix-client.h"
#include "translate.h"

typedef struct Translation {
    GQuark domain;
    gint code;
} Translation;

static Translation translation_of(gint code)
{
    switch (code) {
    case HELIX_CLIENT_ERROR_NO_MEMORY:
        return (Translation){ GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NO_SPACE_LEFT };
    case HELIX_CLIENT_ERROR_ADDRESS:
        return (Translation){ GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS };
    case HELIX_CLIENT_ERROR_CONNECT:
    case HELIX_CLIENT_ERROR_NO_GPU:
    case HELIX_CLIENT_ERROR_FOREIGN:
    case HELIX_CLIENT_ERROR_GPU:
    case HELIX_CLIENT_ERROR_NO_BUFFER:
        return (Translation){ GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE };
    case HELIX_CLIENT_ERROR_PERMISSION:
        return (Translation){ GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED };
    case HELIX_CLIENT_ERROR_CLOSED:
    case HELIX_CLIENT_ERROR_TIMEOUT:
    case HELIX_CLIENT_ERROR_NOT_A_HOST:
        return (Translation){ GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ };
    case HELIX_CLIENT_ERROR_WRITE:
        return (Translation){ GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE };
    case HELIX_CLIENT_ERROR_PROTOCOL:
        return (Translation){ GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE };
    case HELIX_CLIENT_ERROR_REFUSED:
        return (Translation){ GST_STREAM_ERROR, GST_STREAM_ERROR_ENCODE };
    case HELIX_CLIENT_ERROR_CONFIG:
        return (Translation){ GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_SETTINGS };
    case HELIX_CLIENT_ERROR_IMAGE:
        return (Translation){ GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT };
    default:
        return (Translation){ GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_FAILED };
    }
}

void vsockenc_translate_error(GError *error)
{
    if (error->domain == HELIX_CLIENT_ERROR) {
        Translation translation = translation_of(error->code);

        error->domain = translation.domain;
        error->code = translation.code;
    }
}
