/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz-session.c - whole sessions: two connections of a host, any bytes in any pieces, and what goes wrong on the
 * host's side.
 *
 * The input is a list of orders; one of them sends raw bytes, another a message whose header is right, as chance alone
 * finds no second one. At the end all is taken apart, and nothing may be left.
 */
#include "stream/host-private.h"
#include "fuzz.h"
#include "fake-capture.h"
#include "fake-channel.h"
#include "scripted.h"

#define N_LINES 2u
#define MOST_MESSAGE 6000u

static FakeCapture capture;

static void order(HelixHost *host, FakeChannel **lines, Input *input)
{
    guint8 what = input_u8(input);
    FakeChannel **channel = &lines[what >> 7];
    gsize len;

    if (!*channel) {
        *channel = fake_channel_new(host, (what >> 6) & 1 ? 1023 : 1024);
    }
    if (!*channel) {
        return;
    }
    switch (what & 15) {
    case 0: {
        g_autofree guint8 *bytes = input_bytes(input, input_u8(input), &len);

        g_byte_array_append((*channel)->to_host, bytes, (guint)len);
        break;
    }
    case 1:
    case 2: {
        guint8 type = input_u8(input), flags = input_u8(input), session = input_u8(input) & 3;
        g_autofree guint8 *bytes = input_bytes(input, input_u16(input) % MOST_MESSAGE, &len);

        fake_channel_send(*channel, type, flags, session, bytes, len);
        break;
    }
    case 3:
        fake_channel_offer(*channel, 1 + input_u8(input));
        break;
    case 4:
        fake_channel_offer(*channel, (*channel)->to_host->len);
        break;
    case 5:
        fake_channel_open(*channel, input_u16(input));
        break;
    case 6:
        (*channel)->ends = TRUE;
        break;
    case 7:
        fake_channel_free(*channel);
        *channel = NULL;
        break;
    case 8:
        helix_host_gpu_reset_end(host);
        break;
    case 9:
        helix_host_set_running(host, (what >> 5) & 1);
        break;
    case 10:
        capture.hold = (what >> 5) & 1;
        break;
    case 11:
        fake_capture_release(&capture);
        break;
    case 12:
        scripted_fail((what >> 5) & 1);
        break;
    case 13:
        scripted_drop((what >> 4) & 3);
        break;
    case 14:
        capture.borrow = (what >> 5) & 1;
        break;
    default:
        g_main_context_iteration(NULL, FALSE);
        break;
    }
    if (*channel) {
        g_byte_array_set_size((*channel)->from_host, 0); /* other tests look at what is answered */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Input input = { data, size };
    guint8 settings = input_u8(&input);
    HelixHostConfig config = {
        .resolver = &fake_capture_resolver,
        .resolver_data = &capture,
        .max_memory = 1 << 22,
        .max_streams = 3,
        .max_in_flight = 1 + (settings & 3),
        .privileged_ports = settings >> 7,
    };
    FakeChannel *lines[N_LINES] = { NULL };
    HelixHost *host;

    capture = (FakeCapture){ 0 };
    config.encoder_class = scripted_wrap(&helix_encoder_null);
    scripted_remember(FALSE);
    host = helix_host_new(&config, NULL);
    while (input.size) {
        order(host, lines, &input);
        g_main_context_iteration(NULL, FALSE);
    }
    for (guint i = 0; i < N_LINES; i++) {
        g_clear_pointer(&lines[i], fake_channel_free);
    }
    g_assert_null(host->sessions);
    g_assert_cmpuint(host->streams.n_streams, ==, 0);
    helix_host_free(host);
    capture.closed = TRUE;
    while (capture.waiting.length) {
        fake_capture_release(&capture); /* answers that no request waits for */
    }
    g_assert_cmpuint(scripted_n_opened(), ==, scripted_n_closed());
    return 0;
}
