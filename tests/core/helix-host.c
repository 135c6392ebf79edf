/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * helix-host - the real host without a VM: listens on a UNIX socket, resources are pictures drawn in process, or a
 * file's pages (fake-capture.h). Says "listening on PATH" on standard output when it is ready, and its statistics as
 * JSON when it is told to end (SIGINT, SIGTERM) or asked (SIGUSR1). SIGUSR2: resource N shows from here on what N + 1
 * showed.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <glib-unix.h>

#include "stream/host.h"
#include "transport/listener.h"
#include "fake-capture.h"
#include "scripted.h"

typedef struct Options {
    char *listen, *encoder, *fail_ids, *pages;
    int max_in_flight, max_streams, max_connections, resolve_delay, encode_delay, drop_every, fail_encodes;
    gboolean borrow, quiet;
} Options;

static void on_log(gpointer data, const char *line)
{
    if (!((Options *)data)->quiet) {
        fprintf(stderr, "%s\n", line);
    }
}

static gboolean on_stats(gpointer data)
{
    g_autofree char *json = helix_host_stats_json(data);

    printf("%s\n", json);
    fflush(stdout);
    return G_SOURCE_CONTINUE;
}

static gboolean on_overwrite(gpointer capture)
{
    g_atomic_int_inc(&((FakeCapture *)capture)->overwritten);
    return G_SOURCE_CONTINUE;
}

static gboolean on_end(gpointer data)
{
    g_main_loop_quit(data);
    return G_SOURCE_CONTINUE;
}

/* "3,7-9" */
static GHashTable *parse_ids(const char *text)
{
    GHashTable *ids = g_hash_table_new(NULL, NULL);
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);

    for (char **part = parts; *part; part++) {
        unsigned long first, last;
        char *end;

        first = last = strtoul(*part, &end, 10);
        if (*end == '-') {
            last = strtoul(end + 1, &end, 10);
        }
        if (*end || first == 0 || last < first || last > FAKE_CAPTURE_LAST) {
            fprintf(stderr, "helix-host: --fail-ids=%s: ids from 1 to %u and ranges of them, as in 3,7-9\n", text,
                    FAKE_CAPTURE_LAST);
            exit(2);
        }
        for (; first <= last; first++) {
            g_hash_table_add(ids, GUINT_TO_POINTER(first));
        }
    }
    return ids;
}

static void set_pages(FakeCapture *capture, const char *option)
{
    char *end;

    capture->pages_first = (guint32)strtoul(option, &end, 10);
    if (*end != ':' || capture->pages_first == 0) {
        fprintf(stderr, "helix-host: --pages=%s: the first resource's id, and a file, as in 40:/tmp/pages\n", option);
        exit(2);
    }
    capture->pages = end + 1;
}

static void parse_options(Options *options, int argc, char **argv)
{
    const GOptionEntry entries[] = {
        { "listen", 'l', 0, G_OPTION_ARG_STRING, &options->listen, "where to listen", "unix:PATH" },
        { "encoder", 'e', 0, G_OPTION_ARG_STRING, &options->encoder, "auto, vaapi, x264, null", "NAME" },
        { "max-in-flight", 0, 0, G_OPTION_ARG_INT, &options->max_in_flight, "requests of a stream", "N" },
        { "max-streams", 0, 0, G_OPTION_ARG_INT, &options->max_streams, "streams of all connections", "N" },
        { "max-connections", 0, 0, G_OPTION_ARG_INT, &options->max_connections, "connections", "N" },
        { "resolve-delay", 0, 0, G_OPTION_ARG_INT, &options->resolve_delay, "a look-up takes that long", "MS" },
        { "encode-delay", 0, 0, G_OPTION_ARG_INT, &options->encode_delay, "an encode takes that much longer", "MS" },
        { "drop-every", 0, 0, G_OPTION_ARG_INT, &options->drop_every, "every Nth encode drops its frame", "N" },
        { "fail-encodes", 0, 0, G_OPTION_ARG_INT, &options->fail_encodes, "the first N encodes fail", "N" },
        { "fail-ids", 0, 0, G_OPTION_ARG_STRING, &options->fail_ids, "resources that cannot be read", "IDS" },
        { "borrow", 0, 0, G_OPTION_ARG_NONE, &options->borrow, "pictures are the guest's own memory", NULL },
        { "pages", 0, 0, G_OPTION_ARG_STRING, &options->pages, "a file as guest pages, of resources from ID on",
          "ID:FILE" },
        { "quiet", 'q', 0, G_OPTION_ARG_NONE, &options->quiet, "no log", NULL },
        { NULL, 0, 0, 0, NULL, NULL, NULL },
    };
    g_autoptr(GOptionContext) context = g_option_context_new("- the frame module's host without a VM");
    g_autoptr(GError) error = NULL;

    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc > 1 || !options->listen) {
        fprintf(stderr, "helix-host: %s\n",
                error ? error->message : "--listen=unix:PATH, and no arguments that are no options");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    Options options = { 0 };
    g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
    g_autoptr(GError) error = NULL;
    FakeCapture capture = { 0 };
    const HelixHostHooks hooks = { .log = on_log };
    HelixHostConfig config = {
        .resolver = &fake_capture_resolver, .resolver_data = &capture, .hooks = &hooks, .hooks_data = &options
    };
    const HelixEncoderClass *encoder;
    HelixListener *listener = NULL;
    HelixHost *host = NULL;

    parse_options(&options, argc, argv);
    capture.delay_ms = (guint)options.resolve_delay;
    capture.borrow = options.borrow;
    capture.fail_ids = options.fail_ids ? parse_ids(options.fail_ids) : NULL;
    if (options.pages) {
        set_pages(&capture, options.pages);
    }
    config.max_in_flight = (guint)options.max_in_flight;
    config.max_streams = (guint)options.max_streams;
    config.max_connections = (guint)options.max_connections;

    encoder = helix_encoder_find(options.encoder, FALSE, &error);
    if (encoder) {
        config.encoder_class = scripted_wrap(encoder);
        scripted_delay_ms((guint)options.encode_delay);
        scripted_drop_every((guint)options.drop_every);
        scripted_fail((guint)options.fail_encodes);
        host = helix_host_new(&config, &error);
    }
    if (host) {
        listener = helix_listener_new(NULL, options.listen, helix_host_accept, host, &error);
    }
    if (!listener) {
        fprintf(stderr, "helix-host: %s\n", error->message);
        return 1;
    }
    g_unix_signal_add(SIGINT, on_end, loop);
    g_unix_signal_add(SIGTERM, on_end, loop);
    g_unix_signal_add(SIGUSR1, on_stats, host);
    g_unix_signal_add(SIGUSR2, on_overwrite, &capture);
    printf("listening on %s\n", options.listen);
    fflush(stdout);
    g_main_loop_run(loop);

    on_stats(host);
    helix_listener_free(listener);
    helix_host_free(host);
    g_clear_pointer(&capture.fail_ids, g_hash_table_unref);
    g_free(options.listen);
    g_free(options.encoder);
    g_free(options.fail_ids);
    g_free(options.pages);
    return 0;
}
