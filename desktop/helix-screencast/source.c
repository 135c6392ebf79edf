/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.c - the pipeline's source.
 */
#include <string.h>
#include "source.h"

#define PORTAL_BUFFERS 16
#define RESUME_MS 100

typedef enum Verdict {
    HOLD,
    LET,
    DROP,
} Verdict;

struct Source {
    const Options *options;
    GstElement *element;

    GMutex lock; /* of what follows */
    GCond decided;
    gboolean failed;
    Verdict verdict;
};

char *source_text(const Options *options)
{
    return g_strdup_printf("pipewiresrc name=" SOURCE_NAME "%s%s", options->source ? " " : "",
                           options->source ? options->source : "");
}

/* ---- its end ---- */

/* Streaming thread. */
static GstPadProbeReturn on_event(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    Source *source = data;
    Verdict verdict;

    if (GST_EVENT_TYPE(GST_PAD_PROBE_INFO_EVENT(info)) != GST_EVENT_EOS) {
        return GST_PAD_PROBE_OK;
    }
    g_mutex_lock(&source->lock);
    while (source->failed && source->verdict == HOLD) {
        g_cond_wait(&source->decided, &source->lock);
    }
    verdict = source->failed ? source->verdict : LET;
    g_mutex_unlock(&source->lock);
    return verdict == DROP ? GST_PAD_PROBE_DROP : GST_PAD_PROBE_OK;
}

void source_watch(Source *source, GstMessage *message)
{
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ERROR && GST_MESSAGE_SRC(message) == GST_OBJECT(source->element)) {
        g_mutex_lock(&source->lock);
        source->failed = TRUE;
        g_mutex_unlock(&source->lock);
    }
}

static void decide(Source *source, Verdict verdict)
{
    g_mutex_lock(&source->lock);
    source->verdict = verdict;
    g_cond_broadcast(&source->decided);
    g_mutex_unlock(&source->lock);
}

void source_let_end(Source *source)
{
    decide(source, LET);
}

void source_drop_end(Source *source)
{
    decide(source, DROP);
}

void source_hold_end(Source *source)
{
    g_mutex_lock(&source->lock);
    source->failed = FALSE;
    source->verdict = source->options->restart ? HOLD : LET;
    g_mutex_unlock(&source->lock);
}

/* ---- what it asks of PipeWire ---- */

/*
 * xdg-desktop-portal-wlr offers two buffers unless it is asked for more, and stalls after a few pictures with them.
 * What
 * --source says goes first: its own min-buffers, or no more than its max-buffers, as none fits a range that is empty.
 */
static void ask_for_buffers(GstElement *source, const Options *options)
{
    GObjectClass *klass = G_OBJECT_GET_CLASS(source);
    gint max = G_MAXINT;

    if ((options->source && strstr(options->source, "min-buffers=")) ||
        !g_object_class_find_property(klass, "min-buffers")) {
        return;
    }
    if (g_object_class_find_property(klass, "max-buffers")) {
        g_object_get(source, "max-buffers", &max, NULL);
    }
    g_object_set(source, "min-buffers", MIN(PORTAL_BUFFERS, max), NULL);
}

/*
 * pipewiresrc asks the node for what its peer takes, and says so of itself: to a peer that takes anything (fakesink) it
 * is no video, and WirePlumber says "target not found".
 */
static gboolean ask_for_video(GstElement *source, GError **error)
{
    g_autoptr(GstPad) pad = gst_element_get_static_pad(source, "src"), peer = gst_pad_get_peer(pad), sink = NULL;
    g_autoptr(GstCaps) taken = peer ? gst_pad_query_caps(peer, NULL) : NULL, raw = NULL;
    GstElement *filter;
    GstObject *bin;

    if (!taken || !gst_caps_is_any(taken)) {
        return TRUE;
    }
    filter = gst_element_factory_make("capsfilter", NULL);
    bin = gst_object_get_parent(GST_OBJECT(source));
    raw = gst_caps_new_empty_simple("video/x-raw");
    if (filter) {
        g_object_set(filter, "caps", raw, NULL);
        gst_bin_add(GST_BIN(bin), filter);
        sink = gst_element_get_static_pad(filter, "sink");
        gst_pad_unlink(pad, peer);
    }
    gst_object_unref(bin);
    if (filter && gst_pad_link(pad, sink) == GST_PAD_LINK_OK) {
        g_autoptr(GstPad) out = gst_element_get_static_pad(filter, "src");

        if (gst_pad_link(out, peer) == GST_PAD_LINK_OK) {
            return TRUE;
        }
    }
    g_set_error_literal(error, CAST_ERROR, CAST_ERROR_NOT_MADE, "the source can't be told to give video/x-raw");
    return FALSE;
}

/* ---- its first pictures ---- */

static gboolean resume(gpointer source)
{
    gst_element_sync_state_with_parent(source);
    return G_SOURCE_REMOVE;
}

/* The source's thread has to see that it is paused before it goes on. */
static gboolean restart(gpointer source)
{
    if (gst_element_is_locked_state(source)) { /* it is given another node */
        return G_SOURCE_REMOVE;
    }
    gst_element_set_state(source, GST_STATE_PAUSED);
    g_timeout_add_full(G_PRIORITY_DEFAULT, RESUME_MS, resume, gst_object_ref(source), gst_object_unref);
    return G_SOURCE_REMOVE;
}

/*
 * The picture that xdg-desktop-portal-wlr had not finished when its stream was paused, as pipewiresrc does once at the
 * start, comes first: marked as corrupted, and with time 0. GstBaseSrc takes the first time for the stream's beginning,
 * and would hold the next picture, which has the system's time, until the system is up twice as long; meanwhile the
 * portal runs out of buffers. Pausing makes it look at the times anew.
 */
static GstPadProbeReturn on_first_pictures(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    if (!GST_BUFFER_FLAG_IS_SET(GST_PAD_PROBE_INFO_BUFFER(info), GST_BUFFER_FLAG_CORRUPTED)) {
        return GST_PAD_PROBE_REMOVE;
    }
    g_idle_add_full(G_PRIORITY_DEFAULT, restart, gst_pad_get_parent_element(pad), gst_object_unref);
    return GST_PAD_PROBE_DROP;
}

/* ---- life ---- */

Source *source_find(GstElement *pipeline, const Options *options, GError **error)
{
    Source *source;
    g_autoptr(GstElement) element = gst_bin_get_by_name(GST_BIN(pipeline), SOURCE_NAME);
    g_autoptr(GstPad) pad = NULL;

    if (!element) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_NOT_MADE, "the pipeline has no element '" SOURCE_NAME "'");
        return NULL;
    }
    if (!ask_for_video(element, error)) {
        return NULL;
    }
    source = g_new0(Source, 1);
    source->options = options;
    source->element = g_steal_pointer(&element);
    if (options->restart) {
        /* A pipeline that goes on with another node keeps its clock: the source's own stands still in between. */
        GST_OBJECT_FLAG_UNSET(source->element, GST_ELEMENT_FLAG_PROVIDE_CLOCK);
    }
    g_mutex_init(&source->lock);
    g_cond_init(&source->decided);
    source_hold_end(source);
    pad = gst_element_get_static_pad(source->element, "src");
    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, on_event, source, NULL);
    return source;
}

void source_free(Source *source)
{
    gst_object_unref(source->element);
    g_mutex_clear(&source->lock);
    g_cond_clear(&source->decided);
    g_free(source);
}

GstElement *source_element(Source *source)
{
    return source->element;
}

void source_set_cast(Source *source, const Cast *cast)
{
    g_autofree char *path = g_strdup_printf("%u", cast->node);
    g_autoptr(GstPad) pad = gst_element_get_static_pad(source->element, "src");

    g_object_set(source->element, "path", path, NULL);
    if (cast->fd >= 0) {
        g_object_set(source->element, "fd", cast->fd, NULL);
        ask_for_buffers(source->element, source->options);
        gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_first_pictures, NULL, NULL);
    }
    if (!source->options->quiet) {
        g_printerr("helix-screencast: streaming PipeWire node %u\n", cast->node);
    }
}
