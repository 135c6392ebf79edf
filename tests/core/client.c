/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client.c - a guest's end of the protocol, for tests. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client.h"

/* macOS has it as an option of the socket; the tests there live with the signal. */
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0
#endif
#include "protocol/bytes.h"

Client *client_new(int fd)
{
    Client *client = g_new0(Client, 1);

    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    client->fd = fd;
    client->timeout_ms = CLIENT_TIMEOUT_MS;
    return client;
}

Client *client_connect(const char *unix_path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    g_strlcpy(address.sun_path, unix_path, sizeof address.sun_path);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof address) < 0) {
        int saved = errno;

        if (fd >= 0) {
            close(fd);
        }
        errno = saved;
        return NULL;
    }
    return client_new(fd);
}

void client_free(Client *client)
{
    if (client) {
        close(client->fd);
        g_free(client);
    }
}

void client_shutdown_write(Client *client)
{
    shutdown(client->fd, SHUT_WR);
}

/* Returns FALSE when @deadline (us) passed. */
static gboolean wait_for(Client *client, short events, gint64 deadline)
{
    struct pollfd pfd = { .fd = client->fd, .events = events };
    gint64 left = deadline - g_get_monotonic_time();

    return left > 0 && poll(&pfd, 1, (int)(left / 1000) + 1) != 0;
}

gboolean client_send_bytes(Client *client, const void *bytes, gsize len)
{
    gint64 deadline = g_get_monotonic_time() + client->timeout_ms * 1000ll;
    const guint8 *at = bytes;

    while (len > 0) {
        ssize_t sent = send(client->fd, at, len, MSG_NOSIGNAL);

        if (sent >= 0) {
            at += sent;
            len -= (gsize)sent;
        } else if (errno != EAGAIN || !wait_for(client, POLLOUT, deadline)) {
            return FALSE;
        }
    }
    return TRUE;
}

static GByteArray *message_begin(guint8 type, guint8 flags, guint16 session, gsize payload_size)
{
    GByteArray *bytes = g_byte_array_new();
    guint8 header[HELIX_WIRE_HEADER_SIZE];

    helix_put_u32(header + HELIX_WIRE_HEADER_MAGIC, HELIX_WIRE_MAGIC);
    header[HELIX_WIRE_HEADER_TYPE] = type;
    header[HELIX_WIRE_HEADER_FLAGS] = flags;
    helix_put_u16(header + HELIX_WIRE_HEADER_SESSION, session);
    helix_put_u32(header + HELIX_WIRE_HEADER_PAYLOAD, (guint32)payload_size);
    return g_byte_array_append(bytes, header, sizeof header);
}

gboolean client_send(Client *client, guint8 type, guint8 flags, guint16 session, const void *payload, gsize size)
{
    g_autoptr(GByteArray) bytes = message_begin(type, flags, session, size);

    if (size) {
        g_byte_array_append(bytes, payload, (guint)size);
    }
    return client_send_bytes(client, bytes->data, bytes->len);
}

static gboolean receive_bytes(Client *client, guint8 *to, gsize len, gint64 deadline)
{
    while (len > 0) {
        ssize_t got = recv(client->fd, to, len, 0);

        if (got > 0) {
            to += got;
            len -= (gsize)got;
        } else if (got == 0 || errno != EAGAIN) {
            client->eof = TRUE;
            return FALSE;
        } else if (!wait_for(client, POLLIN, deadline)) {
            client->timed_out = TRUE;
            return FALSE;
        }
    }
    return TRUE;
}

Message *client_receive(Client *client)
{
    gint64 deadline = g_get_monotonic_time() + client->timeout_ms * 1000ll;
    guint8 header[HELIX_WIRE_HEADER_SIZE];
    Message *message;

    client->timed_out = FALSE;
    if (!receive_bytes(client, header, sizeof header, deadline)) {
        return NULL;
    }
    g_assert_cmphex(helix_get_u32(header + HELIX_WIRE_HEADER_MAGIC), ==, HELIX_WIRE_MAGIC);
    message = g_new0(Message, 1);
    message->type = header[HELIX_WIRE_HEADER_TYPE];
    message->flags = header[HELIX_WIRE_HEADER_FLAGS];
    message->session = helix_get_u16(header + HELIX_WIRE_HEADER_SESSION);
    message->size = helix_get_u32(header + HELIX_WIRE_HEADER_PAYLOAD);
    g_assert_cmpuint(message->size, <=, HELIX_MAX_RESPONSE_PAYLOAD);
    message->payload = g_malloc0(message->size + 1);
    if (!receive_bytes(client, message->payload, message->size, deadline)) {
        message_free(message);
        return NULL;
    }
    return message;
}

void message_free(Message *message)
{
    if (message) {
        g_free(message->payload);
        g_free(message);
    }
}

GByteArray *client_frame_bytes(const FrameRequest *request)
{
    gsize ext_size = request->flags & HELIX_REQUEST_EXT ? request->ext_size : 0;
    gsize pixels_size = request->flags & HELIX_REQUEST_PIXEL_DATA ? request->pixels_size : 0;
    guint32 width = request->width ? request->width : 64;
    guint8 payload[HELIX_REQUEST_SIZE] = { 0 };
    GByteArray *bytes = message_begin(HELIX_MSG_FRAME_REQUEST, request->flags, request->session,
                                      sizeof payload + ext_size + pixels_size);

    helix_put_u32(payload + HELIX_REQUEST_RESOURCE_ID, request->resource);
    helix_put_u32(payload + HELIX_REQUEST_WIDTH, width);
    helix_put_u32(payload + HELIX_REQUEST_HEIGHT, request->height ? request->height : 48);
    helix_put_u32(payload + HELIX_REQUEST_FORMAT, request->fourcc ? request->fourcc : HELIX_FORMAT_XR24);
    helix_put_u32(payload + HELIX_REQUEST_STRIDE, request->stride ? request->stride : width * 4);
    helix_put_u64(payload + HELIX_REQUEST_PTS, (guint64)request->pts);
    helix_put_u64(payload + HELIX_REQUEST_DURATION, (guint64)request->duration);
    payload[HELIX_REQUEST_FORCE_KEY] = request->force_key;
    g_byte_array_append(bytes, payload, sizeof payload);
    if (ext_size) {
        g_byte_array_append(bytes, request->ext, (guint)ext_size);
    }
    return bytes;
}

gboolean client_frame(Client *client, const FrameRequest *request)
{
    g_autoptr(GByteArray) bytes = client_frame_bytes(request);

    return client_send_bytes(client, bytes->data, bytes->len) &&
        (!(request->flags & HELIX_REQUEST_PIXEL_DATA) ||
         client_send_bytes(client, request->pixels, request->pixels_size));
}

gboolean client_snapshot(Client *client, const FrameRequest *request, guint32 number)
{
    g_autoptr(GByteArray) bytes = client_frame_bytes(request);

    bytes->data[HELIX_WIRE_HEADER_TYPE] = HELIX_MSG_SNAPSHOT;
    helix_put_u32(bytes->data + HELIX_WIRE_HEADER_SIZE + HELIX_SNAPSHOT_NUMBER, number);
    return client_send_bytes(client, bytes->data, bytes->len);
}

gboolean client_snapshot_drop(Client *client, guint16 session, guint32 number)
{
    guint8 payload[HELIX_SNAPSHOT_DROP_SIZE];

    helix_put_u32(payload, number);
    return client_send(client, HELIX_MSG_SNAPSHOT_DROP, 0, session, payload, sizeof payload);
}

gboolean client_resource(Client *client, guint16 session, guint32 resource, gint64 pts)
{
    return client_frame(client, &(FrameRequest){ .session = session, .resource = resource, .pts = pts });
}

gboolean client_keyframe(Client *client, guint16 session)
{
    return client_send(client, HELIX_MSG_KEYFRAME_REQ, 0, session, NULL, 0);
}

gboolean client_session_close(Client *client, guint16 session)
{
    return client_send(client, HELIX_MSG_SESSION_CLOSE, 0, session, NULL, 0);
}

gboolean client_ping(Client *client, guint16 session, const void *payload, gsize size)
{
    return client_send(client, HELIX_MSG_PING, 0, session, payload, size);
}

gboolean client_config(Client *client, const ConfigRequest *request)
{
    guint8 payload[HELIX_CONFIG_VUI_SIZE] = { 0 };

    helix_put_u32(payload + HELIX_CONFIG_WIDTH, request->width);
    helix_put_u32(payload + HELIX_CONFIG_HEIGHT, request->height);
    helix_put_u32(payload + HELIX_CONFIG_BITRATE, request->bitrate);
    helix_put_u32(payload + HELIX_CONFIG_FPS_NUM, request->fps_num);
    helix_put_u32(payload + HELIX_CONFIG_FPS_DEN, request->fps_den);
    payload[HELIX_CONFIG_PROFILE] = request->profile;
    payload[HELIX_CONFIG_LEVEL] = request->level;
    payload[HELIX_CONFIG_REALTIME] = request->realtime;
    payload[HELIX_CONFIG_CODEC] = request->codec;
    helix_put_u32(payload + HELIX_CONFIG_MAX_BITRATE, request->max_bitrate);
    helix_put_u32(payload + HELIX_CONFIG_KEY_INT_MAX, request->key_int_max);
    payload[HELIX_CONFIG_RATE_CONTROL] = request->rate_control;
    payload[HELIX_CONFIG_MIN_QP] = request->min_qp;
    payload[HELIX_CONFIG_MAX_QP] = request->max_qp;
    payload[HELIX_CONFIG_SLICES] = request->slices;
    payload[HELIX_CONFIG_AUD] = request->aud;
    helix_put_u16(payload + HELIX_CONFIG_SAR_WIDTH, request->sar_width);
    helix_put_u16(payload + HELIX_CONFIG_SAR_HEIGHT, request->sar_height);
    payload[HELIX_CONFIG_PRIMARIES] = request->primaries;
    payload[HELIX_CONFIG_TRANSFER] = request->transfer;
    payload[HELIX_CONFIG_MATRIX] = request->matrix;
    payload[HELIX_CONFIG_FULL_RANGE] = request->full_range;
    payload[HELIX_CONFIG_CHROMA_LOC] = request->chroma_loc;
    return client_send(client, HELIX_MSG_CONFIG_REQ, request->flags, request->session, payload,
                       request->has_vui       ? HELIX_CONFIG_VUI_SIZE
                           : request->is_long ? HELIX_CONFIG_LONG_SIZE
                                              : HELIX_CONFIG_SIZE);
}

gint64 message_pts(const Message *message)
{
    g_assert_cmpuint(message->size, >=, 8);
    return (gint64)helix_get_u64(message->payload);
}

gboolean message_is_keyframe(const Message *message)
{
    return message->type == HELIX_MSG_FRAME_RESPONSE && message->payload[HELIX_RESPONSE_IS_KEYFRAME];
}

const guint8 *message_unit(const Message *message, gsize *size)
{
    gsize timing = message->flags & HELIX_RESPONSE_TIMING ? HELIX_TIMING_SIZE : 0;

    if (message->type != HELIX_MSG_FRAME_RESPONSE || message->size < HELIX_RESPONSE_SIZE + 4 + timing ||
        helix_get_u32(message->payload + HELIX_RESPONSE_NAL_COUNT) != 1) {
        return NULL;
    }
    *size = helix_get_u32(message->payload + HELIX_RESPONSE_SIZE);
    return HELIX_RESPONSE_SIZE + 4 + *size + timing == message->size ? message->payload + HELIX_RESPONSE_SIZE + 4
                                                                     : NULL;
}

int message_error_code(const Message *message)
{
    g_assert_cmphex(message->type, ==, HELIX_MSG_ERROR);
    g_assert_cmpuint(message->size, ==, HELIX_ERROR_SIZE);
    g_assert_nonnull(memchr(message->payload + HELIX_ERROR_MESSAGE, 0, HELIX_ERROR_MESSAGE_SIZE));
    return (int)helix_get_u32(message->payload + HELIX_ERROR_CODE);
}

const char *message_error_text(const Message *message)
{
    return (const char *)message->payload + HELIX_ERROR_MESSAGE;
}

char *unit_nal_types(const guint8 *unit, gsize size)
{
    GString *types = g_string_new(NULL);

    for (gsize i = 0; i + 3 < size; i++) {
        if (unit[i] == 0 && unit[i + 1] == 0 && unit[i + 2] == 1) {
            g_string_append_printf(types, "%s%d", types->len ? " " : "", unit[i + 3] & 0x1f);
        }
    }
    return g_string_free(types, FALSE);
}
