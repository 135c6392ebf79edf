/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encode-result.h - the result of a job of an encode thread. */
#ifndef HELIX_ENCODE_RESULT_H
#define HELIX_ENCODE_RESULT_H

#include "encoder.h"

/* The result of a job. The receiver may take error and buffer over. */
typedef struct HelixEncodeResult {
    GError *error;
    HelixAccessUnit unit;      /* of an encode; its data is NULL, as it is in buffer */
    GByteArray *buffer;        /* headroom, access unit, tailroom; NULL in error, or if the encoder dropped the frame */
    gsize unit_size;           /* bytes of the access unit */
    HelixEncoderConfig config; /* active; width and height are 0 if no encoder is open yet */
    gint64 encoded_ns;         /* g_get_monotonic_time() * 1000 when the encoder was done */
} HelixEncodeResult;

/* A job of @owner's was done; @tag is the job's. On the pool's context. */
typedef void (*HelixEncodeDone)(gpointer owner, gpointer tag, HelixEncodeResult *result);

#endif
