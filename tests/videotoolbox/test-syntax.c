/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-syntax.c - parameter sets read and rewritten, against streams of real encoders and FFmpeg's reading of them.
 */
#include <string.h>

#ifdef HELIX_HAVE_OPENH264
#include <wels/codec_api.h>
#endif
#include <libavcodec/bsf.h>
#include <libavutil/opt.h>

#include "cases.h"
#include "sps-check.h"

typedef struct Variant {
    const char *name;
    const char *options;
    enum AVPixelFormat format;
    guint width, height;
} Variant;

static const Variant variants[] = {
    { "baseline", "profile=baseline", AV_PIX_FMT_YUV420P, 320, 240 },
    { "main", "profile=main,coder=1,refs=4", AV_PIX_FMT_YUV420P, 640, 360 },
    { "high", "profile=high,x264-params=8x8dct=1:cabac=1:ref=3", AV_PIX_FMT_YUV420P, 322, 182 },
    { "high-interlaced", "profile=high,flags=+ildct+ilme,x264-params=tff=1", AV_PIX_FMT_YUV420P, 352, 288 },
    { "high-intra-refresh", "profile=high,x264-params=intra-refresh=1:keyint=20", AV_PIX_FMT_YUV420P, 320, 176 },
    { "hrd", "profile=high,b=1M,maxrate=1M,bufsize=1M,x264-params=nal-hrd=vbr:pic-struct=1", AV_PIX_FMT_YUV420P, 320,
      176 },
    { "vui",
      "profile=high,x264-params=sar=4/3:overscan=show:videoformat=pal:fullrange=on:colorprim=bt470bg:transfer=bt470bg"
      ":colormatrix=bt470bg:chromaloc=2",
      AV_PIX_FMT_YUV420P, 320, 176 },
    { "extended-sar", "profile=high,x264-params=sar=1000/999:level=52", AV_PIX_FMT_YUV420P, 1920, 1080 },
    { "high10", "profile=high10", AV_PIX_FMT_YUV420P10, 320, 176 },
    { "high422", "profile=high422", AV_PIX_FMT_YUV422P, 320, 178 },
    { "high444", "profile=high444", AV_PIX_FMT_YUV444P, 318, 174 },
};

static void test_x264(gconstpointer data)
{
    const Variant *variant = data;
    g_autoptr(GPtrArray) units = stream_x264(variant->options, variant->format, variant->width, variant->height, 6);
    StreamNal nal = find_sps(units->pdata[0]);
    g_autoptr(GByteArray) cut = without_vui(nal.data, nal.len);

    check_sps(nal, variant->width, variant->height);
    check_sps((StreamNal){ cut->data, cut->len }, variant->width, variant->height);
    check_decodes(units, rewrite, TRUE);
    check_decodes(units, without_vui, FALSE); /* what a decoder does to a stream that promises nothing */
    check_decodes(units, rewrite_without_vui, TRUE);
}

/* What hardware encoders wrote, as people have put it on record; size 0 where they did not say. */
TEST("/sps/hardware", test_hardware)
{
    static const struct {
        const char *hex;
        guint width, height;
        gboolean vui;
    } sets[] = {
        { "27640033ac5680780227e540", 1920, 1080, FALSE }, /* VideoToolbox on an M1: one reference, no VUI */
        { "2764002aac56805005b9", 1280, 720, FALSE },      /* the same, smaller */
        { "2764001fac131450320f69b80868303682211960", 800, 480, TRUE }, /* an iPhone's CarPlay */
        { "2764000dac5230507ec05a8101011856bdef8080", 0, 0, TRUE },     /* an iPhone in a call */
        /* Ingenic T31 */
        { "27640033ad00ce802800b5a6a020203e000003000200000300786040002dc6c000112a8ffff814", 2560, 1440, TRUE },
        { "67640020accac05005bb0169e0000003002000000c9c4c000432380008647c12401cb1c31380", 0, 0, TRUE },
    };

    for (guint i = 0; i < G_N_ELEMENTS(sets); i++) {
        g_autoptr(GByteArray) nal = g_byte_array_new();
        HelixSps sps;

        for (const char *at = sets[i].hex; *at; at++) {
            if (*at != ' ') {
                guint8 byte = (guint8)(g_ascii_xdigit_value(at[0]) << 4 | g_ascii_xdigit_value(at[1]));

                g_byte_array_append(nal, &byte, 1);
                at++;
            }
        }
        g_assert_true(helix_h264_parse_sps(nal->data, nal->len, &sps));
        g_assert_true(sps.vui == sets[i].vui);
        check_sps((StreamNal){ nal->data, nal->len }, sets[i].width, sets[i].height);
    }
}

/* The same set after FFmpeg's writer has changed it: elements that x264 never writes. */
TEST("/sps/ffmpeg", test_written_by_ffmpeg)
{
    static const char *const options[] = {
        "crop_left=2:crop_right=4:crop_top=2:crop_bottom=6",
        "sample_aspect_ratio=16/11:overscan_appropriate_flag=1",
        "chroma_sample_loc_type=1",
        "tick_rate=60000/1001:fixed_frame_rate_flag=1",
        "video_format=2:video_full_range_flag=1",
        "colour_primaries=9:transfer_characteristics=16:matrix_coefficients=9",
        "level=6.2",
    };
    g_autoptr(GPtrArray) units = stream_x264("profile=high", AV_PIX_FMT_YUV420P, 320, 176, 1);
    gsize len;
    const guint8 *data = g_bytes_get_data(units->pdata[0], &len);

    for (guint i = 0; i < G_N_ELEMENTS(options); i++) {
        g_autofree char *filter = g_strdup_printf("h264_metadata=%s", options[i]);
        AVBSFContext *bsf = NULL;
        AVPacket *packet = av_packet_alloc();
        g_autoptr(GBytes) unit = NULL;

        g_assert_cmpint(av_bsf_list_parse_str(filter, &bsf), ==, 0);
        bsf->par_in->codec_type = AVMEDIA_TYPE_VIDEO;
        bsf->par_in->codec_id = AV_CODEC_ID_H264;
        g_assert_cmpint(av_bsf_init(bsf), ==, 0);
        g_assert_cmpint(av_new_packet(packet, len), ==, 0);
        memcpy(packet->data, data, len);
        g_assert_cmpint(av_bsf_send_packet(bsf, packet), ==, 0);
        g_assert_cmpint(av_bsf_receive_packet(bsf, packet), ==, 0);
        unit = g_bytes_new(packet->data, packet->size);
        check_sps(find_sps(unit), i == 0 ? 320 - 6 : 320, i == 0 ? 176 - 8 : 176);
        av_packet_free(&packet);
        av_bsf_free(&bsf);
    }
}

#ifdef HELIX_HAVE_OPENH264
static GPtrArray *openh264_stream(EUsageType usage, EProfileIdc profile, guint width, guint height)
{
    GPtrArray *units = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    g_autofree guint8 *pixels = g_malloc((gsize)width * height * 3 / 2);
    ISVCEncoder *encoder = NULL;
    SEncParamExt params;

    g_assert_cmpint(WelsCreateSVCEncoder(&encoder), ==, 0);
    (*encoder)->GetDefaultParams(encoder, &params);
    params.iUsageType = usage;
    params.iPicWidth = width;
    params.iPicHeight = height;
    params.iTargetBitrate = 1000000;
    params.fMaxFrameRate = 30;
    params.sSpatialLayers[0].iVideoWidth = width;
    params.sSpatialLayers[0].iVideoHeight = height;
    params.sSpatialLayers[0].fFrameRate = 30;
    params.sSpatialLayers[0].iSpatialBitrate = 1000000;
    params.sSpatialLayers[0].uiProfileIdc = profile;
    params.bEnableFrameSkip = 0;
    g_assert_cmpint((*encoder)->InitializeExt(encoder, &params), ==, 0);
    for (guint i = 0; i < 6; i++) {
        SSourcePicture picture = {
            .iColorFormat = videoFormatI420, .iPicWidth = width, .iPicHeight = height, .uiTimeStamp = i * 33
        };
        SFrameBSInfo info = { 0 };
        GByteArray *unit = g_byte_array_new();

        for (gsize p = 0; p < (gsize)width * height * 3 / 2; p++) {
            pixels[p] = (guint8)(p / width + p % width * 3 + i * 7);
        }
        for (guint plane = 0; plane < 3; plane++) {
            picture.iStride[plane] = plane ? width / 2 : width;
            picture.pData[plane] = pixels + (plane == 0 ? 0 : (gsize)width * height * (plane == 1 ? 4 : 5) / 4);
        }
        g_assert_cmpint((*encoder)->EncodeFrame(encoder, &picture, &info), ==, 0);
        for (int layer = 0; layer < info.iLayerNum; layer++) {
            const SLayerBSInfo *l = &info.sLayerInfo[layer];
            gsize size = 0;

            for (int n = 0; n < l->iNalCount; n++) {
                size += l->pNalLengthInByte[n];
            }
            g_byte_array_append(unit, l->pBsBuf, size);
        }
        g_ptr_array_add(units, g_byte_array_free_to_bytes(unit));
    }
    (*encoder)->Uninitialize(encoder);
    WelsDestroySVCEncoder(encoder);
    return units;
}

TEST("/sps/openh264", test_openh264)
{
    static const EProfileIdc profiles[] = { PRO_BASELINE, PRO_MAIN, PRO_HIGH };

    for (guint i = 0; i < G_N_ELEMENTS(profiles); i++) {
        g_autoptr(GPtrArray) units = openh264_stream(i ? SCREEN_CONTENT_REAL_TIME : CAMERA_VIDEO_REAL_TIME, profiles[i],
                                                     320 + 2 * i, 240);

        check_sps(find_sps(units->pdata[0]), 320 + 2 * i, 240);
        check_decodes(units, rewrite, TRUE);
    }
}
#endif

/* Sets that no encoder here writes: scaling lists, picture order type 1, separate planes, 8160 x 8160, many zeros. */
static void put_sps(HelixBitWriter *writer, guint8 profile)
{
    helix_bits_put(writer, 8, profile);
    helix_bits_put(writer, 8, 0);
    helix_bits_put(writer, 8, 62);
    helix_bits_put_ue(writer, 0);
}

TEST("/sps/rare", test_rare_elements)
{
    g_autoptr(GByteArray) nal = NULL, bits = g_byte_array_new();
    HelixBitWriter writer = { .bytes = bits };
    HelixSps sps;

    put_sps(&writer, 244);
    helix_bits_put_ue(&writer, 3);
    helix_bits_put(&writer, 1, 1); /* separate planes */
    helix_bits_put_ue(&writer, 0);
    helix_bits_put_ue(&writer, 0);
    helix_bits_put(&writer, 1, 0);
    helix_bits_put(&writer, 1, 1); /* scaling matrix: 12 lists, two of them sent */
    for (guint i = 0; i < 12; i++) {
        helix_bits_put(&writer, 1, i == 0 || i == 6);
        for (guint k = 0; (i == 0 && k < 16) || (i == 6 && k < 64); k++) {
            helix_bits_put_ue(&writer, i == 0 ? k % 3 : 1); /* deltas 0, 1, -1 and always 1 */
        }
    }
    helix_bits_put_ue(&writer, 0);
    helix_bits_put_ue(&writer, 1); /* picture order count type 1 */
    helix_bits_put(&writer, 1, 0);
    helix_bits_put_ue(&writer, 3);
    helix_bits_put_ue(&writer, 4);
    helix_bits_put_ue(&writer, 2);
    helix_bits_put_ue(&writer, 70000);
    helix_bits_put_ue(&writer, 70001);
    helix_bits_put_ue(&writer, 2);
    helix_bits_put(&writer, 1, 0);
    helix_bits_put_ue(&writer, 509);
    helix_bits_put_ue(&writer, 254);
    helix_bits_put(&writer, 1, 0); /* fields: 255 map units are 510 macroblocks */
    helix_bits_put(&writer, 1, 1);
    helix_bits_put(&writer, 1, 1);
    helix_bits_put(&writer, 1, 0);
    helix_bits_put(&writer, 1, 0);
    nal = end_sps(&writer);
    check_sps((StreamNal){ nal->data, nal->len }, 8160, 8160);
    g_assert_true(helix_h264_parse_sps(nal->data, nal->len, &sps));
    g_assert_cmpuint(sps.chroma_format_idc, ==, 3);
    g_assert_false(sps.frame_mbs_only);
}

static void expect_refused(const guint8 *nal, gsize len)
{
    HelixSps sps;

    g_assert_false(helix_h264_parse_sps(nal, len, &sps));
    g_assert_null(helix_h264_rewrite_sps(nal, len, &told[0]));
}

/* Element by element up to one that is not allowed. */
TEST("/sps/refused", test_refused_values)
{
    for (guint which = 0; which < 8; which++) {
        g_autoptr(GByteArray) nal = NULL, bits = g_byte_array_new();
        HelixBitWriter writer = { .bytes = bits };

        helix_bits_put(&writer, 24, 0x640034);
        helix_bits_put_ue(&writer, which == 0 ? 32 : 0);
        helix_bits_put_ue(&writer, which == 1 ? 4 : 1);
        helix_bits_put_ue(&writer, 0);
        helix_bits_put_ue(&writer, 0);
        helix_bits_put(&writer, 2, 0);
        helix_bits_put_ue(&writer, 0);
        helix_bits_put_ue(&writer, which == 2 ? 3 : which == 3 ? 1 : 2);
        if (which == 3) {
            helix_bits_put(&writer, 3, 7);
            helix_bits_put_ue(&writer, 256);
        }
        helix_bits_put_ue(&writer, which == 4 ? 17 : 1);
        helix_bits_put(&writer, 1, 0);
        helix_bits_put_ue(&writer, which == 5 ? 139264 : 19);
        helix_bits_put_ue(&writer, which == 6 ? 4294967294u : 10);
        helix_bits_put(&writer, 2, 3);
        helix_bits_put(&writer, 1, 1);
        for (guint i = 0; i < 4; i++) {
            helix_bits_put_ue(&writer, which == 7 && i == 0 ? 160 : 0);
        }
        helix_bits_put(&writer, 1, 0);
        nal = end_sps(&writer);
        expect_refused(nal->data, nal->len);
    }
}

TEST("/sps/damaged", test_cut_and_damaged)
{
    g_autoptr(GPtrArray)
        units = stream_x264("profile=high,b=1M,maxrate=1M,bufsize=1M,x264-params=nal-hrd=vbr:sar=1000/999",
                            AV_PIX_FMT_YUV420P, 320, 176, 1);
    StreamNal nal = find_sps(units->pdata[0]);
    g_autofree guint8 *copy = g_malloc(nal.len);
    GRand *rand = g_rand_new_with_seed(3);
    guint read = 0;

    expect_refused((const guint8 *)"\x68\xee\x3c\x80", 4); /* a PPS */
    for (gsize len = 0; len < nal.len; len++) {
        g_autofree guint8 *cut = g_memdup2(nal.data, len); /* its own block, so that a read beyond it is seen */

        expect_refused(cut, len);
    }
    for (guint i = 0; i < 20000; i++) {
        HelixSps sps;
        g_autoptr(GByteArray) out = NULL;

        memcpy(copy, nal.data, nal.len);
        for (guint k = g_rand_int_range(rand, 1, 6); k > 0; k--) {
            copy[g_rand_int_range(rand, 1, nal.len)] ^= 1 << g_rand_int_range(rand, 0, 8);
        }
        if (!helix_h264_parse_sps(copy, nal.len, &sps)) {
            continue;
        }
        read++;
        out = helix_h264_rewrite_sps(copy, nal.len, &told[i % TOLD]);
        g_assert_nonnull(out);
        g_assert_true(helix_h264_parse_sps(out->data, out->len, &sps));
    }
    g_assert_cmpuint(read, >, 1000);
    g_rand_free(rand);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < G_N_ELEMENTS(variants); i++) {
        g_autofree char *path = g_strdup_printf("/sps/x264/%s", variants[i].name);

        g_test_add_data_func(path, &variants[i], test_x264);
    }
    test_cases_add();
    return g_test_run();
}
