/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fixture.h - a client in front of a scripted host, and its events. Frames are 64x48 XR24. */
#ifndef CLIENT_FIXTURE_H
#define CLIENT_FIXTURE_H

#include "../../desktop/client/helix-client.h"
#include "cases.h"
#include "script-host.h"

typedef struct Fixture {
    ScriptHost *host;
    HelixClient *client;
    gint released; /* atomic: frames whose memory the library let go */
} Fixture;

/* A client that is connected and configured, with a timeout of 5 s. */
void fixture_set_up(Fixture *f, const Script *script);
/* The same, not connected yet. */
void fixture_make(Fixture *f, const Script *script);
void fixture_connect(Fixture *f);
/* A host that negotiated. */
void fixture_wait_negotiated(Fixture *f);
void fixture_tear_down(Fixture *f);

/* A frame by resource id @id, cropped to 60x40 from @x,@y on, that counts its release. */
HelixClientFrame *fixture_frame(Fixture *f, guint32 id, guint x, guint y);
/* Submit it; its frame_data is @id. */
void fixture_submit(Fixture *f, guint32 id, guint64 pts);
/* The next event of a frame, waited for: others are freed. */
HelixClientEvent *fixture_next(Fixture *f);
/* The next event, which must be of @type; CONFIGURED is skipped unless it is asked for. */
HelixClientEvent *fixture_expect(Fixture *f, HelixClientEventType type);
/* Waits until @n frames were released; more is an error. */
void fixture_wait_released(Fixture *f, gint n);
HelixClientStats fixture_stats(Fixture *f);

#endif
