/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipewiresrc-double.c - stands in for PipeWire's element where no PipeWire runs: a plugin with an element of the same
 * name and those of its properties that helix-screencast sets. It makes small RGB pictures, 50 a second, and writes
 * into the file that $PIPEWIRESRC_REPORT names what it was given: "path=42 fd=TEXT", TEXT being what fd can be read as,
 * and " min-buffers=N" where that was set.
 * The property error-after makes it fail as pipewiresrc does when its node is taken away, and error-file does so once
 * that file is there, which it removes; with unfinished-first the first picture is one that the portal of wlroots had
 * not finished, and times are the system's, as pipewiresrc gives them. Pictures of nodes from 100 on are twice as wide.
 * As pipewiresrc it offers no format where its peer takes anything, and fails by that.
 */
#include <gst/base/gstpushsrc.h>
#include <gst/gst.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WIDTH 64
#define HEIGHT 48
#define RATE 50

typedef struct Double {
    GstPushSrc parent;
    char *path, *error_file;
    int width;
    int fd, error_after, made, min_buffers, max_buffers; /* min_buffers 0: not set */
    gboolean unfinished_first;
} Double;

typedef struct DoubleClass {
    GstPushSrcClass parent_class;
} DoubleClass;

GType double_get_type(void);
G_DEFINE_TYPE(Double, double, GST_TYPE_PUSH_SRC)
GST_ELEMENT_REGISTER_DECLARE(pipewiresrc);
GST_ELEMENT_REGISTER_DEFINE(pipewiresrc, "pipewiresrc", GST_RANK_NONE, double_get_type())

enum {
    PROP_PATH = 1,
    PROP_FD,
    PROP_ERROR_AFTER,
    PROP_ERROR_FILE,
    PROP_MIN_BUFFERS,
    PROP_MAX_BUFFERS,
    PROP_UNFINISHED_FIRST,
};

static GstStaticPadTemplate template = GST_STATIC_PAD_TEMPLATE(
    "src", GST_PAD_SRC, GST_PAD_ALWAYS,
    GST_STATIC_CAPS(
        "video/x-raw, format = RGB, width = { 64, 128 }, height = 48, framerate = 50/1, pixel-aspect-ratio = 1/1"));

static void double_set_property(GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
    Double *self = (Double *)object;

    switch (id) {
    case PROP_PATH:
        g_free(self->path);
        self->path = g_value_dup_string(value);
        break;
    case PROP_FD:
        self->fd = g_value_get_int(value);
        break;
    case PROP_ERROR_AFTER:
        self->error_after = g_value_get_int(value);
        break;
    case PROP_ERROR_FILE:
        g_free(self->error_file);
        self->error_file = g_value_dup_string(value);
        break;
    case PROP_MIN_BUFFERS:
        self->min_buffers = g_value_get_int(value);
        break;
    case PROP_MAX_BUFFERS:
        self->max_buffers = g_value_get_int(value);
        break;
    case PROP_UNFINISHED_FIRST:
        self->unfinished_first = g_value_get_boolean(value);
        gst_base_src_set_do_timestamp(GST_BASE_SRC(self), !self->unfinished_first);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static void double_get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
    Double *self = (Double *)object;

    switch (id) {
    case PROP_MIN_BUFFERS:
        g_value_set_int(value, self->min_buffers);
        break;
    case PROP_MAX_BUFFERS:
        g_value_set_int(value, self->max_buffers);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
    }
}

static gboolean double_start(GstBaseSrc *base)
{
    Double *self = (Double *)base;
    const char *report = g_getenv("PIPEWIRESRC_REPORT");
    char text[64] = "none";
    FILE *file;

    self->made = 0;
    self->width = self->path && strtol(self->path, NULL, 10) >= 100 ? 2 * WIDTH : WIDTH;
    if (self->fd >= 0) {
        ssize_t n = pread(self->fd, text, sizeof(text) - 1, 0);

        if (n < 0) {
            GST_ELEMENT_ERROR(self, RESOURCE, OPEN_READ, ("fd %d can't be read", self->fd), (NULL));
            return FALSE;
        }
        text[n] = 0;
    }
    file = report ? fopen(report, "a") : NULL;
    if (file) {
        fprintf(file, "path=%s fd=%s", self->path, text);
        if (self->min_buffers) {
            fprintf(file, " min-buffers=%d", self->min_buffers);
        }
        fputc('\n', file);
        fclose(file);
    }
    return TRUE;
}

static gboolean double_negotiate(GstBaseSrc *base)
{
    Double *self = (Double *)base;
    GstCaps *taken = gst_pad_peer_query_caps(GST_BASE_SRC_PAD(base), NULL), *caps;
    gboolean any = gst_caps_is_any(taken), set;

    gst_caps_unref(taken);
    if (any) {
        GST_ELEMENT_ERROR(self, STREAM, FORMAT, ("stream error: target not found"), (NULL));
        return FALSE;
    }
    caps = gst_caps_new_simple("video/x-raw", "format", G_TYPE_STRING, "RGB", "width", G_TYPE_INT, self->width,
                               "height", G_TYPE_INT, HEIGHT, "framerate", GST_TYPE_FRACTION, RATE, 1,
                               "pixel-aspect-ratio", GST_TYPE_FRACTION, 1, 1, NULL);
    set = gst_base_src_set_caps(base, caps);
    gst_caps_unref(caps);
    return set;
}

static GstFlowReturn double_create(GstPushSrc *push, GstBuffer **buffer)
{
    Double *self = (Double *)push;

    gsize size = (gsize)self->width * HEIGHT * 3;

    if ((self->error_after && self->made >= self->error_after) || (self->error_file && unlink(self->error_file) == 0)) {
        GST_ELEMENT_ERROR(self, RESOURCE, NOT_FOUND, ("stream error: no target node available"), (NULL));
        return GST_FLOW_ERROR;
    }
    g_usleep(G_USEC_PER_SEC / RATE);
    *buffer = gst_buffer_new_allocate(NULL, size, NULL);
    gst_buffer_memset(*buffer, 0, (guint8)self->made, size);
    GST_BUFFER_DURATION(*buffer) = GST_SECOND / RATE;
    if (self->unfinished_first) {
        GST_BUFFER_PTS(*buffer) = self->made ? (GstClockTime)g_get_monotonic_time() * GST_USECOND : 0;
        if (!self->made) {
            GST_BUFFER_FLAG_SET(*buffer, GST_BUFFER_FLAG_CORRUPTED);
        }
    }
    self->made++;
    return GST_FLOW_OK;
}

static void double_get_times(GstBaseSrc *base, GstBuffer *buffer, GstClockTime *start, GstClockTime *end)
{
    *start = ((Double *)base)->unfinished_first ? GST_BUFFER_PTS(buffer) : GST_CLOCK_TIME_NONE;
    *end = GST_CLOCK_TIME_NONE;
}

static void double_finalize(GObject *object)
{
    g_free(((Double *)object)->path);
    g_free(((Double *)object)->error_file);
    G_OBJECT_CLASS(double_parent_class)->finalize(object);
}

static void double_class_init(DoubleClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);
    const GParamFlags flags = G_PARAM_WRITABLE | G_PARAM_STATIC_STRINGS;

    object_class->set_property = double_set_property;
    object_class->get_property = double_get_property;
    object_class->finalize = double_finalize;
    g_object_class_install_property(object_class, PROP_PATH, g_param_spec_string("path", "", "", NULL, flags));
    g_object_class_install_property(object_class, PROP_FD, g_param_spec_int("fd", "", "", -1, G_MAXINT, -1, flags));
    g_object_class_install_property(object_class, PROP_ERROR_AFTER,
                                    g_param_spec_int("error-after", "", "", 0, G_MAXINT, 0, flags));
    g_object_class_install_property(object_class, PROP_ERROR_FILE,
                                    g_param_spec_string("error-file", "", "", NULL, flags));
    g_object_class_install_property(object_class, PROP_MIN_BUFFERS,
                                    g_param_spec_int("min-buffers", "", "", 1, G_MAXINT, 8, flags | G_PARAM_READABLE));
    g_object_class_install_property(
        object_class, PROP_MAX_BUFFERS,
        g_param_spec_int("max-buffers", "", "", 1, G_MAXINT, G_MAXINT, flags | G_PARAM_READABLE));
    g_object_class_install_property(object_class, PROP_UNFINISHED_FIRST,
                                    g_param_spec_boolean("unfinished-first", "", "", FALSE, flags));
    gst_element_class_add_static_pad_template(GST_ELEMENT_CLASS(klass), &template);
    gst_element_class_set_static_metadata(GST_ELEMENT_CLASS(klass), "Double of pipewiresrc", "Source/Video",
                                          "For tests", "The project's authors");
    GST_BASE_SRC_CLASS(klass)->start = double_start;
    GST_BASE_SRC_CLASS(klass)->negotiate = double_negotiate;
    GST_BASE_SRC_CLASS(klass)->get_times = double_get_times;
    GST_PUSH_SRC_CLASS(klass)->create = double_create;
}

static void double_init(Double *self)
{
    self->fd = -1;
    self->max_buffers = G_MAXINT;
    gst_base_src_set_live(GST_BASE_SRC(self), TRUE);
    gst_base_src_set_format(GST_BASE_SRC(self), GST_FORMAT_TIME);
    gst_base_src_set_do_timestamp(GST_BASE_SRC(self), TRUE);
}

static gboolean plugin_init(GstPlugin *plugin)
{
    return GST_ELEMENT_REGISTER(pipewiresrc, plugin);
}

#define PACKAGE "pipewiresrc-double"
GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, pipewiredouble, "Stands in for PipeWire's plugin", plugin_init,
                  "0", "LGPL", "pipewiresrc-double", "Unknown package origin")
