/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-h264.c - NAL units, SPS and levels. */
#include <string.h>

#include "cases.h"
#include "h264/h264.h"

static void assert_nal(const guint8 *stream, gsize size, gsize *position, guint type, guint ref_idc, gsize offset,
                       gsize length)
{
    HelixNal nal;

    g_assert_true(helix_h264_next_nal(stream, size, position, &nal));
    g_assert_cmpuint(nal.type, ==, type);
    g_assert_cmpuint(nal.ref_idc, ==, ref_idc);
    g_assert_cmpuint((gsize)(nal.data - stream), ==, offset);
    g_assert_cmpuint(nal.size, ==, length);
}

TEST("/h264/walk", test_walk)
{
    static const guint8 stream[] = {
        0xaa, 0,    0, 0,    1,    0x67, 0x11, 0x22,    /* junk, then an SPS behind four bytes */
        0,    0,    1, 0x68, 0x33,                      /* three bytes */
        0,    0,    1, 0,    0,    0,    1,             /* nothing between two start codes */
        0x65, 0x44, 0, 0,    3,    1,    0,    0,    0, /* emulation prevention inside, trailing zeros behind */
    };
    gsize position = 0;
    HelixNal nal;

    assert_nal(stream, sizeof(stream), &position, HELIX_NAL_SPS, 3, 5, 3);
    assert_nal(stream, sizeof(stream), &position, HELIX_NAL_PPS, 3, 11, 2);
    assert_nal(stream, sizeof(stream), &position, HELIX_NAL_IDR, 3, 20, 6);
    g_assert_false(helix_h264_next_nal(stream, sizeof(stream), &position, &nal));
    g_assert_false(helix_h264_next_nal(stream, sizeof(stream), &position, &nal));
    for (gsize size = 0; size < sizeof(stream); size++) {
        g_autofree guint8 *copy = g_memdup2(stream, size);

        position = 0;
        while (helix_h264_next_nal(copy, size, &position, &nal)) {
            g_assert_true(nal.size > 0 && nal.data >= copy && nal.data + nal.size <= copy + size);
        }
    }
}

TEST("/h264/emulation-prevention", test_emulation_prevention)
{
    static const guint8 rbsp[] = { 0, 0, 0, 0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 4, 9 };
    static const guint8 expected[] = { 0, 0, 0, 1, 0x65, 0, 0, 3, 0, 0, 3, 0, 1, 0, 0, 3, 2, 0, 0, 3, 3, 0, 0, 4, 9 };
    g_autoptr(GByteArray) out = g_byte_array_new();

    helix_h264_append_nal(out, 3, HELIX_NAL_IDR, rbsp, sizeof(rbsp));
    g_assert_cmpmem(out->data, out->len, expected, sizeof(expected));
}

/* Table 9-2 and 9-3's first rows, and the largest code. */
TEST("/h264/golomb", test_golomb)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    HelixBitWriter writer = { .bytes = bytes };
    /* 1 010 011 00100 | 1 010 011 00100 00101 | 1 and the padding */
    static const guint8 expected[] = { 0xa6, 0x4a, 0x64, 0x2c };

    for (guint i = 0; i < 4; i++) {
        helix_bits_put_ue(&writer, i);
    }
    helix_bits_put_se(&writer, 0);
    helix_bits_put_se(&writer, 1);
    helix_bits_put_se(&writer, -1);
    helix_bits_put_se(&writer, 2);
    helix_bits_put_se(&writer, -2);
    helix_bits_put_trailing(&writer);
    g_assert_cmpmem(bytes->data, bytes->len, expected, sizeof(expected));

    g_byte_array_set_size(bytes, 0);
    helix_bits_put_ue(&writer, 0xfffffffe);
    helix_bits_put(&writer, 1, 1);
    g_assert_cmpuint(bytes->len, ==, 8);
    g_assert_cmpuint(bytes->data[3], ==, 1); /* 31 zeros, then 32 ones */
    g_assert_cmpuint(bytes->data[7], ==, 0xff);
}

static const HelixSps sample = {
    .profile_idc = 100,
    .level_idc = 42,
    .log2_max_frame_num = 4,
    .width = 1918,
    .height = 1078,
    .vui = TRUE,
    .sar_width = 1,
    .sar_height = 1,
    .colour_description = TRUE,
    .primaries = 1,
    .transfer = 1,
    .matrix = 1,
    .chroma_loc = TRUE,
    .chroma_loc_type = 1,
    .timing = TRUE,
    .num_units_in_tick = 1001,
    .time_scale = 120000,
    .bitstream_restriction = TRUE,
    .max_dec_frame_buffering = 1,
};

TEST("/h264/sps-round-trip", test_sps_round_trip)
{
    static const guint8 profiles[] = { 66, 77, 100 };

    for (guint i = 0; i < G_N_ELEMENTS(profiles); i++) {
        g_autoptr(GByteArray) out = g_byte_array_new();
        HelixSps in = sample, sps;

        in.profile_idc = profiles[i];
        in.constraints = i == 0 ? 0xc0 : 0;
        helix_h264_append_sps(out, &in);
        g_assert_true(helix_h264_parse_sps(out->data + 4, out->len - 4, &sps));
        in.chroma_format_idc = 1;
        in.bit_depth_luma = in.bit_depth_chroma = 8;
        in.poc_type = 2;
        in.max_num_ref_frames = 1;
        in.frame_mbs_only = TRUE;
        g_assert_cmpuint(sps.profile_idc, ==, in.profile_idc);
        g_assert_cmpuint(sps.constraints, ==, in.constraints);
        g_assert_cmpuint(sps.level_idc, ==, 42);
        g_assert_cmpuint(sps.chroma_format_idc, ==, 1);
        g_assert_cmpuint(sps.bit_depth_luma, ==, 8);
        g_assert_cmpuint(sps.log2_max_frame_num, ==, 4);
        g_assert_cmpuint(sps.poc_type, ==, 2);
        g_assert_cmpuint(sps.max_num_ref_frames, ==, 1);
        g_assert_true(sps.frame_mbs_only);
        g_assert_cmpuint(sps.width, ==, 1918);
        g_assert_cmpuint(sps.height, ==, 1078);
        g_assert_cmpuint(sps.sar_width, ==, 1);
        g_assert_true(sps.colour_description && !sps.full_range);
        g_assert_cmpuint(sps.matrix, ==, 1);
        g_assert_true(sps.chroma_loc);
        g_assert_cmpuint(sps.chroma_loc_type, ==, 1);
        g_assert_cmpuint(sps.num_units_in_tick, ==, 1001);
        g_assert_cmpuint(sps.time_scale, ==, 120000);
        g_assert_true(sps.bitstream_restriction);
        g_assert_cmpuint(sps.max_num_reorder_frames, ==, 0);
        g_assert_cmpuint(sps.max_dec_frame_buffering, ==, 1);
    }
}

/* Whatever is cut short is refused, damage never crashes. Each is a copy, so that a sanitizer sees where it ends. */
TEST("/h264/sps-hostile", test_sps_hostile)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    guint accepted = 0;
    HelixSps sps;

    helix_h264_append_sps(out, &sample);
    for (gsize size = 1; size < out->len - 4; size++) {
        g_autofree guint8 *copy = g_memdup2(out->data + 4, size);

        /* only the stop bit may be missing unnoticed */
        g_assert_true(!helix_h264_parse_sps(copy, size, &sps) || size == out->len - 5);
    }
    for (guint round = 0; round < 20000; round++) {
        g_autofree guint8 *copy = g_memdup2(out->data + 4, out->len - 4);

        for (guint i = 0; i < 1 + round % 4; i++) {
            copy[g_test_rand_int_range(0, (gint32)out->len - 4)] = (guint8)g_test_rand_int();
        }
        if (helix_h264_parse_sps(copy, out->len - 4, &sps)) {
            g_assert_true(sps.width > 0 && sps.height > 0);
            accepted++;
        }
    }
    g_assert_cmpuint(accepted, >, 0);
    g_assert_cmpuint(accepted, <, 20000);
}

TEST("/h264/levels", test_levels)
{
    g_assert_cmpuint(helix_h264_level(176, 144, 15, 1, 64000, 66, 0), ==, 10);
    g_assert_cmpuint(helix_h264_level(176, 144, 15, 1, 64001, 66, 0), ==, 11);
    g_assert_cmpuint(helix_h264_level(176, 144, 15, 1, 80000, 100, 0), ==, 10); /* High: 1.25 times */
    g_assert_cmpuint(helix_h264_level(1280, 720, 30, 1, 5000000, 100, 0), ==, 31);
    g_assert_cmpuint(helix_h264_level(1280, 720, 60, 1, 5000000, 100, 0), ==, 32);
    g_assert_cmpuint(helix_h264_level(1920, 1080, 30, 1, 20000000, 77, 0), ==, 40);
    g_assert_cmpuint(helix_h264_level(1920, 1080, 60, 1, 20000000, 77, 0), ==, 42);
    g_assert_cmpuint(helix_h264_level(1920, 1080, 60, 1, 20000000, 77, 51), ==, 51);
    g_assert_cmpuint(helix_h264_level(3840, 2160, 60, 1, 20000000, 100, 0), ==, 52);
    g_assert_cmpuint(helix_h264_level(5120, 2880, 60, 1, 20000000, 100, 0), ==, 60);
    g_assert_cmpuint(helix_h264_level(8192, 4352, 60, 1, 20000000, 100, 0), ==, 61);
    g_assert_cmpuint(helix_h264_level(8192, 4352, 1000, 1, 20000000, 100, 0), ==, 62);
    g_assert_cmpuint(helix_h264_level(8192, 8192, 1, 1, 20000000, 100, 0), ==, 0);
    g_assert_cmpuint(helix_h264_level(8192, 16, 1, 1, 20000000, 77, 0), ==, 51); /* a side is at most sqrt(8 MaxFS) */
    g_assert_true(helix_h264_level_known(31));
    g_assert_false(helix_h264_level_known(33));
    g_assert_false(helix_h264_level_known(9));
}
