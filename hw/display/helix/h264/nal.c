/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nal.c - NAL units, bits and levels of ITU-T H.264 (08/2021). */
#include "h264.h"

/* ---- NAL units ---- */

/* The offset of the first 00 00 01 at or after @from, or @size. */
static gsize find_start_code(const guint8 *stream, gsize size, gsize from)
{
    for (gsize i = from; i + 3 <= size; i++) {
        if (stream[i] == 0 && stream[i + 1] == 0 && stream[i + 2] == 1) {
            return i;
        }
    }
    return size;
}

gboolean helix_h264_next_nal(const guint8 *stream, gsize size, gsize *position, HelixNal *nal)
{
    gsize start = find_start_code(stream, size, *position);

    while (start < size) {
        gsize begin = start + 3, next = find_start_code(stream, size, begin), end = next;

        while (end > begin && stream[end - 1] == 0) {
            end--; /* trailing_zero_8bits, or the first byte of a longer start code */
        }
        if (end > begin) {
            *nal = (HelixNal){
                .data = stream + begin,
                .size = end - begin,
                .type = stream[begin] & 0x1f,
                .ref_idc = (stream[begin] >> 5) & 3,
            };
            *position = next;
            return TRUE;
        }
        start = next;
    }
    *position = size;
    return FALSE;
}

void helix_h264_append_nal(GByteArray *out, guint8 ref_idc, guint8 type, const guint8 *rbsp, gsize size)
{
    const guint8 start[] = { 0, 0, 0, 1, (guint8)(ref_idc << 5 | type) };
    const guint8 prevention = 3;
    guint zeros = 0;

    g_byte_array_append(out, start, sizeof(start));
    for (gsize i = 0; i < size; i++) {
        if (zeros >= 2 && rbsp[i] <= 3) {
            g_byte_array_append(out, &prevention, 1);
            zeros = 0;
        }
        g_byte_array_append(out, &rbsp[i], 1);
        zeros = rbsp[i] == 0 ? zeros + 1 : 0;
    }
}

/* ---- writing bits ---- */

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

/* ---- levels ---- */

/* Table A-1 without 1b: level times 10, MaxMBPS, MaxFS, MaxBR in 1000 bit/s. */
static const struct {
    guint level;
    guint32 mb_rate, frame_mbs, kbit_rate;
} levels[] = {
    { 10, 1485, 99, 64 },
    { 11, 3000, 396, 192 },
    { 12, 6000, 396, 384 },
    { 13, 11880, 396, 768 },
    { 20, 11880, 396, 2000 },
    { 21, 19800, 792, 4000 },
    { 22, 20250, 1620, 4000 },
    { 30, 40500, 1620, 10000 },
    { 31, 108000, 3600, 14000 },
    { 32, 216000, 5120, 20000 },
    { 40, 245760, 8192, 20000 },
    { 41, 245760, 8192, 50000 },
    { 42, 522240, 8704, 50000 },
    { 50, 589824, 22080, 135000 },
    { 51, 983040, 36864, 240000 },
    { 52, 2073600, 36864, 240000 },
    { 60, 4177920, 139264, 240000 },
    { 61, 8355840, 139264, 480000 },
    { 62, 16711680, 139264, 800000 },
};

gboolean helix_h264_level_known(guint level)
{
    for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
        if (levels[i].level == level) {
            return TRUE;
        }
    }
    return FALSE;
}

guint helix_h264_level(guint32 width, guint32 height, guint32 fps_num, guint32 fps_den, guint64 bitrate, guint profile,
                       guint at_least)
{
    guint64 mb_width = ((guint64)width + 15) / 16, mb_height = ((guint64)height + 15) / 16, mbs = mb_width * mb_height;
    guint64 bits_per_kbit = profile == HELIX_PROFILE_HIGH ? 1250 : 1000; /* cpbBrVclFactor, table A-2 */
    guint fits_size = 0;

    for (guint i = 0; i < G_N_ELEMENTS(levels); i++) {
        guint64 frame_mbs = levels[i].frame_mbs;

        /* A.3.1: each side is at most the root of eight times MaxFS */
        if (mbs > frame_mbs || mb_width * mb_width > 8 * frame_mbs || mb_height * mb_height > 8 * frame_mbs) {
            continue;
        }
        fits_size = levels[i].level;
        if (fits_size >= at_least && mbs * fps_num <= (guint64)levels[i].mb_rate * fps_den &&
            bitrate <= levels[i].kbit_rate * bits_per_kbit) {
            return fits_size;
        }
    }
    return fits_size;
}
