/* SPDX-License-Identifier: GPL-2.0-or-later */
/* sps-check.c - see sps-check.h. */
#include <string.h>

#include <libavcodec/bsf.h>

#include "sps-check.h"

StreamNal find_sps(GBytes *unit)
{
    gsize len;
    const guint8 *data = g_bytes_get_data(unit, &len);
    g_autoptr(GArray) nals = stream_nals(data, len);

    for (guint i = 0; i < nals->len; i++) {
        if ((g_array_index(nals, StreamNal, i).data[0] & 31) == 7) {
            return g_array_index(nals, StreamNal, i);
        }
    }
    g_error("the access unit has no SPS");
}

/* What the rewritten set is to say: nothing asked for; BT.2020 with a ratio of table E-1; a ratio that is not in it. */
const HelixVui told[TOLD] = {
    { 0 },
    { .sar_width = 16,
      .sar_height = 11,
      .primaries = 9,
      .transfer = 14,
      .matrix = 9,
      .full_range = 1,
      .chroma_loc = 3 },
    { .sar_width = 1000, .sar_height = 999, .primaries = 5, .transfer = 6, .matrix = 6, .chroma_loc = 1 },
};

GByteArray *rewrite(const guint8 *nal, gsize len)
{
    GByteArray *out = helix_h264_rewrite_sps(nal, len, &told[0]);

    g_assert_nonnull(out);
    return out;
}

static gboolean is_changed_element(const char *element)
{
    static const char *const changed[] = {
        "vui_parameters_present_flag",
        "aspect_ratio_info_present_flag",
        "aspect_ratio_idc",
        "sar_width",
        "sar_height",
        "video_signal_type_present_flag",
        "video_format",
        "video_full_range_flag",
        "chroma_loc_info_present_flag",
        "chroma_sample_loc_type_top_field",
        "chroma_sample_loc_type_bottom_field",
        "colour_description_present_flag",
        "colour_primaries",
        "transfer_characteristics",
        "matrix_coefficients",
        "bitstream_restriction_flag",
        "max_num_reorder_frames",
        "max_dec_frame_buffering",
        "rbsp_stop_one_bit",
        "rbsp_alignment_zero_bit",
    };
    for (guint i = 0; i < G_N_ELEMENTS(changed); i++) {
        gsize n = strlen(changed[i]);

        if (strncmp(element, changed[i], n) == 0 && element[n] == '=') {
            return TRUE;
        }
    }
    return FALSE;
}

static const char *element_value(GStrv elements, const char *name)
{
    gsize n = strlen(name);

    for (guint i = 0; elements[i]; i++) {
        if (strncmp(elements[i], name, n) == 0 && elements[i][n] == '=') {
            return elements[i] + n + 1;
        }
    }
    return NULL;
}

static void assert_element(GStrv elements, const char *name, guint32 value)
{
    g_autofree char *text = g_strdup_printf("%u", value);

    g_assert_cmpstr(element_value(elements, name), ==, text);
}

/* Everything but what the rewrite is for reads the same in both. @from: the original may lack a VUI as a whole. */
static void assert_rest_kept(GStrv from, GStrv to)
{
    guint j = 0;

    for (guint i = 0; from[i]; i++) {
        if (is_changed_element(from[i])) {
            continue;
        }
        while (to[j] && is_changed_element(to[j])) {
            j++;
        }
        g_assert_nonnull(to[j]);
        g_assert_cmpstr(from[i], ==, to[j]);
        j++;
    }
}

/* Aspect ratio, colours and chroma location as @vui has them, or for its zeros as @before. */
static void check_vui(const HelixSps *before, const HelixSps *after, GStrv elements, const HelixVui *vui)
{
    const HelixVui resolved = helix_h264_vui_resolve(*vui);

    assert_element(elements, "colour_primaries", resolved.primaries);
    assert_element(elements, "transfer_characteristics", resolved.transfer);
    assert_element(elements, "matrix_coefficients", resolved.matrix);
    assert_element(elements, "video_full_range_flag", before->full_range || resolved.full_range);
    assert_element(elements, "video_format", before->video_format);
    assert_element(elements, "aspect_ratio_idc", vui == &told[0] ? 1 : vui == &told[1] ? 4 : 255);
    g_assert_cmpuint(after->sar_width, ==, resolved.sar_width);
    g_assert_cmpuint(after->sar_height, ==, resolved.sar_height);
    if (resolved.chroma_loc) {
        assert_element(elements, "chroma_sample_loc_type_top_field", resolved.chroma_loc - 1);
        assert_element(elements, "chroma_sample_loc_type_bottom_field", resolved.chroma_loc - 1);
    } else {
        assert_element(elements, "chroma_loc_info_present_flag", before->chroma_loc);
        g_assert_cmpuint(after->chroma_loc_type, ==, before->chroma_loc_type);
    }
}

static void check_sps_told(StreamNal nal, guint width, guint height, const HelixVui *vui)
{
    g_autoptr(GByteArray) out = helix_h264_rewrite_sps(nal.data, nal.len, vui), again = NULL;
    g_auto(GStrv) before = stream_sps_elements(nal.data, nal.len), after = stream_sps_elements(out->data, out->len);
    HelixSps sps, sps2;

    g_assert_nonnull(before);
    g_assert_nonnull(after);
    g_assert_true(helix_h264_parse_sps(nal.data, nal.len, &sps));
    assert_element(before, "profile_idc", sps.profile_idc);
    assert_element(before, "level_idc", sps.level_idc);
    assert_element(before, "max_num_ref_frames", sps.max_num_ref_frames);
    assert_element(before, "pic_order_cnt_type", sps.poc_type);
    assert_element(before, "vui_parameters_present_flag", sps.vui);
    if (width) {
        g_assert_cmpuint(sps.width, ==, width);
        g_assert_cmpuint(sps.height, ==, height);
    }

    assert_rest_kept(before, after);
    assert_element(after, "max_num_reorder_frames", 0);
    assert_element(after, "max_dec_frame_buffering", sps.max_num_ref_frames);
    g_assert_true(helix_h264_parse_sps(out->data, out->len, &sps2));
    check_vui(&sps, &sps2, after, vui);
    g_assert_true(sps2.bitstream_restriction);
    /* What is rewritten already stays as it is, to the byte. */
    again = helix_h264_rewrite_sps(out->data, out->len, vui);
    g_assert_cmpmem(again->data, again->len, out->data, out->len);
    /* Emulation prevention: no start code or reserved pattern in it. */
    for (guint i = 2; i < out->len; i++) {
        g_assert_false(out->data[i - 2] == 0 && out->data[i - 1] == 0 && out->data[i] < 3);
    }
}

void check_sps(StreamNal nal, guint width, guint height)
{
    for (guint i = 0; i < TOLD; i++) {
        check_sps_told(nal, width, height, &told[i]);
    }
}

GByteArray *end_sps(HelixBitWriter *writer)
{
    GByteArray *out = g_byte_array_new();

    helix_bits_put_trailing(writer);
    helix_h264_append_nal(out, 3, HELIX_NAL_SPS, writer->bytes->data, writer->bytes->len);
    return g_byte_array_remove_range(out, 0, 4); /* the start code */
}

/* The first @bits of the set, then 0 for vui_parameters_present_flag. */
static GByteArray *cut_at(const guint8 *nal, gsize len, gsize bits)
{
    g_autoptr(GByteArray) rbsp = g_byte_array_new(), cut = g_byte_array_new();
    HelixBitWriter writer = { .bytes = cut };

    for (gsize i = 0; i < len; i++) {
        if (!(i >= 2 && nal[i] == 3 && nal[i - 1] == 0 && nal[i - 2] == 0)) {
            g_byte_array_append(rbsp, nal + i, 1);
        }
    }
    if (bits >= rbsp->len * 8) {
        return NULL;
    }
    for (gsize i = 8; i < bits; i++) {
        helix_bits_put(&writer, 1, rbsp->data[i / 8] >> (7 - i % 8) & 1);
    }
    helix_bits_put(&writer, 1, 0);
    return end_sps(&writer);
}

GByteArray *without_vui(const guint8 *nal, gsize len)
{
    g_auto(GStrv) elements = stream_sps_elements(nal, len);
    GByteArray *candidate;

    /* Find the flag by trying: where a 0 makes FFmpeg read the same set without VUI. */
    g_assert_cmpstr(element_value(elements, "vui_parameters_present_flag"), ==, "1");
    for (gsize bits = 40; (candidate = cut_at(nal, len, bits)); bits++) {
        g_auto(GStrv) read = stream_sps_elements(candidate->data, candidate->len);
        gboolean same = read && g_strcmp0(element_value(read, "vui_parameters_present_flag"), "0") == 0;

        for (guint i = 0; same && !g_str_has_prefix(elements[i], "vui_parameters_present_flag"); i++) {
            same = read[i] && strcmp(read[i], elements[i]) == 0;
        }
        if (same) {
            return candidate;
        }
        g_byte_array_unref(candidate);
    }
    g_error("no place for the VUI found");
}

GByteArray *rewrite_without_vui(const guint8 *nal, gsize len)
{
    g_autoptr(GByteArray) cut = without_vui(nal, len);

    return rewrite(cut->data, cut->len);
}

void check_decodes(GPtrArray *units, GByteArray *(*replace)(const guint8 *nal, gsize len), gboolean at_once)
{
    AVCodecContext *decoder = stream_decoder_new();
    guint shown = 0;

    for (guint i = 0; i < units->len; i++) {
        g_autoptr(GBytes) unit = stream_replace_sps(units->pdata[i], replace);
        AVFrame *frame = stream_decode(decoder, unit);

        if (frame) {
            g_assert_cmpint(frame->decode_error_flags, ==, 0);
            shown++;
            av_frame_free(&frame);
        }
        if (at_once) {
            g_assert_cmpuint(shown, ==, i + 1);
        }
    }
    if (!at_once) {
        g_assert_cmpuint(shown, <, units->len);
    }
    avcodec_free_context(&decoder);
}
