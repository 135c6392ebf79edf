/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bit-reader.c - u(n), ue(v) and se(v) read from a NAL unit, ITU-T H.264 (08/2021), 7.2 and 9.1. */
#include "bit-reader.h"

static void next_byte(HelixBitReader *reader)
{
    reader->zeros = *reader->data == 0 ? reader->zeros + 1 : 0;
    reader->data++;
    reader->bit = 0;
    if (reader->zeros >= 2 && reader->data < reader->end && *reader->data == 3) {
        reader->data++;
        reader->zeros = 0;
    }
}

guint32 helix_bits_get(HelixBitReader *reader, guint n)
{
    guint32 value = 0;

    for (guint i = 0; i < n; i++) {
        if (reader->data >= reader->end) {
            reader->failed = TRUE;
            return 0;
        }
        value = value << 1 | ((*reader->data >> (7 - reader->bit)) & 1);
        reader->position++;
        if (++reader->bit == 8) {
            next_byte(reader);
        }
    }
    return value;
}

gboolean helix_bits_get_flag(HelixBitReader *reader)
{
    return helix_bits_get(reader, 1) != 0;
}

guint32 helix_bits_get_ue(HelixBitReader *reader)
{
    guint zeros = 0;

    while (!reader->failed && !helix_bits_get_flag(reader)) {
        zeros++;
    }
    if (reader->failed || zeros > 31) {
        reader->failed = TRUE;
        return 0;
    }
    return (guint32)((G_GUINT64_CONSTANT(1) << zeros) - 1 + helix_bits_get(reader, zeros));
}

gint32 helix_bits_get_se(HelixBitReader *reader)
{
    guint32 code = helix_bits_get_ue(reader);

    return code & 1 ? (gint32)(code / 2 + 1) : -(gint32)(code / 2);
}

guint32 helix_bits_get_ue_max(HelixBitReader *reader, guint32 max)
{
    guint32 value = helix_bits_get_ue(reader);

    if (value > max) {
        reader->failed = TRUE;
        return 0;
    }
    return value;
}
