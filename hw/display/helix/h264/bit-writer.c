/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bit-writer.c - u(n), ue(v) and se(v) of ITU-T H.264 (08/2021), 7.2 and 9.1. */
#include "h264.h"

void helix_bits_put(HelixBitWriter *writer, guint n, guint32 value)
{
    while (n > 0) {
        guint take = MIN(n, 8 - writer->n_partial);
        guint bits = (value >> (n - take)) & ((1u << take) - 1);

        writer->partial |= (guint8)(bits << (8 - writer->n_partial - take));
        writer->n_partial += take;
        n -= take;
        if (writer->n_partial == 8) {
            g_byte_array_append(writer->bytes, &writer->partial, 1);
            writer->partial = 0;
            writer->n_partial = 0;
        }
    }
}

void helix_bits_put_ue(HelixBitWriter *writer, guint32 value)
{
    guint length = g_bit_storage(value + 1);

    helix_bits_put(writer, length - 1, 0);
    helix_bits_put(writer, length, value + 1);
}

void helix_bits_put_se(HelixBitWriter *writer, gint32 value)
{
    helix_bits_put_ue(writer, value > 0 ? (guint32)value * 2 - 1 : (guint32) - (gint64)value * 2);
}

void helix_bits_put_trailing(HelixBitWriter *writer)
{
    helix_bits_put(writer, 1, 1);
    if (writer->n_partial) {
        helix_bits_put(writer, 8 - writer->n_partial, 0);
    }
}
