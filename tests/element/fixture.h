/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture.h - the element in a harness, in front of a scripted host. Pictures are 64x64 BGRx at 30/s unless said. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "cases.h"
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include "../client/script-host.h"

#define CAPS(format, w, h) "video/x-raw, format=" format ", framerate=30/1, width=" #w ", height=" #h
#define SIZE_64 (64 * 64 * 4)

typedef struct Fixture {
    ScriptHost *host;
    GstHarness *h;
    GstBus *bus;
    guint n; /* pictures made */
} Fixture;

/* A source that is not live: it waits for the host to agree. @timeout: ms, or -1 for the element's own. Caps are not
 * set yet: gst_harness_set_src_caps_str(). */
void fixture_set_up(Fixture *f, const Script *script, gint timeout);
/* The same with a source that is live or not, and properties as in gst-launch, NULL at the end: "bitrate", "300". */
void fixture_set_up_with(Fixture *f, const Script *script, gint timeout, gboolean live, ...) G_GNUC_NULL_TERMINATED;
/* The same with 64x64 BGRx caps. */
void fixture_set_up_64(Fixture *f, const Script *script, gint timeout);
void fixture_tear_down(Fixture *f);

/* A case with a fixture to be set up, which is torn down behind it, and the script of a host that does everything. */
#define ELEMENT_TEST(path, function) \
    static void function(Fixture *f, Script *script); \
    TEST(path, function##_with_fixture) \
    { \
        fixture_run(function); \
    } \
    static void function(Fixture *f, Script *script)
void fixture_run(void (*test)(Fixture *f, Script *script));

GstBuffer *fixture_picture(Fixture *f, gsize size);
GstFlowReturn fixture_push(Fixture *f);
/* The same, until the host has seen it: of a live source the next would take its place if the host had not agreed yet.
 */
void fixture_push_first(Fixture *f);
/* fixture_push() on another thread, for pushes that have to wait. Joined with fixture_joined(). */
GThread *fixture_push_in_thread(Fixture *f);
GstFlowReturn fixture_joined(GThread *thread);
/* The next access unit must be picture @index's. */
void fixture_pull(Fixture *f, guint index, gboolean keyframe);
/* A timeout for hosts that fall silent: one that does not must not seem to, on a busy machine either. */
#define SILENT_MS 600

/* A keyframe is asked for from downstream, as a viewer that joins does. */
void fixture_ask_for_keyframe(Fixture *f);
/* The force-key-unit events that went downstream. */
guint fixture_key_unit_events(Fixture *f);
/* Waits until downstream saw an event of @type; others before it are dropped. FALSE if none came. */
gboolean fixture_wait_event(Fixture *f, GstEventType type);
/* What began at @since (g_get_monotonic_time()) has taken no longer than a hang would, which lasts ten seconds at
 * least. The time is printed: it is what README says; a loaded machine must not fail a test. */
void fixture_no_hang(const char *what, gint64 since);
/* The next message of @type, waited for. */
GstMessage *fixture_message(Fixture *f, GstMessageType type);
/* The next error must be in @domain, with @code, and its text contain @text. */
void fixture_error(Fixture *f, GQuark domain, gint code, const char *text);
guint64 fixture_stat(Fixture *f, const char *name);
/* Sets the element to NULL and fails if that takes longer than a hang would (seconds, not milliseconds). */
void fixture_stop_in_time(Fixture *f);

#endif
