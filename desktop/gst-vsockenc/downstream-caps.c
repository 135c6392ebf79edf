/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* downstream-caps.c - see downstream-caps.h. */
#include <gst/pbutils/codec-utils.h>
#include <string.h>
#include "downstream-caps.h"

/* What the host codes without being asked has room for more than the picture needs: at least level 3.1. */
#define AUTOMATIC_LEVEL 31

static guint8 profile_idc(const char *profile)
{
    if (g_strcmp0(profile, "constrained-baseline") == 0 || g_strcmp0(profile, "baseline") == 0) {
        return 66;
    }
    return g_strcmp0(profile, "main") == 0 ? 77 : g_strcmp0(profile, "high") == 0 ? 100 : 0;
}

/* Level times 10, by H.264's levels in caps: "3.1" is 31, and 1b is coded as 1.1 at least. */
static guint8 level_of(const char *level)
{
    guint8 idc = level ? gst_codec_utils_h264_get_level_idc(level) : 0;

    return idc == 9 ? 11 : idc;
}

/* The largest that one of the strings in @value comes to; 0 if there is none. */
static guint8 largest(const GValue *value, guint8 (*number_of)(const char *))
{
    guint8 best = 0;

    if (value && G_VALUE_HOLDS_STRING(value)) {
        return number_of(g_value_get_string(value));
    }
    for (guint i = 0; value && GST_VALUE_HOLDS_LIST(value) && i < gst_value_list_get_size(value); i++) {
        best = MAX(best, largest(gst_value_list_get_value(value, i), number_of));
    }
    return best;
}

/* The smallest level of those in @value; 0 if there is none. */
static guint8 smallest_level(const GValue *value)
{
    guint8 best = 0;

    if (value && G_VALUE_HOLDS_STRING(value)) {
        return level_of(g_value_get_string(value));
    }
    for (guint i = 0; value && GST_VALUE_HOLDS_LIST(value) && i < gst_value_list_get_size(value); i++) {
        guint8 level = smallest_level(gst_value_list_get_value(value, i));

        best = level && (!best || level < best) ? level : best;
    }
    return best;
}

void vsockenc_ask_downstream(GstPad *srcpad, HelixClientConfig *config)
{
    g_autoptr(GstCaps) allowed = gst_pad_get_allowed_caps(srcpad);
    const GstStructure *first;
    const GValue *profiles, *levels;
    guint8 highest, smallest;

    if (!allowed || gst_caps_is_empty(allowed) || gst_caps_is_any(allowed)) {
        return;
    }
    first = gst_caps_get_structure(allowed, 0);
    profiles = gst_structure_get_value(first, "profile");
    config->profile = largest(profiles, profile_idc);
    if (config->profile == 100 && GST_VALUE_HOLDS_LIST(profiles)) {
        config->profile = 0; /* the best is what the host takes by itself */
    }
    levels = gst_structure_get_value(first, "level");
    highest = largest(levels, level_of);
    smallest = smallest_level(levels);
    config->level = highest < AUTOMATIC_LEVEL ? highest : smallest > AUTOMATIC_LEVEL ? smallest : 0;
}

const char *vsockenc_profile_for_downstream(GstPad *srcpad, const char *profile)
{
    static const char *const fits[][4] = {
        { "constrained-baseline", "baseline", "main", "high" },
        { "main", "high" },
    };

    for (guint i = 0; i < G_N_ELEMENTS(fits); i++) {
        for (guint j = 0; g_strcmp0(profile, fits[i][0]) == 0 && j < G_N_ELEMENTS(fits[i]) && fits[i][j]; j++) {
            g_autoptr(GstCaps) caps = gst_caps_new_simple("video/x-h264", "profile", G_TYPE_STRING, fits[i][j], NULL);
            g_autoptr(GstCaps) allowed = gst_pad_peer_query_caps(srcpad, caps);

            if (!gst_caps_is_empty(allowed)) {
                return fits[i][j];
            }
        }
    }
    return profile;
}

/* ---- stream format ---- */

const char *vsockenc_stream_format_name(VsockEncStreamFormat format)
{
    static const char *const name[VSOCKENC_N_STREAM_FORMATS] = {
        [VSOCKENC_BYTE_STREAM] = "byte-stream",
        [VSOCKENC_AVC] = "avc",
        [VSOCKENC_AVC3] = "avc3",
    };

    return name[format];
}

VsockEncStreamFormat vsockenc_stream_format_for_downstream(GstPad *srcpad)
{
    g_autoptr(GstCaps) allowed = gst_pad_get_allowed_caps(srcpad);

    for (VsockEncStreamFormat i = 0; allowed && i < VSOCKENC_N_STREAM_FORMATS; i++) {
        g_autoptr(GstCaps) caps = gst_caps_new_simple("video/x-h264", "stream-format", G_TYPE_STRING,
                                                      vsockenc_stream_format_name(i), NULL);

        if (gst_caps_can_intersect(allowed, caps)) {
            return i;
        }
    }
    return VSOCKENC_BYTE_STREAM;
}

/* ---- files ---- */

/* Elements looked at: a bound for pipelines with loops. */
#define MAX_ELEMENTS 64

static gboolean is_of_files(GstElement *element)
{
    const char *klass = gst_element_get_metadata(element, GST_ELEMENT_METADATA_KLASS);

    return klass && (strstr(klass, "Muxer") || (strstr(klass, "Sink") && strstr(klass, "File")));
}

/* The element at the far end of @srcpad; at the edge of a bin, the bin itself comes first. NULL: none. */
static GstElement *element_behind(GstPad *srcpad)
{
    g_autoptr(GstPad) peer = gst_pad_get_peer(srcpad);

    /* A source pad within a bin ends in the inner half of the bin's ghost pad. */
    while (peer && GST_IS_PROXY_PAD(peer) && !GST_IS_GHOST_PAD(peer)) {
        g_autoptr(GstProxyPad) outer = gst_proxy_pad_get_internal(GST_PROXY_PAD(peer));
        GstPad *next = outer ? gst_pad_get_peer(GST_PAD(outer)) : NULL;

        gst_object_unref(peer);
        peer = next;
    }
    return peer ? gst_pad_get_parent_element(peer) : NULL;
}

static gboolean add_behind(GstElement *element, GstPad *srcpad, gpointer found)
{
    GstElement *next = element_behind(srcpad);

    (void)element;
    if (next && !g_list_find(((GQueue *)found)->head, next) && ((GQueue *)found)->length < MAX_ELEMENTS) {
        g_queue_push_tail(found, next);
    } else {
        gst_clear_object(&next);
    }
    return TRUE;
}

gboolean vsockenc_downstream_writes_files(GstPad *srcpad)
{
    GQueue elements = G_QUEUE_INIT;
    gboolean found = FALSE;

    add_behind(NULL, srcpad, &elements);
    for (GList *each = elements.head; each && !found; each = each->next) {
        found = is_of_files(each->data);
        gst_element_foreach_src_pad(each->data, add_behind, &elements);
    }
    g_queue_clear_full(&elements, gst_object_unref);
    return found;
}
