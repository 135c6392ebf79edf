/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* upstream-source.c - see upstream-source.h. */
#include "upstream-source.h"

/* Longer chains before an encoder are no chains but loops. */
#define MAX_STEPS 64

/* The pad that feeds @element, or NULL. */
static GstPad *feeding_pad(GstElement *element)
{
    GstPad *pad = NULL, *peer = NULL;

    GST_OBJECT_LOCK(element);
    if (element->sinkpads) {
        pad = gst_object_ref(element->sinkpads->data);
    }
    GST_OBJECT_UNLOCK(element);
    if (pad) {
        peer = gst_pad_get_peer(pad);
        gst_object_unref(pad);
    }
    return peer;
}

/* One step up from @pad, a source pad (taken over). Sets @source when the chain's first element is reached. */
static GstPad *step_up(GstPad *pad, GstElement **source)
{
    GstObject *parent = gst_object_get_parent(GST_OBJECT(pad));
    GstPad *next = NULL;

    if (GST_IS_GHOST_PAD(pad)) {
        next = gst_ghost_pad_get_target(GST_GHOST_PAD(pad));
    } else if (parent && GST_IS_PAD(parent)) {
        /* The inner side of a bin's sink pad. */
        next = gst_pad_get_peer(GST_PAD(parent));
    } else if (parent && GST_IS_ELEMENT(parent)) {
        next = feeding_pad(GST_ELEMENT(parent));
        if (!next && GST_ELEMENT(parent)->numsinkpads == 0) {
            *source = gst_object_ref(GST_ELEMENT(parent));
        }
    }
    g_clear_object(&parent);
    gst_object_unref(pad);
    return next;
}

static GstElement *find_source(GstPad *sinkpad)
{
    GstPad *pad = gst_pad_get_peer(sinkpad);
    GstElement *source = NULL;

    for (guint i = 0; pad && i < MAX_STEPS; i++) {
        pad = step_up(pad, &source);
    }
    g_clear_object(&pad);
    return source;
}

/* pipewiresrc before 1.6 takes the compositor's second word on a format, the fixed modifier, for an error. */
static gboolean is_old_pipewiresrc(GstElementFactory *factory)
{
    g_autoptr(GstPlugin) plugin = NULL;
    const char *version;
    guint64 major;
    char *end;

    if (g_strcmp0(GST_OBJECT_NAME(factory), "pipewiresrc") != 0) {
        return FALSE;
    }
    plugin = gst_plugin_feature_get_plugin(GST_PLUGIN_FEATURE(factory));
    version = plugin ? gst_plugin_get_version(plugin) : NULL;
    if (!version) {
        return FALSE;
    }
    major = g_ascii_strtoull(version, &end, 10);
    return (end != version && major < 1) || (major == 1 && *end == '.' && g_ascii_strtoull(end + 1, NULL, 10) < 6);
}

const char *vsockenc_upstream_without_dmabuf(GstPad *sinkpad)
{
    g_autoptr(GstElement) source = find_source(sinkpad);
    GstElementFactory *factory = source ? gst_element_get_factory(source) : NULL;

    if (factory && is_old_pipewiresrc(factory)) {
        return "pipewiresrc before PipeWire 1.6 cannot negotiate DMA-BUFs; a newer one can (Debian 13: backports)";
    }
    return NULL;
}
