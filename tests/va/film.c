/* SPDX-License-Identifier: GPL-2.0-or-later */
/* film.c - an encoder by libva, and pictures for it; see va-rig.h. */
#include <string.h>
#include "va-rig.h"

static guint round_up(guint value)
{
    return (value + 15) / 16;
}

VASurfaceID make_surface(VaRig *rig, guint32 fourcc, guint width, guint height)
{
    gboolean is_rgb = fourcc != VA_FOURCC_NV12 && fourcc != VA_FOURCC_I420;
    VASurfaceAttrib attribute = { .type = VASurfaceAttribPixelFormat, .flags = VA_SURFACE_ATTRIB_SETTABLE };
    VASurfaceID surface;

    attribute.value.type = VAGenericValueTypeInteger;
    attribute.value.value.i = (int)fourcc;
    assert_va(vaCreateSurfaces(rig->display, is_rgb ? VA_RT_FORMAT_RGB32 : VA_RT_FORMAT_YUV420, width, height, &surface,
                               1, &attribute, 1));
    return surface;
}

void film_open(Film *film, VaRig *rig, VAProfile profile, guint32 rate_control, guint width, guint height)
{
    VAConfigAttrib attributes[2] = { { VAConfigAttribRTFormat, VA_RT_FORMAT_YUV420 },
                                     { VAConfigAttribRateControl, rate_control } };
    VADisplay display = rig->display;

    *film = (Film){ .rig = rig, .width = width, .height = height, .decoder = decoder_new() };
    assert_va(vaCreateConfig(display, profile, VAEntrypointEncSlice, attributes, 2, &film->config));
    film->input = make_surface(rig, VA_FOURCC_NV12, width, height);
    film->reconstructed = make_surface(rig, VA_FOURCC_NV12, round_up(width) * 16, round_up(height) * 16);
    assert_va(vaCreateContext(display, film->config, (int)width, (int)height, VA_PROGRESSIVE, &film->reconstructed, 1,
                              &film->context));
    assert_va(vaCreateBuffer(display, film->context, VAEncCodedBufferType, width * height * 2, 1, NULL, &film->coded));
    film->sequence.picture_width_in_mbs = (guint16)round_up(width);
    film->sequence.picture_height_in_mbs = (guint16)round_up(height);
    film->sequence.level_idc = 41;
    film->sequence.ip_period = 1;
    film->sequence.max_num_ref_frames = 1;
    film->sequence.seq_fields.bits.chroma_format_idc = 1;
    film->sequence.seq_fields.bits.frame_mbs_only_flag = 1;
    film->sequence.frame_cropping_flag = width % 16 || height % 16;
    film->sequence.frame_crop_right_offset = (round_up(width) * 16 - width) / 2;
    film->sequence.frame_crop_bottom_offset = (round_up(height) * 16 - height) / 2;
    film->picture.pic_init_qp = 26;
}

void film_close(Film *film)
{
    VADisplay display = film->rig->display;

    assert_va(vaDestroyBuffer(display, film->coded));
    assert_va(vaDestroyContext(display, film->context));
    assert_va(vaDestroySurfaces(display, &film->input, 1));
    assert_va(vaDestroySurfaces(display, &film->reconstructed, 1));
    assert_va(vaDestroyConfig(display, film->config));
    decoder_free(film->decoder);
}

/* ---- pictures ---- */

static guint8 *map(VADisplay display, VASurfaceID surface, VAImage *image)
{
    void *data;

    assert_va(vaDeriveImage(display, surface, image));
    assert_va(vaMapBuffer(display, image->buf, &data));
    return data;
}

static void unmap(VADisplay display, VAImage *image)
{
    assert_va(vaUnmapBuffer(display, image->buf));
    assert_va(vaDestroyImage(display, image->image_id));
}

void film_paint(Film *film, VASurfaceID surface, Painter painter, guint n)
{
    g_autoptr(Yuv) yuv = yuv_reference(painter, film->width, film->height, n);
    VAImage image;
    guint8 *data = map(film->rig->display, surface, &image);

    for (guint y = 0; y < yuv->height; y++) {
        memcpy(data + image.offsets[0] + image.pitches[0] * y, yuv->y + yuv->width * y, yuv->width);
    }
    for (guint y = 0; y < yuv->height / 2; y++) {
        guint8 *row = data + image.offsets[1] + image.pitches[1] * y;

        for (guint x = 0; x < yuv->width / 2; x++) {
            row[2 * x] = yuv->u[yuv->width / 2 * y + x];
            row[2 * x + 1] = yuv->v[yuv->width / 2 * y + x];
        }
    }
    unmap(film->rig->display, &image);
}

void paint_rgb(VaRig *rig, VASurfaceID surface, Painter painter, guint n)
{
    VAImage image;
    guint8 *data = map(rig->display, surface, &image);
    gboolean red_first = image.format.red_mask == 0xff;

    for (guint y = 0; y < image.height; y++) {
        guint8 *pixel = data + image.offsets[0] + image.pitches[0] * y;

        for (guint x = 0; x < image.width; x++, pixel += 4) {
            Rgb rgb = painter(x, y, image.width, image.height, n);

            pixel[red_first ? 0 : 2] = rgb.r;
            pixel[1] = rgb.g;
            pixel[red_first ? 2 : 0] = rgb.b;
            pixel[3] = 255;
        }
    }
    unmap(rig->display, &image);
}

/* ---- encoding ---- */

/* Each parameter buffer is destroyed by the caller: the driver copies, or has done with it, by vaRenderPicture(). */
static VAStatus render(Film *film, VABufferType type, gconstpointer data, gsize size)
{
    VADisplay display = film->rig->display;
    VABufferID buffer;
    VAStatus status;

    assert_va(vaCreateBuffer(display, film->context, type, (guint)size, 1, (gpointer)data, &buffer));
    status = vaRenderPicture(display, film->context, &buffer, 1);
    assert_va(vaDestroyBuffer(display, buffer));
    return status;
}

static VAStatus render_rate(Film *film)
{
    g_autofree guint8 *bytes = g_malloc0(sizeof(VAEncMiscParameterBuffer) + sizeof(film->rate));
    VAEncMiscParameterBuffer *misc = (VAEncMiscParameterBuffer *)(gpointer)bytes;

    misc->type = VAEncMiscParameterTypeRateControl;
    memcpy(misc->data, &film->rate, sizeof(film->rate));
    return render(film, VAEncMiscParameterBufferType, bytes, sizeof(*misc) + sizeof(film->rate));
}

static VAStatus render_slices(Film *film)
{
    guint rows = round_up(film->height), n = MAX(film->n_slices, 1);
    VAStatus status = VA_STATUS_SUCCESS;

    for (guint i = 0; i < n && status == VA_STATUS_SUCCESS; i++) {
        film->slice.macroblock_address = rows * i / n * round_up(film->width);
        film->slice.num_macroblocks = (rows * (i + 1) / n - rows * i / n) * round_up(film->width);
        status = render(film, VAEncSliceParameterBufferType, &film->slice, sizeof(film->slice));
    }
    return status;
}

VAStatus film_begin(Film *film, VASurfaceID surface, gboolean idr)
{
    VAStatus status = vaBeginPicture(film->rig->display, film->context, surface), end;

    if (status != VA_STATUS_SUCCESS) {
        return status;
    }
    film->picture.CurrPic.picture_id = film->reconstructed;
    film->picture.coded_buf = film->coded;
    film->picture.pic_fields.bits.idr_pic_flag = idr ? 1 : 0;
    film->slice.slice_type = idr ? 2 : 0;
    if (idr || film->send_sequence) {
        status = render(film, VAEncSequenceParameterBufferType, &film->sequence, sizeof(film->sequence));
        if (status == VA_STATUS_SUCCESS && film->rate.bits_per_second) {
            status = render_rate(film);
        }
        film->send_sequence = FALSE;
    }
    if (status == VA_STATUS_SUCCESS) {
        status = render(film, VAEncPictureParameterBufferType, &film->picture, sizeof(film->picture));
    }
    if (status == VA_STATUS_SUCCESS) {
        status = render_slices(film);
    }
    end = vaEndPicture(film->rig->display, film->context);
    return status == VA_STATUS_SUCCESS ? end : status;
}

GBytes *film_take(Film *film, VAStatus *status)
{
    VADisplay display = film->rig->display;
    VACodedBufferSegment *segment = NULL;
    VAStatus result = vaMapBuffer(display, film->coded, (void **)&segment);
    GBytes *unit;

    if (status) {
        *status = result;
    }
    if (result != VA_STATUS_SUCCESS) {
        g_assert_nonnull(status);
        return NULL;
    }
    g_assert_null(segment->next);
    g_assert_cmpuint(segment->size, >, 0);
    unit = g_bytes_new(segment->buf, segment->size);
    assert_va(vaUnmapBuffer(display, film->coded));
    return unit;
}

GBytes *film_encode(Film *film, Painter painter, guint n, gboolean idr)
{
    film_paint(film, film->input, painter, n);
    assert_va(film_begin(film, film->input, idr));
    return film_take(film, NULL);
}

double film_compare(Film *film, GBytes *unit, Painter painter, guint n)
{
    g_autoptr(Yuv) found = decoder_feed(film->decoder, unit);
    g_autoptr(Yuv) wanted = yuv_reference(painter, film->width, film->height, n);
    double least = 200;

    g_assert_cmpuint(found->width, ==, wanted->width);
    g_assert_cmpuint(found->height, ==, wanted->height);
    for (guint plane = 0; plane < 3; plane++) {
        least = MIN(least, yuv_compare(found, wanted, plane).psnr);
    }
    return least;
}
