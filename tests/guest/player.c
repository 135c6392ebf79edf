/* SPDX-License-Identifier: GPL-2.0-or-later */
/* player.c - see player.h. */
#include "player.h"
#include "pattern.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_MS 60000 /* a software encoder beside an emulated CPU is slow; a lost answer never comes */
#define FRAME_NS 16666667
#define BITS_PER_PIXEL 6u /* generous: what is compared is the picture, not the encoder */
#define MIN_BITRATE 4000000u
#define MAX_BITRATE 240000000u

__attribute__((format(printf, 2, 3))) static int complain(const Player *player, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%s: ", player->name);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return -1;
}

int player_open(Player *player, const char *address, const char *directory, const char *name)
{
    memset(player, 0, sizeof(*player));
    player->name = name;
    if (wire_open(&player->wire, address) < 0) {
        return -1;
    }
    if (film_open(&player->film, directory, name) < 0) {
        wire_close(&player->wire);
        return -1;
    }
    return 0;
}

int player_close(Player *player)
{
    int ret = film_close(&player->film);

    wire_close(&player->wire);
    return player->n_pending ? complain(player, "%u answers are missing", player->n_pending) : ret;
}

int player_configure(Player *player, uint16_t session, int width, int height)
{
    uint64_t bitrate = (uint64_t)width * (uint64_t)height * 60 * BITS_PER_PIXEL;
    WireConfig config = { .fps_num = 60, .fps_den = 1, .profile = 100 };
    WireMessage message;
    int ret = 0;

    config.bitrate = bitrate < MIN_BITRATE ? MIN_BITRATE : bitrate > MAX_BITRATE ? MAX_BITRATE : (uint32_t)bitrate;
    if (wire_send_config(&player->wire, session, HELIX_CONFIG_ANSWER, &config) < 0 ||
        wire_receive(&player->wire, &message, ANSWER_MS) < 0) {
        return -1;
    }
    if (message.type != HELIX_MSG_CONFIG_RESP || message.session != session || message.size < HELIX_CONFIG_RESP_SIZE) {
        ret = complain(player, "message 0x%02x of %u bytes for session %u in place of CONFIG_RESP", message.type,
                       message.size, message.session);
    } else {
        player->max_in_flight = wire_get32(message.payload + HELIX_CONFIG_RESP_IN_FLIGHT);
        player->capabilities = wire_get32(message.payload + HELIX_CONFIG_RESP_CAPS);
    }
    wire_message_clear(&message);
    return ret;
}

int player_send(Player *player, const PlayerRequest *request)
{
    PlayerRequest *pending;

    if (player->n_pending == PLAYER_MAX_PENDING) {
        return complain(player, "the test has too many requests in flight");
    }
    pending = &player->pending[player->n_pending++];
    *pending = *request;
    pending->wire.pts = player->next_pts;
    pending->wire.duration = FRAME_NS;
    player->next_pts += FRAME_NS;
    return wire_send_request(&player->wire, &pending->wire);
}

static PlayerRequest *first_pending(Player *player, uint16_t session)
{
    for (unsigned i = 0; i < player->n_pending; i++) {
        if (player->pending[i].wire.session == session) {
            return &player->pending[i];
        }
    }
    return NULL;
}

static void forget(Player *player, PlayerRequest *request)
{
    size_t behind = (size_t)(player->pending + player->n_pending - (request + 1));

    memmove(request, request + 1, behind * sizeof(*request));
    player->n_pending--;
}

/* ---- messages ---- */

static int take_released(Player *player, const WireMessage *message)
{
    int64_t pts = message->size == HELIX_RELEASED_SIZE ? wire_get64(message->payload + HELIX_RELEASED_PTS) : -1;

    for (unsigned i = 0; i < player->n_pending; i++) {
        PlayerRequest *request = &player->pending[i];
        const uint8_t *id = message->payload + HELIX_RELEASED_RESOURCE_ID;

        if (request->wire.session != message->session || request->wire.pts != pts) {
            continue;
        }
        if (!(request->wire.flags & HELIX_REQUEST_RELEASE) || request->released ||
            wire_get32(id) != request->wire.resource_id) {
            return complain(player,
                            "FRAME_RELEASED for resource %u is a second one, of another resource or was not asked for",
                            wire_get32(id));
        }
        request->released = true;
        player->releases++;
        if (request->spoil &&
            (buffer_draw(request->spoil, PATTERN_MAX_NUMBER - request->number, &request->area) < 0 ||
             buffer_upload(request->spoil) < 0)) {
            return -1;
        }
        return 0;
    }
    return complain(player, "FRAME_RELEASED (%u bytes) for no request that is in flight", message->size);
}

static int check_timing(const Player *player, const uint8_t *timing)
{
    int64_t last = 0;

    for (unsigned i = 0; i < HELIX_TIMING_SIZE; i += 8) {
        int64_t stamp = wire_get64(timing + i);

        if (stamp <= 0 || stamp < last) {
            return complain(player, "time %u of the timing block is %" PRId64 " after %" PRId64, i / 8, stamp, last);
        }
        last = stamp;
    }
    return 0;
}

static int take_unit(Player *player, PlayerRequest *request, const WireMessage *message)
{
    const uint8_t *payload = message->payload;
    uint32_t timing = request->wire.flags & HELIX_REQUEST_TIMING ? HELIX_TIMING_SIZE : 0;
    uint64_t want = HELIX_RESPONSE_SIZE + 4 + timing;
    FilmUnit unit = {
        .stream = request->wire.session,
        .number = request->number,
        .width = (int)request->wire.width,
        .height = (int)request->wire.height,
    };

    if (message->size < want || wire_get32(payload + HELIX_RESPONSE_NAL_COUNT) != 1 ||
        message->size != want + wire_get32(payload + HELIX_RESPONSE_SIZE)) {
        return complain(player, "FRAME_RESPONSE of %u bytes (flags 0x%x) is not one access unit", message->size,
                        message->flags);
    }
    if (wire_get64(payload + HELIX_RESPONSE_PTS) != request->wire.pts ||
        wire_get64(payload + HELIX_RESPONSE_DTS) != request->wire.pts) {
        return complain(player, "pts %" PRId64 " came back as %" PRId64 ", dts %" PRId64, request->wire.pts,
                        wire_get64(payload + HELIX_RESPONSE_PTS), wire_get64(payload + HELIX_RESPONSE_DTS));
    }
    if (!(message->flags & HELIX_RESPONSE_TIMING) != !timing ||
        (timing && check_timing(player, payload + message->size - timing) < 0)) {
        return complain(player, "the timing block is not as asked (flags 0x%x)", message->flags);
    }
    unit.key = payload[HELIX_RESPONSE_IS_KEYFRAME];
    if (request->wire.force_key && !unit.key) {
        return complain(player, "a frame that had to be a keyframe is none");
    }
    return film_add(&player->film, &unit, payload + HELIX_RESPONSE_SIZE + 4, message->size - want);
}

static int take_answer(Player *player, const WireMessage *message)
{
    PlayerRequest *request = first_pending(player, message->session);
    bool error = message->type == HELIX_MSG_ERROR;
    int code = error && message->size == HELIX_ERROR_SIZE ? (int)wire_get32(message->payload + HELIX_ERROR_CODE) : 0;
    int ret = 0;

    if (!request) {
        return complain(player, "message 0x%02x for session %u, where nothing was asked", message->type,
                        message->session);
    }
    if (error) {
        const char *text = (const char *)message->payload + HELIX_ERROR_MESSAGE;

        if (message->size != HELIX_ERROR_SIZE || !memchr(text, 0, HELIX_ERROR_MESSAGE_SIZE) || !text[0]) {
            ret = complain(player, "an ERROR without a text, or of %u bytes", message->size);
        } else if (code && (code == request->may_fail || code == request->may_fail_too)) {
            printf("# %s: error %d, as may be\n", player->name, code);
        } else if (code != request->expect_error || message->flags != HELIX_MSG_FRAME_REQUEST) {
            ret = complain(player, "resource %u: error %d (flags 0x%x), expected %d: %s", request->wire.resource_id,
                           code, message->flags, request->expect_error, text);
        } else {
            printf("# %s: error %d as expected: %s\n", player->name, code, text);
        }
    } else if (request->expect_error) {
        ret = complain(player, "an access unit, expected error %d", request->expect_error);
    } else {
        ret = take_unit(player, request, message);
    }
    forget(player, request);
    return ret;
}

static int take_kept(Player *player, const WireMessage *message)
{
    int code = message->size == HELIX_SNAPSHOT_DONE_SIZE ? (int)wire_get32(message->payload + HELIX_SNAPSHOT_DONE_CODE)
                                                         : HELIX_CODE_INVALID;

    if (code) {
        return complain(player, "SNAPSHOT_DONE of %u bytes with code %d: %s", message->size, code,
                        message->size == HELIX_SNAPSHOT_DONE_SIZE
                            ? (const char *)message->payload + HELIX_SNAPSHOT_DONE_MESSAGE
                            : "");
    }
    player->kept = wire_get32(message->payload + HELIX_SNAPSHOT_DONE_NUMBER);
    return 0;
}

static int take_message(Player *player)
{
    WireMessage message;
    int ret;

    if (wire_receive(&player->wire, &message, ANSWER_MS) < 0) {
        return complain(player, "waiting for answer %u", player->film.units);
    }
    switch (message.type) {
    case HELIX_MSG_FRAME_RELEASED:
        ret = take_released(player, &message);
        break;
    case HELIX_MSG_FRAME_RESPONSE:
    case HELIX_MSG_ERROR:
        ret = take_answer(player, &message);
        break;
    case HELIX_MSG_SNAPSHOT_DONE:
        ret = take_kept(player, &message);
        break;
    default:
        ret = complain(player, "message 0x%02x, which was not asked for", message.type);
    }
    wire_message_clear(&message);
    return ret;
}

int player_collect(Player *player, unsigned left)
{
    int ret = 0;

    while (player->n_pending > left && ret == 0) {
        ret = take_message(player);
    }
    return ret;
}

int player_keep(Player *player, const PlayerRequest *request, uint32_t number)
{
    player->kept = 0;
    if (wire_send_snapshot(&player->wire, &request->wire, number) < 0) {
        return -1;
    }
    while (player->kept == 0) { /* answers to frames may come before */
        if (take_message(player) < 0) {
            return -1;
        }
    }
    return player->kept == number ? 0 : complain(player, "snapshot %u was kept, not %u", player->kept, number);
}

int player_collect_release(Player *player)
{
    while (player->n_pending == 1 && !player->pending[0].released) {
        if (take_message(player) < 0) {
            return -1;
        }
    }
    return player->n_pending == 1 ? 0 : complain(player, "the answer came before FRAME_RELEASED");
}
