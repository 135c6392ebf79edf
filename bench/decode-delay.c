/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode-delay.c - access units that libavcodec's decoder needs before it returns the first picture, without its option
 * for low delay.
 *
 *     bench-decode-delay
 *
 * Once for each encoder and some configurations.
 */
#include <string.h>
#include <libavcodec/avcodec.h>

#include "desktop.h"
#include "measure.h"
#include "served.h"

#define WIDTH 640u
#define HEIGHT 360u
#define MOST 16u /* access units */

/* Access units until the first picture; 0 if none came. */
static guint count(const char *encoder, const ConfigRequest *config)
{
    Served *served = served_new(encoder, WIDTH, HEIGHT, FALSE);
    Client *client = served_connect(served);
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_H264));
    AVPacket *packet = av_packet_alloc();
    AVFrame *frame = av_frame_alloc();
    guint needed = 0;

    decoder->thread_count = 1; /* frame threads would delay pictures themselves */
    if (!client_config(client, config) || avcodec_open2(decoder, NULL, NULL) < 0) {
        die("no stream, or no decoder");
    }
    for (guint n = 1; n <= MOST && !needed; n++) {
        g_autoptr(Message) message = NULL;
        const guint8 *unit;
        gsize size;

        served_ask(client, WIDTH, HEIGHT, n - 1);
        message = client_receive(client);
        unit = message ? message_unit(message, &size) : NULL;
        if (!unit || av_new_packet(packet, (int)size) < 0) {
            die("no access unit");
        }
        memcpy(packet->data, unit, size);
        if (avcodec_send_packet(decoder, packet) < 0) {
            die("libavcodec does not decode what %s made", encoder);
        }
        av_packet_unref(packet);
        needed = avcodec_receive_frame(decoder, frame) == 0 ? n : 0;
    }
    av_frame_free(&frame);
    av_packet_free(&packet);
    avcodec_free_context(&decoder);
    client_free(client);
    served_free(served);
    return needed;
}

int main(void)
{
    Figure *figure = figure_new("access units", "");
    const ConfigRequest baseline = { .session = 1, .realtime = 1, .profile = 66 },
                        high = { .session = 1, .realtime = 1 };
    const ConfigRequest quality = { .session = 1, .bitrate = 2000000 };
    const ConfigRequest *configs[] = { &baseline, &high, &quality };

    for (guint i = 0; i < G_N_ELEMENTS(configs); i++) {
        figure_add(figure, count("x264", configs[i]), 1);
        figure_add(figure, count("null", configs[i]), 1);
    }
    figures_print(figure, NULL);
    return 0;
}
