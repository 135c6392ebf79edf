/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * film-resource - films a virtio-gpu resource with libhelix-client, 30 frames a second, to a file of H.264 (Annex B).
 *
 *     cc film-resource.c -o film-resource $(pkg-config --cflags --libs helix-client)
 *     ./film-resource 5 1920x1080 300 film.h264
 *
 * A fifth argument is the path of a UNIX socket to connect to instead of vsock. One thread does all: it takes events
 * until one more frame may be under way, and submits it. ffplay film.h264 shows the result.
 */
#include <helix-client.h>
#include <stdio.h>

#define FPS 30

typedef struct Film {
    HelixClient *client;
    HelixClientImage image;
    guint32 resource;
    guint frames;  /* to film */
    guint pending; /* submitted, without an event yet */
    guint units;   /* access units written */
    gboolean failed;
    FILE *file;
} Film;

static void fail(Film *film, const char *what)
{
    g_printerr("film-resource: %s\n", what);
    film->failed = TRUE;
}

/* Wait for the next event, and do what it says. */
static void take_event(Film *film)
{
    HelixClientEvent *event = helix_client_wait_event(film->client);
    gconstpointer bytes;
    gsize len;

    if (!event) {
        fail(film, "the client was shut down");
        return;
    }
    switch (event->type) {
    case HELIX_CLIENT_EVENT_CONFIGURED:
        g_printerr("the host encodes with %s\n", *event->host.encoder ? event->host.encoder : "an unnamed encoder");
        break;
    case HELIX_CLIENT_EVENT_ACCESS_UNIT:
        film->pending--;
        film->units++;
        bytes = g_bytes_get_data(event->unit, &len);
        if (fwrite(bytes, 1, len, film->file) != len) {
            fail(film, "the file cannot be written");
        }
        break;
    case HELIX_CLIENT_EVENT_DROPPED: /* the encoder's choice: the stream goes on without this frame */
        film->pending--;
        break;
    case HELIX_CLIENT_EVENT_ERROR:
    case HELIX_CLIENT_EVENT_CONFIG_REFUSED:
        fail(film, event->message);
        break;
    case HELIX_CLIENT_EVENT_FAILED:
        fail(film, event->error->message);
        break;
    default: /* SKIPPED, LOST: the frame never reached a host */
        fail(film, "a frame was not sent");
        break;
    }
    helix_client_event_free(event);
}

static void film_all(Film *film)
{
    gint64 begin = g_get_monotonic_time();

    for (guint number = 0; number < film->frames && !film->failed; number++) {
        gint64 at = begin + (gint64)number * G_USEC_PER_SEC / FPS, now = g_get_monotonic_time();

        if (now < at) {
            g_usleep((gulong)(at - now));
        }
        while (!film->failed && film->pending >= helix_client_get_max_in_flight(film->client)) {
            take_event(film);
        }
        /* At the first frame this waits until host and client have negotiated. */
        if (!film->failed && helix_client_wait_room(film->client, FALSE) == HELIX_CLIENT_WAIT_READY) {
            helix_client_submit(film->client, helix_client_frame_new_resource(film->resource, &film->image),
                                (guint64)number * 1000000000u / FPS, 1000000000u / FPS, FALSE, NULL);
            film->pending++;
        } else {
            while (!film->failed) {
                take_event(film); /* the one that says why */
            }
        }
    }
    while (!film->failed && film->pending > 0) {
        take_event(film);
    }
}

static gboolean parse(const char *text, guint *number)
{
    guint64 value = 0;

    if (!g_ascii_string_to_unsigned(text, 10, 1, G_MAXUINT32, &value, NULL)) {
        g_printerr("film-resource: %s is no number from 1 on\n", text);
    }
    *number = (guint)value;
    return value != 0;
}

int main(int argc, char **argv)
{
    const HelixClientConfig config = { .bitrate = 20000000, .fps_num = FPS, .fps_den = 1, .realtime = 1 };
    Film film = { .image = { .format = HELIX_CLIENT_FORMAT_XR24, .modifier = HELIX_CLIENT_MODIFIER_INVALID } };
    g_auto(GStrv) size = argc > 2 ? g_strsplit(argv[2], "x", 2) : NULL;
    g_autoptr(GError) error = NULL;

    if ((argc != 5 && argc != 6) || !size[0] || !size[1]) {
        g_printerr("usage: %s RESOURCE-ID WIDTHxHEIGHT FRAMES FILE [SOCKET]\n", argv[0]);
        return 2;
    }
    if (!parse(argv[1], &film.resource) || !parse(argv[3], &film.frames) || !parse(size[0], &film.image.width) ||
        !parse(size[1], &film.image.height)) {
        return 2;
    }
    film.image.stride[0] = (gint32)film.image.width * 4;
    film.file = fopen(argv[4], "wb");
    if (!film.file) {
        perror(argv[4]);
        return 1;
    }
    film.client = helix_client_new();
    helix_client_set_socket_path(film.client, argc == 6 ? argv[5] : NULL);
    if (helix_client_connect(film.client, &error)) {
        helix_client_configure(film.client, &config);
        film_all(&film);
    } else {
        fail(&film, error->message);
    }
    helix_client_unref(film.client);
    if (fclose(film.file) != 0 && !film.failed) {
        fail(&film, "the file cannot be written");
    }
    g_printerr("%u frames, %u access units\n", film.frames, film.units);
    return film.failed;
}
