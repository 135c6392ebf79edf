/* SPDX-License-Identifier: GPL-2.0-or-later */
/* test-surface.c - surfaces, images, DMA-BUFs and VideoProc. */
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <va/va_drmcommon.h>
#include <va/va_vpp.h>
#include "../../desktop/client/helix-client.h"
#include "va-rig.h"

#define WIDTH 320u
#define HEIGHT 192u

/* ---- VideoProc ---- */

typedef struct Process {
    VaRig *rig;
    VAConfigID config;
    VAContextID context;
} Process;

static void process_open(Process *process, VaRig *rig)
{
    process->rig = rig;
    assert_va(vaCreateConfig(rig->display, VAProfileNone, VAEntrypointVideoProc, NULL, 0, &process->config));
    assert_va(vaCreateContext(rig->display, process->config, 0, 0, 0, NULL, 0, &process->context));
}

static void process_close(Process *process)
{
    assert_va(vaDestroyContext(process->rig->display, process->context));
    assert_va(vaDestroyConfig(process->rig->display, process->config));
}

static VAStatus process(Process *process, VASurfaceID from, const VARectangle *part, VASurfaceID to,
                        const VARectangle *place)
{
    VAProcPipelineParameterBuffer pipeline = { .surface = from, .surface_region = part, .output_region = place };
    VADisplay display = process->rig->display;
    VABufferID buffer;
    VAStatus status, end;

    assert_va(vaCreateBuffer(display, process->context, VAProcPipelineParameterBufferType, sizeof(pipeline), 1,
                             &pipeline, &buffer));
    assert_va(vaBeginPicture(display, process->context, to));
    status = vaRenderPicture(display, process->context, &buffer, 1);
    end = vaEndPicture(display, process->context);
    assert_va(vaDestroyBuffer(display, buffer));
    return status == VA_STATUS_SUCCESS ? end : status;
}

/* ---- DMA-BUFs: files whose first bytes are a resource's id ---- */

static int dmabuf_new(guint32 resource)
{
    int fd = memfd_create("dmabuf", MFD_CLOEXEC);

    g_assert_cmpint(pwrite(fd, &resource, sizeof(resource), 0), ==, sizeof(resource));
    return fd;
}

static VAStatus import(VaRig *rig, int fd, guint32 fourcc, guint32 drm, guint planes, VASurfaceID *surface)
{
    VADRMPRIMESurfaceDescriptor descriptor = {
        .fourcc = fourcc,
        .width = WIDTH,
        .height = HEIGHT,
        .num_objects = 1,
        .objects = { { .fd = fd, .size = WIDTH * HEIGHT * 4 } },
        .num_layers = 1,
        .layers = { { .drm_format = drm, .num_planes = planes, .pitch = { WIDTH * 4, WIDTH * 4 } } },
    };
    VASurfaceAttrib attributes[2] = {
        { .type = VASurfaceAttribMemoryType, .flags = VA_SURFACE_ATTRIB_SETTABLE },
        { .type = VASurfaceAttribExternalBufferDescriptor, .flags = VA_SURFACE_ATTRIB_SETTABLE },
    };

    attributes[0].value.type = VAGenericValueTypeInteger;
    attributes[0].value.value.i = VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2;
    attributes[1].value.type = VAGenericValueTypePointer;
    attributes[1].value.value.p = &descriptor;
    return vaCreateSurfaces(rig->display, fourcc == VA_FOURCC_NV12 ? VA_RT_FORMAT_YUV420 : VA_RT_FORMAT_RGB32, WIDTH,
                            HEIGHT, surface, 1, attributes, 2);
}

static VASurfaceID import_rgb(VaRig *rig, guint32 resource)
{
    int fd = dmabuf_new(resource);
    VASurfaceID surface;

    assert_va(import(rig, fd, VA_FOURCC_BGRX, HELIX_CLIENT_FORMAT_XR24, 1, &surface));
    close(fd); /* the driver has its own */
    return surface;
}

/* What resource @n of helix-host shows: see tests/core/fake-capture.c. */
static Rgb paint_resource(guint x, guint y, guint width, guint height, guint n)
{
    guint bright = (x + y) % 64 < 8 ? 63 : 0;

    return (Rgb){ (guint8)(n * 37 % 192 + bright), (guint8)(n * 91 % 192 + bright), (guint8)(n * 53 % 192 + bright) };
}

/* The upper right quarter of it. */
static Rgb paint_quarter(guint x, guint y, guint width, guint height, guint n)
{
    return paint_resource(x + WIDTH / 2, y, width, height, n);
}

static double encode_and_compare(Film *film, VASurfaceID surface, gboolean idr, Painter painter, guint n)
{
    g_autoptr(GBytes) unit = NULL;

    assert_va(film_begin(film, surface, idr));
    unit = film_take(film, NULL);
    return film_compare(film, unit, painter, n);
}

RIG_TEST("/surface/import", test_import)
{
    VASurfaceID source = import_rgb(f, 7);
    VARectangle quarter = { WIDTH / 2, 0, WIDTH / 2, HEIGHT / 2 };
    Process proc;
    VAImage image;
    Film film;

    process_open(&proc, f);
    film_open(&film, f, VAProfileH264Main, VA_RC_CQP, WIDTH, HEIGHT);
    assert_va(process(&proc, source, NULL, film.input, NULL));
    g_assert_cmpfloat(encode_and_compare(&film, film.input, TRUE, paint_resource, 7), >, 30);
    /* The pixels are on the host. */
    assert_va_is(vaDeriveImage(f->display, source, &image), VA_STATUS_ERROR_OPERATION_FAILED);
    assert_va_is(vaDeriveImage(f->display, film.input, &image), VA_STATUS_ERROR_OPERATION_FAILED);
    film_close(&film);
    film_open(&film, f, VAProfileH264Main, VA_RC_CQP, WIDTH / 2, HEIGHT / 2);
    assert_va(process(&proc, source, &quarter, film.input, NULL));
    assert_va(vaDestroySurfaces(f->display, &source, 1)); /* before it is encoded */
    g_assert_cmpfloat(encode_and_compare(&film, film.input, TRUE, paint_quarter, 7), >, 30);
    film_close(&film);
    process_close(&proc);
    g_assert_cmpuint(va_rig_lines(f), ==, 0);
}

/* The program's surfaces are larger than what it encodes: the host reads that part. */
RIG_TEST("/surface/import-cropped", test_import_cropped)
{
    VASurfaceID source = import_rgb(f, 7), target = make_surface(f, VA_FOURCC_NV12, WIDTH, HEIGHT);
    Process proc;
    Film film;

    process_open(&proc, f);
    film_open(&film, f, VAProfileH264Main, VA_RC_CQP, WIDTH / 2, HEIGHT / 2 - 8);
    assert_va(process(&proc, source, NULL, target, NULL));
    g_assert_cmpfloat(encode_and_compare(&film, target, TRUE, paint_resource, 7), >, 30);
    assert_va(vaDestroySurfaces(f->display, &source, 1));
    assert_va(vaDestroySurfaces(f->display, &target, 1));
    film_close(&film);
    process_close(&proc);
}

LONE_TEST("/surface/import-refused", test_import_refused)
{
    int fd = dmabuf_new(1);
    VASurfaceID surface;

    assert_va_is(import(f, fd, VA_FOURCC_NV12, HELIX_CLIENT_FORMAT_NV12, 2, &surface),
                 VA_STATUS_ERROR_INVALID_PARAMETER);
    assert_va_is(import(f, fd, VA_FOURCC_NV12, HELIX_CLIENT_FORMAT_NV12, 1, &surface),
                 VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE);
    g_assert_cmpuint(surface, ==, VA_INVALID_ID);
    assert_va_is(import(f, -1, VA_FOURCC_BGRX, HELIX_CLIENT_FORMAT_XR24, 1, &surface),
                 VA_STATUS_ERROR_ALLOCATION_FAILED);
    close(fd);
}

/*
 * Programs give a picture back to its producer as soon as VideoProc has it, and that draws the next one into it at
 * once. What is encoded later, and once more, is the picture that was there.
 */
static void check_recycled(VaRig *rig, gboolean encoder_first)
{
    VASurfaceID source = import_rgb(rig, 20), kept = make_surface(rig, VA_FOURCC_NV12, WIDTH, HEIGHT);
    Process proc;
    Film film;

    process_open(&proc, rig);
    if (encoder_first) {
        film_open(&film, rig, VAProfileH264Main, VA_RC_CQP, WIDTH, HEIGHT);
    }
    assert_va(process(&proc, source, NULL, kept, NULL));
    kill(rig->host.pid, SIGUSR2);
    if (!encoder_first) {
        film_open(&film, rig, VAProfileH264Main, VA_RC_CQP, WIDTH, HEIGHT);
    }
    do { /* until it is overwritten */
        assert_va(process(&proc, source, NULL, film.input, NULL));
    } while (encode_and_compare(&film, film.input, TRUE, paint_resource, 21) < 30);
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpfloat(encode_and_compare(&film, kept, FALSE, paint_resource, 20), >, 30);
        g_assert_cmpfloat(encode_and_compare(&film, film.input, FALSE, paint_resource, 21), >, 30);
    }
    film_close(&film);
    assert_va(vaDestroySurfaces(rig->display, &source, 1));
    assert_va(vaDestroySurfaces(rig->display, &kept, 1));
    process_close(&proc);
    g_assert_cmpuint(va_rig_lines(rig), ==, 0);
}

RIG_TEST("/surface/recycled", test_recycled)
{
    check_recycled(f, TRUE);
}

RIG_TEST("/surface/recycled-before-the-encoder", test_recycled_early)
{
    check_recycled(f, FALSE);
}

/* Two encoders of one picture: each has its own connection, and so its own snapshot. */
RIG_TEST("/surface/two-encoders", test_two_encoders)
{
    VASurfaceID source = import_rgb(f, 30), kept = make_surface(f, VA_FOURCC_NV12, WIDTH, HEIGHT);
    Film films[2];
    Process proc;

    process_open(&proc, f);
    film_open(&films[0], f, VAProfileH264Main, VA_RC_CQP, WIDTH, HEIGHT);
    film_open(&films[1], f, VAProfileH264High, VA_RC_CQP, WIDTH, HEIGHT);
    assert_va(process(&proc, source, NULL, kept, NULL));
    kill(f->host.pid, SIGUSR2);
    do {
        assert_va(process(&proc, source, NULL, films[0].input, NULL));
    } while (encode_and_compare(&films[0], films[0].input, TRUE, paint_resource, 31) < 30);
    for (guint i = 0; i < 2; i++) {
        g_assert_cmpfloat(encode_and_compare(&films[i], kept, TRUE, paint_resource, 30), >, 30);
        film_close(&films[i]);
    }
    assert_va(vaDestroySurfaces(f->display, &source, 1));
    assert_va(vaDestroySurfaces(f->display, &kept, 1));
    process_close(&proc);
}

/* More pictures than a host keeps: the oldest is read as it is, and none fails. */
RIG_TEST("/surface/many-snapshots", test_many_snapshots)
{
    VASurfaceID source, targets[40];
    Process proc;
    Film film;

    process_open(&proc, f);
    film_open(&film, f, VAProfileH264Main, VA_RC_CQP, WIDTH, HEIGHT);
    for (guint i = 0; i < G_N_ELEMENTS(targets); i++) {
        source = import_rgb(f, i + 1);
        targets[i] = make_surface(f, VA_FOURCC_NV12, WIDTH, HEIGHT);
        assert_va(process(&proc, source, NULL, targets[i], NULL));
        assert_va(vaDestroySurfaces(f->display, &source, 1));
    }
    for (guint i = 0; i < G_N_ELEMENTS(targets); i++) {
        g_assert_cmpfloat(encode_and_compare(&film, targets[i], i == 0, paint_resource, i + 1), >, 30);
    }
    assert_va(vaDestroySurfaces(f->display, targets, G_N_ELEMENTS(targets)));
    film_close(&film);
    process_close(&proc);
    g_assert_cmpuint(va_rig_lines(f), ==, 0);
}

/* ---- RGB of our own ---- */

RIG_TEST("/surface/rgb", test_rgb)
{
    const guint32 formats[] = { VA_FOURCC_BGRA, VA_FOURCC_BGRX, VA_FOURCC_RGBA, VA_FOURCC_RGBX };
    Process proc;
    Film film;

    process_open(&proc, f);
    film_open(&film, f, VAProfileH264Main, VA_RC_CQP, WIDTH, HEIGHT);
    for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
        VASurfaceID source = make_surface(f, formats[i], WIDTH, HEIGHT);

        paint_rgb(f, source, paint_figure, i);
        assert_va(process(&proc, source, NULL, film.input, NULL));
        g_assert_cmpfloat(encode_and_compare(&film, film.input, i == 0, paint_figure, i), >, 30);
        assert_va(vaDestroySurfaces(f->display, &source, 1));
    }
    film_close(&film);
    process_close(&proc);
}

/* The luma of @surface, read in @fourcc by vaGetImage(), against what @painter paints there. */
static double read_back(VaRig *rig, VASurfaceID surface, guint width, guint height, Painter painter, guint n)
{
    g_autoptr(Yuv) wanted = yuv_reference(painter, width, height, n);
    VAImageFormat format = { .fourcc = VA_FOURCC_I420 };
    double least = 200;
    VAImage image;
    guint8 *data;
    Yuv found;

    assert_va(vaCreateImage(rig->display, &format, (int)width, (int)height, &image));
    assert_va(vaGetImage(rig->display, surface, 0, 0, width, height, image.image_id));
    assert_va(vaMapBuffer(rig->display, image.buf, (void **)&data));
    g_assert_cmpuint(image.pitches[0], ==, width);
    g_assert_cmpuint(image.pitches[1], ==, width / 2);
    found = (Yuv){ width, height, data + image.offsets[0], data + image.offsets[1], data + image.offsets[2] };
    for (guint plane = 0; plane < 3; plane++) {
        least = MIN(least, yuv_compare(&found, wanted, plane).psnr);
    }
    assert_va(vaUnmapBuffer(rig->display, image.buf));
    assert_va(vaDestroyImage(rig->display, image.image_id));
    return least;
}

/* A picture that VideoProc promised is made by the CPU when it is read; scaled, too. */
LONE_TEST("/surface/read-back", test_read_back)
{
    VASurfaceID source = make_surface(f, VA_FOURCC_BGRX, WIDTH, HEIGHT);
    VASurfaceID same = make_surface(f, VA_FOURCC_NV12, WIDTH, HEIGHT);
    VASurfaceID half = make_surface(f, VA_FOURCC_NV12, WIDTH / 2, HEIGHT / 2);
    VASurfaceID rgb = make_surface(f, VA_FOURCC_RGBA, WIDTH, HEIGHT);
    Process proc;

    process_open(&proc, f);
    paint_rgb(f, source, paint_smooth, 3);
    assert_va(process(&proc, source, NULL, same, NULL));
    assert_va(process(&proc, source, NULL, half, NULL));
    assert_va(process(&proc, same, NULL, rgb, NULL)); /* of what nobody has read yet */
    paint_rgb(f, source, paint_noise, 4);             /* overwritten, as far as the program sees */
    g_assert_cmpfloat(read_back(f, same, WIDTH, HEIGHT, paint_smooth, 3), >, 45);
    g_assert_cmpfloat(read_back(f, half, WIDTH / 2, HEIGHT / 2, paint_smooth, 3), >, 38);
    g_assert_cmpfloat(read_back(f, rgb, WIDTH, HEIGHT, paint_smooth, 3), >, 42);
    g_assert_cmpfloat(read_back(f, source, WIDTH, HEIGHT, paint_noise, 4), >, 45);
    assert_va(vaDestroySurfaces(f->display, &source, 1));
    assert_va(vaDestroySurfaces(f->display, &same, 1));
    assert_va(vaDestroySurfaces(f->display, &half, 1));
    assert_va(vaDestroySurfaces(f->display, &rgb, 1));
    process_close(&proc);
}

LONE_TEST("/surface/process-refused", test_process_refused)
{
    VASurfaceID source = make_surface(f, VA_FOURCC_BGRX, WIDTH, HEIGHT);
    VASurfaceID target = make_surface(f, VA_FOURCC_NV12, WIDTH, HEIGHT);
    VARectangle outside = { 1, 0, WIDTH, HEIGHT }, empty = { 0, 0, 0, 8 };
    Process proc;

    process_open(&proc, f);
    assert_va_is(process(&proc, source, &outside, target, NULL), VA_STATUS_ERROR_INVALID_PARAMETER);
    assert_va_is(process(&proc, source, NULL, target, &empty), VA_STATUS_ERROR_INVALID_PARAMETER);
    assert_va_is(process(&proc, 4711, NULL, target, NULL), VA_STATUS_ERROR_INVALID_SURFACE);
    assert_va_is(process(&proc, source, NULL, source, NULL), VA_STATUS_ERROR_INVALID_PARAMETER);
    assert_va(vaDestroySurfaces(f->display, &source, 1));
    assert_va(vaDestroySurfaces(f->display, &target, 1));
    process_close(&proc);
}

/* ---- export ---- */

/* NV12 in layers would be two images of one resource: refused, and nothing is handed out. */
LONE_TEST("/surface/export-refused", test_export_refused)
{
    VASurfaceID surface = make_surface(f, VA_FOURCC_NV12, WIDTH, HEIGHT);
    VADRMPRIMESurfaceDescriptor descriptor = { .num_objects = 99 };

    assert_va_is(vaExportSurfaceHandle(f->display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                       VA_EXPORT_SURFACE_READ_WRITE | VA_EXPORT_SURFACE_SEPARATE_LAYERS, &descriptor),
                 VA_STATUS_ERROR_UNSUPPORTED_MEMORY_TYPE);
    assert_va(vaDestroySurfaces(f->display, &surface, 1));
    assert_va_is(vaExportSurfaceHandle(f->display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                       VA_EXPORT_SURFACE_READ_WRITE | VA_EXPORT_SURFACE_SEPARATE_LAYERS, &descriptor),
                 VA_STATUS_ERROR_INVALID_SURFACE);
}

/* What a GPU draws into an exported surface is what is encoded, by its resource. */
RIG_TEST("/surface/export", test_export)
{
    VADRMPRIMESurfaceDescriptor descriptor = { 0 };
    VASurfaceID surface;
    guint32 resource;
    Process proc;
    VAImage image;
    Film film;

    g_setenv("FAKE_DRI_BUFFERS", "40", TRUE);
    g_setenv("HELIX_VA_AVOID", "guest-copy", TRUE); /* helix-host does not read a guest's pages */
    va_rig_reopen(f);
    g_unsetenv("HELIX_VA_AVOID");
    surface = make_surface(f, VA_FOURCC_BGRX, WIDTH, HEIGHT);
    assert_va(vaExportSurfaceHandle(f->display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                    VA_EXPORT_SURFACE_READ_WRITE | VA_EXPORT_SURFACE_SEPARATE_LAYERS, &descriptor));
    g_assert_cmpuint(descriptor.fourcc, ==, VA_FOURCC_BGRX);
    g_assert_cmpuint(descriptor.num_objects, ==, 1);
    g_assert_cmpuint(descriptor.objects[0].drm_format_modifier, ==, 0); /* linear: GStreamer drops "invalid" */
    g_assert_cmpuint(descriptor.num_layers, ==, 1);
    g_assert_cmpuint(descriptor.layers[0].drm_format, ==, HELIX_CLIENT_FORMAT_XR24);
    g_assert_cmpuint(descriptor.layers[0].pitch[0], >=, WIDTH * 4);
    g_assert_cmpint(pread(descriptor.objects[0].fd, &resource, sizeof(resource), 0), ==, sizeof(resource));
    close(descriptor.objects[0].fd);
    process_open(&proc, f);
    film_open(&film, f, VAProfileH264Main, VA_RC_CQP, WIDTH, HEIGHT);
    assert_va(process(&proc, surface, NULL, film.input, NULL));
    g_assert_cmpfloat(encode_and_compare(&film, film.input, TRUE, paint_resource, resource), >, 30);
    assert_va_is(vaDeriveImage(f->display, surface, &image), VA_STATUS_ERROR_OPERATION_FAILED);
    assert_va(vaDestroySurfaces(f->display, &surface, 1));
    /* What the CPU wrote would not be there. */
    surface = make_surface(f, VA_FOURCC_BGRX, WIDTH, HEIGHT);
    paint_rgb(f, surface, paint_figure, 0);
    assert_va_is(vaExportSurfaceHandle(f->display, surface, VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2,
                                       VA_EXPORT_SURFACE_READ_WRITE, &descriptor),
                 VA_STATUS_ERROR_OPERATION_FAILED);
    assert_va(vaDestroySurfaces(f->display, &surface, 1));
    film_close(&film);
    process_close(&proc);
    g_unsetenv("FAKE_DRI_BUFFERS");
}

/* A host that says nothing: VideoProc returns in the time that the user gives, and the picture is encoded as it is when
 * the host is back. */
RIG_TEST("/surface/silent-host", test_silent_host)
{
    g_autoptr(GBytes) unit = NULL;
    VAStatus status;
    VASurfaceID source;
    Process proc;
    Film film;

    g_setenv("HELIX_VA_TIMEOUT_MS", "1000", TRUE);
    va_rig_reopen(f);
    g_unsetenv("HELIX_VA_TIMEOUT_MS");
    source = import_rgb(f, 7);
    process_open(&proc, f);
    film_open(&film, f, VAProfileH264Main, VA_RC_CQP, WIDTH, HEIGHT);
    assert_va(process(&proc, source, NULL, film.input, NULL));
    g_assert_cmpfloat(encode_and_compare(&film, film.input, TRUE, paint_resource, 7), >, 30);
    kill(f->host.pid, SIGSTOP);
    assert_va(process(&proc, source, NULL, film.input, NULL));
    kill(f->host.pid, SIGCONT);
    do { /* it needs a moment to come back */
        assert_va(film_begin(&film, film.input, TRUE));
        unit = film_take(&film, &status);
    } while (!unit && status == VA_STATUS_ERROR_OPERATION_FAILED);
    assert_va(status);
    g_assert_cmpfloat(film_compare(&film, unit, paint_resource, 7), >, 30);
    assert_va(vaDestroySurfaces(f->display, &source, 1));
    film_close(&film);
    process_close(&proc);
}
