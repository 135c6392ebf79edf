/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-h264.c - what comes from an encoder that the operating system runs: AVCC data in pieces to a byte stream,
 * parameter sets read and rewritten. Not the guest's own bytes, but made of its pictures.
 */
#include "h264/annexb.h"
#include "protocol/error.h"
#include "h264/h264.h"
#include "fuzz.h"

static void check_error(gboolean ok, GError *error)
{
    g_assert_true(ok == !error);
    if (error) {
        g_assert_true(error->domain == HELIX_ERROR && error->code == HELIX_CODE_ENCODE);
        g_error_free(error);
    }
}

static void avcc(Input *input)
{
    guint length_size = input_u8(input) % 6;
    gsize most = input_u16(input), len;
    HelixAnnexB annexb;
    GError *error = NULL;
    gboolean ok = helix_annexb_init(&annexb, length_size, most, &error);

    check_error(ok, error);
    if (!ok) {
        return;
    }
    if (input_u8(input) & 1) {
        g_autofree guint8 *nal = input_bytes(input, input_u8(input), &len);

        error = NULL;
        ok = helix_annexb_add_nal(&annexb, nal, len, &error);
        check_error(ok, error);
    }
    while (ok && input->size) {
        g_autofree guint8 *piece = input_bytes(input, 1 + input_u8(input), &len);

        error = NULL;
        ok = helix_annexb_push(&annexb, piece, len, &error);
        check_error(ok, error);
        g_assert_cmpuint(annexb.out->len, <=, most);
    }
    if (ok) {
        g_autoptr(GBytes) stream = NULL;

        error = NULL;
        stream = helix_annexb_finish(&annexb, &error);
        check_error(stream != NULL, error);
        g_assert_true(!stream || g_bytes_get_size(stream) <= most);
    }
    helix_annexb_clear(&annexb);
}

/* Every NAL unit lies within the stream, behind the one before. */
static void nals(Input *input)
{
    gsize len, position = 0, last = 0;
    g_autofree guint8 *stream = input_bytes(input, input->size, &len);
    HelixNal nal;

    while (helix_h264_next_nal(stream, len, &position, &nal)) {
        gsize at = (gsize)(nal.data - stream);

        g_assert_true(nal.size > 0 && at >= last && at + nal.size <= len && position <= len);
        last = at + nal.size;
    }
}

static void sps(Input *input)
{
    static const HelixVui told = { .sar_width = 1000,
                                   .sar_height = 999,
                                   .primaries = 9,
                                   .transfer = 14,
                                   .matrix = 9,
                                   .full_range = 1,
                                   .chroma_loc = 1 };
    gsize len;
    g_autofree guint8 *nal = input_bytes(input, input->size, &len);
    /* Both ways of its VUI, without a byte of the input, so that the seeds stay what they are. */
    const HelixVui vui = len % 2 ? told : (HelixVui){ 0 };
    g_autoptr(GByteArray) rewritten = NULL, again = NULL;
    HelixSps before, after;
    gboolean ok = helix_h264_parse_sps(nal, len, &before);

    rewritten = helix_h264_rewrite_sps(nal, len, &vui);
    g_assert_true(ok == (rewritten != NULL));
    if (!ok) {
        return;
    }
    g_assert_true(helix_h264_parse_sps(rewritten->data, rewritten->len, &after));
    g_assert_true(after.width == before.width && after.height == before.height &&
                  after.profile_idc == before.profile_idc);
    g_assert_true(after.level_idc == before.level_idc && after.max_num_ref_frames == before.max_num_ref_frames);
    g_assert_true(after.bitstream_restriction && after.max_num_reorder_frames == 0);
    g_assert_true(after.sar_width == MAX(vui.sar_width, 1) && after.matrix == MAX(vui.matrix, 1));
    again = helix_h264_rewrite_sps(rewritten->data, rewritten->len, &vui);
    g_assert_nonnull(again);
    g_assert_cmpmem(again->data, again->len, rewritten->data, rewritten->len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const parts[])(Input *input) = { avcc, nals, sps };
    Input input = { data, size };

    parts[input_u8(&input) % G_N_ELEMENTS(parts)](&input);
    return 0;
}
