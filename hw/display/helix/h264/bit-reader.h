/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bit-reader.h - the bits of a NAL unit without its emulation prevention bytes (7.4.1). Private to this folder.
 *
 * Reads beyond the end return 0 and set failed, as do code words that are too long: a parser reads straight through and
 * checks failed once.
 */
#ifndef HELIX_H264_BIT_READER_H
#define HELIX_H264_BIT_READER_H

#include <glib.h>

typedef struct HelixBitReader {
    const guint8 *data, *end;
    guint bit;      /* of *data, 0 the most significant */
    guint zeros;    /* zero bytes just before *data */
    gsize position; /* bits read of the RBSP, the NAL unit's header included */
    gboolean failed;
} HelixBitReader;

guint32 helix_bits_get(HelixBitReader *reader, guint n); /* u(n), n <= 32 */
gboolean helix_bits_get_flag(HelixBitReader *reader);    /* u(1) */
guint32 helix_bits_get_ue(HelixBitReader *reader);       /* ue(v) */
gint32 helix_bits_get_se(HelixBitReader *reader);        /* se(v) */
/* ue(v); fails if it is more than @max. */
guint32 helix_bits_get_ue_max(HelixBitReader *reader, guint32 max);

#endif
