/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * faults-preload.c - makes a QEMU under test meet an encoder that is slow, fails or loses its session, and memory that
 * is not to be had, without a line for it in the product: preloaded (LD_PRELOAD), it stands before libavcodec's
 * functions and the C library's allocators.
 *
 * What is to go wrong is said in the file that HELIX_FAULTS names, which both sides map: struct Faults below, written
 * by tests/vm/faultvm.py while QEMU runs. Zero means no fault.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <dlfcn.h>
#include <libavcodec/avcodec.h>

typedef struct Faults {
    /* Orders. */
    _Atomic int32_t width;        /* of the encoders concerned, pixels; 0: all */
    _Atomic int32_t delay_ms;     /* each frame takes that much longer */
    _Atomic int32_t fail_frames;  /* so many frames fail, counted down */
    _Atomic int32_t lose_session; /* the next encoder that gets a frame fails from then on */
    _Atomic int32_t fail_opens;   /* so many encoders cannot be opened, counted down */
    _Atomic int32_t refuse_bytes; /* allocations of this size and above fail */
    /* What came of them. */
    _Atomic int32_t frames, delayed, failed, refused_opens, refused_allocations;
    _Atomic int32_t held_kib; /* what malloc had given out and not got back when the last encoder was closed */
} Faults;

static Faults none;
static Faults *faults = &none;

static _Atomic(AVCodecContext *) lost;

__attribute__((constructor)) static void map_faults(void)
{
    const char *path = getenv("HELIX_FAULTS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *map = fd >= 0 ? mmap(NULL, sizeof(Faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;

    if (map != MAP_FAILED) {
        faults = map;
    }
    if (fd >= 0) {
        close(fd);
    }
}

/* One of @count is used up. */
static bool take(_Atomic int32_t *count)
{
    int32_t left = *count;

    while (left > 0) {
        if (atomic_compare_exchange_weak(count, &left, left - 1)) {
            return true;
        }
    }
    return false;
}

static bool concerned(const AVCodecContext *context)
{
    return !faults->width || faults->width == context->width;
}

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

int avcodec_open2(AVCodecContext *context, const AVCodec *codec, AVDictionary **options)
{
    int (*real)(AVCodecContext *, const AVCodec *, AVDictionary **) = next("avcodec_open2");

    if (concerned(context) && take(&faults->fail_opens)) {
        faults->refused_opens++;
        return AVERROR(ENOMEM);
    }
    return real(context, codec, options);
}

void avcodec_free_context(AVCodecContext **context)
{
    void (*real)(AVCodecContext **) = next("avcodec_free_context");
    AVCodecContext *gone = *context;

    struct mallinfo2 memory;

    atomic_compare_exchange_strong(&lost, &gone, NULL);
    real(context);
    memory = mallinfo2();
    faults->held_kib = (int32_t)((memory.uordblks + memory.hblkhd) >> 10);
}

int avcodec_send_frame(AVCodecContext *context, const AVFrame *frame)
{
    int (*real)(AVCodecContext *, const AVFrame *) = next("avcodec_send_frame");
    int32_t delay = faults->delay_ms;

    if (!frame || !concerned(context)) {
        return real(context, frame);
    }
    faults->frames++;
    if (delay) {
        faults->delayed++;
        nanosleep(&(struct timespec){ delay / 1000, delay % 1000 * 1000000L }, NULL);
    }
    if (take(&faults->lose_session)) {
        lost = context;
    }
    if (lost == context || take(&faults->fail_frames)) {
        faults->failed++;
        return AVERROR_EXTERNAL;
    }
    return real(context, frame);
}

/* ---- memory ---- */

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *old, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static bool refused(size_t size)
{
    int32_t limit = faults->refuse_bytes;

    if (!limit || size < (size_t)limit) {
        return false;
    }
    faults->refused_allocations++;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return refused(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return size && count < SIZE_MAX / size && refused(count * size) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
    return refused(size) ? NULL : __libc_realloc(old, size);
}

int posix_memalign(void **result, size_t alignment, size_t size)
{
    void *memory = refused(size) ? NULL : __libc_memalign(alignment, size);

    if (!memory) {
        return ENOMEM;
    }
    *result = memory;
    return 0;
}
