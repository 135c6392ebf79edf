/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - the frame module as a whole: its settings, its connections, its statistics.
 *
 * All functions are called on the thread that runs @context: QEMU's main loop, with the BQL held, which dispatches the
 * default GMainContext. Encode threads are internal.
 */
#ifndef HELIX_HOST_H
#define HELIX_HOST_H

#include <glib.h>
#include "../transport/channel.h"
#include "../encode/encoder.h"
#include "../frame/resolver.h"
#include "frame-record.h"

typedef struct HelixHost HelixHost;

/* Called by the host. They must not block and must not call the host. */
typedef struct HelixHostHooks {
    /* One line for the log (a stream started, a stream ended, a peer broke the protocol). After a burst, at most one
     * line per second. */
    void (*log)(gpointer data, const char *line);
    /* The answer to a frame was sent. */
    void (*frame)(gpointer data, const HelixFrameRecord *record);
} HelixHostHooks;

typedef struct HelixHostConfig {
    GMainContext *context;   /* NULL: the default one */
    const char *encoder;     /* NULL or "auto": the best that can be used here */
    gboolean hardware_only;  /* never encode in software, even if there is no other encoder */
    const char *render_node; /* for encoders on a GPU, of all hosts of the process; NULL: each is tried */
    /* Limits for a guest as a whole; 0: the default. docs/security.md says what each is for. */
    guint max_in_flight;       /* requests of a stream: 1 to 64 */
    guint max_streams;         /* of all connections: 1 to 256 */
    guint max_connections;     /* 1 to 1024 */
    guint max_encoders;        /* threads, including those that hang after their stream's end; 1 to 512, default 2 *
                                  max_streams */
    guint64 max_memory;        /* bytes of pictures in host memory, and the same again for encoders: 1 MiB to 64 GiB */
    gboolean privileged_ports; /* requests from vsock ports of HELIX_PRIVILEGED_PORTS and above are answered "not
                                  permitted" */
    guint idle_timeout_ms;  /* a connection without streams that was silent that long makes room for another; 0: 10 s */
    guint stall_timeout_ms; /* a message that was begun and not continued for that long ends its connection; 0: 30 s */
    const HelixResolver *resolver;
    gpointer resolver_data;
    const HelixHostHooks *hooks; /* NULL: none */
    gpointer hooks_data;
    const HelixEncoderClass *encoder_class; /* not NULL: this one, and encoder is ignored (tests) */
} HelixHostConfig;

#define HELIX_DEFAULT_MAX_IN_FLIGHT 4u
#define HELIX_DEFAULT_MAX_STREAMS 16u
#define HELIX_DEFAULT_MAX_CONNECTIONS 64u
/* Room for five streams of 5K pictures; a guest that asks for more gets errors, not the host's memory. */
#define HELIX_DEFAULT_MAX_MEMORY (G_GUINT64_CONSTANT(1) << 30)

/* Connections from ports that are not permitted stay open until their error is sent. They have a limit of their own, so
 * that they do not keep permitted ones out. */
#define HELIX_MAX_NOT_PERMITTED 8u

/* NULL with HELIX_ERROR: the encoder's name is unknown or none can be used (NO_ENCODER), a limit is out of its range
 * (INVALID). */
HelixHost *helix_host_new(const HelixHostConfig *config, GError **error);
/*
 * Closes every connection, joins every encode thread and frees the host. Called from inside a callback of a connection,
 * as a program exits, it frees neither that connection nor the host.
 */
void helix_host_free(HelixHost *host);
/*
 * The same without waiting. May be called inside a connection's callback, and on another thread while the thread of
 * @context is kept out (QEMU's BQL). From now on no look-up and no connection begins; open connections are closed from
 * @context, and when every encode thread has ended, the host calls @gone(@data) and frees itself. helix_host_free()
 * before that does wait.
 */
void helix_host_retire(HelixHost *host, void (*gone)(gpointer data), gpointer data);

/*
 * Serve a new connection (HelixChannelAccept, data is the HelixHost). At max_connections, the one that has been idle
 * longest is closed for it. FALSE: refused, as none has been idle for idle_timeout_ms, or the host is retired.
 */
gboolean helix_host_accept(HelixChannel *channel, gpointer host);

/*
 * Streams that begin from now on get the encoder called @name; for measurements. FALSE with HELIX_ERROR if there is
 * none.
 */
gboolean helix_host_set_encoder(HelixHost *host, const char *name, GError **error);

/*
 * FALSE while the VM is stopped: no look-up begins until it runs again. Encodes under way finish and are answered.
 * Requests that waited continue from the loop.
 */
void helix_host_set_running(HelixHost *host, gboolean running);

/* Streams open now. */
guint helix_host_n_streams(const HelixHost *host);

/*
 * The GPU is being reset: requests that have arrived are not looked up, and no earlier picture is repeated. Any thread
 * that holds the BQL; helix_host_gpu_reset_end() follows on the main loop.
 */
void helix_host_gpu_reset_begin(HelixHost *host);

/*
 * The GPU was reset, at the time of helix_host_gpu_reset_begin(), or now if that was not called: every request that was
 * not resolved by then is answered HELIX_CODE_NOT_FOUND, and last pictures are freed, in as many iterations of the loop
 * as that takes.
 */
void helix_host_gpu_reset_end(HelixHost *host);

/*
 * Statistics as one JSON object (docs/statistics.md lists its members): streams and connections now and in all,
 * frames, bytes, host_paths, cpu bytes, and p50/p99/max microseconds a stage. Freed by the caller.
 */
char *helix_host_stats_json(HelixHost *host);

#endif
