/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hybrid.c - UNIX sockets on the host for vsock ports, in both directions.
 *
 * A connection of the host begins as a Client: it sends "CONNECT P\n" and receives "OK Q\n". What it sends before it
 * has the answer waits for the guest.
 */
#include "hybrid.h"

#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "../protocol/error.h"
#include "../transport/listener.h"
#include "../transport/splice.h"
#include "../transport/unix-socket.h"

#define CLIENT_TIMEOUT_SECONDS 10u
#define SILENT_MS \
    1000              /* milliseconds after which a client that has not sent "CONNECT" is closed for one that waits \
                       */
#define LINE_MOST 32u /* "CONNECT 4294967294" has 18 */
#define LONGEST_SUFFIX "_4294967294"

struct HelixHybrid {
    GMainContext *context;
    HelixVsock *vsock;
    char *path;
    HelixListener *listener;
    GHashTable *clients; /* Client: not yet connected */
    GQueue silent;       /* those that have not sent "CONNECT", the oldest first */
    GSource *full;       /* timer; no client is accepted before it fires */
};

typedef struct Client {
    HelixHybrid *hybrid;
    HelixChannel *host; /* NULL: closed */
    gboolean host_eof;  /* it has shut down writing */
    char line[LINE_MOST];
    gsize used;
    gboolean asked; /* REQUEST was sent to the guest, which has not answered */
    gint64 since;   /* us, when it was accepted */
    GSource *timer; /* set while it is in silent */
    GList link;     /* in silent */
} Client;

static void stop(GSource **timer)
{
    if (*timer) {
        g_source_destroy(*timer);
        g_clear_pointer(timer, g_source_unref);
    }
}

static GSource *start(HelixHybrid *hybrid, guint ms, GSourceFunc function, gpointer data)
{
    GSource *timer = g_timeout_source_new(ms);

    g_source_set_callback(timer, function, data, NULL);
    g_source_attach(timer, hybrid->context);
    return timer;
}

/* It has sent "CONNECT", or is freed. */
static void no_longer_silent(Client *client)
{
    if (client->timer) {
        stop(&client->timer);
        g_queue_unlink(&client->hybrid->silent, &client->link);
    }
}

/* Free @client, and close its channel if it still has it. */
static void client_free(Client *client)
{
    HelixHybrid *hybrid = client->hybrid;

    no_longer_silent(client);
    if (client->host) {
        helix_channel_close(client->host, FALSE);
    }
    g_hash_table_remove(hybrid->clients, client);
    g_free(client);
    helix_listener_resume(hybrid->listener);
}

static gboolean client_timed_out(gpointer data)
{
    client_free(data);
    return G_SOURCE_REMOVE;
}

/* Send "OK" and splice the two channels; @host_eof: the client's end of stream came before the splice. */
static void join(HelixChannel *host, HelixChannel *guest, guint32 local_port, gboolean host_eof)
{
    g_autofree char *answer = g_strdup_printf("OK %u\n", local_port);

    /* A new socket has room for it. A client that has closed already may have left data for the guest. */
    host->carrier->write(host, (const guint8 *)answer, strlen(answer));
    helix_splice(host, guest);
    if (host_eof) {
        host->user->input_eof(host);
    } else {
        host->carrier->resume_input(host);
    }
}

static void client_connected(gpointer data, HelixChannel *guest, guint32 local_port)
{
    Client *client = data;
    HelixChannel *host = client->host;
    gboolean host_eof = client->host_eof;

    client->asked = FALSE;
    if (guest && host) {
        client->host = NULL;
    }
    client_free(client);
    if (guest && host) {
        join(host, guest, local_port, host_eof);
    } else if (guest) {
        helix_channel_close(guest, TRUE);
    }
}

/*
 * Parse "CONNECT P", P decimal and not VMADDR_PORT_ANY. As with Firecracker and vhost-device: upper or lower case,
 * blanks (CR included) before, between and behind the two words.
 */
static gboolean parse_line(char *line, guint32 *port)
{
    static const char blanks[] = " \t\r\f\v";
    char *rest = NULL;
    const char *word = strtok_r(line, blanks, &rest), *digits = strtok_r(NULL, blanks, &rest);
    guint64 value;

    if (!word || !digits || g_ascii_strcasecmp(word, "connect") != 0 || strtok_r(NULL, blanks, &rest) ||
        !g_ascii_string_to_unsigned(digits, 10, 0, G_MAXUINT32 - 1, &value, NULL)) {
        return FALSE;
    }
    *port = (guint32)value;
    return TRUE;
}

static gsize host_input(HelixChannel *channel, const guint8 *data, gsize len)
{
    Client *client = channel->user_data;
    const guint8 *end = memchr(data, '\n', len);
    gsize part = end ? (gsize)(end - data) : len;
    guint32 port;

    if (client->asked) {
        return 0;
    }
    if (part >= sizeof client->line - client->used) {
        client_free(client);
        return len;
    }
    memcpy(client->line + client->used, data, part);
    client->used += part;
    if (!end) {
        return len;
    }
    client->line[client->used] = '\0';
    if (strlen(client->line) != client->used || !parse_line(client->line, &port)) {
        client_free(client);
        return len;
    }
    no_longer_silent(client);
    client->asked = TRUE;
    helix_vsock_connect(client->hybrid->vsock, port, client_connected, client);
    return part + 1;
}

/* The Client is kept while the guest's answer is awaited: client_connected() will be called. */
static void host_gone(HelixChannel *channel)
{
    Client *client = channel->user_data;

    client->host = NULL;
    if (!client->asked) {
        client_free(client);
    }
}

static void host_eof(HelixChannel *channel)
{
    Client *client = channel->user_data;

    client->host_eof = TRUE;
    if (!client->asked) {
        client_free(client);
    }
}

static void ignore(HelixChannel *channel)
{
}

static const HelixChannelUser host_user = {
    .input = host_input,
    .input_eof = host_eof,
    .writable = ignore,
    .closed = host_gone,
};

static gboolean full_no_longer(gpointer data)
{
    HelixHybrid *hybrid = data;

    stop(&hybrid->full);
    helix_listener_resume(hybrid->listener);
    return G_SOURCE_REMOVE;
}

/* A client waits in the backlog. Silent clients must not keep it there. */
static gboolean ready(gpointer data)
{
    HelixHybrid *hybrid = data;
    Client *oldest = g_queue_peek_head(&hybrid->silent);
    gint64 silent_ms = oldest ? (g_get_monotonic_time() - oldest->since) / 1000 : 0;

    if (g_hash_table_size(hybrid->clients) < HELIX_HYBRID_CLIENTS_MOST) {
        return TRUE;
    }
    if (silent_ms >= SILENT_MS) {
        client_free(oldest);
        return TRUE;
    }
    if (oldest && !hybrid->full) {
        hybrid->full = start(hybrid, (guint)(SILENT_MS - silent_ms), full_no_longer, hybrid);
    }
    return FALSE;
}

static gboolean accept_client(HelixChannel *channel, gpointer data)
{
    HelixHybrid *hybrid = data;
    Client *client = g_new0(Client, 1);

    client->hybrid = hybrid;
    client->host = channel;
    client->since = g_get_monotonic_time();
    client->timer = start(hybrid, CLIENT_TIMEOUT_SECONDS * 1000, client_timed_out, client);
    client->link.data = client;
    g_queue_push_tail_link(&hybrid->silent, &client->link);
    g_hash_table_add(hybrid->clients, client);
    helix_channel_attach(channel, &host_user, client);
    return TRUE;
}

gboolean helix_hybrid_accept(HelixHybrid *hybrid, guint32 port, HelixChannel *channel, GError **error)
{
    g_autofree char *path = g_strdup_printf("%s_%u", hybrid->path, port);
    HelixChannel *host = helix_socket_connect(hybrid->context, path, error);

    if (!host) {
        return FALSE;
    }
    helix_splice(channel, host);
    return TRUE;
}

HelixHybrid *helix_hybrid_new(GMainContext *context, HelixVsock *vsock, const char *path, GError **error)
{
    const size_t most = sizeof((struct sockaddr_un *)0)->sun_path - 1 - strlen(LONGEST_SUFFIX);
    g_autofree char *address = g_strconcat("unix:", path, NULL);
    HelixHybrid *hybrid;

    if (strlen(path) > most) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_INVALID,
                    "the path %s has %zu bytes; with _PORT behind it, at most %zu fit a UNIX socket's address here",
                    path, strlen(path), most);
        return NULL;
    }
    hybrid = g_new0(HelixHybrid, 1);
    hybrid->context = context;
    hybrid->vsock = vsock;
    hybrid->path = g_strdup(path);
    hybrid->clients = g_hash_table_new(NULL, NULL);
    g_queue_init(&hybrid->silent);
    hybrid->listener = helix_listener_new(context, address, accept_client, hybrid, error);
    if (!hybrid->listener) {
        helix_hybrid_free(hybrid);
        return NULL;
    }
    helix_listener_set_ready(hybrid->listener, ready);
    return hybrid;
}

void helix_hybrid_free(HelixHybrid *hybrid)
{
    g_autoptr(GList) clients = NULL;

    if (!hybrid) {
        return;
    }
    clients = g_hash_table_get_keys(hybrid->clients);
    for (GList *link = clients; link; link = link->next) {
        client_free(link->data);
    }
    stop(&hybrid->full);
    g_clear_pointer(&hybrid->listener, helix_listener_free);
    g_hash_table_destroy(hybrid->clients);
    g_free(hybrid->path);
    g_free(hybrid);
}
