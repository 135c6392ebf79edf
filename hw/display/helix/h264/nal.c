/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nal.c - NAL units of an Annex B byte stream, ITU-T H.264 (08/2021), 7.3.1, 7.4.1 and annex B. */
#include "h264.h"

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
