/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * host.h - the frame module as a whole: its settings, its connections, its statistics.
 *
 * Everything here is called on the thread that runs @context (QEMU's main loop, with the BQL held, which dispatches the
 * default GMainContext). Encoder threads live behind it and are not seen.
 */
#ifndef HELIX_HOST_H
#define HELIX_HOST_H

#include <glib.h>
#include "../transport/channel.h"
#include "../encode/encoder.h"
#include "../frame/resolver.h"
#include "frame-record.h"

typedef struct HelixHost HelixHost;

/* Called from inside the host: they return soon and do not call it back. */
typedef struct HelixHostHooks {
    /* One plain line for the log (a stream started, a stream ended, a peer broke the protocol). A guest that makes many
     * gets one a second logged. */
    void (*log)(gpointer data, const char *line);
    /* A frame was answered. */
    void (*frame)(gpointer data, const HelixFrameRecord *record);
} HelixHostHooks;

typedef struct HelixHostConfig {
    GMainContext *context;  /* NULL: the default one */
    const char *encoder;    /* NULL or "auto": the best that can be used here */
    gboolean hardware_only; /* no encoding in software, not even where there is nothing else */
    /* What all of a guest together may use; 0: the default. docs/security.md says what each is for. */
    guint max_in_flight;       /* requests of a stream: 1 to 64 */
    guint max_streams;         /* of all connections: 1 to 256 */
    guint max_connections;     /* 1 to 1024 */
    guint max_encoders;        /* threads, those that hang after their stream's end among them; 1 to 512, default 2 *
                                  max_streams */
    guint64 max_memory;        /* bytes of pictures in host memory, and of encoders as many again: 1 MiB to 64 GiB */
    gboolean privileged_ports; /* requests from vsock ports of HELIX_PRIVILEGED_PORTS and above are answered "not
                                  permitted" */
    guint idle_timeout_ms;  /* a connection without streams that is silent that long makes room for another; 0: 10 s */
    guint stall_timeout_ms; /* a message begun and not gone on with that long ends its connection; 0: 30 s */
    const HelixResolver *resolver;
    gpointer resolver_data;
    const HelixHostHooks *hooks; /* NULL: none */
    gpointer hooks_data;
    const HelixEncoderClass *encoder_class; /* not NULL: this one, and encoder says nothing (tests) */
} HelixHostConfig;

#define HELIX_DEFAULT_MAX_IN_FLIGHT 4u
#define HELIX_DEFAULT_MAX_STREAMS 16u
#define HELIX_DEFAULT_MAX_CONNECTIONS 64u
/* Room for five streams of 5K pictures; a guest that asks for more gets errors, not the host's memory. */
#define HELIX_DEFAULT_MAX_MEMORY (G_GUINT64_CONSTANT(1) << 30)

/* Connections that are not permitted are kept to say so to; they count apart, so that they take nobody's place. */
#define HELIX_MAX_NOT_PERMITTED 8u

/* NULL with HELIX_ERROR: the encoder's name is unknown or none can be used (NO_ENCODER), a limit is out of its range
 * (INVALID). */
HelixHost *helix_host_new(const HelixHostConfig *config, GError **error);
/*
 * Closes every connection, joins every encoder thread, frees. From inside of a callback of one of its connections,
 * which is for a program that exits there: that connection and the memory stay.
 */
void helix_host_free(HelixHost *host);
/*
 * The same without waiting, from anywhere, also inside of a connection's callback and on another thread while
 * @context's does nothing (QEMU's BQL): no look-up and no connection begins from now on, those that are there are
 * closed from @context, and when every encoder thread has ended, the host calls @gone(@data) and frees itself.
 * helix_host_free() before that waits after all.
 */
void helix_host_retire(HelixHost *host, void (*gone)(gpointer data), gpointer data);

/*
 * Serve a new connection (HelixChannelAccept, data is the HelixHost). FALSE: over max_connections, and none of those
 * that are there has been idle for idle_timeout_ms; the one idle longest makes room otherwise.
 */
gboolean helix_host_accept(HelixChannel *channel, gpointer host);

/*
 * Streams that begin from now on get the encoder called @name; for measurements. FALSE with HELIX_ERROR if there is
 * none.
 */
gboolean helix_host_set_encoder(HelixHost *host, const char *name, GError **error);

/*
 * FALSE while the VM is stopped: no look-up begins until it runs again. Encodes under way finish and are answered. What
 * waited goes on from the loop.
 */
void helix_host_set_running(HelixHost *host, gboolean running);

/* Streams open now. */
guint helix_host_n_streams(const HelixHost *host);

/*
 * The GPU is being reset: requests that have come by now are not looked up, and no last picture of before is repeated.
 * Any thread that holds QEMU's lock; helix_host_reset() follows on the main loop.
 */
void helix_host_lose_gpu(HelixHost *host);

/*
 * The GPU was reset, when helix_host_lose_gpu() said so or else now: every request not resolved by then is answered
 * HELIX_CODE_NOT_FOUND, and last pictures are freed, in as many turns of the loop as that takes.
 */
void helix_host_reset(HelixHost *host);

/*
 * Statistics as one JSON object (docs/statistics.md lists its members): streams and connections now and in all,
 * frames, bytes, host_paths, cpu bytes, and p50/p99/max microseconds a stage. Freed by the caller.
 */
char *helix_host_stats_json(HelixHost *host);

#endif
