/* SPDX-License-Identifier: GPL-2.0-or-later */
/* buffers.c - what becomes of upstream's buffers: layouts, crops, DMA-BUFs without a name, when they come back. */
#include <sys/mman.h>
#include <unistd.h>
#include <gst/allocators/gstdmabuf.h>
#include "../../desktop/client/bytes.h"
#include "fixture.h"

static void push_and_pull(Fixture *f, GstBuffer *buffer)
{
    GstBuffer *out;

    g_assert_cmpint(gst_harness_push(f->h, buffer), ==, GST_FLOW_OK);
    out = gst_harness_pull(f->h);
    g_assert_nonnull(out);
    gst_buffer_unref(out);
}

/* ---- pixels ---- */

ELEMENT_TEST("/buffers/stride-of-meta", test_stride_of_meta)
{
    const gsize offset[4] = { 128 };
    const gint stride[4] = { 64 * 4 + 32 };
    GstBuffer *buffer;
    ScriptFrame frame;

    fixture_set_up_64(f, script, -1);
    /* The last row's padding is not in the buffer. */
    buffer = fixture_picture(f, offset[0] + (gsize)stride[0] * 63 + 64 * 4);
    gst_buffer_add_video_meta_full(buffer, GST_VIDEO_FRAME_FLAG_NONE, GST_VIDEO_FORMAT_BGRx, 64, 64, 1, offset, stride);
    push_and_pull(f, buffer);
    frame = script_host_frame(f->host, 0);
    g_assert_cmpuint(frame.stride, ==, stride[0]);
    g_assert_cmpuint(frame.payload_size, ==, HELIX_REQUEST_SIZE + (gsize)stride[0] * 64);
    /* Written into the socket, and kept until the first access unit is there. */
    g_assert_cmpuint(fixture_stat(f, "cpu-bytes"), ==, 2 * (gsize)stride[0] * 64);
}

ELEMENT_TEST("/buffers/crop", test_crop)
{
    GstVideoCropMeta *crop;
    GstBuffer *buffer;
    ScriptFrame frame;
    gsize size;

    fixture_set_up_64(f, script, -1);
    buffer = fixture_picture(f, SIZE_64);
    crop = gst_buffer_add_video_crop_meta(buffer);
    crop->x = 5;
    crop->y = 7;
    crop->width = 20;
    crop->height = 30;
    push_and_pull(f, buffer);
    frame = script_host_frame(f->host, 0);
    g_assert_cmpuint(frame.width, ==, 20);
    g_assert_cmpuint(frame.height, ==, 30);
    g_assert_cmpuint(frame.stride, ==, 80);
    g_assert_cmpuint(frame.payload_size, ==, HELIX_REQUEST_SIZE + 80 * 30);
    /* The stream is the crop's size. */
    g_assert_cmpuint(get_u32(script_host_config(f->host, 1, &size) + HELIX_CONFIG_WIDTH), ==, 20);
}

/* A crop that reaches outside is no crop. */
ELEMENT_TEST("/buffers/wrong-crop", test_wrong_crop)
{
    GstVideoCropMeta *crop;
    GstBuffer *buffer;

    fixture_set_up_64(f, script, -1);
    buffer = fixture_picture(f, SIZE_64);
    crop = gst_buffer_add_video_crop_meta(buffer);
    crop->x = 60;
    crop->width = G_MAXUINT;
    crop->height = 64;
    push_and_pull(f, buffer);
    g_assert_cmpuint(script_host_frame(f->host, 0).width, ==, 64);
}

static void check_nv12(gint width, gint height, guint32 stride, guint32 bytes)
{
    Script script = SCRIPT_DEFAULT;
    g_autofree char *caps = g_strdup_printf("video/x-raw, format=NV12, framerate=30/1, width=%d, height=%d", width,
                                            height);
    GstVideoInfo info;
    ScriptFrame frame;
    Fixture f;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_NV12, (guint)width, (guint)height);
    fixture_set_up(&f, &script, -1);
    gst_harness_set_src_caps_str(f.h, caps);
    push_and_pull(&f, fixture_picture(&f, GST_VIDEO_INFO_SIZE(&info)));
    frame = script_host_frame(f.host, 0);
    g_assert_cmphex(frame.fourcc, ==, HELIX_FORMAT_NV12);
    g_assert_cmpuint(frame.stride, ==, stride);
    g_assert_cmpuint(frame.payload_size, ==, HELIX_REQUEST_SIZE + bytes);
    fixture_tear_down(&f);
}

TEST("/buffers/nv12", test_nv12)
{
    check_nv12(64, 48, 64, 64 * 48 * 3 / 2);
    /* Rows padded to 4 by GStreamer, chroma begins below an even number of luma rows. */
    check_nv12(62, 47, 62, 62 * 48 + 62 * 24);
}

/* The wire has no I420: it goes as NV12. */
ELEMENT_TEST("/buffers/i420", test_i420)
{
    GstVideoInfo info;
    ScriptFrame frame;

    gst_video_info_set_format(&info, GST_VIDEO_FORMAT_I420, 64, 48);
    fixture_set_up(f, script, -1);
    gst_harness_set_src_caps_str(f->h, CAPS("I420", 64, 48));
    push_and_pull(f, fixture_picture(f, GST_VIDEO_INFO_SIZE(&info)));
    frame = script_host_frame(f->host, 0);
    g_assert_cmphex(frame.fourcc, ==, HELIX_FORMAT_NV12);
    g_assert_cmpuint(frame.stride, ==, 64);
    g_assert_cmpuint(frame.payload_size, ==, HELIX_REQUEST_SIZE + 64 * 72);
    g_assert_cmpuint(fixture_stat(f, "cpu-bytes"), ==, 3 * 64 * 72);
}

ELEMENT_TEST("/buffers/too-small", test_too_small)
{
    fixture_set_up_64(f, script, -1);
    g_assert_cmpint(gst_harness_push(f->h, fixture_picture(f, SIZE_64 / 2)), ==, GST_FLOW_ERROR);
    fixture_error(f, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "cannot be read as the 64x64 BGRx");
}

/* Set when the last reference to a buffer's memory goes. */
static void on_freed(gpointer data)
{
    g_atomic_int_set((gint *)data, 1);
}

/* Pixels are upstream's again as soon as they are sent, long before the answer. */
ELEMENT_TEST("/buffers/pixels-given-back", test_pixels_given_back)
{
    gpointer memory = g_malloc0(SIZE_64);
    GstBuffer *buffer;
    gint freed = 0;

    script->hold = TRUE;
    fixture_set_up_64(f, script, -1);
    buffer = gst_buffer_new_wrapped_full(0, memory, SIZE_64, 0, SIZE_64, &freed, on_freed);
    GST_BUFFER_PTS(buffer) = 0;
    g_assert_cmpint(gst_harness_push(f->h, buffer), ==, GST_FLOW_OK);
    g_assert_true(script_host_wait_frames(f->host, 1));
    for (guint i = 0; i < 6000 && !g_atomic_int_get(&freed); i++) {
        g_usleep(10 * 1000);
    }
    g_assert_true(g_atomic_int_get(&freed));
    g_assert_cmpuint(gst_harness_buffers_in_queue(f->h), ==, 0);
    script_host_allow(f->host, 1);
    fixture_pull(f, 0, TRUE);
    fixture_tear_down(f);
    g_free(memory);
}

/* ---- DMA-BUFs without a virtio-gpu ---- */

/* Those under DMA-BUF caps are not even offered here; some sources give them under plain caps. */
ELEMENT_TEST("/buffers/unnameable", test_unnameable)
{
    GstAllocator *allocator = gst_dmabuf_allocator_new();
    int fd = memfd_create("picture", MFD_CLOEXEC);
    GstBuffer *buffer = gst_buffer_new();

    /* No DMA-BUF at all behind the fd, so nobody can say whose it is: it must not be read on suspicion. */
    g_assert_cmpint(ftruncate(fd, SIZE_64), ==, 0);
    gst_buffer_append_memory(buffer, gst_dmabuf_allocator_alloc(allocator, fd, SIZE_64));
    GST_BUFFER_PTS(buffer) = 0;
    fixture_set_up_64(f, script, -1);
    g_assert_cmpint(gst_harness_push(f->h, buffer), ==, GST_FLOW_ERROR);
    fixture_error(f, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ_WRITE, "Cannot name this DMA-BUF");
    g_assert_cmpuint(script_host_frames(f->host), ==, 0);
    fixture_tear_down(f);
    gst_object_unref(allocator);
}

static gboolean accepts(GstElement *element, const char *format)
{
    g_autofree char *text = g_strconcat(format, ", width=64, height=64, framerate=0/1", NULL);
    GstCaps *caps = gst_caps_from_string(text);
    GstPad *pad = gst_element_get_static_pad(element, "sink");
    gboolean yes = gst_pad_query_accept_caps(pad, caps);

    gst_object_unref(pad);
    gst_caps_unref(caps);
    return yes;
}

static const char *const dmabuf_formats[] = {
    "video/x-raw(memory:DMABuf), format=BGRx",
    "video/x-raw(memory:DMABuf), format=RGBA",
    "video/x-raw(memory:DMABuf), format=DMA_DRM, drm-format=XR24",
    "video/x-raw(memory:DMABuf), format=DMA_DRM, drm-format=AB24",
};

TEST("/buffers/caps-before-start", test_caps_before_start)
{
    const char *const bad[] = {
        "video/x-raw(memory:DMABuf), format=DMA_DRM, drm-format=(string)XR24:0x0100000000000001",
        "video/x-raw(memory:DMABuf), format=NV12",
        "video/x-raw, format=ARGB64",
    };
    GstElement *element = gst_object_ref_sink(gst_element_factory_make("vsockenc", NULL));

    for (guint i = 0; i < G_N_ELEMENTS(dmabuf_formats); i++) {
        g_assert_true(accepts(element, dmabuf_formats[i]));
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++) {
        g_assert_false(accepts(element, bad[i]));
    }
    gst_object_unref(element);
}

/* Where DMA-BUFs cannot be named, upstream is left system memory only. */
ELEMENT_TEST("/buffers/caps-without-gpu", test_caps_without_gpu)
{
    if (g_file_test("/dev/dri", G_FILE_TEST_EXISTS)) {
        g_test_skip("this machine has a GPU");
        return;
    }
    fixture_set_up(f, script, -1);
    for (guint i = 0; i < G_N_ELEMENTS(dmabuf_formats); i++) {
        g_assert_false(accepts(f->h->element, dmabuf_formats[i]));
    }
    g_assert_true(accepts(f->h->element, "video/x-raw, format=NV12"));
    g_assert_true(accepts(f->h->element, "video/x-raw, format=I420, colorimetry=bt601"));
}

/* ---- sources that claim to know DMA-BUFs ---- */

static GstStaticPadTemplate fake_template = GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS,
                                                                    GST_STATIC_CAPS_ANY);

static void fake_source_class_init(gpointer klass, gpointer data)
{
    gst_element_class_add_static_pad_template(klass, &fake_template);
    gst_element_class_set_static_metadata(klass, "a source", "Source", "a source of a given name and version", "tests");
}

static void fake_source_init(GTypeInstance *instance, gpointer klass)
{
    gst_element_add_pad(GST_ELEMENT(instance), gst_pad_new_from_static_template(&fake_template, "src"));
}

/* A type keeps the factory it was first made by, so each version gets one of its own. */
static GType fake_source_type(void)
{
    static guint n;
    const GTypeInfo info = {
        .class_size = sizeof(GstElementClass),
        .class_init = fake_source_class_init,
        .instance_size = sizeof(GstElement),
        .instance_init = fake_source_init,
    };
    g_autofree char *name = g_strdup_printf("FakeSource%u", n++);

    return g_type_register_static(GST_TYPE_ELEMENT, name, &info, 0);
}

static gboolean fake_plugin(GstPlugin *plugin)
{
    return gst_element_register(plugin, "pipewiresrc", GST_RANK_NONE, fake_source_type());
}

static void check_pipewire(const char *version, gboolean in_bin, gboolean offered)
{
    GstElement *pipeline = gst_pipeline_new(NULL), *inner = in_bin ? gst_bin_new(NULL) : NULL, *source;
    GstElement *element = gst_element_factory_make("vsockenc", NULL);
    GstPlugin *plugin;
    GstPad *pad;

    g_assert_true(gst_plugin_register_static(GST_VERSION_MAJOR, GST_VERSION_MINOR, "pipewire", "test", fake_plugin,
                                             version, "LGPL", "tests", "tests", "tests"));
    source = gst_element_factory_make("pipewiresrc", NULL);
    gst_bin_add_many(GST_BIN(pipeline), element, in_bin ? inner : source, NULL);
    if (in_bin) {
        gst_bin_add(GST_BIN(inner), source);
        pad = gst_element_get_static_pad(source, "src");
        gst_element_add_pad(inner, gst_ghost_pad_new("src", pad));
        gst_object_unref(pad);
    }
    g_assert_true(gst_element_link(in_bin ? inner : source, element));
    for (guint i = 0; i < G_N_ELEMENTS(dmabuf_formats); i++) {
        g_assert_cmpint(accepts(element, dmabuf_formats[i]), ==, offered);
    }
    g_assert_true(accepts(element, "video/x-raw, format=BGRx"));
    gst_object_unref(pipeline);
    plugin = gst_registry_find_plugin(gst_registry_get(), "pipewire");
    gst_registry_remove_plugin(gst_registry_get(), plugin);
    gst_object_unref(plugin);
}

TEST("/buffers/pipewire-versions", test_pipewire_versions)
{
    check_pipewire("1.4.2", FALSE, FALSE);
    check_pipewire("0.3.65", FALSE, FALSE);
    check_pipewire("1.6.0", FALSE, TRUE);
    check_pipewire("1.10.1", FALSE, TRUE);
    check_pipewire("1.4.2", TRUE, FALSE);
    check_pipewire("1.6.0", TRUE, TRUE);
}

ELEMENT_TEST("/buffers/allocation", test_allocation)
{
    GstCaps *caps = gst_caps_from_string(CAPS("BGRx", 64, 64));
    GstQuery *query = gst_query_new_allocation(caps, TRUE);

    fixture_set_up_64(f, script, -1);
    g_assert_true(gst_pad_peer_query(f->h->srcpad, query));
    g_assert_true(gst_query_find_allocation_meta(query, GST_VIDEO_META_API_TYPE, NULL));
    g_assert_true(gst_query_find_allocation_meta(query, GST_VIDEO_CROP_META_API_TYPE, NULL));
    gst_query_unref(query);
    gst_caps_unref(caps);
}
