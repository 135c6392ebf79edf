/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pipeline.c - the user's pipeline on a ScreenCast.
 */
#include <gst/gst.h>
#include <string.h>
#include "bus.h"
#include "pipeline.h"
#include "source.h"
#include "state.h"

#define EOS_SECONDS 10
#define EOS_SECONDS_AFTER_ERROR 2
#define STOP_SECONDS 3 /* for a state change that leads nowhere but to the end */
#define CLOSED_MS 1000
#define SETTLE_SECONDS 10 /* an error so long after another node took over is laid to it */

typedef struct Player {
    const Options *options;
    GstElement *pipeline;
    Source *source;
    GCancellable *stop;
    GError *failed;         /* the first error */
    gboolean source_failed; /* it is the source's: perhaps the ScreenCast was closed, and says so in a moment */
    gboolean eos;
    gboolean stopping;
    gboolean stuck; /* a state change did not come back: nothing can be asked of the pipeline */
    gint64 moved;   /* when another node took over; 0: none did */
} Player;

/* ---- the text ---- */

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
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_NOT_MADE,
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
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_NOT_MADE,
                            "GStreamer has no pipewiresrc here: install PipeWire's "
                            "plugin (gstreamer1.0-pipewire)");
        return NULL;
    }
    made = gst_parse_launch_full(text, NULL, GST_PARSE_FLAG_FATAL_ERRORS, &cause);
    if (!made) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_NOT_MADE, "the pipeline can't be made: %s", cause->message);
        return NULL;
    }
    if (GST_IS_PIPELINE(made)) {
        return made;
    }
    pipeline = gst_pipeline_new(NULL); /* the text was one element, or one bin */
    gst_bin_add(GST_BIN(pipeline), made);
    return pipeline;
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
        if (!player->stopping) {
            state_renew(player->pipeline);
        }
        break;
    case GST_MESSAGE_ELEMENT:
        print_message(player, message);
        break;
    default:
        break;
    }
    return G_SOURCE_CONTINUE;
}

static GstBusSyncReply on_sync_message(GstBus *bus, GstMessage *message, gpointer data)
{
    source_watch(data, message);
    return GST_BUS_PASS;
}

static void dispatch(void)
{
    while (g_main_context_iteration(NULL, FALSE)) {
    }
}

/* ---- running ---- */

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
static gboolean end(Player *player)
{
    source_let_end(player->source);
    send_eos_to_sources(player->pipeline);
    return bus_wait(&player->eos, NULL, 1000 * (player->failed ? EOS_SECONDS_AFTER_ERROR : EOS_SECONDS), NULL, NULL);
}

/* A node that is taken away is an error of the source, a moment before or after the compositor says why. */
static void wait_for_closed(const Cast *cast)
{
    gboolean never = FALSE;

    (void)bus_wait(&never, &cast->is_closed, CLOSED_MS, NULL, NULL);
}

/* Start the pipeline. FALSE if it failed, or is to end before it has started. */
static gboolean start(Player *player, const Cast *cast)
{
    GstStateChangeReturn result = GST_STATE_CHANGE_FAILURE;

    if (!state_set(player->pipeline, GST_STATE_PLAYING, 0, &cast->is_closed, player->stop, &result)) {
        player->stuck = TRUE;
        return FALSE;
    }
    if (result == GST_STATE_CHANGE_FAILURE) {
        /* The reason is a message that waits. */
        while (!player->failed && g_main_context_iteration(NULL, FALSE)) {
        }
        if (!player->failed) {
            g_set_error_literal(&player->failed, CAST_ERROR, CAST_ERROR_PIPELINE, "the pipeline can't be started");
        }
    }
    return result != GST_STATE_CHANGE_FAILURE;
}

/* Have the source go on with the node of @cast. The rest of the pipeline plays on, without pictures for so long. */
static gboolean move(Player *player, const Cast *cast)
{
    GstElement *source = source_element(player->source);
    GstStateChangeReturn result = GST_STATE_CHANGE_FAILURE;

    source_drop_end(player->source);
    if (!state_set(source, GST_STATE_NULL, STOP_SECONDS, NULL, NULL, &result)) {
        player->stuck = TRUE;
        return FALSE;
    }
    dispatch(); /* an error of the node that is gone */
    if (player->source_failed) {
        g_clear_error(&player->failed);
        player->source_failed = FALSE;
    }
    source_hold_end(player->source);
    source_set_cast(player->source, cast);
    /* The pipeline may have another clock by now: the source's own is gone with it. */
    gst_element_set_base_time(source, gst_element_get_base_time(player->pipeline));
    gst_element_set_locked_state(source, FALSE);
    player->moved = g_get_monotonic_time();
    if (!state_sync(source, 0, &cast->is_closed, player->stop, &result)) {
        player->stuck = TRUE;
    }
    return !player->stuck && result != GST_STATE_CHANGE_FAILURE;
}

/* Wait until something ends it; FALSE once that can't be got over with another node. */
static gboolean play_once(Player *player, Cast **cast, const PipelineReopen *reopen, GError **refused)
{
    while (!player->eos && !player->failed && !(*cast)->closed && !g_cancellable_is_cancelled(player->stop)) {
        g_main_context_iteration(NULL, TRUE);
    }
    if (player->source_failed && !player->eos) {
        wait_for_closed(*cast);
    }
    if (player->eos || (player->failed && !player->source_failed) || !(*cast)->closed ||
        g_cancellable_is_cancelled(player->stop)) {
        return FALSE;
    }
    /* Else a new clock, once the old one is lost, would start the source at the node that is gone. */
    gst_element_set_locked_state(source_element(player->source), TRUE);
    return reopen->function(cast, reopen->data, refused) && !player->eos &&
        (!player->failed || player->source_failed) && move(player, *cast);
}

static void play(Player *player, Cast **cast, const PipelineReopen *reopen, GError **refused)
{
    if (!start(player, *cast)) {
        return;
    }
    while (play_once(player, cast, reopen, refused)) {
    }
    if (!player->stuck && !player->eos && !end(player) && !player->failed) {
        g_printerr("helix-screencast: the pipeline did not end within ten seconds: files may not be whole\n");
    }
}

/* To NULL. A pipeline that does not come back, as from a write to a pipe that nobody reads, is left as it is. */
static void stop(Player *player, GstBus *bus)
{
    GstStateChangeReturn result;
    Source *source = player->source;

    player->stopping = TRUE;
    source_let_end(source);
    gst_element_set_locked_state(source_element(source), FALSE);
    player->stuck = !state_set(player->pipeline, GST_STATE_READY, STOP_SECONDS, NULL, NULL, &result);
    dispatch(); /* what elements report at their end; NULL throws it away */
    player->stuck = player->stuck || !state_set(player->pipeline, GST_STATE_NULL, STOP_SECONDS, NULL, NULL, &result);
    gst_bus_set_sync_handler(bus, NULL, NULL, NULL);
    gst_bus_remove_watch(bus);
    if (player->stuck) {
        g_printerr("helix-screencast: the pipeline does not stop: files may not be whole\n");
        gst_object_ref(player->pipeline); /* its threads use both until the process ends */
        return;
    }
    source_free(source);
}

static gboolean outcome(Player *player, const Cast *cast, GError **refused, GError **error)
{
    gboolean closed = cast->closed && (!player->failed || player->source_failed);

    if (*refused) {
        g_propagate_error(error, g_steal_pointer(refused));
    } else if (closed && player->stuck) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_PIPELINE, "%s, and the pipeline does not stop", cast->closed);
    } else if (closed) {
        g_set_error_literal(error, CAST_ERROR, CAST_ERROR_CLOSED, cast->closed);
    } else if (player->failed && player->moved &&
               g_get_monotonic_time() - player->moved < SETTLE_SECONDS * G_TIME_SPAN_SECOND && !player->stuck) {
        g_set_error(error, CAST_ERROR, CAST_ERROR_CLOSED, "the pipeline can't go on with another ScreenCast: %s",
                    player->failed->message);
    } else if (player->failed) {
        g_propagate_error(error, g_steal_pointer(&player->failed));
    } else {
        return TRUE;
    }
    return FALSE;
}

gboolean pipeline_run(GstElement *pipeline, const Options *options, Cast **cast, const PipelineReopen *reopen,
                      GCancellable *stop_when, GError **error)
{
    Player player = { .options = options, .pipeline = pipeline, .stop = stop_when };
    g_autoptr(GstBus) bus = gst_element_get_bus(pipeline);
    g_autoptr(GError) refused = NULL;
    gboolean good;

    player.source = source_find(pipeline, options, error);
    if (!player.source) {
        return FALSE;
    }
    source_set_cast(player.source, *cast);
    gst_bus_set_sync_handler(bus, on_sync_message, player.source, NULL);
    gst_bus_add_watch(bus, on_message, &player);
    play(&player, cast, reopen, &refused);
    stop(&player, bus);
    good = outcome(&player, *cast, &refused, error);
    g_clear_error(&player.failed);
    return good;
}
