/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check-picture FILM...: decodes films that the guest's picture programs wrote (FILM.h264, FILM.index, see
 * tests/guest/film.h) and compares every frame with its drawing, computed anew.
 *
 * Of every frame: the decoder shows it as soon as it has its access unit; it is as large as the picture rounded up to
 * even; its blocks hold the number that the guest drew; its PSNR is at least 40 dB in luma and 35 dB in chroma; the
 * inside of each flat patch is within 3 levels in every pixel. Of every stream: BT.709 limited range said so, no
 * reordering.
 *
 * Prints a line a film, and why on stderr; exits 1 if a film fails.
 */
#include "reference.h"
#include "../guest/film.h"
#include "../guest/pattern.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libavcodec/avcodec.h>
#include <libavutil/pixdesc.h>

#define MIN_LUMA_DB 40.0
#define MIN_CHROMA_DB 35.0
#define MAX_LEVELS 3.0
#define MAX_STREAMS 16
#define MAX_SIDE 16384

typedef struct Unit {
    unsigned stream, number;
    int width, height, key;
    uint64_t offset;
    size_t size;
} Unit;

typedef struct Decoder {
    unsigned stream;
    AVCodecContext *context;
} Decoder;

typedef struct Checker {
    const char *film;
    Decoder decoders[MAX_STREAMS];
    int n_decoders;
    AVPacket *packet;
    AVFrame *frame;
    double luma_db, chroma_db, levels; /* the worst */
    unsigned units;
} Checker;

__attribute__((format(printf, 2, 3))) static bool complain(const Checker *checker, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%s, unit %u: ", checker->film, checker->units);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    return false;
}

/* ---- decoding ---- */

static AVCodecContext *decoder_for(Checker *checker, unsigned stream)
{
    const AVCodec *codec = avcodec_find_decoder(AV_CODEC_ID_H264);
    Decoder *decoder = checker->decoders;

    for (int i = 0; i < checker->n_decoders; i++, decoder++) {
        if (decoder->stream == stream) {
            return decoder->context;
        }
    }
    if (!codec || checker->n_decoders == MAX_STREAMS) {
        return NULL;
    }
    decoder->stream = stream;
    decoder->context = avcodec_alloc_context3(codec);
    decoder->context->thread_count = 1;
    decoder->context->err_recognition = AV_EF_EXPLODE;
    if (avcodec_open2(decoder->context, codec, NULL) < 0) {
        avcodec_free_context(&decoder->context);
        return NULL;
    }
    checker->n_decoders++;
    return decoder->context;
}

/* Into checker->frame: the one frame that this access unit alone gives. */
static bool decode(Checker *checker, const Unit *unit, const uint8_t *bytes)
{
    AVCodecContext *context = decoder_for(checker, unit->stream);
    int ret;

    if (!context) {
        return complain(checker, "no H.264 decoder, or more than %d streams", MAX_STREAMS);
    }
    if (av_new_packet(checker->packet, (int)unit->size) < 0) {
        return complain(checker, "out of memory");
    }
    memcpy(checker->packet->data, bytes, unit->size);
    ret = avcodec_send_packet(context, checker->packet);
    av_packet_unref(checker->packet);
    if (ret < 0) {
        return complain(checker, "the decoder refuses it: %s", av_err2str(ret));
    }
    ret = avcodec_receive_frame(context, checker->frame);
    if (ret == AVERROR(EAGAIN)) {
        return complain(checker, "the decoder keeps the picture back instead of showing it at once");
    }
    return ret == 0 ? true : complain(checker, "not decoded: %s", av_err2str(ret));
}

static bool drained(Checker *checker)
{
    for (int i = 0; i < checker->n_decoders; i++) {
        AVCodecContext *context = checker->decoders[i].context;

        avcodec_send_packet(context, NULL);
        if (avcodec_receive_frame(context, checker->frame) == 0) {
            return complain(checker, "stream %u holds more pictures than access units", checker->decoders[i].stream);
        }
    }
    return true;
}

static bool check_claims(const Checker *checker, const Unit *unit)
{
    const AVFrame *frame = checker->frame;
    bool key = frame->flags & AV_FRAME_FLAG_KEY;

    if (frame->width != ((unit->width + 1) & ~1) || frame->height != ((unit->height + 1) & ~1)) {
        return complain(checker, "%dx%d came out as %dx%d", unit->width, unit->height, frame->width, frame->height);
    }
    if (frame->format != AV_PIX_FMT_YUV420P) {
        return complain(checker, "pixel format %s", av_get_pix_fmt_name(frame->format));
    }
    if (frame->color_range != AVCOL_RANGE_MPEG || frame->colorspace != AVCOL_SPC_BT709 ||
        frame->color_primaries != AVCOL_PRI_BT709 || frame->color_trc != AVCOL_TRC_BT709) {
        return complain(checker,
                        "the SPS says range %d, matrix %d, primaries %d, transfer %d; BT.709 limited is 1, 1, 1, 1",
                        frame->color_range, frame->colorspace, frame->color_primaries, frame->color_trc);
    }
    if (key != !!unit->key) {
        return complain(checker, "the host calls it %s keyframe, the decoder does not", unit->key ? "a" : "no");
    }
    return true;
}

/* ---- comparing ---- */

static double mean(const AVFrame *frame, const PatternRect *rect)
{
    double sum = 0;

    for (int y = rect->y + rect->h / 4; y < rect->y + rect->h * 3 / 4; y++) {
        for (int x = rect->x + rect->w / 4; x < rect->x + rect->w * 3 / 4; x++) {
            sum += frame->data[0][y * frame->linesize[0] + x];
        }
    }
    return sum / ((rect->h * 3 / 4 - rect->h / 4) * (rect->w * 3 / 4 - rect->w / 4));
}

/* The number in the blocks, or -1 if a block is neither black nor white or the check digit is wrong. */
static int read_number(const AVFrame *frame, int width, int height)
{
    unsigned code = 0;

    for (int bit = 0; bit < PATTERN_BITS; bit++) {
        PatternRect block = pattern_bit_block(bit, width, height);
        double level = mean(frame, &block);

        if (level > 60 && level < 190) {
            return -1;
        }
        code = code << 1 | (level > 126);
    }
    return pattern_number(code);
}

static double plane_db(const AVFrame *frame, int plane, const double *reference, int stride, int width, int height)
{
    double sum = 0;

    for (int y = 0; y < height; y++) {
        const uint8_t *row = frame->data[plane] + y * frame->linesize[plane];

        for (int x = 0; x < width; x++) {
            double difference = row[x] - reference[y * stride + x];

            sum += difference * difference;
        }
    }
    return sum == 0 ? 99 : fmin(99, 10 * log10(255.0 * 255 * width * height / sum));
}

/* Greatest distance from @value in the inner half of @rect, given in luma pixels. */
static double plane_distance(const AVFrame *frame, int plane, const PatternRect *rect, double value)
{
    int shift = plane ? 1 : 0;
    double worst = 0;

    for (int y = (rect->y + rect->h / 4) >> shift; y < (rect->y + rect->h * 3 / 4) >> shift; y++) {
        for (int x = (rect->x + rect->w / 4) >> shift; x < (rect->x + rect->w * 3 / 4) >> shift; x++) {
            worst = fmax(worst, fabs(frame->data[plane][y * frame->linesize[plane] + x] - value));
        }
    }
    return worst;
}

static const char *const plane_names[3] = { "Y", "Cb", "Cr" };

static bool check_patches(Checker *checker, const Unit *unit)
{
    PatternRect rects[PATTERN_MAX_RECTS];
    int n = pattern_rects(unit->number, unit->width, unit->height, rects);

    for (int i = 0; i < n; i++) {
        double ycc[3];

        if (!rects[i].flat) {
            continue;
        }
        reference_colour(rects[i].r, rects[i].g, rects[i].b, ycc);
        for (int plane = 0; plane < 3; plane++) {
            double distance = plane_distance(checker->frame, plane, &rects[i], ycc[plane]);

            checker->levels = fmax(checker->levels, distance);
            if (distance > MAX_LEVELS) {
                return complain(checker, "patch (%u, %u, %u) at %d,%d is %.1f levels off in %s, which should be %.1f",
                                rects[i].r, rects[i].g, rects[i].b, rects[i].x, rects[i].y, distance,
                                plane_names[plane], ycc[plane]);
            }
        }
    }
    return true;
}

static bool check_planes(Checker *checker, const Unit *unit)
{
    const AVFrame *frame = checker->frame;
    ChromaSite site = frame->chroma_location == AVCHROMA_LOC_CENTER ? CHROMA_CENTRE : CHROMA_LEFT;
    Reference *reference = reference_new(unit->number, unit->width, unit->height, site);
    int coded = reference->coded_width, half = coded / 2, half_height = reference->coded_height / 2;
    double y = plane_db(frame, 0, reference->y, coded, unit->width, unit->height);
    double edge = plane_db(frame, 0, reference->y, coded, coded, reference->coded_height);
    double cb = plane_db(frame, 1, reference->cb, half, half, half_height);
    double cr = plane_db(frame, 2, reference->cr, half, half, half_height);

    reference_free(reference);
    checker->luma_db = fmin(checker->luma_db, fmin(y, edge));
    checker->chroma_db = fmin(checker->chroma_db, fmin(cb, cr));
    if (fmin(y, edge) < MIN_LUMA_DB || fmin(cb, cr) < MIN_CHROMA_DB) {
        return complain(checker,
                        "PSNR Y %.1f (with the repeated edge %.1f), Cb %.1f, Cr %.1f dB; at least %.0f and "
                        "%.0f (chroma site %s)",
                        y, edge, cb, cr, MIN_LUMA_DB, MIN_CHROMA_DB, site == CHROMA_LEFT ? "left" : "centre");
    }
    return true;
}

static bool check_unit(Checker *checker, const Unit *unit, const uint8_t *bytes)
{
    int number;

    if (!decode(checker, unit, bytes) || !check_claims(checker, unit)) {
        return false;
    }
    if (unit->number == FILM_ANY) {
        return true;
    }
    number = read_number(checker->frame, unit->width, unit->height);
    if (number < 0) {
        return complain(checker, "no frame number can be read; %u was drawn", unit->number);
    }
    if ((unsigned)number != unit->number) {
        return complain(checker, "shows frame %d; %u was drawn", number, unit->number);
    }
    if (!check_patches(checker, unit)) {
        return false;
    }
    return check_planes(checker, unit);
}

/* ---- films ---- */

static uint8_t *read_file(const char *film, const char *ending, size_t *size)
{
    char path[1024];
    uint8_t *data = NULL;
    long length;
    FILE *file;

    snprintf(path, sizeof(path), "%s.%s", film, ending);
    file = fopen(path, "rb");
    if (!file) {
        fprintf(stderr, "%s can't be opened\n", path);
        return NULL;
    }
    if (fseek(file, 0, SEEK_END) == 0 && (length = ftell(file)) >= 0 && fseek(file, 0, SEEK_SET) == 0) {
        data = malloc((size_t)length + 1);
        *size = fread(data, 1, (size_t)length, file);
        data[*size] = 0;
    }
    fclose(file);
    return data;
}

static bool parse_unit(Checker *checker, const char *line, size_t data_size, Unit *unit)
{
    if (sscanf(line, "unit %u %u %d %d %d %" SCNu64 " %zu", &unit->stream, &unit->number, &unit->width, &unit->height,
               &unit->key, &unit->offset, &unit->size) != 7) {
        return complain(checker, "the index has a line that is none: %.60s", line);
    }
    if (unit->width < PATTERN_MIN_SIZE || unit->width > MAX_SIDE || unit->height < PATTERN_MIN_SIZE ||
        unit->height > MAX_SIDE || unit->size > data_size || unit->offset > data_size - unit->size) {
        return complain(checker, "the index says what can't be: %.60s", line);
    }
    return true;
}

static bool check_units(Checker *checker, char *index, const uint8_t *data, size_t data_size)
{
    unsigned end;
    bool good = true;
    char *save = NULL, *line = strtok_r(index, "\n", &save);

    if (!line || strcmp(line, "film 1") != 0) {
        return complain(checker, "the index does not begin with \"film 1\"");
    }
    while ((line = strtok_r(NULL, "\n", &save))) {
        Unit unit;

        if (sscanf(line, "end %u", &end) == 1) {
            if (end != checker->units || end == 0) {
                return complain(checker, "the index ends after %u units and says %u", checker->units, end);
            }
            return good && drained(checker);
        }
        if (!parse_unit(checker, line, data_size, &unit)) {
            return false;
        }
        good &= check_unit(checker, &unit, data + unit.offset);
        checker->units++;
    }
    return complain(checker, "the index has no end: the film is not whole");
}

static bool check_film(const char *film)
{
    Checker checker = { .film = film, .luma_db = 99, .chroma_db = 99 };
    size_t index_size = 0, data_size = 0;
    uint8_t *index = read_file(film, "index", &index_size), *data = read_file(film, "h264", &data_size);
    bool good = false;

    checker.packet = av_packet_alloc();
    checker.frame = av_frame_alloc();
    if (index && data && checker.packet && checker.frame) {
        good = check_units(&checker, (char *)index, data, data_size);
    }
    printf("film %s %s: %u frames", strrchr(film, '/') ? strrchr(film, '/') + 1 : film, good ? "ok" : "FAILED",
           checker.units);
    if (good) {
        printf(", luma %.1f dB, chroma %.1f dB, patches within %.1f levels", checker.luma_db, checker.chroma_db,
               checker.levels);
    }
    putchar('\n');
    for (int i = 0; i < checker.n_decoders; i++) {
        avcodec_free_context(&checker.decoders[i].context);
    }
    av_frame_free(&checker.frame);
    av_packet_free(&checker.packet);
    free(index);
    free(data);
    return good;
}

int main(int argc, char **argv)
{
    bool good = argc > 1;

    if (argc < 2) {
        fprintf(stderr, "usage: %s FILM... (without .h264)\n", argv[0]);
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        good &= check_film(argv[i]);
    }
    return good ? 0 : 1;
}
