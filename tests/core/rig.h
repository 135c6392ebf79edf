/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rig.h - a real host on a thread of its own, for tests that are its guests: capture pictures, the scripted encoder
 * over the null one, a UNIX socket in a folder of its own.
 */
#ifndef HELIX_TEST_RIG_H
#define HELIX_TEST_RIG_H

#include "cases.h"
#include "client.h"
#include "stream/host.h"
#include "transport/listener.h"
#include "fake-capture.h"
#include "scripted.h"

typedef struct RigOptions {
    guint max_in_flight, max_streams, max_connections;
    guint64 max_memory;
} RigOptions;

typedef struct Rig {
    GMainContext *context;
    GMainLoop *loop;
    GThread *thread;
    HelixHost *host; /* used on that thread only */
    HelixListener *listener;
    FakeCapture capture;
    char *folder, *path;
    GMutex lock; /* what follows */
    GString *log;
    GArray *records; /* HelixFrameRecord */
} Rig;

Rig *rig_new(const RigOptions *options); /* NULL: the host's defaults */
void rig_free(Rig *rig);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Rig, rig_free)

Client *rig_connect(Rig *rig);

/* A case with a host of the defaults and one client: RIG_TEST("/stream/pause", test_pause) { ... rig ... client ... }
 */
#define RIG_TEST(path, function) \
    static void function(Rig *rig, Client *client); \
    TEST(path, function##_with_rig) \
    { \
        rig_run(function); \
    } \
    static void function(Rig *rig, Client *client)
void rig_run(void (*test)(Rig *rig, Client *client));

/* Run @call on the host's thread and wait for it. */
void rig_call(Rig *rig, void (*call)(Rig *rig, gpointer data), gpointer data);
void rig_set_running(Rig *rig, gboolean running);
void rig_reset(Rig *rig);
void rig_hold_look_ups(Rig *rig, gboolean hold);
void rig_release_look_up(Rig *rig);
void rig_borrow(Rig *rig, gboolean borrow);

/* A number of the statistics by its path, "frames.encoded". Aborts if there is none. */
guint64 rig_stat(Rig *rig, const char *path);
/* Waits until it is @value; FALSE if that takes too long. */
gboolean rig_wait_stat(Rig *rig, const char *path, guint64 value);
char *rig_stats(Rig *rig);
gboolean rig_log_has(Rig *rig, const char *text);
HelixFrameRecord rig_record(Rig *rig, guint i);

/* @n requests for pictures of 64x48, one after the other: @first is the pts of the first and its resource less one. */
void send_frames(Client *client, guint16 session, guint first, guint n);

/* ---- what an answer must be; each receives one message ---- */

Message *expect_message(Client *client, guint8 type, guint16 session);
/* A field of its payload. */
guint32 message_u32(const Message *message, guint offset);
/* CONFIG_RESP to @request, which is sent flagged for one. */
Message *expect_config(Client *client, const ConfigRequest *request);
/* A FRAME_RESPONSE with one access unit. */
Message *expect_frame(Client *client, guint16 session, gint64 pts);
/* @n of them in a row, from @first on. */
void expect_frames(Client *client, guint16 session, gint64 first, guint n);
/* send_frames() and expect_frames(). */
void film(Client *client, guint16 session, guint first, guint n);
Message *expect_dropped(Client *client, guint16 session, gint64 pts);
void expect_error(Client *client, guint16 session, guint8 answered_type, int code);
/* SNAPSHOT_DONE; with a text if @code is not 0. */
void expect_snapshot(Client *client, guint16 session, guint32 number, int code);
void expect_pong(Client *client, guint16 session, const void *payload, gsize size);
void expect_end(Client *client);
/* A PING is answered, and nothing came before that answer. */
void expect_quiet(Client *client);

#endif
