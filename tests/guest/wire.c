/* SPDX-License-Identifier: GPL-2.0-or-later */
/* wire.c - see wire.h. Blocking writes, reads with a time limit. */
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

static void put16(uint8_t *bytes, uint16_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

static void put32(uint8_t *bytes, uint32_t value)
{
    put16(bytes, (uint16_t)value);
    put16(bytes + 2, (uint16_t)(value >> 16));
}

static void put64(uint8_t *bytes, uint64_t value)
{
    put32(bytes, (uint32_t)value);
    put32(bytes + 4, (uint32_t)(value >> 32));
}

uint32_t wire_get32(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

int64_t wire_get64(const uint8_t *bytes)
{
    return (int64_t)(wire_get32(bytes) | (uint64_t)wire_get32(bytes + 4) << 32);
}

/* ---- connection ---- */

static int open_vsock(unsigned cid, unsigned port)
{
    struct sockaddr_vm address = { .svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port };
    int fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int open_unix(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

int wire_open(Wire *wire, const char *address)
{
    unsigned cid, port;

    wire->fd = -1;
    if (sscanf(address, "vsock:%u:%u", &cid, &port) == 2) {
        wire->fd = open_vsock(cid, port);
    } else if (strncmp(address, "unix:", 5) == 0) {
        wire->fd = open_unix(address + 5);
    } else {
        fprintf(stderr, "address \"%s\" is neither vsock:CID:PORT nor unix:PATH\n", address);
        return -1;
    }
    if (wire->fd < 0) {
        fprintf(stderr, "cannot connect to %s: %s\n", address, strerror(errno));
        return -1;
    }
    return 0;
}

void wire_close(Wire *wire)
{
    if (wire->fd >= 0) {
        close(wire->fd);
    }
    wire->fd = -1;
}

static int write_all(Wire *wire, const uint8_t *data, size_t size)
{
    while (size) {
        ssize_t n = send(wire->fd, data, size, MSG_NOSIGNAL);

        if (n < 0 && errno != EINTR) {
            fprintf(stderr, "sending failed: %s\n", strerror(errno));
            return -1;
        }
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int read_all(Wire *wire, uint8_t *data, size_t size, int64_t deadline)
{
    while (size) {
        struct pollfd poll_fd = { .fd = wire->fd, .events = POLLIN };
        int64_t left = deadline - now_ms();
        ssize_t n;

        if (left <= 0 || poll(&poll_fd, 1, (int)left) == 0) {
            fprintf(stderr, "no message from the host in time\n");
            return -1;
        }
        n = recv(wire->fd, data, size, 0);
        if (n == 0) {
            fprintf(stderr, "the host closed the connection\n");
            return -1;
        }
        if (n < 0 && errno != EINTR && errno != EAGAIN) {
            fprintf(stderr, "receiving failed: %s\n", strerror(errno));
            return -1;
        }
        if (n > 0) {
            data += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

/* ---- messages ---- */

static void put_header(uint8_t *bytes, uint8_t type, uint8_t flags, uint16_t session, uint32_t payload_size)
{
    put32(bytes + HELIX_WIRE_HEADER_MAGIC, HELIX_WIRE_MAGIC);
    bytes[HELIX_WIRE_HEADER_TYPE] = type;
    bytes[HELIX_WIRE_HEADER_FLAGS] = flags;
    put16(bytes + HELIX_WIRE_HEADER_SESSION, session);
    put32(bytes + HELIX_WIRE_HEADER_PAYLOAD, payload_size);
}

int wire_send_empty(Wire *wire, uint8_t type, uint16_t session)
{
    uint8_t bytes[HELIX_WIRE_HEADER_SIZE];

    put_header(bytes, type, 0, session, 0);
    return write_all(wire, bytes, sizeof(bytes));
}

int wire_send_config(Wire *wire, uint16_t session, uint8_t flags, const WireConfig *config)
{
    uint8_t bytes[HELIX_WIRE_HEADER_SIZE + HELIX_CONFIG_SIZE] = { 0 };
    uint8_t *payload = bytes + HELIX_WIRE_HEADER_SIZE;

    put_header(bytes, HELIX_MSG_CONFIG_REQ, flags, session, HELIX_CONFIG_SIZE);
    put32(payload + HELIX_CONFIG_WIDTH, config->width);
    put32(payload + HELIX_CONFIG_HEIGHT, config->height);
    put32(payload + HELIX_CONFIG_BITRATE, config->bitrate);
    put32(payload + HELIX_CONFIG_FPS_NUM, config->fps_num);
    put32(payload + HELIX_CONFIG_FPS_DEN, config->fps_den);
    payload[HELIX_CONFIG_PROFILE] = config->profile;
    payload[HELIX_CONFIG_REALTIME] = 1;
    return write_all(wire, bytes, sizeof(bytes));
}

static void put_ext(uint8_t *ext, const WireRequest *request)
{
    put16(ext + HELIX_EXT_BLOCK_SIZE, HELIX_EXT_SIZE);
    ext[HELIX_EXT_SOURCE] = request->source;
    ext[HELIX_EXT_PLANES] = request->planes;
    put32(ext + HELIX_EXT_CROP_X, request->crop_x);
    put32(ext + HELIX_EXT_CROP_Y, request->crop_y);
    put32(ext + HELIX_EXT_RES_WIDTH, request->res_width);
    put32(ext + HELIX_EXT_RES_HEIGHT, request->res_height);
    for (unsigned i = 0; i < 3; i++) {
        put32(ext + HELIX_EXT_OFFSET + 4 * i, request->offset[i]);
        put32(ext + HELIX_EXT_STRIDE + 4 * i, request->stride_of[i]);
    }
    put64(ext + HELIX_EXT_MODIFIER, request->modifier);
}

#define REQUEST_MAX (HELIX_WIRE_HEADER_SIZE + HELIX_REQUEST_SIZE + HELIX_EXT_SIZE)

/* A FRAME_REQUEST up to its pixels; the bytes written. @bytes is zeroed. */
static size_t put_request(uint8_t bytes[REQUEST_MAX], const WireRequest *request)
{
    uint8_t *payload = bytes + HELIX_WIRE_HEADER_SIZE;
    size_t size = HELIX_REQUEST_SIZE;
    bool pixels = request->flags & HELIX_REQUEST_PIXEL_DATA;

    put32(payload + HELIX_REQUEST_RESOURCE_ID, request->resource_id);
    put32(payload + HELIX_REQUEST_WIDTH, request->width);
    put32(payload + HELIX_REQUEST_HEIGHT, request->height);
    put32(payload + HELIX_REQUEST_FORMAT, request->fourcc);
    put32(payload + HELIX_REQUEST_STRIDE, request->stride);
    put64(payload + HELIX_REQUEST_PTS, (uint64_t)request->pts);
    put64(payload + HELIX_REQUEST_DURATION, (uint64_t)request->duration);
    payload[HELIX_REQUEST_FORCE_KEY] = request->force_key;
    if (request->flags & HELIX_REQUEST_EXT) {
        put_ext(payload + size, request);
        size += HELIX_EXT_SIZE;
    }
    put_header(bytes, HELIX_MSG_FRAME_REQUEST, request->flags, request->session,
               (uint32_t)(size + (pixels ? request->pixel_size : 0)));
    return HELIX_WIRE_HEADER_SIZE + size;
}

int wire_send_request(Wire *wire, const WireRequest *request)
{
    uint8_t bytes[REQUEST_MAX] = { 0 };

    if (write_all(wire, bytes, put_request(bytes, request)) < 0) {
        return -1;
    }
    return request->flags & HELIX_REQUEST_PIXEL_DATA ? write_all(wire, request->pixels, request->pixel_size) : 0;
}

int wire_send_snapshot(Wire *wire, const WireRequest *request, uint32_t number)
{
    uint8_t bytes[REQUEST_MAX] = { 0 };
    size_t size = put_request(bytes, request);

    bytes[HELIX_WIRE_HEADER_TYPE] = HELIX_MSG_SNAPSHOT;
    put32(bytes + HELIX_WIRE_HEADER_SIZE + HELIX_SNAPSHOT_NUMBER, number);
    return write_all(wire, bytes, size);
}

int wire_send_snapshot_drop(Wire *wire, uint16_t session, uint32_t number)
{
    uint8_t bytes[HELIX_WIRE_HEADER_SIZE + HELIX_SNAPSHOT_DROP_SIZE];

    put_header(bytes, HELIX_MSG_SNAPSHOT_DROP, 0, session, HELIX_SNAPSHOT_DROP_SIZE);
    put32(bytes + HELIX_WIRE_HEADER_SIZE, number);
    return write_all(wire, bytes, sizeof(bytes));
}

int wire_receive(Wire *wire, WireMessage *message, int timeout_ms)
{
    int64_t deadline = now_ms() + timeout_ms;
    uint8_t header[HELIX_WIRE_HEADER_SIZE];

    memset(message, 0, sizeof(*message));
    if (read_all(wire, header, sizeof(header), deadline) < 0) {
        return -1;
    }
    if (wire_get32(header + HELIX_WIRE_HEADER_MAGIC) != HELIX_WIRE_MAGIC) {
        fprintf(stderr, "the host's message begins with a wrong magic\n");
        return -1;
    }
    message->type = header[HELIX_WIRE_HEADER_TYPE];
    message->flags = header[HELIX_WIRE_HEADER_FLAGS];
    message->session = (uint16_t)(header[HELIX_WIRE_HEADER_SESSION] | header[HELIX_WIRE_HEADER_SESSION + 1] << 8);
    message->size = wire_get32(header + HELIX_WIRE_HEADER_PAYLOAD);
    if (message->size > HELIX_MAX_RESPONSE_PAYLOAD) {
        fprintf(stderr, "the host's message 0x%02x says %u bytes\n", message->type, message->size);
        return -1;
    }
    message->payload = malloc(message->size + 1u);
    if (read_all(wire, message->payload, message->size, deadline) < 0) {
        wire_message_clear(message);
        return -1;
    }
    return 0;
}

void wire_message_clear(WireMessage *message)
{
    free(message->payload);
    memset(message, 0, sizeof(*message));
}
