/* SPDX-License-Identifier: GPL-2.0-or-later */
/* script-host.c - see script-host.h. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>
#include <glib/gstdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include "../../desktop/client/bytes.h"
#include "script-host.h"

struct ScriptHost {
    Script script;
    char *dir, *path;
    int listen_fd, stop[2];
    GThread *thread;
    GMutex lock;
    GCond cond;
    GArray *frames;     /* ScriptFrame */
    GPtrArray *configs; /* GBytes */
    guint connections, pings, allowed;
    guint answered;       /* on this connection */
    gboolean idr_pending; /* for a picture that was dropped or refused, as the core does */
    gboolean quit;
};

/* An SPS of Main profile, level 3.1, and a PPS, then a slice. */
static const guint8 sets[] = { 0, 0, 0, 1, 0x67, 77, 0, 31, 0xab, 0xcd, 0, 0, 0, 1, 0x68, 0xee, 0x80 };
static const guint8 idr[] = { 0, 0, 1, 0x65, 0x88, 0x84 };
static const guint8 slice[] = { 0, 0, 0, 1, 0x41, 0x9a, 0x20 };

/* ---- socket ---- */

/* FALSE at the end of the stream and when the host is told to stop. */
static gboolean wait_readable(ScriptHost *host, int fd)
{
    struct pollfd fds[2] = { { .fd = host->stop[0], .events = POLLIN }, { .fd = fd, .events = POLLIN } };

    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    return fds[0].revents == 0;
}

/* Waits @ms; FALSE when the host is told to stop. */
static gboolean pause_for(ScriptHost *host, int ms)
{
    struct pollfd stop = { .fd = host->stop[0], .events = POLLIN };

    return poll(&stop, 1, ms) == 0;
}

#define SIP ((gsize)16 * 1024)

static gboolean read_all(ScriptHost *host, int fd, guint8 *to, gsize len)
{
    while (len) {
        gssize n;

        if (!wait_readable(host, fd) || (host->script.sips && len > SIP && !pause_for(host, 50))) {
            return FALSE;
        }
        n = recv(fd, to, host->script.sips ? MIN(len, SIP) : len, 0);
        if (n <= 0) {
            return FALSE;
        }
        to += n;
        len -= (gsize)n;
    }
    return TRUE;
}

static void send_message(int fd, guint32 magic, guint8 type, guint8 flags, guint16 session, const guint8 *payload,
                         gsize len)
{
    guint8 *message = g_malloc(HELIX_WIRE_HEADER_SIZE + len);
    gsize total = HELIX_WIRE_HEADER_SIZE + len;

    put_u32(message, magic);
    message[HELIX_WIRE_HEADER_TYPE] = type;
    message[HELIX_WIRE_HEADER_FLAGS] = flags;
    message[HELIX_WIRE_HEADER_SESSION] = (guint8)session;
    message[HELIX_WIRE_HEADER_SESSION + 1] = (guint8)(session >> 8);
    put_u32(message + HELIX_WIRE_HEADER_PAYLOAD, (guint32)len);
    if (len) {
        memcpy(message + HELIX_WIRE_HEADER_SIZE, payload, len);
    }
    for (gsize at = 0; at < total;) {
        gssize n = send(fd, message + at, total - at, MSG_NOSIGNAL);

        if (n <= 0) {
            break; /* the element has gone: the next read says so */
        }
        at += (gsize)n;
    }
    g_free(message);
}

/* ---- answers ---- */

/* The header of an answer of 1 MiB, and then a byte at a time. */
static void drip(ScriptHost *host, int fd, guint16 session)
{
    guint8 header[HELIX_WIRE_HEADER_SIZE] = { 0 };

    put_u32(header, HELIX_WIRE_MAGIC);
    header[HELIX_WIRE_HEADER_TYPE] = HELIX_MSG_FRAME_RESPONSE;
    header[HELIX_WIRE_HEADER_SESSION] = (guint8)session;
    put_u32(header + HELIX_WIRE_HEADER_PAYLOAD, 1u << 20);
    for (gssize n = send(fd, header, sizeof(header), MSG_NOSIGNAL); n > 0 && pause_for(host, 50);) {
        n = send(fd, "", 1, MSG_NOSIGNAL);
    }
}

static void send_error(int fd, guint16 session, guint8 about, gint32 code, const char *text)
{
    guint8 payload[HELIX_ERROR_SIZE] = { 0 };

    put_u32(payload + HELIX_ERROR_CODE, (guint32)code);
    g_strlcpy((char *)payload + HELIX_ERROR_MESSAGE, text, HELIX_ERROR_MESSAGE_SIZE);
    send_message(fd, HELIX_WIRE_MAGIC, HELIX_MSG_ERROR, about, session, payload, sizeof(payload));
}

static void answer_config(ScriptHost *host, int fd, guint16 session, guint8 flags, const guint8 *config, gsize len)
{
    guint8 payload[HELIX_CONFIG_RESP_VUI_SIZE] = { 0 };
    gboolean vui = len == HELIX_CONFIG_VUI_SIZE;

    g_assert_true(len == HELIX_CONFIG_SIZE ||
                  (host->script.capabilities & (vui ? HELIX_CAP_VUI : HELIX_CAP_LONG_CONFIG)));

    if ((gint)host->configs->len - 1 == host->script.refuse_config_at) {
        send_error(fd, session, HELIX_MSG_CONFIG_REQ,
                   host->script.refuse_config_code ? host->script.refuse_config_code : HELIX_CODE_NO_ENCODER,
                   "no encoder left");
        return;
    }
    g_usleep(host->script.config_delay_ms * 1000ul);
    if (host->script.frozen_only || !(flags & HELIX_CONFIG_ANSWER)) {
        return;
    }
    memcpy(payload, config, MIN(len, HELIX_CONFIG_LONG_SIZE));
    put_u32(payload + HELIX_CONFIG_WIDTH, (get_u32(config + HELIX_CONFIG_WIDTH) + 1) & ~1u);
    put_u32(payload + HELIX_CONFIG_HEIGHT, (get_u32(config + HELIX_CONFIG_HEIGHT) + 1) & ~1u);
    if (host->script.bitrate_in_force) {
        put_u32(payload + HELIX_CONFIG_BITRATE, host->script.bitrate_in_force);
    }
    put_u32(payload + HELIX_CONFIG_RESP_IN_FLIGHT, host->script.max_in_flight);
    put_u32(payload + HELIX_CONFIG_RESP_CAPS, host->script.capabilities);
    g_strlcpy((char *)payload + HELIX_CONFIG_RESP_ENCODER, "scripted", HELIX_CONFIG_RESP_ENCODER_SIZE);
    if (vui) {
        memcpy(payload + HELIX_CONFIG_RESP_VUI, config + HELIX_CONFIG_LONG_SIZE,
               HELIX_CONFIG_VUI_SIZE - HELIX_CONFIG_LONG_SIZE);
        if (host->script.vui_in_force) {
            memset(payload + HELIX_CONFIG_RESP_VUI, host->script.vui_in_force,
                   HELIX_CONFIG_VUI_SIZE - HELIX_CONFIG_LONG_SIZE);
        }
    }
    send_message(fd, host->script.bad_magic ? 0x12345678 : HELIX_WIRE_MAGIC, HELIX_MSG_CONFIG_RESP, 0, session, payload,
                 vui ? HELIX_CONFIG_RESP_VUI_SIZE : HELIX_CONFIG_RESP_SIZE);
}

static void send_unit(ScriptHost *host, int fd, guint16 session, const ScriptFrame *frame, gint index)
{
    gboolean keyframe = host->answered == 0 || host->idr_pending || frame->force_keyframe;
    gboolean dropped = index == host->script.drop_at;
    gboolean timing = (frame->flags & HELIX_REQUEST_TIMING) != 0;
    GByteArray *payload = g_byte_array_new();
    guint8 head[HELIX_RESPONSE_SIZE] = { 0 }, size[4], times[HELIX_TIMING_SIZE];

    host->idr_pending = keyframe && dropped;
    put_u64(head + HELIX_RESPONSE_PTS, (guint64)frame->pts + (index == host->script.wrong_pts_at ? 12345 : 0));
    put_u64(head + HELIX_RESPONSE_DTS, (guint64)frame->pts);
    head[HELIX_RESPONSE_IS_KEYFRAME] = keyframe && !dropped;
    put_u32(head + HELIX_RESPONSE_NAL_COUNT, dropped ? 0 : index == host->script.truncated_at ? 7 : 1);
    g_byte_array_append(payload, head, sizeof(head));
    if (!dropped) {
        put_u32(size, (guint32)(keyframe ? sizeof(sets) + sizeof(idr) : sizeof(slice)));
        g_byte_array_append(payload, size, sizeof(size));
        if (keyframe) {
            g_byte_array_append(payload, sets, sizeof(sets));
        }
        g_byte_array_append(payload, keyframe ? idr : slice, keyframe ? sizeof(idr) : sizeof(slice));
        host->answered++;
    }
    if (timing) {
        for (guint i = 0; i < 4; i++) {
            put_u64(times + 8 * i, 1000000u * (i + 1));
        }
        g_byte_array_append(payload, times, sizeof(times));
    }
    send_message(fd, HELIX_WIRE_MAGIC, HELIX_MSG_FRAME_RESPONSE,
                 (guint8)((timing ? HELIX_RESPONSE_TIMING : 0) | (dropped ? HELIX_RESPONSE_DROPPED : 0)), session,
                 payload->data, payload->len);
    g_byte_array_unref(payload);
}

/* FALSE when told to stop meanwhile. */
static gboolean wait_allowed(ScriptHost *host)
{
    gboolean go;

    g_mutex_lock(&host->lock);
    while (host->script.hold && host->allowed == 0 && !host->quit) {
        g_cond_wait(&host->cond, &host->lock);
    }
    if (host->allowed) {
        host->allowed--;
    }
    go = !host->quit;
    g_mutex_unlock(&host->lock);
    return go;
}

static gboolean has_faults(const ScriptHost *host)
{
    return !host->script.once || host->connections == 1;
}

static gboolean is_silent(const ScriptHost *host, gint index)
{
    return host->script.silent_from >= 0 && index >= host->script.silent_from && has_faults(host);
}

static gboolean answer_frame(ScriptHost *host, int fd, guint16 session, const ScriptFrame *frame, gint index)
{
    gboolean repeat = (frame->flags & HELIX_REQUEST_REPEAT) != 0;
    const Script *script = &host->script;

    if (is_silent(host, index)) {
        return TRUE;
    }
    if (script->ignore_from >= 0 && index >= script->ignore_from) {
        return TRUE;
    }
    if (index == script->drip_at) {
        drip(host, fd, session);
        return FALSE;
    }
    if (index == script->close_at && has_faults(host)) {
        return FALSE;
    }
    if (frame->flags & HELIX_REQUEST_RELEASE) {
        guint8 released[HELIX_RELEASED_SIZE] = { 0 };

        put_u64(released + HELIX_RELEASED_PTS, (guint64)frame->pts);
        put_u32(released + HELIX_RELEASED_RESOURCE_ID, frame->resource_id);
        send_message(fd, HELIX_WIRE_MAGIC, HELIX_MSG_FRAME_RELEASED, 0, session, released, sizeof(released));
    }
    g_usleep(script->delay_ms * 1000ul);
    if (!wait_allowed(host)) {
        return FALSE;
    }
    if (script->error_from >= 0 && index >= script->error_from && index <= script->error_to) {
        host->idr_pending |= frame->force_keyframe && !script->frozen_only;
        send_error(fd, session, script->frozen_only ? 0 : HELIX_MSG_FRAME_REQUEST,
                   repeat && script->repeat_error_code ? script->repeat_error_code : script->error_code,
                   "as the script says");
    } else {
        send_unit(host, fd, session, frame, index);
    }
    return TRUE;
}

/* ---- messages ---- */

static gint note_frame(ScriptHost *host, guint8 flags, const guint8 *p, guint32 len, ScriptFrame *frame)
{
    gint index;

    g_assert_cmpuint(len, >=, HELIX_REQUEST_SIZE);
    *frame = (ScriptFrame){
        .flags = flags,
        .payload_size = len,
        .resource_id = get_u32(p + HELIX_REQUEST_RESOURCE_ID),
        .width = get_u32(p + HELIX_REQUEST_WIDTH),
        .height = get_u32(p + HELIX_REQUEST_HEIGHT),
        .fourcc = get_u32(p + HELIX_REQUEST_FORMAT),
        .stride = get_u32(p + HELIX_REQUEST_STRIDE),
        .pts = (gint64)get_u64(p + HELIX_REQUEST_PTS),
        .force_keyframe = p[HELIX_REQUEST_FORCE_KEY],
    };
    if ((flags & HELIX_REQUEST_PIXEL_DATA) && frame->fourcc == HELIX_FORMAT_NV12) {
        const guint8 *chroma = p + HELIX_REQUEST_SIZE + (gsize)frame->stride * ((frame->height + 1) & ~1u);

        frame->luma = p[HELIX_REQUEST_SIZE];
        frame->cb = chroma[0];
        frame->cr = chroma[1];
    }
    if (flags & HELIX_REQUEST_EXT) {
        p += HELIX_REQUEST_SIZE;
        g_assert_cmpuint(len, >=, HELIX_REQUEST_SIZE + HELIX_EXT_SIZE);
        frame->crop_x = get_u32(p + HELIX_EXT_CROP_X);
        frame->crop_y = get_u32(p + HELIX_EXT_CROP_Y);
        frame->res_width = get_u32(p + HELIX_EXT_RES_WIDTH);
        frame->res_height = get_u32(p + HELIX_EXT_RES_HEIGHT);
    }
    g_mutex_lock(&host->lock);
    g_array_append_val(host->frames, *frame);
    index = (gint)host->frames->len - 1;
    g_cond_broadcast(&host->cond);
    g_mutex_unlock(&host->lock);
    return index;
}

static gboolean handle(ScriptHost *host, int fd, const guint8 *header, const guint8 *payload, guint32 len)
{
    guint8 flags = header[HELIX_WIRE_HEADER_FLAGS];
    guint16 session = (guint16)(header[HELIX_WIRE_HEADER_SESSION] | header[HELIX_WIRE_HEADER_SESSION + 1] << 8);
    gboolean silent;
    ScriptFrame frame;
    gint index;

    switch (header[HELIX_WIRE_HEADER_TYPE]) {
    case HELIX_MSG_CONFIG_REQ:
        g_mutex_lock(&host->lock);
        g_ptr_array_add(host->configs, g_bytes_new(payload, len));
        silent = is_silent(host, (gint)host->frames->len - 1);
        g_cond_broadcast(&host->cond);
        g_mutex_unlock(&host->lock);
        if (!silent) {
            answer_config(host, fd, session, flags, payload, len);
        }
        break;
    case HELIX_MSG_PING:
        g_mutex_lock(&host->lock);
        host->pings++;
        silent = is_silent(host, (gint)host->frames->len - 1);
        g_mutex_unlock(&host->lock);
        if (!silent) {
            send_message(fd, HELIX_WIRE_MAGIC, HELIX_MSG_PONG, 0, session, payload, len);
        }
        break;
    case HELIX_MSG_FRAME_REQUEST:
        index = note_frame(host, flags, payload, len, &frame);
        return answer_frame(host, fd, session, &frame, index);
    default:
        break;
    }
    return TRUE;
}

static gboolean serve_message(ScriptHost *host, int fd)
{
    guint8 header[HELIX_WIRE_HEADER_SIZE];
    guint8 *payload;
    guint32 len;
    gboolean go_on;

    if (!read_all(host, fd, header, sizeof(header))) {
        return FALSE;
    }
    g_assert_cmphex(get_u32(header), ==, HELIX_WIRE_MAGIC);
    len = get_u32(header + HELIX_WIRE_HEADER_PAYLOAD);
    payload = g_malloc(len + 1);
    go_on = read_all(host, fd, payload, len) && (host->script.mute || handle(host, fd, header, payload, len));
    g_free(payload);
    return go_on;
}

static gpointer host_thread(gpointer data)
{
    ScriptHost *host = data;

    while (wait_readable(host, host->listen_fd)) {
        int fd = accept(host->listen_fd, NULL, NULL);

        g_assert_cmpint(fd, >=, 0);
        g_mutex_lock(&host->lock);
        host->connections++;
        g_cond_broadcast(&host->cond);
        g_mutex_unlock(&host->lock);
        host->answered = 0;
        host->idr_pending = FALSE;
        while (!host->script.flaps && serve_message(host, fd)) {
            if (host->script.unread && host->configs->len && host->pings) {
                char byte;

                /* Until told to stop. */
                if (read(host->stop[0], &byte, 1) < 0) {
                    g_error("read: %s", g_strerror(errno));
                }
                close(fd);
                return NULL;
            }
        }
        close(fd);
    }
    return NULL;
}

/* ---- public ---- */

ScriptHost *script_host_new(const Script *script)
{
    ScriptHost *host = g_new0(ScriptHost, 1);
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    host->script = *script;
    host->frames = g_array_new(FALSE, FALSE, sizeof(ScriptFrame));
    host->configs = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    host->dir = g_dir_make_tmp("vsockenc-XXXXXX", NULL);
    host->path = g_build_filename(host->dir, "host", NULL);
    g_strlcpy(address.sun_path, host->path, sizeof(address.sun_path));
    host->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    g_assert_cmpint(bind(host->listen_fd, (struct sockaddr *)&address, sizeof(address)), ==, 0);
    g_assert_cmpint(listen(host->listen_fd, 4), ==, 0);
    g_assert_cmpint(pipe(host->stop), ==, 0);
    g_mutex_init(&host->lock);
    g_cond_init(&host->cond);
    host->thread = g_thread_new("script-host", host_thread, host);
    return host;
}

void script_host_free(ScriptHost *host)
{
    g_mutex_lock(&host->lock);
    host->quit = TRUE;
    g_cond_broadcast(&host->cond);
    g_mutex_unlock(&host->lock);
    g_assert_cmpint(write(host->stop[1], "x", 1), ==, 1);
    g_thread_join(host->thread);
    close(host->stop[0]);
    close(host->stop[1]);
    close(host->listen_fd);
    g_unlink(host->path);
    g_rmdir(host->dir);
    g_array_unref(host->frames);
    g_ptr_array_unref(host->configs);
    g_cond_clear(&host->cond);
    g_mutex_clear(&host->lock);
    g_free(host->path);
    g_free(host->dir);
    g_free(host);
}

const char *script_host_path(ScriptHost *host)
{
    return host->path;
}

void script_host_allow(ScriptHost *host, guint n)
{
    g_mutex_lock(&host->lock);
    host->allowed += n;
    g_cond_broadcast(&host->cond);
    g_mutex_unlock(&host->lock);
}

guint script_host_frames(ScriptHost *host)
{
    guint n;

    g_mutex_lock(&host->lock);
    n = host->frames->len;
    g_mutex_unlock(&host->lock);
    return n;
}

ScriptFrame script_host_frame(ScriptHost *host, guint index)
{
    ScriptFrame frame;

    g_mutex_lock(&host->lock);
    g_assert_cmpuint(index, <, host->frames->len);
    frame = g_array_index(host->frames, ScriptFrame, index);
    g_mutex_unlock(&host->lock);
    return frame;
}

gboolean script_host_wait_frames(ScriptHost *host, guint n)
{
    gint64 end = g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
    gboolean there = TRUE;

    g_mutex_lock(&host->lock);
    while (host->frames->len < n && there) {
        there = g_cond_wait_until(&host->cond, &host->lock, end);
    }
    there = host->frames->len >= n;
    g_mutex_unlock(&host->lock);
    return there;
}

static guint read_locked(ScriptHost *host, const guint *counter)
{
    guint n;

    g_mutex_lock(&host->lock);
    n = *counter;
    g_mutex_unlock(&host->lock);
    return n;
}

guint script_host_connections(ScriptHost *host)
{
    return read_locked(host, &host->connections);
}

guint script_host_pings(ScriptHost *host)
{
    return read_locked(host, &host->pings);
}

guint script_host_configs(ScriptHost *host)
{
    return read_locked(host, &host->configs->len);
}

const guint8 *script_host_config(ScriptHost *host, guint index, gsize *size)
{
    const guint8 *data;

    g_mutex_lock(&host->lock);
    g_assert_cmpuint(index, <, host->configs->len);
    data = g_bytes_get_data(g_ptr_array_index(host->configs, index), size);
    g_mutex_unlock(&host->lock);
    return data;
}
