/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * sps-rewrite.c - a sequence parameter set rewritten for decoding without delay (ITU-T H.264, 7.3.2.1.1 and E.1.1).
 *
 * Bits are copied rather than parsed and written again, so that no unknown element is lost. Only three places are
 * replaced: the VUI's aspect ratio, its signal type with the chroma location behind it, and its bitstream_restriction.
 */
#include "sps-layout.h"

#define START_CODE_SIZE 4u

/* Without the emulation prevention bytes (7.4.1). */
static GByteArray *rbsp_of(const guint8 *nal, gsize size)
{
    GByteArray *rbsp = g_byte_array_sized_new((guint)size);
    guint zeros = 0;

    for (gsize i = 0; i < size; i++) {
        if (zeros >= 2 && nal[i] == 3) {
            zeros = 0;
            continue;
        }
        zeros = nal[i] == 0 ? zeros + 1 : 0;
        g_byte_array_append(rbsp, nal + i, 1);
    }
    return rbsp;
}

static void copy_bits(HelixBitWriter *writer, const GByteArray *rbsp, gsize from, gsize to)
{
    for (gsize i = from; i < to; i++) {
        helix_bits_put(writer, 1, rbsp->data[i / 8] >> (7 - i % 8) & 1);
    }
}

static void put_aspect_ratio(HelixBitWriter *writer, const HelixVui *vui)
{
    helix_bits_put(writer, 1, 1);
    helix_h264_put_sar(writer, vui->sar_width, vui->sar_height);
}

static void put_signal_type(HelixBitWriter *writer, const HelixSps *sps, const HelixVui *vui)
{
    helix_bits_put(writer, 1, 1);
    helix_bits_put(writer, 3, sps->video_format);
    helix_bits_put(writer, 1, sps->full_range || vui->full_range);
    helix_bits_put(writer, 1, 1);
    helix_bits_put(writer, 8, vui->primaries);
    helix_bits_put(writer, 8, vui->transfer);
    helix_bits_put(writer, 8, vui->matrix);
}

static void put_chroma_loc(HelixBitWriter *writer, const HelixVui *vui)
{
    helix_bits_put(writer, 1, 1);
    helix_bits_put_ue(writer, vui->chroma_loc - 1);
    helix_bits_put_ue(writer, vui->chroma_loc - 1);
}

/* The VUI of an SPS that has one, up to bitstream_restriction. */
static void put_known_vui(HelixBitWriter *writer, const HelixSps *sps, const HelixSpsLayout *layout,
                          const HelixVui *vui, const GByteArray *rbsp)
{
    put_aspect_ratio(writer, vui);
    copy_bits(writer, rbsp, layout->aspect_end, layout->signal_begin);
    put_signal_type(writer, sps, vui);
    if (vui->chroma_loc) {
        put_chroma_loc(writer, vui);
    } else {
        copy_bits(writer, rbsp, layout->signal_end, layout->chroma_end);
    }
    copy_bits(writer, rbsp, layout->chroma_end, layout->restriction);
}

/* The same for an SPS without a VUI. */
static void put_new_vui(HelixBitWriter *writer, const HelixSps *sps, const HelixVui *vui)
{
    put_aspect_ratio(writer, vui);
    helix_bits_put(writer, 1, 0); /* overscan_info_present_flag */
    put_signal_type(writer, sps, vui);
    if (vui->chroma_loc) {
        put_chroma_loc(writer, vui);
    } else {
        helix_bits_put(writer, 1, 0);
    }
    helix_bits_put(writer, 4, 0); /* timing, nal_hrd, vcl_hrd, pic_struct: not present */
}

static void put_restriction(HelixBitWriter *writer, const HelixSps *sps, const HelixSpsLayout *layout,
                            const GByteArray *rbsp)
{
    helix_bits_put(writer, 1, 1);
    if (sps->bitstream_restriction) {
        copy_bits(writer, rbsp, layout->limits_begin, layout->limits_end);
    } else {
        /* the values that E.2.1 infers where they are absent */
        helix_bits_put(writer, 1, 1);
        helix_bits_put_ue(writer, 2);
        helix_bits_put_ue(writer, 1);
        helix_bits_put_ue(writer, 15);
        helix_bits_put_ue(writer, 15);
    }
    helix_bits_put_ue(writer, 0);
    helix_bits_put_ue(writer, sps->max_num_ref_frames);
}

GByteArray *helix_h264_rewrite_sps(const guint8 *nal, gsize size, const HelixVui *vui)
{
    g_autoptr(GByteArray) bits = g_byte_array_new(), rbsp = NULL;
    const HelixVui resolved = helix_h264_vui_resolve(*vui);
    HelixBitWriter writer = { .bytes = bits };
    HelixSpsLayout layout;
    GByteArray *out;
    HelixSps sps;

    if (!helix_h264_scan_sps(nal, size, &sps, &layout)) {
        return NULL;
    }
    rbsp = rbsp_of(nal, size);
    copy_bits(&writer, rbsp, 8, layout.vui_flag); /* without the header byte, which append_nal writes */
    helix_bits_put(&writer, 1, 1);
    if (sps.vui) {
        put_known_vui(&writer, &sps, &layout, &resolved, rbsp);
    } else {
        put_new_vui(&writer, &sps, &resolved);
    }
    put_restriction(&writer, &sps, &layout, rbsp);
    helix_bits_put_trailing(&writer);
    out = g_byte_array_new();
    helix_h264_append_nal(out, nal[0] >> 5 & 3, HELIX_NAL_SPS, bits->data, bits->len);
    return g_byte_array_remove_range(out, 0, START_CODE_SIZE);
}
