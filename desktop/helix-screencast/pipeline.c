/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipeline.c - the user's pipeline on a ScreenCast.
 */
#include <gst/gst.h>
#include <string.h>
#include "pipeline.h"

#define SOURCE_NAME "screencast"
#define EOS_SECONDS 10
#define EOS_SECONDS_AFTER_ERROR 2
#define CLOSED_MS 1000
#define PORTAL_BUFFERS 16
#define RESUME_MS 100

typedef struct Player {
    const Options *options;
    GstElement *pipeline;
    GError *failed;             /* the first error */
    gboolean source_failed;     /* it is the source's: perhaps the ScreenCast was closed, and says so in a moment */
    gboolean eos;
} Player;

/* ---- the text ---- */

static char *source_text(const Options *options)
{
    return g_strdup_printf("pipewiresrc name=" SOURCE_NAME "%s%s", options->source ? " " : "",
                           options->source ? options->source : "");
}

/* Words of a command line have lost their quotes: spaces within one are escaped, as gst-launch-1.0 does. */
static char *join_words(char **words)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; words[i]; i++) {
        gboolean quoted = FALSE;

        if (i) {
            g_string_append_c(text, ' ');
        }
        for (const char *c = words[i]; *c; c++) {
            if (*c == '"' && (c == words[i] || c[-1] != '\\')) {
                quoted = !quoted;
            }
            if (*c == ' ' && !quoted) {
                g_string_append_c(text, '\\');
            }
            g_string_append_c(text, *c);
        }
    }
    return g_string_free(text, FALSE);
}

static char *pipeline_text(const Options *options, GError **error)
{
    g_autofree char *source = source_text(options);
    g_autofree char *given = options->pipeline[1] ? join_words(options->pipeline) : g_strdup(options->pipeline[0]);
    g_autoptr(GDateTime) now = g_date_time_new_now_local();
    g_autofree char *time = g_date_time_format(now, "%Y%m%d-%H%M%S");
    GString *text = g_string_new(given);

    g_string_replace(text, "{time}", time, 0);
    switch (g_string_replace(text, "{}", source, 0)) {
    case 0:
        g_string_prepend(text, " ! ");
        g_string_prepend(text, source);
        break;
    case 1:
        break;
    default:
        g_string_free(text, TRUE);
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_PIPELINE,
                            "{} stands in the pipeline more than once: there is one "
                            "source; a tee gives its pictures to several branches");
        return NULL;
    }
    return g_string_free(text, FALSE);
}

GstElement *pipeline_make(const Options *options, GError **error)
{
    g_autoptr(GstElementFactory) factory = gst_element_factory_find("pipewiresrc");
    g_autofree char *text = pipeline_text(options, error);
    g_autoptr(GError) cause = NULL;
    GstElement *made, *pipeline;

    if (!text) {
        return NULL;
    }
    if (!factory) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_PIPELINE,
                            "GStreamer has no pipewiresrc here: install PipeWire's "
                            "plugin (gstreamer1.0-pipewire)");
        return NULL;
    }
    made = gst_parse_launch_full(text, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &cause);
    if (!made) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_PIPELINE, "the pipeline can't be made: %s", cause->message);
        return NULL;
    }
    if (GST_IS_PIPELINE(made)) {
        return made;
    }
    pipeline = gst_pipeline_new(NULL);      /* the text was one element, or one bin */
    gst_bin_add(GST_BIN(pipeline), made);
    return pipeline;
}

/*
 * xdg-desktop-portal-wlr offers two buffers unless it is asked for more, and stalls after a few pictures with them. What
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

static gboolean resume(gpointer source)
{
    gst_element_sync_state_with_parent(source);
    return G_SOURCE_REMOVE;
}

/* The source's thread has to see that it is paused before it goes on. */
static gboolean restart(gpointer source)
{
    gst_element_set_state(source, GST_STATE_PAUSED);
    g_timeout_add_full(G_PRIORITY_DEFAULT, RESUME_MS, resume, gst_object_ref(source), gst_object_unref);
    return G_SOURCE_REMOVE;
}

/*
 * The picture that xdg-desktop-portal-wlr had not finished when its stream was paused, as pipewiresrc does once at the start, comes
 * first: marked as corrupted, and with time 0. GstBaseSrc takes the first time for the stream's beginning, and would hold the next
 * picture, which has the system's time, until the system is up twice as long; meanwhile the portal runs out of buffers. Pausing
 * makes it look at the times anew.
 */
static GstPadProbeReturn on_first_pictures(GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
    if (!GST_BUFFER_FLAG_IS_SET(GST_PAD_PROBE_INFO_BUFFER(info), GST_BUFFER_FLAG_CORRUPTED)) {
        return GST_PAD_PROBE_REMOVE;
    }
    g_idle_add_full(G_PRIORITY_DEFAULT, restart, gst_pad_get_parent_element(pad), gst_object_unref);
    return GST_PAD_PROBE_DROP;
}

static void look_at_first_pictures(GstElement *source)
{
    g_autoptr(GstPad) pad = gst_element_get_static_pad(source, "src");

    gst_pad_add_probe(pad, GST_PAD_PROBE_TYPE_BUFFER, on_first_pictures, NULL, NULL);
}

static gboolean set_node(GstElement *pipeline, const Cast *cast, const Options *options, GError **error)
{
    g_autoptr(GstElement) source = gst_bin_get_by_name(GST_BIN(pipeline), SOURCE_NAME);
    g_autofree char *path = g_strdup_printf("%u", cast->node);

    if (!source) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_PIPELINE, "the source has another name than '" SOURCE_NAME
                            "': leave out name= in --source");
        return FALSE;
    }
    g_object_set(source, "path", path, NULL);
    if (cast->fd >= 0) {
        g_object_set(source, "fd", cast->fd, NULL);
        ask_for_buffers(source, options);
        look_at_first_pictures(source);
    }
    if (!options->quiet) {
        g_printerr("helix-screencast: streaming PipeWire node %u\n", cast->node);
    }
    return TRUE;
}

/* ---- messages ---- */

static void print_message(Player *player, GstMessage *message)
{
    const GstStructure *structure = gst_message_get_structure(message);
    g_autofree char *text = structure ? gst_structure_to_string(structure) : NULL;

    if (player->options->messages && text) {
        g_print("%s: %s\n", GST_MESSAGE_SRC_NAME(message), text);
    }
}

static void on_error(Player *player, GstMessage *message)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *debug = NULL;

    gst_message_parse_error(message, &error, &debug);
    if (player->failed) {
        return;
    }
    /* What comes with the message names the place in the source code first, and then what happened. */
    g_set_error(&player->failed, CAST_ERROR, CAST_ERROR_PIPELINE, "%s: %s%s%s%s", GST_MESSAGE_SRC_NAME(message),
                error->message, debug ? "\n    (" : "", debug ? debug : "", debug ? ")" : "");
    player->source_failed = strcmp(GST_MESSAGE_SRC_NAME(message), SOURCE_NAME) == 0;
}

static void on_warning(Player *player, GstMessage *message)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *debug = NULL;

    gst_message_parse_warning(message, &error, &debug);
    if (!player->options->quiet) {
        g_printerr("helix-screencast: %s: warning: %s%s%s%s\n", GST_MESSAGE_SRC_NAME(message), error->message,
                   debug ? " (" : "", debug ? debug : "", debug ? ")" : "");
    }
}

static gboolean on_message(GstBus *bus, GstMessage *message, gpointer data)
{
    Player *player = data;

    switch (GST_MESSAGE_TYPE(message)) {
    case GST_MESSAGE_EOS:
        player->eos = TRUE;
        break;
    case GST_MESSAGE_ERROR:
        on_error(player, message);
        break;
    case GST_MESSAGE_WARNING:
        on_warning(player, message);
        break;
    case GST_MESSAGE_LATENCY:
        gst_bin_recalculate_latency(GST_BIN(player->pipeline));
        break;
    case GST_MESSAGE_CLOCK_LOST:
        gst_element_set_state(player->pipeline, GST_STATE_PAUSED);
        gst_element_set_state(player->pipeline, GST_STATE_PLAYING);
        break;
    case GST_MESSAGE_ELEMENT:
        print_message(player, message);
        break;
    default:
        break;
    }
    return G_SOURCE_CONTINUE;
}

/* ---- running ---- */

static gboolean on_time(gpointer data)
{
    *(gboolean *)data = TRUE;
    return G_SOURCE_REMOVE;
}

static void send_eos(const GValue *item, gpointer data)
{
    gst_element_send_event(g_value_get_object(item), gst_event_new_eos());
}

/*
 * To each source by itself. By way of the pipeline the event would hold its state lock, and wait for a source whose
 * first picture waits in a sink, for a change to PLAYING that needs that lock.
 */
static void send_eos_to_sources(GstElement *pipeline)
{
    GstIterator *sources = gst_bin_iterate_sources(GST_BIN(pipeline));

    while (gst_iterator_foreach(sources, send_eos, NULL) == GST_ITERATOR_RESYNC) {
        gst_iterator_resync(sources);
    }
    gst_iterator_free(sources);
}

/* Let the end of the stream go through, so that files are finished. FALSE if it did not come through. */
static gboolean end(Player *player, const guint *signals)
{
    gboolean late = FALSE;
    guint timer = g_timeout_add_seconds(player->failed ? EOS_SECONDS_AFTER_ERROR : EOS_SECONDS, on_time, &late);

    send_eos_to_sources(player->pipeline);
    while (!player->eos && !late && *signals < 2) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (!late) {
        g_source_remove(timer);
    }
    return player->eos;
}

/* A node that is taken away is an error of the source, a moment before or after the compositor says why. */
static void wait_for_closed(const Cast *cast)
{
    gboolean late = FALSE;
    guint timer = g_timeout_add(CLOSED_MS, on_time, &late);

    while (!cast->closed && !late) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (!late) {
        g_source_remove(timer);
    }
}

static void play(Player *player, const Cast *cast, const guint *signals)
{
    if (gst_element_set_state(player->pipeline, GST_STATE_PLAYING) == GST_STATE_CHANGE_FAILURE) {
        /* The reason is a message that waits. */
        while (!player->failed && g_main_context_iteration(NULL, FALSE)) {
        }
        if (!player->failed) {
            g_set_error_literal(&player->failed, CAST_ERROR, CAST_ERROR_PIPELINE, "the pipeline can't be started");
        }
        return;
    }
    while (!player->eos && !player->failed && !cast->closed && !*signals) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (!player->eos && !end(player, signals) && !player->failed) {
        g_printerr("helix-screencast: the pipeline did not end %s: files may not be whole\n",
                   *signals > 1 ? "before the second signal" : "within ten seconds");
    }
    if (player->source_failed) {
        wait_for_closed(cast);
    }
}

gboolean pipeline_run(GstElement *pipeline, const Options *options, const Cast *cast, const guint *signals,
                      GError **error)
{
    Player player = { .options = options, .pipeline = pipeline };
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);

    if (!set_node(pipeline, cast, options, error)) {
        return FALSE;
    }
    gst_bus_add_watch(bus, on_message, &player);
    play(&player, cast, signals);
    gst_element_set_state(pipeline, GST_STATE_READY);
    while (g_main_context_iteration(NULL, FALSE)) {     /* what elements report at their end; NULL throws it away */
    }
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_bus_remove_watch(bus);

    if (cast->closed && (!player.failed || player.source_failed)) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_CLOSED, cast->closed);
        g_clear_error(&player.failed);
        return FALSE;
    }
    if (player.failed) {
        g_propagate_error(error, player.failed);
        return FALSE;
    }
    return TRUE;
}
