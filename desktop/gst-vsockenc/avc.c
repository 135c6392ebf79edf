/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* avc.c - see avc.h. */
#include <string.h>
#include "avc.h"

/* nal_unit_type (table 7-1) */
#define NAL_SPS 7
#define NAL_PPS 8

#define MAX_SPS 31u /* the record counts them in 5 bits */
#define MAX_PPS 255u
#define PROFILE_HIGH 100

/* ---- NAL units of a byte stream ---- */

typedef struct Nal {
    const guint8 *data;
    gsize len; /* 1 at least */
} Nal;

typedef struct NalReader {
    const guint8 *data;
    gsize len, at; /* behind a start code, or the end */
} NalReader;

/* The first 00 00 01 from @at on; @len: none. */
static gsize find_start_code(const NalReader *reader, gsize at)
{
    while (at + 3 <= reader->len) {
        const guint8 *p = memchr(reader->data + at + 2, 1, reader->len - at - 2);

        if (!p) {
            break;
        }
        if (p[-1] == 0 && p[-2] == 0) {
            return (gsize)(p - 2 - reader->data);
        }
        at = (gsize)(p + 1 - reader->data) - 2;
    }
    return reader->len;
}

static void skip_start_code(NalReader *reader, gsize start_code)
{
    reader->at = MIN(start_code + 3, reader->len);
}

static NalReader open_reader(GBytes *unit)
{
    NalReader reader = { 0 };

    reader.data = g_bytes_get_data(unit, &reader.len);
    skip_start_code(&reader, find_start_code(&reader, 0));
    return reader;
}

static gboolean next_nal(NalReader *reader, Nal *nal)
{
    while (reader->at < reader->len) {
        gsize end = find_start_code(reader, reader->at);

        nal->data = reader->data + reader->at;
        nal->len = end - reader->at;
        skip_start_code(reader, end);
        while (nal->len > 0 &&
               nal->data[nal->len - 1] == 0) { /* trailing_zero_8bits; a NAL unit ends in another byte */
            nal->len--;
        }
        if (nal->len > 0) {
            return TRUE;
        }
    }
    return FALSE;
}

static guint type_of(const Nal *nal)
{
    return nal->data[0] & 0x1f;
}

const guint8 *vsockenc_avc_find_profile(GBytes *unit)
{
    NalReader reader = open_reader(unit);
    Nal nal;

    while (next_nal(&reader, &nal)) {
        if (type_of(&nal) == NAL_SPS && nal.len >= 4) {
            return nal.data + 1;
        }
    }
    return NULL;
}

/* ---- the configuration record ---- */

/* All NAL units of @type, each behind 16 bits of length. Returns how many. */
static guint append_sets(GByteArray *record, GBytes *unit, guint type, guint max)
{
    NalReader reader = open_reader(unit);
    guint n = 0;
    Nal nal;

    while (n < max && next_nal(&reader, &nal)) {
        if (type_of(&nal) == type && nal.len >= 2 && nal.len <= G_MAXUINT16) {
            const guint8 length[] = { (guint8)(nal.len >> 8), (guint8)nal.len };

            g_byte_array_append(record, length, sizeof(length));
            g_byte_array_append(record, nal.data, (guint)nal.len);
            n++;
        }
    }
    return n;
}

GBytes *vsockenc_avc_config(GBytes *unit)
{
    const guint8 *profile = vsockenc_avc_find_profile(unit);
    /* 4 bytes of length, then the number of SPSs; reserved bits are 1. */
    guint8 head[] = { 1, 0, 0, 0, 0xfc | 3, 0xe0 };
    /* High: 4:2:0, luma and chroma of 8 bits, no SPS extension. */
    static const guint8 high[] = { 0xfc | 1, 0xf8, 0xf8, 0 };
    GByteArray *record;
    guint n_sps, n_pps, pps_at;
    guint8 none = 0;

    if (!profile) {
        return NULL;
    }
    memcpy(head + 1, profile, 3);
    record = g_byte_array_new();
    g_byte_array_append(record, head, sizeof(head));
    n_sps = append_sets(record, unit, NAL_SPS, MAX_SPS);
    record->data[5] |= (guint8)n_sps;
    pps_at = record->len;
    g_byte_array_append(record, &none, 1);
    n_pps = append_sets(record, unit, NAL_PPS, MAX_PPS);
    record->data[pps_at] = (guint8)n_pps;
    if (head[1] == PROFILE_HIGH) {
        g_byte_array_append(record, high, sizeof(high));
    }
    if (n_sps == 0 || n_pps == 0) {
        g_byte_array_unref(record);
        return NULL;
    }
    return g_byte_array_free_to_bytes(record);
}

/* ---- access units ---- */

GBytes *vsockenc_avc_convert(GBytes *unit, gboolean strip)
{
    GByteArray *converted = g_byte_array_sized_new((guint)MIN(g_bytes_get_size(unit) + 64, G_MAXUINT));
    NalReader reader = open_reader(unit);
    Nal nal;

    while (next_nal(&reader, &nal)) {
        const guint8 length[] = { (guint8)(nal.len >> 24), (guint8)(nal.len >> 16), (guint8)(nal.len >> 8),
                                  (guint8)nal.len };

        if (!strip || (type_of(&nal) != NAL_SPS && type_of(&nal) != NAL_PPS)) {
            g_byte_array_append(converted, length, sizeof(length));
            g_byte_array_append(converted, nal.data, (guint)nal.len);
        }
    }
    return g_byte_array_free_to_bytes(converted);
}
