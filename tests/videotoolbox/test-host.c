/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-host.c - a whole host with GPU copies and VideoToolbox: a guest asks by resource id, gets films that decode to
 * what was drawn, and the statistics say by which path the pictures came and that the CPU touched none of their bytes.
 * From resource id to surface goes QEMU's own look-up (hw/display/helix/qemu/resource*.c) on the rig of qemu-rig.h.
 */
#include <glib/gstdio.h>
#include <string.h>

#include <virglrenderer.h>

#include "cases.h"
#include "client.h"
#include "encode/videotoolbox/encoder-videotoolbox.h"
#include "stream/host.h"
#include "transport/listener.h"
#include "gpu-rig.h"
#include "qemu-rig.h"
#include "stat.h"
#include "capture/texture-hooks.h"

#define FRAMES 4u /* of each kind */

/* Resource ids are kinds of texture. */
enum { BY_GL = 1, BY_METAL, IN_PLACE, N_KINDS = IN_PLACE };

static VirtIOGPU gpu;
static guint drawn; /* number of the picture last asked for */
static GString *log_lines;

static IOSurfaceRef draw_iosurface(guint index)
{
    const void *keys[] = { kIOSurfaceWidth, kIOSurfaceHeight, kIOSurfaceBytesPerElement, kIOSurfacePixelFormat };
    const gint32 numbers[] = { WIDTH, HEIGHT, 4, kCVPixelFormatType_32BGRA };
    const void *values[4];
    CFDictionaryRef properties;
    IOSurfaceRef io;

    for (guint i = 0; i < 4; i++) {
        values[i] = CFNumberCreate(NULL, kCFNumberSInt32Type, &numbers[i]);
    }
    properties = CFDictionaryCreate(NULL, keys, values, 4, &kCFTypeDictionaryKeyCallBacks,
                                    &kCFTypeDictionaryValueCallBacks);
    io = IOSurfaceCreate(properties);
    stream_draw_bgra(IOSurfaceGetBaseAddress(io), IOSurfaceGetBytesPerRow(io), WIDTH, HEIGHT, index);
    for (guint i = 0; i < 4; i++) {
        CFRelease(values[i]);
    }
    CFRelease(properties);
    return io;
}

/* What is drawn by the guest's commands, which the look-up has carried out first. */
static struct {
    guint32 kind;
    guint32 tex_id;
    IOSurfaceRef io;
    id metal;
} guest;

static void draw(void)
{
    guint scale = guest.kind == BY_GL ? 2 : 1;

    virgl_renderer_force_ctx_0();
    switch (guest.kind) {
    case BY_GL:
        guest.tex_id = gpu_texture_new(WIDTH * scale, HEIGHT * scale, drawn * scale, TRUE);
        break;
    case BY_METAL:
        guest.metal = gpu_metal_texture(0, drawn);
        break;
    default:
        guest.io = draw_iosurface(drawn);
        guest.metal = double_metal_texture_new(WIDTH, HEIGHT, 0, guest.io);
        break;
    }
    drawn++;
    double_virgl = (DoubleVirglOrders){ .version = 1,
                                        .native_type = guest.metal ? 2 : 0,
                                        .native = guest.metal,
                                        .tex_id = guest.tex_id ? guest.tex_id : G_MAXINT32 /* GL has no such */,
                                        .width = WIDTH * scale,
                                        .height = HEIGHT * scale,
                                        .flags = guest.tex_id ? 1 : 0,
                                        .format = 1 };
}

/*
 * QEMU's look-up, on the main loop, where GL has whatever context, here none. The texture lives as long as the call, as
 * a guest may free it at once.
 */
static void resolve(gpointer self, const HelixPicture *picture, const HelixCaptureTarget *target,
                    HelixSurfacePool *pool, HelixResolved done, gpointer data)
{
    g_assert_true(target->surface_kinds & 1u << HELIX_SURFACE_IOSURFACE);
    g_assert_true(eglMakeCurrent(gpu_display, EGL_NO_SURFACE, EGL_NO_SURFACE, EGL_NO_CONTEXT));
    guest.kind = picture->resource_id;
    helix_resource_resolver.resolve(self, picture, target, pool, done, data);
    g_assert_cmpstr(qemu_rig.no_copy, ==, "");
    g_assert_true(eglGetCurrentContext() == gpu_renderer);
    g_assert_cmpuint(glGetError(), ==, GL_NO_ERROR);
    if (guest.metal) {
        CFRelease(guest.metal);
    } else {
        glDeleteTextures(1, &guest.tex_id);
    }
    if (guest.io) {
        CFRelease(guest.io);
    }
    memset(&guest, 0, sizeof(guest));
}

/* ---- the guest ---- */

typedef struct Guest {
    const char *path;
    GMainLoop *loop;
} Guest;

static void expect_picture(Client *client, AVCodecContext *decoder, guint index)
{
    g_autoptr(Message) message = client_receive(client);
    g_autofree guint8 *pixels = g_malloc(WIDTH * HEIGHT * 4);
    g_autoptr(GBytes) bytes = NULL;
    const guint8 *unit;
    AVFrame *frame;
    gsize size;

    g_assert_nonnull(message);
    g_assert_cmpuint(message->type, ==, HELIX_MSG_FRAME_RESPONSE);
    g_assert_cmpint(message_pts(message), ==, index);
    g_assert_true(message_is_keyframe(message) == (index == 0));
    unit = message_unit(message, &size);
    g_assert_nonnull(unit);
    bytes = g_bytes_new(unit, size);
    frame = stream_decode(decoder, bytes);
    g_assert_nonnull(frame);
    stream_draw_bgra(pixels, WIDTH * 4, WIDTH, HEIGHT, index);
    g_assert_cmpfloat(stream_psnr(frame, pixels, WIDTH * 4), >, 28);
    av_frame_free(&frame);
}

static gpointer guest_main(gpointer data)
{
    Guest *self = data;
    g_autoptr(Client) client = client_connect(self->path);
    AVCodecContext *decoder = stream_decoder_new();
    g_autoptr(Message) config = NULL;

    g_assert_nonnull(client);
    g_assert_true(client_config(client,
                                &(ConfigRequest){ .session = 1,
                                                  .flags = HELIX_CONFIG_ANSWER,
                                                  .width = WIDTH,
                                                  .height = HEIGHT,
                                                  .bitrate = 4000000,
                                                  .fps_num = 60,
                                                  .fps_den = 1,
                                                  .realtime = 1 }));
    config = client_receive(client);
    g_assert_nonnull(config);
    g_assert_cmpuint(config->type, ==, HELIX_MSG_CONFIG_RESP);
    for (guint i = 0; i < N_KINDS * FRAMES; i++) {
        guint kind = BY_GL + i % N_KINDS, scale = kind == BY_GL ? 2 : 1;

        g_assert_true(client_frame(
            client,
            &(FrameRequest){
                .session = 1, .resource = kind, .width = WIDTH * scale, .height = HEIGHT * scale, .pts = i }));
        expect_picture(client, decoder, i);
    }
    avcodec_free_context(&decoder);
    g_main_loop_quit(self->loop);
    return NULL;
}

/* ---- the host ---- */

static void on_log(gpointer data, const char *line)
{
    g_string_append_printf(log_lines, "%s\n", line);
}

static void expect_stats(const char *json)
{
    static const struct {
        const char *path;
        guint64 value;
    } stats[] = {
        { "frames.encoded", 12 },      { "frames.keyframes", 1 },      { "frames.dropped", 0 },
        { "host_paths.iosurface", 4 }, { "host_paths.metal-copy", 4 }, { "host_paths.gl-blit", 4 },
        { "host_paths.readback", 0 },  { "host_paths.pages", 0 },      { "host_paths.pixel-data", 0 },
        { "host_paths.repeat", 0 },    { "cpu_bytes.surface", 0 },     { "cpu_bytes.unit", 0 },
    };
    g_autofree char *encoder = stat_text(json, "encoder");

    g_assert_cmpstr(encoder, ==, "videotoolbox");
    for (guint i = 0; i < G_N_ELEMENTS(stats); i++) {
        if (stat_number(json, stats[i].path) != stats[i].value) {
            g_error("%s is not %" G_GUINT64_FORMAT " in %s", stats[i].path, stats[i].value, json);
        }
    }
}

TEST("/host", test_host)
{
    static const HelixResolver resolver = { .resolve = resolve };
    static const HelixHostHooks hooks = { .log = on_log };
    const HelixHostConfig config = {
        .encoder_class = &helix_encoder_videotoolbox, .resolver = &resolver, .resolver_data = &gpu, .hooks = &hooks
    };
    g_autofree char *folder = g_dir_make_tmp("helix-host-XXXXXX", NULL),
                    *path = g_build_filename(folder, "socket", NULL);
    g_autofree char *address = g_strconcat("unix:", path, NULL), *json = NULL;
    Guest client = { path, g_main_loop_new(NULL, FALSE) };
    struct virtio_gpu_simple_resource resources[N_KINDS];
    HelixListener *listener;
    HelixHost *host;
    GThread *thread;

    log_lines = g_string_new(NULL);
    qemu_rig_start(&gpu, true);
    for (guint i = 0; i < N_KINDS; i++) {
        qemu_rig_add(&gpu, &resources[i], 1 + i);
    }
    qemu_rig.guest = draw;
    double_egl.pending_polls = 2;
    host = helix_host_new(&config, NULL);
    listener = helix_listener_new(NULL, address, helix_host_accept, host, NULL);
    g_assert_nonnull(listener);
    thread = g_thread_new("guest", guest_main, &client);
    g_main_loop_run(client.loop);
    g_thread_join(thread);

    json = helix_host_stats_json(host);
    expect_stats(json);
    g_assert_nonnull(strstr(log_lines->str, "320 x 192, videotoolbox, gl-blit, 4000000 bit/s, 60/1 fps"));
    helix_listener_free(listener);
    helix_host_free(host);
    g_assert_cmpuint(qemu_rig.drained, ==, N_KINDS * FRAMES);
    helix_resource_cancel_all();
    gpu_check_clear();
    g_main_loop_unref(client.loop);
    g_string_free(log_lines, TRUE);
    g_assert_cmpint(g_rmdir(folder), ==, 0);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    gpu_start_renderer();
    test_cases_add();
    return g_test_run();
}
