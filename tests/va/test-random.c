/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-random.c - a program that calls the driver in any order with any arguments (memory that it says it has, it has),
 * and programs with many threads. The sanitizers look on.
 */
#include <string.h>
#include <unistd.h>
#include <va/va_drmcommon.h>
#include <va/va_vpp.h>
#include "va-rig.h"

#define STEPS 20000u
#define IDS 24u /* kept of each kind; more are destroyed */

typedef enum Kind { CONFIG, CONTEXT, SURFACE, BUFFER, IMAGE, N_KINDS } Kind;

typedef struct Program {
    VaRig *rig;
    VADisplay display;
    GRand *rand;
    VAGenericID ids[N_KINDS][IDS];
    VAImage images[IDS];
    VABufferType types[IDS];   /* of buffers */
    VARectangle rectangles[2]; /* of VideoProc: until vaRenderPicture() */
    guint succeeded[N_KINDS], encoded;
} Program;

static guint pick(Program *p, guint n)
{
    return (guint)g_rand_int_range(p->rand, 0, (gint)n);
}

/* One that was made, was once made, is of another kind, or never was. */
static VAGenericID any(Program *p, Kind kind)
{
    guint luck = pick(p, 20);

    if (luck == 0) {
        return g_rand_int(p->rand);
    }
    return p->ids[luck == 1 ? pick(p, N_KINDS) : kind][pick(p, IDS)];
}

/* Mostly small, at times absurd. */
static guint any_size(Program *p)
{
    const guint odd[] = { 0, 1, 15, 16, 17, 8192, 8193, G_MAXINT, G_MAXUINT };

    return pick(p, 10) ? 16 + pick(p, 80) : odd[pick(p, G_N_ELEMENTS(odd))];
}

static void any_bytes(Program *p, gpointer data, gsize size)
{
    guint8 *bytes = data;

    for (gsize i = 0; i < size; i++) {
        bytes[i] = pick(p, 3) ? 0 : (guint8)pick(p, 256);
    }
}

static guint32 any_fourcc(Program *p)
{
    const guint32 list[] = { VA_FOURCC_NV12, VA_FOURCC_I420, VA_FOURCC_YV12, VA_FOURCC_BGRA,
                             VA_FOURCC_BGRX, VA_FOURCC_RGBA, VA_FOURCC_RGBX, VA_FOURCC_P010 };

    return pick(p, 20) ? list[pick(p, G_N_ELEMENTS(list))] : g_rand_int(p->rand);
}

static void destroy(Program *p, Kind kind, guint i)
{
    VAGenericID *id = &p->ids[kind][i];

    switch (kind) {
    case CONFIG:
        vaDestroyConfig(p->display, *id);
        break;
    case CONTEXT:
        vaDestroyContext(p->display, *id);
        break;
    case SURFACE:
        vaDestroySurfaces(p->display, id, 1);
        break;
    case BUFFER:
        vaDestroyBuffer(p->display, *id);
        break;
    default:
        vaDestroyImage(p->display, *id);
        break;
    }
}

/* A new one takes a place; what was there is destroyed, or forgotten by the program until the display goes. */
static guint keep(Program *p, Kind kind, VAGenericID id)
{
    guint i = pick(p, IDS);

    destroy(p, kind, i);
    p->ids[kind][i] = id;
    p->succeeded[kind]++;
    return i;
}

/* ---- calls ---- */

static void make_config(Program *p)
{
    const VAProfile profiles[] = { VAProfileH264ConstrainedBaseline, VAProfileH264Main, VAProfileH264High,
                                   VAProfileNone, VAProfileHEVCMain };
    VAProfile profile = profiles[pick(p, G_N_ELEMENTS(profiles))];
    VAConfigAttrib attributes[2] = { { VAConfigAttribRateControl, 1u << pick(p, 6) },
                                     { (VAConfigAttribType)pick(p, 50), pick(p, 4) } };
    VAEntrypoint entrypoint = profile == VAProfileNone ? VAEntrypointVideoProc : VAEntrypointEncSlice;
    VAConfigID id;

    if (vaCreateConfig(p->display, profile, pick(p, 10) ? entrypoint : VAEntrypointVLD, attributes, (int)pick(p, 3),
                       &id) == VA_STATUS_SUCCESS) {
        keep(p, CONFIG, id);
    }
}

static void make_context(Program *p)
{
    VASurfaceID targets[2] = { any(p, SURFACE), any(p, SURFACE) };
    VAContextID id;

    if (vaCreateContext(p->display, any(p, CONFIG), (int)any_size(p), (int)any_size(p), 0, targets, (int)pick(p, 3),
                        &id) == VA_STATUS_SUCCESS) {
        keep(p, CONTEXT, id);
    }
}

static void describe_any(Program *p, VADRMPRIMESurfaceDescriptor *descriptor)
{
    any_bytes(p, descriptor, sizeof(*descriptor));
    descriptor->fourcc = any_fourcc(p);
    descriptor->objects[0].fd = pick(p, 3) ? p->rig->node : (int)pick(p, 3) - 2;
    if (pick(p, 2)) {
        descriptor->num_objects = descriptor->num_layers = descriptor->layers[0].num_planes = 1;
        descriptor->layers[0].pitch[0] = any_size(p) * 4;
        descriptor->layers[0].object_index[0] = 0;
    }
}

static void make_surface_any(Program *p)
{
    VADRMPRIMESurfaceDescriptor descriptor;
    VASurfaceAttrib attributes[3] = {
        { .type = VASurfaceAttribPixelFormat, .flags = VA_SURFACE_ATTRIB_SETTABLE },
        { .type = VASurfaceAttribMemoryType, .flags = VA_SURFACE_ATTRIB_SETTABLE },
        { .type = VASurfaceAttribExternalBufferDescriptor, .flags = VA_SURFACE_ATTRIB_SETTABLE },
    };
    guint32 format = pick(p, 2) ? VA_RT_FORMAT_YUV420 : VA_RT_FORMAT_RGB32;
    VASurfaceID ids[2];

    describe_any(p, &descriptor);
    attributes[0].value.value.i = (int)any_fourcc(p);
    attributes[1].value.value.i = VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2;
    attributes[2].value.value.p = pick(p, 10) ? &descriptor : NULL;
    if (vaCreateSurfaces(p->display, pick(p, 10) ? format : g_rand_int(p->rand), any_size(p), any_size(p), ids, 2,
                         attributes, pick(p, 3) ? pick(p, 2) : 3) == VA_STATUS_SUCCESS) {
        keep(p, SURFACE, ids[0]);
        keep(p, SURFACE, ids[1]);
    }
}

/* Parameters of the kind that the type has, or of any size. */
static VABufferID make_parameters(Program *p, VABufferType type)
{
    union {
        VAEncSequenceParameterBufferH264 sequence;
        VAEncPictureParameterBufferH264 picture;
        VAEncSliceParameterBufferH264 slice;
        VAProcPipelineParameterBuffer pipeline;
        guint8 bytes[1024];
    } u;
    gsize size = sizeof(u);
    VABufferID id;

    any_bytes(p, &u, sizeof(u));
    any_bytes(p, p->rectangles, sizeof(p->rectangles));
    switch ((int)type) {
    case VAEncSequenceParameterBufferType:
        size = sizeof(u.sequence);
        u.sequence.picture_width_in_mbs = (guint16)pick(p, 6);
        u.sequence.picture_height_in_mbs = (guint16)pick(p, 6);
        break;
    case VAEncPictureParameterBufferType:
        size = sizeof(u.picture);
        u.picture.coded_buf = any(p, BUFFER);
        u.picture.CurrPic.picture_id = any(p, SURFACE);
        break;
    case VAEncSliceParameterBufferType:
        size = sizeof(u.slice);
        break;
    case VAProcPipelineParameterBufferType:
        size = sizeof(u.pipeline);
        if (pick(p, 4)) {
            memset(&u.pipeline, 0, sizeof(u.pipeline));
        }
        u.pipeline.surface = any(p, SURFACE);
        u.pipeline.surface_region = pick(p, 2) ? &p->rectangles[0] : NULL;
        u.pipeline.output_region = pick(p, 2) ? &p->rectangles[1] : NULL;
        break;
    default:
        size = pick(p, 4) ? 64 : 1 + pick(p, 600);
        *(guint32 *)(gpointer)u.bytes = pick(p, 20); /* a VAEncMiscParameterType */
        break;
    }
    size = pick(p, 10) ? size : 1 + pick(p, (guint)size);
    return vaCreateBuffer(p->display, any(p, CONTEXT), type, (guint)size, 1, &u, &id) == VA_STATUS_SUCCESS
        ? id
        : VA_INVALID_ID;
}

static void make_buffer(Program *p)
{
    VABufferType type = pick(p, 4) ? VAEncCodedBufferType : (VABufferType)pick(p, 60);
    VABufferID id;

    if (vaCreateBuffer(p->display, any(p, CONTEXT), type, any_size(p), pick(p, 4), NULL, &id) == VA_STATUS_SUCCESS) {
        p->types[keep(p, BUFFER, id)] = type;
    }
}

static void draw_picture(Program *p)
{
    const VABufferType types[] = { VAEncSequenceParameterBufferType,  VAEncPictureParameterBufferType,
                                   VAEncSliceParameterBufferType,     VAEncMiscParameterBufferType,
                                   VAProcPipelineParameterBufferType, VAEncPackedHeaderParameterBufferType };
    VAContextID context = any(p, CONTEXT);
    gboolean in_order = pick(p, 2) == 0;

    vaBeginPicture(p->display, context, any(p, SURFACE));
    for (guint i = 0, n = in_order ? 5 : pick(p, 6); i < n; i++) {
        VABufferID id = make_parameters(p, types[in_order ? i : pick(p, G_N_ELEMENTS(types))]);

        vaRenderPicture(p->display, pick(p, 20) ? context : any(p, CONTEXT), &id, 1);
        vaDestroyBuffer(p->display, id);
    }
    if (pick(p, 20)) {
        p->encoded += vaEndPicture(p->display, context) == VA_STATUS_SUCCESS;
    }
}

static void make_image(Program *p)
{
    VAImageFormat format = { .fourcc = any_fourcc(p) };
    VAImage image;
    VAStatus status = pick(p, 2) ? vaCreateImage(p->display, &format, (int)any_size(p), (int)any_size(p), &image)
                                 : vaDeriveImage(p->display, any(p, SURFACE), &image);

    if (status == VA_STATUS_SUCCESS) {
        p->images[keep(p, IMAGE, image.image_id)] = image;
    }
}

/* Mapped memory is written to its last byte. */
static void write_image(Program *p)
{
    const VAImage *image = &p->images[pick(p, IDS)];
    void *data;

    if (image->data_size && vaMapBuffer(p->display, image->buf, &data) == VA_STATUS_SUCCESS) {
        memset(data, (int)pick(p, 256), image->data_size);
        if (pick(p, 20)) {
            vaUnmapBuffer(p->display, image->buf);
        }
    }
}

static void copy_image(Program *p)
{
    VASurfaceID surface = any(p, SURFACE);
    VAImageID image = any(p, IMAGE);
    int x = (int)pick(p, 20) - 2, y = (int)pick(p, 20) - 2;

    if (pick(p, 2)) {
        vaGetImage(p->display, surface, x, y, any_size(p), any_size(p), image);
    } else {
        vaPutImage(p->display, surface, image, x, y, any_size(p), any_size(p), (int)pick(p, 9) - 1, (int)pick(p, 9) - 1,
                   any_size(p), any_size(p));
    }
}

static void read_unit(Program *p)
{
    guint i = pick(p, IDS);
    VABufferID id = p->ids[BUFFER][i];
    VACodedBufferSegment *segment;
    void *data;

    if (vaMapBuffer(p->display, id, &data) != VA_STATUS_SUCCESS) {
        return;
    }
    if (p->types[i] == VAEncCodedBufferType) {
        for (segment = data; segment; segment = segment->next) {
            g_free(segment->size ? g_memdup2(segment->buf, segment->size) : NULL);
        }
    }
    vaUnmapBuffer(p->display, id);
}

static void ask(Program *p)
{
    VADRMPRIMESurfaceDescriptor descriptor;
    VASurfaceAttrib attributes[32];
    VASurfaceStatus status;
    VAProcPipelineCaps caps;
    unsigned int n = pick(p, 33);

    vaQuerySurfaceStatus(p->display, any(p, SURFACE), &status);
    vaSyncSurface2(p->display, any(p, SURFACE), pick(p, 1000));
    vaQuerySurfaceAttributes(p->display, any(p, CONFIG), attributes, &n);
    vaQueryVideoProcPipelineCaps(p->display, any(p, CONTEXT), NULL, 0, &caps);
    vaBufferSetNumElements(p->display, any(p, BUFFER), pick(p, 5));
    if (vaExportSurfaceHandle(p->display, any(p, SURFACE), VA_SURFACE_ATTRIB_MEM_TYPE_DRM_PRIME_2, g_rand_int(p->rand),
                              &descriptor) == VA_STATUS_SUCCESS) {
        close(descriptor.objects[0].fd);
    }
}

static void run(VaRig *rig, guint steps)
{
    void (*const calls[])(Program *) = { make_config, make_context, make_surface_any, make_buffer, draw_picture,
                                         make_image,  write_image,  copy_image,       read_unit,   ask };
    Program program = { .rig = rig, .display = rig->display, .rand = g_rand_new_with_seed(g_test_rand_int()) };

    for (guint i = 0; i < steps; i++) {
        guint call = pick(&program, 100);

        if (call < 2) {
            destroy(&program, (Kind)pick(&program, N_KINDS), pick(&program, IDS));
        } else {
            calls[pick(&program, G_N_ELEMENTS(calls))](&program);
        }
    }
    for (guint kind = 0; kind < N_KINDS; kind++) { /* it was not all refused */
        g_assert_cmpuint(program.succeeded[kind], >, 0);
    }
    g_assert_cmpuint(program.encoded, >, 0);
    g_test_message("%u pictures", program.encoded);
    g_rand_free(program.rand);
}

RIG_TEST("/random/calls", test_calls)
{
    run(f, STEPS);
}

/* Each call fails fast: there is no host. */
LONE_TEST("/random/calls-without-a-host", test_calls_alone)
{
    run(f, STEPS);
}

/* ---- threads ---- */

typedef struct Threads {
    VaRig *rig;
    VASurfaceID source; /* read by all */
    gint ends;
} Threads;

static gpointer encode_film(gpointer data)
{
    Threads *threads = data;
    VAProcPipelineParameterBuffer pipeline = { .surface = threads->source };
    VADisplay display = threads->rig->display;
    VAConfigID config;
    VAContextID context;
    Film film;

    film_open(&film, threads->rig, VAProfileH264Main, VA_RC_CQP, 64, 64);
    assert_va(vaCreateConfig(display, VAProfileNone, VAEntrypointVideoProc, NULL, 0, &config));
    assert_va(vaCreateContext(display, config, 0, 0, 0, NULL, 0, &context));
    for (guint n = 0; n < 20; n++) {
        g_autoptr(GBytes) unit = NULL;
        VABufferID buffer;

        if (n % 2) {
            unit = film_encode(&film, paint_figure, n, FALSE);
            g_assert_cmpfloat(film_compare(&film, unit, paint_figure, n), >, 28);
            continue;
        }
        assert_va(vaCreateBuffer(display, context, VAProcPipelineParameterBufferType, sizeof(pipeline), 1, &pipeline,
                                 &buffer));
        assert_va(vaBeginPicture(display, context, film.input));
        assert_va(vaRenderPicture(display, context, &buffer, 1));
        assert_va(vaEndPicture(display, context));
        assert_va(vaDestroyBuffer(display, buffer));
        assert_va(film_begin(&film, film.input, n == 0));
        assert_va(vaSyncSurface(display, film.input));
        unit = film_take(&film, NULL);
        g_assert_cmpfloat(film_compare(&film, unit, paint_figure, 99), >, 28);
    }
    assert_va(vaDestroyContext(display, context));
    assert_va(vaDestroyConfig(display, config));
    film_close(&film);
    return NULL;
}

/* The numbers of others: their objects come and go meanwhile. */
static gpointer look_on(gpointer data)
{
    Threads *threads = data;
    VADisplay display = threads->rig->display;

    while (!g_atomic_int_get(&threads->ends)) {
        for (guint i = 0; i < 64; i++) {
            VASurfaceStatus status;

            vaQuerySurfaceStatus(display, threads->source + i, &status);
            vaSyncSurface2(display, threads->source + i, 0);
        }
        g_usleep(100);
    }
    return NULL;
}

RIG_TEST("/random/threads", test_threads)
{
    Threads threads = { .rig = f, .source = make_surface(f, VA_FOURCC_BGRX, 64, 64) };
    GThread *films[4], *looks;

    paint_rgb(f, threads.source, paint_figure, 99);
    looks = g_thread_new("looks", look_on, &threads);
    for (guint i = 0; i < G_N_ELEMENTS(films); i++) {
        films[i] = g_thread_new("film", encode_film, &threads);
    }
    for (guint i = 0; i < G_N_ELEMENTS(films); i++) {
        g_thread_join(films[i]);
    }
    g_atomic_int_set(&threads.ends, 1);
    g_thread_join(looks);
    assert_va(vaDestroySurfaces(f->display, &threads.source, 1));
}
