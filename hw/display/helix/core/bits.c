/* SPDX-License-Identifier: GPL-2.0-or-later */
/* bits.c - bit reader and writer for H.264 syntax, and emulation prevention. */
#include "bits.h"

void helix_bit_reader_init(HelixBitReader *reader, const guint8 *rbsp, gsize len)
{
    *reader = (HelixBitReader) { .data = rbsp, .n_bits = len * 8 };
}

guint32 helix_bits_u(HelixBitReader *reader, guint n)
{
    guint32 value = 0;

    if (n > reader->n_bits - reader->pos) {
        reader->failed = TRUE;
        reader->pos = reader->n_bits;
        return 0;
    }
    for (guint i = 0; i < n; i++, reader->pos++) {
        value = value << 1 | (reader->data[reader->pos / 8] >> (7 - reader->pos % 8) & 1);
    }
    return value;
}

guint32 helix_bits_ue(HelixBitReader *reader)
{
    guint zeros = 0;

    while (!reader->failed && !helix_bits_u(reader, 1)) {
        zeros++;
    }
    if (reader->failed || zeros > 31) {
        reader->failed = TRUE;
        return 0;
    }
    return ((guint32)1 << zeros) - 1 + helix_bits_u(reader, zeros);
}

gint32 helix_bits_se(HelixBitReader *reader)
{
    guint32 code = helix_bits_ue(reader);

    return code & 1 ? (gint32)(code / 2 + 1) : -(gint32)(code / 2);
}

void helix_bit_writer_init(HelixBitWriter *writer)
{
    *writer = (HelixBitWriter) { .bytes = g_byte_array_new() };
}

static void put_bit(HelixBitWriter *writer, guint bit)
{
    if (writer->n_bits % 8 == 0) {
        g_byte_array_append(writer->bytes, (const guint8[]) { 0 }, 1);
    }
    writer->bytes->data[writer->n_bits / 8] |= bit << (7 - writer->n_bits % 8);
    writer->n_bits++;
}

void helix_bits_put(HelixBitWriter *writer, guint32 value, guint n)
{
    while (n-- > 0) {
        put_bit(writer, value >> n & 1);
    }
}

void helix_bits_put_ue(HelixBitWriter *writer, guint32 value)
{
    guint64 code = (guint64)value + 1;
    guint bits = g_bit_storage(code);

    helix_bits_put(writer, 0, bits - 1);
    for (guint i = bits; i-- > 0;) {
        put_bit(writer, code >> i & 1);
    }
}

void helix_bits_copy(HelixBitWriter *writer, const guint8 *rbsp, gsize from, gsize to)
{
    for (gsize i = from; i < to; i++) {
        put_bit(writer, rbsp[i / 8] >> (7 - i % 8) & 1);
    }
}

GByteArray *helix_bit_writer_end(HelixBitWriter *writer)
{
    GByteArray *bytes = writer->bytes;

    put_bit(writer, 1);         /* rbsp_stop_one_bit; the zeros up to the byte's end are there already */
    *writer = (HelixBitWriter) { 0 };
    return bytes;
}

GByteArray *helix_rbsp_from_nal(const guint8 *nal, gsize len)
{
    GByteArray *rbsp = g_byte_array_sized_new(len);
    guint zeros = 0;

    for (gsize i = 0; i < len; i++) {
        if (zeros >= 2 && nal[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = nal[i] == 0 ? zeros + 1 : 0;
        g_byte_array_append(rbsp, nal + i, 1);
    }
    return rbsp;
}

GByteArray *helix_nal_from_rbsp(const guint8 *rbsp, gsize len)
{
    GByteArray *nal = g_byte_array_sized_new(len + len / 2);
    guint zeros = 0;

    for (gsize i = 0; i < len; i++) {
        if (zeros >= 2 && rbsp[i] <= 3) {
            g_byte_array_append(nal, (const guint8[]) { 3 }, 1);
            zeros = 0;
        }
        zeros = rbsp[i] == 0 ? zeros + 1 : 0;
        g_byte_array_append(nal, rbsp + i, 1);
    }
    return nal;
}
