/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Snapshots: what the host has kept is encoded as it was, whatever the guest draws later; their order, limits and end.
 */
#include <string.h>
#include "protocol/bytes.h"
#include "rig.h"

#define FRAME HELIX_MSG_FRAME_REQUEST
#define MOST HELIX_MAX_SNAPSHOTS

/* A test whose client has agreed to snapshots. */
#define SNAPSHOT_TEST(path, function) \
    static void function(Rig *rig, Client *client); \
    RIG_TEST(path, function##_agreed) \
    { \
        agree(client); \
        function(rig, client); \
    } \
    static void function(Rig *rig, Client *client)

static void agree(Client *client)
{
    message_free(expect_config(client, &(ConfigRequest){ .flags = HELIX_CONFIG_ANSWER, .realtime = 1 }));
}

/* ---- what a guest does ---- */

static void ask(Client *client, guint16 session, guint32 number, guint32 resource)
{
    g_assert_true(client_snapshot(client, &(FrameRequest){ .session = session, .resource = resource }, number));
}

static void keep(Client *client, guint32 number, guint32 resource)
{
    ask(client, 0, number, resource);
    expect_snapshot(client, 0, number, 0);
}

static void drop(Client *client, guint32 number)
{
    g_assert_true(client_snapshot_drop(client, 0, number));
}

static void request(Client *client, guint16 session, guint32 number, gint64 pts)
{
    g_assert_true(client_frame(
        client,
        &(FrameRequest){ .session = session, .resource = number, .flags = HELIX_REQUEST_SNAPSHOT, .pts = pts }));
}

static void request_part(Client *client, guint32 number, guint32 x, guint32 y, guint32 width, guint32 height)
{
    guint8 ext[HELIX_EXT_SIZE] = { HELIX_EXT_SIZE };
    FrameRequest part = { .resource = number,
                          .flags = HELIX_REQUEST_SNAPSHOT | HELIX_REQUEST_EXT,
                          .width = width,
                          .height = height,
                          .ext = ext,
                          .ext_size = sizeof ext };

    helix_put_u32(ext + HELIX_EXT_CROP_X, x);
    helix_put_u32(ext + HELIX_EXT_CROP_Y, y);
    g_assert_true(client_frame(client, &part));
}

static void overwrite(Rig *rig, guint times)
{
    g_atomic_int_set(&rig->capture.overwritten, times);
}

/* ---- what became of it ---- */

static void expect_encoded(Client *client, guint16 session, gint64 pts)
{
    message_free(expect_frame(client, session, pts));
}

/* Encode @i, counted from 0, was of that drawing from @x, @y on. */
static void expect_drawing(guint i, guint32 drawing, guint32 x, guint32 y)
{
    g_assert_cmphex(scripted_call(i).pixel & 0xffffff, ==, fake_capture_pixel(drawing, x, y));
}

static void hold_encodes(void)
{
    scripted_hold(TRUE);
}

/* ---- exact pictures ---- */

SNAPSHOT_TEST("/snapshot/exact", test_exact)
{
    keep(client, 7, 5);
    overwrite(rig, 1);
    request(client, 0, 7, 10);
    expect_encoded(client, 0, 10);
    g_assert_true(client_resource(client, 0, 5, 11)); /* without a snapshot it is the newer drawing */
    expect_encoded(client, 0, 11);
    overwrite(rig, 2);
    request(client, 0, 7, 12);
    expect_encoded(client, 0, 12);
    expect_drawing(0, 5, 0, 0);
    expect_drawing(1, 6, 0, 0);
    expect_drawing(2, 5, 0, 0);
    g_assert_cmpint(scripted_call(0).path, ==, HELIX_HOST_PATH_SNAPSHOT);
    g_assert_cmpuint(rig_stat(rig, "host_paths.snapshot"), ==, 2);
    g_assert_cmpuint(rig_record(rig, 0).cpu_bytes, >, rig_record(rig, 2).cpu_bytes); /* it was read once */
}

/* Also where the host could read the resource in place. */
SNAPSHOT_TEST("/snapshot/never-in-place", test_never_in_place)
{
    rig_borrow(rig, TRUE);
    keep(client, 7, 5);
    g_assert_cmpuint(g_atomic_int_get(&rig->capture.surface_kinds), ==, 0);
    overwrite(rig, 1);
    request(client, 0, 7, 0);
    expect_encoded(client, 0, 0);
    expect_drawing(0, 5, 0, 0);
    g_assert_true(client_frame(client, &(FrameRequest){ .flags = HELIX_REQUEST_REPEAT, .pts = 1 }));
    expect_encoded(client, 0, 1);
    expect_drawing(1, 5, 0, 0);
}

/* Nor is it what the GPU made for one encoder's size: parts of it are encoded too, and at other sizes. */
TEST("/snapshot/never-converted", test_never_converted)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    g_autoptr(Client) client = NULL;

    scripted_want_nv12();
    client = rig_connect(rig);
    agree(client);
    g_assert_true(client_resource(client, 0, 5, 0));
    expect_encoded(client, 0, 0);
    g_assert_true(g_atomic_int_get(&rig->capture.wants_nv12));
    keep(client, 1, 5);
    g_assert_false(g_atomic_int_get(&rig->capture.wants_nv12));
    g_assert_cmpuint(g_atomic_int_get(&rig->capture.coded_width), ==, 0);
    request(client, 0, 1, 1);
    expect_encoded(client, 0, 1);
    expect_drawing(1, 5, 0, 0);
}

SNAPSHOT_TEST("/snapshot/part", test_part)
{
    keep(client, 1, 5);
    request_part(client, 1, 40, 20, 24, 28); /* to the last row and column */
    expect_encoded(client, 0, 0);
    request_part(client, 1, 8, 4, 32, 16);
    expect_encoded(client, 0, 0);
    request_part(client, 1, 41, 20, 24, 28);
    expect_error(client, 0, FRAME, HELIX_CODE_GEOMETRY);
    request_part(client, 1, 40, 21, 24, 28);
    expect_error(client, 0, FRAME, HELIX_CODE_GEOMETRY);
    request_part(client, 1, G_MAXUINT32, G_MAXUINT32, G_MAXUINT32, 2);
    expect_error(client, 0, FRAME, HELIX_CODE_GEOMETRY);
    expect_drawing(0, 5, 40, 20);
    expect_drawing(1, 5, 8, 4);
    g_assert_cmpuint(scripted_call(0).width, ==, 24);
    g_assert_cmpuint(scripted_call(0).height, ==, 28);
}

/* At a size that was agreed later: a snapshot has its own. */
SNAPSHOT_TEST("/snapshot/config", test_config)
{
    keep(client, 1, 5);
    message_free(expect_config(
        client, &(ConfigRequest){ .flags = HELIX_CONFIG_ANSWER, .width = 32, .height = 32, .realtime = 1 }));
    overwrite(rig, 1);
    request(client, 0, 1, 0);
    expect_encoded(client, 0, 0);
    expect_drawing(0, 5, 0, 0);
    g_assert_cmpuint(scripted_call(0).width, ==, 64);
    g_assert_cmpuint(scripted_call(0).coded_width, ==, 32);
}

/* ---- order ---- */

/* The guest's source stands still until the answer: that does not wait for an encoder. */
SNAPSHOT_TEST("/snapshot/beside-encodes", test_beside_encodes)
{
    hold_encodes();
    send_frames(client, 0, 0, 4);
    g_assert_true(scripted_wait_begun(1));
    keep(client, 1, 5);
    keep(client, 2, 6);
    overwrite(rig, 1);
    scripted_hold(FALSE);
    expect_frames(client, 0, 0, 4);
    request(client, 0, 2, 4);
    expect_encoded(client, 0, 4);
    expect_drawing(4, 6, 0, 0);
}

/* A frame may be requested before the answer. It waits for the picture, and frames behind it for it. */
SNAPSHOT_TEST("/snapshot/frame-before-answer", test_frame_before_answer)
{
    rig_hold_look_ups(rig, TRUE);
    ask(client, 0, 1, 5);
    request(client, 0, 1, 0);
    g_assert_true(client_resource(client, 0, 9, 1));
    expect_quiet(client);
    g_assert_cmpuint(scripted_n_begun(), ==, 0);
    rig_release_look_up(rig);
    expect_snapshot(client, 0, 1, 0);
    expect_encoded(client, 0, 0);
    rig_release_look_up(rig);
    expect_encoded(client, 0, 1);
    expect_drawing(0, 5, 0, 0);
}

/* What the snapshot was refused for is the error of its frames. */
SNAPSHOT_TEST("/snapshot/refused", test_refused)
{
    rig_hold_look_ups(rig, TRUE);
    ask(client, 0, 1, FAKE_CAPTURE_LAST + 1);
    request(client, 0, 1, 0);
    expect_quiet(client);
    rig_release_look_up(rig);
    expect_snapshot(client, 0, 1, HELIX_CODE_NOT_FOUND);
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    rig_hold_look_ups(rig, FALSE);
    keep(client, 1, 5); /* its number is free */
    request(client, 0, 2, 0);
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
}

SNAPSHOT_TEST("/snapshot/answers-in-order", test_answers_in_order)
{
    rig_hold_look_ups(rig, TRUE);
    ask(client, 0, 1, 5);
    ask(client, 0, 1, 6);
    ask(client, 0, 0, 7);
    ask(client, 0, 2, 8);
    expect_quiet(client);
    rig_release_look_up(rig);
    expect_snapshot(client, 0, 1, 0);
    expect_snapshot(client, 0, 1, HELIX_CODE_INVALID);
    expect_snapshot(client, 0, 0, HELIX_CODE_INVALID);
    rig_release_look_up(rig);
    expect_snapshot(client, 0, 2, 0);
}

/* ---- dropped ---- */

SNAPSHOT_TEST("/snapshot/drop", test_drop)
{
    keep(client, 1, 5);
    drop(client, 1);
    drop(client, 1);
    drop(client, 99);
    request(client, 0, 1, 0);
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    keep(client, 1, 6);
    request(client, 0, 1, 0);
    expect_encoded(client, 0, 0);
    expect_drawing(0, 6, 0, 0);
}

/* Frames that arrived before have it still. */
SNAPSHOT_TEST("/snapshot/drop-while-encoding", test_drop_while_encoding)
{
    keep(client, 1, 5);
    hold_encodes();
    request(client, 0, 1, 0);
    request(client, 0, 1, 1);
    request(client, 0, 1, 2);
    drop(client, 1);
    request(client, 0, 1, 3);
    g_assert_true(scripted_wait_begun(1));
    keep(client, 1, 6);
    scripted_hold(FALSE);
    expect_frames(client, 0, 0, 3);
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    for (guint i = 0; i < 3; i++) {
        expect_drawing(i, 5, 0, 0);
    }
}

SNAPSHOT_TEST("/snapshot/drop-before-answer", test_drop_before_answer)
{
    rig_hold_look_ups(rig, TRUE);
    ask(client, 0, 1, 5);
    request(client, 0, 1, 0);
    drop(client, 1);
    request(client, 0, 1, 1);
    expect_quiet(client);
    rig_release_look_up(rig);
    expect_snapshot(client, 0, 1, 0);
    expect_encoded(client, 0, 0);
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    g_assert_cmpuint(rig_stat(rig, "streams.live.0.snapshots"), ==, 0);
}

/* ---- limits ---- */

SNAPSHOT_TEST("/snapshot/most", test_most)
{
    for (guint32 number = 1; number <= MOST; number++) {
        keep(client, number, number);
    }
    ask(client, 0, MOST + 1, 1);
    expect_snapshot(client, 0, MOST + 1, HELIX_CODE_BUSY);
    ask(client, 1, 1, 1); /* another stream has its own */
    expect_snapshot(client, 1, 1, 0);
    drop(client, 3);
    keep(client, MOST + 1, 100);
    ask(client, 0, 3, 1);
    expect_snapshot(client, 0, 3, HELIX_CODE_BUSY);
    overwrite(rig, 1);
    request(client, 0, MOST, 0);
    expect_encoded(client, 0, 0);
    expect_drawing(0, MOST, 0, 0);
}

/* Those dropped before their answer count until it: they take memory. */
SNAPSHOT_TEST("/snapshot/most-dropped", test_most_dropped)
{
    rig_hold_look_ups(rig, TRUE);
    for (guint32 number = 1; number <= MOST; number++) {
        ask(client, 0, number, number);
        drop(client, number);
    }
    ask(client, 0, MOST + 1, 1);
    expect_quiet(client);
    rig_hold_look_ups(rig, FALSE);
    rig_release_look_up(rig);
    for (guint32 number = 1; number <= MOST; number++) {
        expect_snapshot(client, 0, number, 0);
    }
    expect_snapshot(client, 0, MOST + 1, HELIX_CODE_BUSY);
    keep(client, 1, 1);
}

/* They take half of the memory of frames at most, so that look-ups find room. */
TEST("/snapshot/memory", test_memory)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_memory = 1 << 20 });
    g_autoptr(Client) client = rig_connect(rig);
    const FrameRequest large = { .resource = 5, .width = 256, .height = 256 }; /* a quarter */

    agree(client);
    for (guint32 number = 1; number <= 2; number++) {
        g_assert_true(client_snapshot(client, &large, number));
        expect_snapshot(client, 0, number, 0);
    }
    g_assert_true(client_snapshot(client, &large, 3));
    expect_snapshot(client, 0, 3, HELIX_CODE_INTERNAL);
    g_assert_true(client_frame(client, &large));
    expect_encoded(client, 0, 0);
    drop(client, 1);
    g_assert_true(client_snapshot(client, &large, 3));
    expect_snapshot(client, 0, 3, 0);
    g_assert_true(client_session_close(client, 0));
    g_assert_true(rig_wait_stat(rig, "streams.now", 0));
    agree(client);
    for (guint32 number = 1; number <= 2; number++) { /* all of it came back */
        g_assert_true(client_snapshot(client, &large, number));
        expect_snapshot(client, 0, number, 0);
    }
}

TEST("/snapshot/max-streams", test_max_streams)
{
    g_autoptr(Rig) rig = rig_new(&(RigOptions){ .max_streams = 1 });
    g_autoptr(Client) client = rig_connect(rig);

    agree(client);
    ask(client, 1, 1, 5);
    expect_snapshot(client, 1, 1, HELIX_CODE_NO_ENCODER);
    keep(client, 1, 5);
}

/* ---- the end ---- */

SNAPSHOT_TEST("/snapshot/close", test_close)
{
    keep(client, 1, 5);
    ask(client, 1, 1, 6);
    expect_snapshot(client, 1, 1, 0);
    g_assert_true(client_session_close(client, 0));
    request(client, 0, 1, 0);
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    request(client, 1, 1, 1);
    expect_encoded(client, 1, 1);
    expect_drawing(0, 6, 0, 0);
}

/* SESSION_CLOSE waits for the answers before it; what comes behind it is the next stream's, under the same number too.
 */
SNAPSHOT_TEST("/snapshot/close-before-answer", test_close_before_answer)
{
    rig_hold_look_ups(rig, TRUE);
    ask(client, 0, 1, 5);
    request(client, 0, 1, 0);
    g_assert_true(client_session_close(client, 0));
    ask(client, 0, 1, 6);
    request(client, 0, 1, 1);
    drop(client, 1);
    expect_quiet(client);
    rig_release_look_up(rig);
    expect_snapshot(client, 0, 1, 0);
    expect_encoded(client, 0, 0);
    rig_release_look_up(rig);
    expect_snapshot(client, 0, 1, 0);
    g_autoptr(Message) first = expect_frame(client, 0, 1);

    g_assert_true(message_is_keyframe(first));
    expect_drawing(0, 5, 0, 0);
    expect_drawing(1, 6, 0, 0);
    g_assert_true(client_session_close(client, 0));
    g_assert_true(rig_wait_stat(rig, "streams.now", 0));
}

/* All is answered before the host closes, and all is freed. */
SNAPSHOT_TEST("/snapshot/end", test_end)
{
    rig_hold_look_ups(rig, TRUE);
    ask(client, 0, 1, 5);
    ask(client, 0, 2, 6);
    expect_quiet(client);
    client_shutdown_write(client);
    rig_release_look_up(rig);
    expect_snapshot(client, 0, 1, 0);
    rig_release_look_up(rig);
    expect_snapshot(client, 0, 2, 0);
    expect_end(client);
    g_assert_true(rig_wait_stat(rig, "memory.pictures", 0));
}

/* A guest that goes while its snapshot is read: the picture is thrown away when it comes. */
TEST("/snapshot/gone", test_gone)
{
    g_autoptr(Rig) rig = rig_new(NULL);
    Client *client = rig_connect(rig);

    agree(client);
    keep(client, 1, 5);
    rig_hold_look_ups(rig, TRUE);
    ask(client, 0, 2, 6);
    request(client, 0, 2, 0);
    expect_quiet(client);
    client_free(client);
    g_assert_true(rig_wait_stat(rig, "connections.now", 0));
    g_assert_cmpuint(rig_stat(rig, "memory.pictures"), ==, 0);
    rig_release_look_up(rig);
    rig_hold_look_ups(rig, FALSE);
    client = rig_connect(rig);
    agree(client);
    keep(client, 1, 5);
    client_free(client);
}

/* The device goes, with what is kept and what is being read. */
TEST("/snapshot/host-freed", test_host_freed)
{
    Rig *rig = rig_new(NULL);
    g_autoptr(Client) client = rig_connect(rig);

    agree(client);
    keep(client, 1, 5);
    rig_hold_look_ups(rig, TRUE);
    ask(client, 0, 2, 6);
    request(client, 0, 2, 0);
    request(client, 0, 1, 1);
    expect_quiet(client);
    rig_free(rig);
    expect_end(client);
}

/* ---- the GPU and the VM ---- */

/* What is kept is the host's own; what was to be read is gone. */
SNAPSHOT_TEST("/snapshot/reset", test_reset)
{
    keep(client, 1, 5);
    rig_hold_look_ups(rig, TRUE);
    ask(client, 0, 2, 6);
    ask(client, 0, 3, 7);
    request(client, 0, 2, 0);
    expect_quiet(client);
    rig_reset(rig);
    expect_snapshot(client, 0, 2, HELIX_CODE_NOT_FOUND);
    expect_snapshot(client, 0, 3, HELIX_CODE_NOT_FOUND);
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    rig_release_look_up(rig); /* of the one that was cancelled */
    rig_hold_look_ups(rig, FALSE);
    request(client, 0, 1, 1);
    expect_encoded(client, 0, 1);
    expect_drawing(0, 5, 0, 0);
    keep(client, 2, 6);
}

SNAPSHOT_TEST("/snapshot/stopped", test_stopped)
{
    rig_set_running(rig, FALSE);
    ask(client, 0, 1, 5);
    ask(client, 0, 1, 6); /* refused, but not before its turn */
    expect_quiet(client);
    g_assert_cmpuint(rig->capture.resolved, ==, 0);
    rig_set_running(rig, TRUE);
    expect_snapshot(client, 0, 1, 0);
    expect_snapshot(client, 0, 1, HELIX_CODE_INVALID);
}

/* ---- messages ---- */

/* To a guest that agreed to nothing the host is what it was before there were snapshots. */
RIG_TEST("/snapshot/not-agreed", test_not_agreed)
{
    ask(client, 0, 1, 5);
    expect_error(client, 0, HELIX_MSG_SNAPSHOT, HELIX_CODE_INVALID);
    g_assert_true(client_send(client, HELIX_MSG_SNAPSHOT_DROP, 0, 0, "abc", 3));
    expect_error(client, 0, HELIX_MSG_SNAPSHOT_DROP, HELIX_CODE_INVALID);
    request(client, 0, 6, 1); /* the flag has no meaning: resource 6 */
    expect_encoded(client, 0, 1);
    expect_drawing(0, 6, 0, 0);
}

SNAPSHOT_TEST("/snapshot/invalid", test_invalid)
{
    const guint8 combined[] = { HELIX_REQUEST_REPEAT, HELIX_REQUEST_PIXEL_DATA };
    guint8 pixels[64 * 48 * 4] = { 0 };

    ask(client, 0, 1, 0); /* resource 0 */
    expect_snapshot(client, 0, 1, HELIX_CODE_NOT_FOUND);
    g_assert_true(client_snapshot(client, &(FrameRequest){ .resource = 5, .fourcc = 1 }, 1));
    expect_snapshot(client, 0, 1, HELIX_CODE_GEOMETRY);
    g_assert_true(client_snapshot(
        client,
        &(FrameRequest){ .resource = 5, .flags = HELIX_REQUEST_EXT, .ext = (const guint8 *)"\3\0\0", .ext_size = 3 },
        1));
    expect_snapshot(client, 0, 1, HELIX_CODE_INVALID);
    keep(client, 1, 5);
    for (guint i = 0; i < G_N_ELEMENTS(combined); i++) {
        g_assert_true(client_frame(client,
                                   &(FrameRequest){ .resource = 1,
                                                    .flags = HELIX_REQUEST_SNAPSHOT | combined[i],
                                                    .pixels = pixels,
                                                    .pixels_size = sizeof pixels }));
        expect_error(client, 0, FRAME, HELIX_CODE_INVALID);
    }
    g_assert_true(client_frame(client, &(FrameRequest){ .flags = HELIX_REQUEST_SNAPSHOT }));
    expect_error(client, 0, FRAME, HELIX_CODE_NOT_FOUND);
    request(client, 0, 1, 0);
    expect_encoded(client, 0, 0);
}

SNAPSHOT_TEST("/snapshot/framing", test_framing)
{
    g_assert_true(client_send(client, HELIX_MSG_SNAPSHOT_DROP, 0, 0, "abc", 3));
    expect_error(client, 0, HELIX_ERROR_FLAGS_CONNECTION, HELIX_CODE_INVALID);
    expect_end(client);
}
