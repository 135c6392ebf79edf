/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-annexb.c - real streams with lengths for start codes, in pieces of any size, made byte streams again. */
#include <string.h>

#include "cases.h"
#include "h264/annexb.h"
#include "protocol/error.h"
#include "streams.h"

static GByteArray *to_avcc(GBytes *unit, guint length_size)
{
    GByteArray *avcc = g_byte_array_new();
    gsize len;
    const guint8 *data = g_bytes_get_data(unit, &len);
    g_autoptr(GArray) nals = stream_nals(data, len);

    for (guint i = 0; i < nals->len; i++) {
        StreamNal nal = g_array_index(nals, StreamNal, i);

        for (guint k = length_size; k-- > 0;) {
            g_byte_array_append(avcc, (const guint8[]){ (guint8)(nal.len >> (8 * k)) }, 1);
        }
        g_byte_array_append(avcc, nal.data, nal.len);
    }
    return avcc;
}

static GBytes *convert(const GByteArray *avcc, guint length_size, GRand *rand, gsize max, GError **error)
{
    HelixAnnexB annexb;
    gsize pos = 0;

    if (!helix_annexb_init(&annexb, length_size, max, error)) {
        return NULL;
    }
    while (pos < avcc->len) {
        gsize piece = rand ? (gsize)g_rand_int_range(rand, 0, 40) : 1;
        g_autofree guint8 *copy = NULL;

        piece = MIN(piece, avcc->len - pos);
        copy = g_memdup2(avcc->data + pos, piece);
        if (!helix_annexb_push(&annexb, copy, piece, error)) {
            helix_annexb_clear(&annexb);
            return NULL;
        }
        pos += piece;
    }
    return helix_annexb_finish(&annexb, error);
}

static void assert_same_nals(GBytes *a, GBytes *b)
{
    gsize len_a, len_b;
    const guint8 *data_a = g_bytes_get_data(a, &len_a), *data_b = g_bytes_get_data(b, &len_b);
    g_autoptr(GArray) nals_a = stream_nals(data_a, len_a), nals_b = stream_nals(data_b, len_b);

    g_assert_cmpuint(nals_a->len, ==, nals_b->len);
    for (guint i = 0; i < nals_a->len; i++) {
        StreamNal x = g_array_index(nals_a, StreamNal, i), y = g_array_index(nals_b, StreamNal, i);

        g_assert_cmpmem(x.data, x.len, y.data, y.len);
    }
}

TEST("/avcc", test_avcc)
{
    g_autoptr(GPtrArray) big = stream_x264("profile=high,x264-params=slices=3", AV_PIX_FMT_YUV420P, 320, 240, 4);
    g_autoptr(GPtrArray)
        small = stream_x264("profile=baseline,crf=50,x264-params=info=0", AV_PIX_FMT_YUV420P, 32, 32, 4);
    GRand *rand = g_rand_new_with_seed(5);
    GError *error = NULL;

    for (guint size = 1; size <= 4; size *= 2) {
        GPtrArray *units = size == 1 ? small : big;

        for (guint i = size == 1 ? 1 : 0; i < units->len; i++) { /* x264's SEI is too long for one byte */
            g_autoptr(GByteArray) avcc = to_avcc(units->pdata[i], size);
            g_autoptr(GBytes) out = convert(avcc, size, rand, 1 << 20, &error), bytewise = NULL;

            g_assert_no_error(error);
            assert_same_nals(units->pdata[i], out);
            bytewise = convert(avcc, size, NULL, 1 << 20, &error);
            g_assert_no_error(error);
            g_assert_true(g_bytes_equal(out, bytewise));
        }
    }
    g_rand_free(rand);
}

TEST("/avcc/refused", test_avcc_refused)
{
    static const guint8 cut_length[] = { 0, 0, 0 }, cut_nal[] = { 0, 0, 0, 3, 0x65, 1 }, empty[] = { 0, 0, 0, 0 };
    static const guint8 two[] = { 0, 0, 0, 0, 0, 0, 0, 2, 0x65, 1 }, huge[] = { 255, 255, 255, 255, 0x65 };
    static const struct {
        const guint8 *data;
        guint len;
    } bad[] = {
        { cut_length, sizeof(cut_length) },
        { cut_nal, sizeof(cut_nal) },
        { empty, sizeof(empty) },
        { huge, sizeof(huge) },
    };
    GError *error = NULL;
    HelixAnnexB annexb;
    g_autoptr(GBytes) out = NULL;

    for (guint size = 0; size < 6; size++) {
        if (size != 1 && size != 2 && size != 4) {
            g_assert_false(helix_annexb_init(&annexb, size, 100, &error));
            g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
            g_clear_error(&error);
            helix_annexb_clear(&annexb);
        }
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_autoptr(GByteArray) avcc = g_byte_array_append(g_byte_array_new(), bad[i].data, bad[i].len);

        g_assert_null(convert(avcc, 4, NULL, 1 << 20, &error));
        g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
        g_clear_error(&error);
    }
    g_assert_true(helix_annexb_init(&annexb, 4, 12, &error));
    g_assert_true(helix_annexb_add_nal(&annexb, NULL, 0, &error));
    g_assert_false(helix_annexb_add_nal(&annexb, (const guint8 *)"123456789", 9, &error));
    g_assert_error(error, HELIX_ERROR, HELIX_CODE_ENCODE);
    g_clear_error(&error);
    g_assert_true(helix_annexb_add_nal(&annexb, (const guint8 *)"\x09\xf0", 2, &error));
    g_assert_true(helix_annexb_push(&annexb, two, sizeof(two), &error));
    out = helix_annexb_finish(&annexb, &error);
    g_assert_no_error(error);
    g_assert_cmpmem(g_bytes_get_data(out, NULL), g_bytes_get_size(out), "\0\0\0\1\x09\xf0\0\0\0\1\x65\1", 12);
    helix_annexb_clear(&annexb);
}
