/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wire.h - a small client of the frame protocol (docs/protocol.md) that lets a test set every field and see every
 * message.
 *
 * It shares helix-wire.h with the host and nothing else. Functions return 0, or -1 after printing why to stderr.
 */
#ifndef HELIX_TEST_WIRE_H
#define HELIX_TEST_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "helix-wire.h"

typedef struct Wire {
    int fd;
} Wire;

typedef struct WireConfig {
    uint32_t width, height, bitrate, fps_num, fps_den;
    uint8_t profile;
} WireConfig;

/* A FRAME_REQUEST; the EXT block is sent if HELIX_REQUEST_EXT is in flags. */
typedef struct WireRequest {
    uint16_t session;
    uint8_t flags;
    uint32_t resource_id, width, height, fourcc, stride;
    int64_t pts, duration;
    uint8_t force_key;
    uint8_t source, planes;
    uint32_t crop_x, crop_y, res_width, res_height, offset[3], stride_of[3];
    uint64_t modifier;
    const uint8_t *pixels; /* HELIX_REQUEST_PIXEL_DATA */
    size_t pixel_size;
} WireRequest;

typedef struct WireMessage {
    uint8_t type, flags;
    uint16_t session;
    uint32_t size;
    uint8_t *payload; /* wire_message_clear() frees it */
} WireMessage;

/* @address: "vsock:CID:PORT" or "unix:PATH". */
int wire_open(Wire *wire, const char *address);
void wire_close(Wire *wire);

int wire_send_config(Wire *wire, uint16_t session, uint8_t flags, const WireConfig *config);
int wire_send_request(Wire *wire, const WireRequest *request);
/* SNAPSHOT of what @request describes, and SNAPSHOT_DROP. */
int wire_send_snapshot(Wire *wire, const WireRequest *request, uint32_t number);
int wire_send_snapshot_drop(Wire *wire, uint16_t session, uint32_t number);
int wire_send_empty(Wire *wire, uint8_t type, uint16_t session);

/* The next message, waiting at most @timeout_ms. */
int wire_receive(Wire *wire, WireMessage *message, int timeout_ms);
void wire_message_clear(WireMessage *message);

uint32_t wire_get32(const uint8_t *bytes);
int64_t wire_get64(const uint8_t *bytes);

#endif
