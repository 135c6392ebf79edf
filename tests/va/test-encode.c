/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-encode.c - pictures through libva, the driver and the real host; decoded and compared. */
#include <string.h>
#include "../encoder/x264.h"
#include "va-rig.h"

#define LEAST 33.0 /* dB, of each plane of a picture; a wrong one has under 20 */
#define FPS 30u

static gboolean is_idr(GBytes *unit)
{
    g_autofree char *types = nal_types(unit);

    return strchr(types, '5') != NULL;
}

/* Each profile with each rate control: the stream has the profile, and each picture is what was uploaded. */
RIG_TEST("/encode/profiles", test_profiles)
{
    const VAProfile profiles[] = { VAProfileH264ConstrainedBaseline, VAProfileH264Main, VAProfileH264High };
    const guint32 rates[] = { VA_RC_CQP, VA_RC_CBR, VA_RC_VBR };
    const guint8 idc[] = { 66, 77, 100 };

    for (guint i = 0; i < 9; i++) {
        Film film;

        film_open(&film, f, profiles[i / 3], rates[i % 3], 320, 180);
        film.sequence.bits_per_second = 4000000;
        for (guint n = 0; n < 4; n++) {
            g_autoptr(GBytes) unit = film_encode(&film, paint_figure, n, n == 0 || n == 3);

            g_assert_true(is_idr(unit) == (n == 0 || n == 3));
            g_assert_cmpfloat(film_compare(&film, unit, paint_figure, n), >, LEAST);
            if (n == 0) {
                HelixSps sps = read_sps(unit);

                g_assert_cmpuint(sps.profile_idc, ==, idc[i / 3]);
                g_assert_cmpuint(sps.level_idc, ==, 41);
                g_assert_cmpuint(sps.width, ==, 320);
                g_assert_cmpuint(sps.height, ==, 180);
                g_assert_cmpuint(sps.max_num_reorder_frames, ==, 0);
                g_assert_true(i / 3 > 0 || (sps.constraints & 0x40)); /* constraint_set1: Constrained Baseline */
            }
        }
        film_close(&film);
    }
    g_assert_cmpuint(va_rig_lines(f), ==, 0);
}

/* A part of the surface, as the sequence crops it. */
RIG_TEST("/encode/cropping", test_cropping)
{
    g_autoptr(Yuv) whole = yuv_reference(paint_figure, 320, 192, 5), found = NULL;
    g_autoptr(GBytes) unit = NULL;
    guint errors = 0;
    Film film;

    film_open(&film, f, VAProfileH264High, VA_RC_CQP, 320, 192);
    film.picture.pic_init_qp = 10;
    film.sequence.frame_cropping_flag = 1;
    film.sequence.frame_crop_left_offset = 8; /* units of two samples */
    film.sequence.frame_crop_right_offset = 12;
    film.sequence.frame_crop_top_offset = 4;
    film.sequence.frame_crop_bottom_offset = 16;
    unit = film_encode(&film, paint_figure, 5, TRUE);
    found = decoder_feed(film.decoder, unit);
    g_assert_cmpuint(found->width, ==, 320 - 40);
    g_assert_cmpuint(found->height, ==, 192 - 40);
    for (guint y = 0; y < found->height; y++) {
        for (guint x = 0; x < found->width; x++) {
            errors += (guint)ABS(found->y[y * found->width + x] - whole->y[(y + 8) * 320 + x + 16]) > 12;
        }
    }
    g_assert_cmpuint(errors, <, found->width * found->height / 100);
    film.sequence.frame_crop_right_offset = 160; /* nothing is left */
    film_paint(&film, film.input, paint_figure, 6);
    assert_va_is(film_begin(&film, film.input, TRUE), VA_STATUS_ERROR_INVALID_PARAMETER);
    film_close(&film);
}

/* @anew: the first of them begins the stream, or begins it anew. */
static gsize mean_size(Film *film, guint first, guint count, gboolean anew)
{
    gsize sum = 0;

    for (guint n = first; n < first + count; n++) {
        g_autoptr(GBytes) unit = film_encode(film, paint_busy, n, n == 0);

        g_assert_true(is_idr(unit) == (anew && n == first));
        sum += g_bytes_get_size(unit);
        yuv_free(decoder_feed(film->decoder, unit));
    }
    return sum / count;
}

static void set_rate(Film *film, guint32 rate_control, guint32 rate)
{
    film->rate.bits_per_second = rate_control == VA_RC_VBR ? rate * 2 : rate;
    film->rate.target_percentage = rate_control == VA_RC_VBR ? 50 : 0;
    film->send_sequence = TRUE;
}

static void check_rate(Film *film, guint first, guint32 rate)
{
    gsize mean = mean_size(film, first, 60, first == 0);

    g_assert_cmpuint(mean, >, rate / FPS / 8 * 85 / 100);
    g_assert_cmpuint(mean, <, rate / FPS / 8 * 115 / 100);
}

/* CBR and VBR keep their rate, also one that changes in mid-stream: without an IDR, but for x264's mean of a variable
 * rate. It follows a rise slowly. */
static void check_rates(VaRig *rig, guint32 rate_control)
{
    Film film;

    film_open(&film, rig, VAProfileH264Main, rate_control, 320, 192);
    film.sequence.vui_parameters_present_flag = 1;
    film.sequence.vui_fields.bits.timing_info_present_flag = 1;
    film.sequence.num_units_in_tick = 1;
    film.sequence.time_scale = 2 * FPS;
    set_rate(&film, rate_control, 700000);
    check_rate(&film, 0, 700000);
    set_rate(&film, rate_control, 300000);
    mean_size(&film, 60, 20, rate_control == VA_RC_VBR); /* until the change is through */
    check_rate(&film, 80, 300000);
    film_close(&film);
}

RIG_TEST("/encode/rates", test_rates)
{
    check_rates(f, VA_RC_CBR);
    check_rates(f, VA_RC_VBR);
}

/* CQP: the quantiser is the program's, so pictures of a higher one are smaller. */
RIG_TEST("/encode/quantiser", test_quantiser)
{
    gsize sizes[3];

    for (guint i = 0; i < 3; i++) {
        g_autoptr(GBytes) unit = NULL;
        Film film;

        film_open(&film, f, VAProfileH264Main, VA_RC_CQP, 320, 192);
        film.picture.pic_init_qp = 20;
        film.slice.slice_qp_delta = (gint8)(10 * i);
        unit = film_encode(&film, paint_busy, 0, TRUE);
        sizes[i] = g_bytes_get_size(unit);
        film_close(&film);
    }
    g_assert_cmpuint(sizes[0], >, sizes[1] * 3 / 2);
    g_assert_cmpuint(sizes[1], >, sizes[2] * 3 / 2);
}

/* Bounds of the quantiser hold against the rate: what may not be coarse is large. */
RIG_TEST("/encode/bounds", test_bounds)
{
    gsize sizes[2];

    for (guint i = 0; i < 2; i++) {
        Film film;

        film_open(&film, f, VAProfileH264Main, VA_RC_CBR, 320, 192);
        film.rate.bits_per_second = 200000;
        film.rate.max_qp = i ? 24 : 0;
        sizes[i] = mean_size(&film, 0, 20, TRUE);
        film_close(&film);
    }
    g_assert_cmpuint(sizes[1], >, 2 * sizes[0]);
}

RIG_TEST("/encode/frame-rate", test_frame_rate)
{
    g_autoptr(GBytes) unit = NULL;
    HelixSps sps;
    Film film;

    film_open(&film, f, VAProfileH264Main, VA_RC_CQP, 320, 192);
    film.sequence.vui_parameters_present_flag = 1;
    film.sequence.vui_fields.bits.timing_info_present_flag = 1;
    film.sequence.num_units_in_tick = 1001;
    film.sequence.time_scale = 60000;
    film.sequence.vui_fields.bits.aspect_ratio_info_present_flag = 1;
    film.sequence.aspect_ratio_idc = 255;
    film.sequence.sar_width = 4;
    film.sequence.sar_height = 3;
    unit = film_encode(&film, paint_figure, 0, TRUE);
    sps = read_sps(unit);
    g_assert_true(sps.timing);
    g_assert_cmpuint((guint64)sps.time_scale * 1001, ==, (guint64)sps.num_units_in_tick * 60000);
    g_assert_cmpuint(sps.sar_width * 3, ==, sps.sar_height * 4);
    /* The driver does not know which colours were uploaded. */
    g_assert_cmpuint(sps.matrix, ==, 2);
    film_close(&film);
}

/* As many slices as the program asks for, up to what is announced. */
RIG_TEST("/encode/slices", test_slices)
{
    VAConfigAttrib most = { VAConfigAttribEncMaxSlices, 0 };
    VAEncSliceParameterBufferH264 slices[64] = { { 0 } };

    assert_va(vaGetConfigAttributes(f->display, VAProfileH264Main, VAEntrypointEncSlice, &most, 1));
    g_assert_cmpuint(most.value, <=, G_N_ELEMENTS(slices));
    for (guint count = 1; count <= most.value; count++) {
        g_autofree char *types = NULL;
        g_autoptr(GBytes) unit = NULL;
        guint found = 0;
        Film film;

        film_open(&film, f, VAProfileH264Main, VA_RC_CQP, 320, 192);
        film.n_slices = count;
        unit = film_encode(&film, paint_figure, count, TRUE);
        types = nal_types(unit);
        for (const char *at = types; *at; at++) {
            found += *at == '5';
        }
        g_assert_cmpuint(found, ==, count);
        g_assert_cmpfloat(film_compare(&film, unit, paint_figure, count), >, LEAST);
        film_close(&film);
    }
}

/* A program that writes the surface while the host has not read it yet: the film shows what was there. */
RIG_TEST("/encode/overwritten", test_overwritten)
{
    g_autoptr(GBytes) unit = NULL;
    Film film;

    va_rig_restart_host(f, "--encode-delay=50");
    film_open(&film, f, VAProfileH264Main, VA_RC_CQP, 320, 192);
    for (guint n = 0; n < 4; n++) {
        film_paint(&film, film.input, paint_number, n);
        assert_va(film_begin(&film, film.input, n == 0));
        film_paint(&film, film.input, paint_number, n + 100);
        unit = film_take(&film, NULL);
        g_assert_cmpfloat(film_compare(&film, unit, paint_number, n), >, 25);
        g_clear_pointer(&unit, g_bytes_unref);
    }
    film_close(&film);
}

/* What GStreamer waits for is "rendering" until it is done, and the one after that does not wait. */
RIG_TEST("/encode/status", test_status)
{
    g_autoptr(GBytes) unit = NULL;
    VASurfaceStatus status;
    Film film;

    va_rig_restart_host(f, "--encode-delay=200");
    film_open(&film, f, VAProfileH264Main, VA_RC_CQP, 320, 192);
    assert_va(vaQuerySurfaceStatus(f->display, film.reconstructed, &status));
    g_assert_cmpint(status, ==, VASurfaceReady);
    film_paint(&film, film.input, paint_figure, 0);
    assert_va(film_begin(&film, film.input, TRUE));
    assert_va(vaQuerySurfaceStatus(f->display, film.reconstructed, &status));
    g_assert_cmpint(status, ==, VASurfaceRendering);
    assert_va_is(vaSyncSurface2(f->display, film.input, 1000), VA_STATUS_ERROR_TIMEDOUT);
    assert_va(vaSyncSurface(f->display, film.input));
    assert_va(vaQuerySurfaceStatus(f->display, film.reconstructed, &status));
    g_assert_cmpint(status, ==, VASurfaceReady);
    unit = film_take(&film, NULL);
    film_close(&film);
}
