/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hosts.c - hosts that are old, slow, wrong, silent or dying: an error a user can act on, and never a hang. */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <linux/vm_sockets.h>
#include "fixture.h"
#include "sockets.h"

/* ---- a host that knows the frozen messages only ---- */

ELEMENT_TEST("/hosts/frozen-only", test_frozen_only)
{
    gsize size;

    script->frozen_only = TRUE;
    fixture_set_up_64(f, script, -1);
    for (guint i = 0; i < 4; i++) {
        ScriptFrame frame;

        g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
        fixture_pull(f, i, i == 0);
        frame = script_host_frame(f->host, i);
        g_assert_cmphex(frame.flags, ==, HELIX_REQUEST_PIXEL_DATA);
        g_assert_cmpuint(frame.payload_size, ==, HELIX_REQUEST_SIZE + SIZE_64);
    }
    gst_harness_set_src_caps_str(f->h, CAPS("BGRx", 32, 32));
    gst_harness_push(f->h, fixture_picture(f, 32 * 32 * 4));
    fixture_pull(f, 4, FALSE);
    g_assert_cmpuint(script_host_configs(f->host), ==, 2);
    script_host_config(f->host, 1, &size);
    g_assert_cmpuint(size, ==, HELIX_CONFIG_SIZE);
}

/* Old hosts' errors do not say what they answer. */
ELEMENT_TEST("/hosts/frozen-only-error", test_frozen_only_error)
{
    script->frozen_only = TRUE;
    script->error_from = script->error_to = 1;
    script->error_code = HELIX_CODE_ENCODE;
    fixture_set_up_64(f, script, -1);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_push(f);
    fixture_push(f);
    fixture_pull(f, 2, FALSE);
    g_assert_cmpuint(fixture_stat(f, "errors"), ==, 1);
}

/* ---- no host ---- */

static void check_no_start(const char *property, const char *value, const char *text)
{
    GstElement *element = gst_element_factory_make("vsockenc", NULL);
    GstBus *bus = gst_bus_new();
    GstMessage *message;
    GError *error = NULL;

    gst_util_set_object_arg(G_OBJECT(element), property, value);
    gst_element_set_bus(element, bus);
    gst_element_set_state(element, GST_STATE_PAUSED);
    message = gst_bus_timed_pop_filtered(bus, 60 * GST_SECOND, GST_MESSAGE_ERROR);
    g_assert_nonnull(message);
    gst_message_parse_error(message, &error, NULL);
    g_test_message("%s", error->message);
    g_assert_true(error->domain == GST_RESOURCE_ERROR);
    g_assert_nonnull(strstr(error->message, text));
    g_error_free(error);
    gst_message_unref(message);
    gst_element_set_state(element, GST_STATE_NULL);
    /* And nothing else, as "Could not initialize supporting library". */
    message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    g_assert_null(message);
    gst_element_set_bus(element, NULL);
    gst_object_unref(bus);
    gst_object_unref(element);
}

TEST("/hosts/no-socket", test_no_socket)
{
    g_autofree char *long_path = g_strnfill(200, 'x');

    check_no_start("socket-path", "/nonexistent/socket", "There is no such socket");
    check_no_start("socket-path", long_path, "at most 107");
}

/* What is there is no host's socket, and no waiting makes it one. */
TEST("/hosts/not-a-socket", test_not_a_socket)
{
    g_autofree char *folder = g_dir_make_tmp("vsockenc-XXXXXX", NULL), *path = g_build_filename(folder, "file", NULL);
    GstElement *element = gst_element_factory_make("vsockenc", NULL);

    g_assert_true(g_file_set_contents(path, "", 0, NULL));
    check_no_start("socket-path", path, "This path is not a host's stream socket");
    check_no_start("socket-path", folder, "This path is not a host's stream socket");
    g_object_set(element, "socket-path", path, "reconnect", TRUE, NULL);
    g_assert_cmpint(gst_element_set_state(element, GST_STATE_PAUSED), ==, GST_STATE_CHANGE_FAILURE);
    gst_element_set_state(element, GST_STATE_NULL);
    gst_object_unref(element);
    unlink(path);
    rmdir(folder);
}

TEST("/hosts/no-vsock", test_no_vsock)
{
    /* CID 1 is this machine itself, where nobody listens; most build machines have no vsock at all. */
    check_no_start("cid", "1", "Cannot connect to the host on vsock CID 1 port 5000");
    sockets_forbid_vsock(TRUE);
    check_no_start("cid", "2", "A container's seccomp profile usually forbids it: allow it there");
    sockets_forbid_vsock(FALSE);
}

/* What listens in @guest itself must not be taken for the host. */
static void check_no_process(VsockGuest guest, const char *text)
{
    Script script = SCRIPT_DEFAULT;
    ScriptHost *process = script_host_new(&script);

    guest.process = script_host_path(process);
    sockets_use_guest(&guest);
    check_no_start("port", "5000", text);
    sockets_use_guest(NULL);
    g_assert_cmpuint(script_host_configs(process), ==, 0);
    script_host_free(process);
}

TEST("/hosts/no-process", test_no_process)
{
    const VsockGuest none = { .cid = VMADDR_CID_ANY };
    VsockGuest guest = none;

    check_no_process(guest, "There is no vsock device in this VM");
    guest.loopback = TRUE;
    check_no_process(guest, "vsock_loopback would connect to a process of this guest");
    guest.error = EACCES;
    check_no_process(guest, "/dev/vsock cannot be read (Permission denied)");
    /* A guest that has guests, by vhost_vsock, and no device of its own. */
    guest = (VsockGuest){ .cid = VMADDR_CID_HOST, .loopback = TRUE };
    check_no_process(guest, "no vsock device");
    /* The device goes just after its CID was read. */
    guest = (VsockGuest){ .cid = 3, .unplugged = TRUE };
    check_no_process(guest, "does not answer");
}

/* With a device the host is reached, loopback or not. */
static void check_host(VsockGuest guest, guint bound)
{
    Script script = SCRIPT_DEFAULT;
    ScriptHost *process = script_host_new(&script), *host = script_host_new(&script);
    Fixture f;

    guest.process = script_host_path(process);
    guest.host = script_host_path(host);
    sockets_use_guest(&guest);
    fixture_set_up_with(&f, &script, -1, FALSE, "socket-path", "", NULL);
    fixture_push(&f);
    fixture_pull(&f, 0, TRUE);
    g_assert_cmpuint(guest.bound, ==, bound);
    g_assert_cmpuint(script_host_frames(host), ==, 1);
    fixture_tear_down(&f);
    sockets_use_guest(NULL);
    script_host_free(process);
    script_host_free(host);
}

TEST("/hosts/host-by-device", test_host_by_device)
{
    check_host((VsockGuest){ .cid = 3 }, 3);
    check_host((VsockGuest){ .cid = 3, .loopback = TRUE }, 3);
    /* A container without /dev/vsock: nothing but the host can be there while vsock_loopback is not. */
    check_host((VsockGuest){ .cid = 3, .error = ENOENT }, VMADDR_CID_ANY);
}

TEST("/hosts/nobody-listens", test_nobody_listens)
{
    Script script = SCRIPT_DEFAULT;
    ScriptHost *host = script_host_new(&script);
    g_autofree char *kept = g_strconcat(script_host_path(host), "-kept", NULL);

    /* The socket's file outlives its host. */
    g_assert_cmpint(link(script_host_path(host), kept), ==, 0);
    script_host_free(host);
    check_no_start("socket-path", kept, "Nothing listens on it");
    unlink(kept);
}

/* The cause is told before pushes fail, so that upstream's error is not the first. */
static void push_fails(Fixture *f)
{
    GstFlowReturn flow = GST_FLOW_OK;

    for (guint i = 0; i < 6000 && flow == GST_FLOW_OK; i++) {
        flow = fixture_push(f);
        g_usleep(flow == GST_FLOW_OK ? 10 * 1000 : 0);
    }
    g_assert_cmpint(flow, ==, GST_FLOW_ERROR);
}

/* ---- wrong hosts ---- */

static void check_wrong(const Script *script, guint pushes, GQuark domain, gint code, const char *text)
{
    gboolean silent = script->mute || script->silent_from >= 0 || script->ignore_from >= 0 || script->drip_at >= 0;
    Fixture f;

    fixture_set_up_with(&f, script, silent ? SILENT_MS : -1, FALSE, NULL);
    for (guint i = 0; i < pushes; i++) {
        if (fixture_push(&f) != GST_FLOW_OK) {
            break;
        }
    }
    fixture_error(&f, domain, code, text);
    push_fails(&f);
    fixture_stop_in_time(&f);
    fixture_tear_down(&f);
}

TEST("/hosts/bad-magic", test_bad_magic)
{
    Script script = SCRIPT_DEFAULT;

    script.bad_magic = TRUE;
    check_wrong(&script, 1, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "does not speak the frame protocol");
}

TEST("/hosts/wrong-pts", test_wrong_pts)
{
    Script script = SCRIPT_DEFAULT;

    script.wrong_pts_at = 1;
    check_wrong(&script, 2, GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE, "its pts is not the one");
}

TEST("/hosts/truncated", test_truncated)
{
    Script script = SCRIPT_DEFAULT;

    script.truncated_at = 0;
    check_wrong(&script, 1, GST_STREAM_ERROR, GST_STREAM_ERROR_DECODE, "shorter than it says");
}

TEST("/hosts/refuses-config", test_refuses_config)
{
    Script script = SCRIPT_DEFAULT;

    script.refuse_config_at = 0;
    check_wrong(&script, 1, GST_STREAM_ERROR, GST_STREAM_ERROR_ENCODE, "no encoder left");
}

/* ---- dying and silent hosts ---- */

ELEMENT_TEST("/hosts/dies", test_dies)
{
    script->close_at = 2;
    fixture_set_up_64(f, script, -1);
    fixture_push(f);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    fixture_pull(f, 1, FALSE);
    fixture_push(f);
    fixture_error(f, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "closed the connection");
    push_fails(f);
    /* Comes back, with nothing left to wait for. */
    gst_harness_push_event(f->h, gst_event_new_eos());
}

TEST("/hosts/silent", test_silent)
{
    Script script = SCRIPT_DEFAULT;

    script.silent_from = 1;
    check_wrong(&script, 2, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "has not answered for");
}

TEST("/hosts/mute", test_mute)
{
    Script script = SCRIPT_DEFAULT;

    script.mute = TRUE;
    check_wrong(&script, 1, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "has not answered for");
}

/* A host that answers pings, and nothing else. */
TEST("/hosts/ignores", test_ignores)
{
    Script script = SCRIPT_DEFAULT;

    script.ignore_from = 1;
    check_wrong(&script, 3, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ,
                "answers pings, but has not answered a request for");
}

/* One whose answer never ends: each byte of it is no sign of life. */
TEST("/hosts/drips", test_drips)
{
    Script script = SCRIPT_DEFAULT;

    script.drip_at = 1;
    check_wrong(&script, 2, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "has not finished a message for");
}

/* One that says nothing of use, without end, and faster than it is heard. */
ELEMENT_TEST("/hosts/floods", test_floods)
{
    sockets_flood(TRUE);
    fixture_set_up_with(f, script, SILENT_MS, TRUE, NULL);
    fixture_push(f);
    fixture_error(f, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "answers pings, but has not answered a request for");
    sockets_flood(FALSE);
}

/* Nor is each byte that it takes of a picture. */
ELEMENT_TEST("/hosts/sips", test_sips)
{
    script->sips = TRUE;
    fixture_set_up(f, script, SILENT_MS);
    gst_harness_set_src_caps_str(f->h, CAPS("BGRx", 512, 512));
    g_assert_cmpint(gst_harness_push(f->h, fixture_picture(f, 512 * 512 * 4)), ==, GST_FLOW_OK);
    fixture_error(f, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ, "has not taken the whole of a message for");
    fixture_stop_in_time(f);
}

/* A stream at rest asks nothing of the host. */
ELEMENT_TEST("/hosts/idle", test_idle)
{
    guint pings;

    fixture_set_up_64(f, script, 1500);
    fixture_push(f);
    fixture_pull(f, 0, TRUE);
    pings = script_host_pings(f->host);
    /* Longer than the silence after which a waiting element asks. */
    g_usleep(1300 * 1000);
    g_assert_cmpuint(script_host_pings(f->host), ==, pings);
    fixture_push(f);
    fixture_pull(f, 1, FALSE);
}

ELEMENT_TEST("/hosts/stop-while-waiting", test_stop_while_waiting)
{
    GThread *blocked;

    script->silent_from = 0;
    script->max_in_flight = 1;
    fixture_set_up_with(f, script, 0, FALSE, NULL); /* never answers */
    fixture_push(f);
    g_assert_true(script_host_wait_frames(f->host, 1));
    blocked = fixture_push_in_thread(f);
    g_usleep(50 * 1000);
    fixture_stop_in_time(f);
    g_assert_cmpint(fixture_joined(blocked), ==, GST_FLOW_FLUSHING);
}

ELEMENT_TEST("/hosts/stop-while-agreeing", test_stop_while_agreeing)
{
    GThread *blocked;

    script->mute = TRUE;
    fixture_set_up_with(f, script, 0, FALSE, NULL);
    blocked = fixture_push_in_thread(f);
    g_usleep(50 * 1000);
    fixture_stop_in_time(f);
    g_assert_cmpint(fixture_joined(blocked), ==, GST_FLOW_FLUSHING);
}

/* Pixels that the host does not take fill the socket. */
ELEMENT_TEST("/hosts/stop-while-writing", test_stop_while_writing)
{
    script->unread = TRUE;
    fixture_set_up(f, script, 0);
    gst_harness_set_src_caps_str(f->h, CAPS("BGRx", 1024, 1024));
    g_assert_cmpint(gst_harness_push(f->h, fixture_picture(f, 1024 * 1024 * 4)), ==, GST_FLOW_OK);
    g_assert_cmpint(gst_harness_push(f->h, fixture_picture(f, 1024 * 1024 * 4)), ==, GST_FLOW_OK);
    g_usleep(50 * 1000);
    fixture_stop_in_time(f);
}

/* ---- errors about pictures ---- */

ELEMENT_TEST("/hosts/one-refused", test_one_refused)
{
    script->error_from = script->error_to = 1;
    script->error_code = HELIX_CODE_ENCODE;
    fixture_set_up_64(f, script, -1);
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    }
    fixture_pull(f, 0, TRUE);
    fixture_pull(f, 2, FALSE);
    gst_message_unref(fixture_message(f, GST_MESSAGE_WARNING));
    g_assert_cmpuint(fixture_stat(f, "dropped"), ==, 1);
}

ELEMENT_TEST("/hosts/busy", test_busy)
{
    GstMessage *message;

    script->error_from = script->error_to = 1;
    script->error_code = HELIX_CODE_BUSY;
    fixture_set_up_64(f, script, -1);
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    }
    fixture_pull(f, 0, TRUE);
    fixture_pull(f, 2, FALSE);
    /* Dropped without a word of warning, which would have come first. */
    message = fixture_message(f, GST_MESSAGE_QOS | GST_MESSAGE_WARNING | GST_MESSAGE_ERROR);
    g_assert_cmpint(GST_MESSAGE_TYPE(message), ==, GST_MESSAGE_QOS);
    gst_message_unref(message);
}

/* One after the other: a picture that comes while the host is busy is not sent, and not refused. */
ELEMENT_TEST("/hosts/all-refused", test_all_refused)
{
    script->error_from = 0;
    script->error_to = 1000;
    script->error_code = HELIX_CODE_NOT_FOUND;
    fixture_set_up_64(f, script, -1);
    for (guint i = 0; fixture_push(f) == GST_FLOW_OK; i++) {
        g_assert_cmpuint(i, <, 200);
        for (guint j = 0; fixture_stat(f, "dropped") <= i && j < 60000; j++) {
            g_usleep(1000);
        }
    }
    fixture_error(f, GST_STREAM_ERROR, GST_STREAM_ERROR_ENCODE, "as the script says");
}

TEST("/hosts/refused-for-good", test_refused_for_good)
{
    Script script = SCRIPT_DEFAULT;

    script.error_from = 0;
    script.error_to = 0;
    script.error_code = HELIX_CODE_NO_ENCODER;
    check_wrong(&script, 1, GST_STREAM_ERROR, GST_STREAM_ERROR_ENCODE, "as the script says");
}

ELEMENT_TEST("/hosts/dropped", test_dropped)
{
    script->drop_at = 0;
    fixture_set_up_64(f, script, -1);
    for (guint i = 0; i < 3; i++) {
        g_assert_cmpint(fixture_push(f), ==, GST_FLOW_OK);
    }
    /* Events of the dropped picture (the segment) go with the next. */
    fixture_pull(f, 1, TRUE);
    fixture_pull(f, 2, FALSE);
    g_assert_cmpuint(fixture_stat(f, "dropped"), ==, 1);
    g_assert_cmpuint(fixture_stat(f, "errors"), ==, 0);
}
