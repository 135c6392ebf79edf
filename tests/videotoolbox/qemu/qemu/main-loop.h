/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main-loop.h - stands in for QEMU's header of this name: bottom halves, on GLib's default main context. */
#ifndef QEMU_MAIN_LOOP_H
#define QEMU_MAIN_LOOP_H

typedef struct QEMUBH QEMUBH;
typedef struct AioContext AioContext;

AioContext *iohandler_get_aio_context(void);
QEMUBH *aio_bh_new(AioContext *context, void (*run)(void *opaque), void *opaque);
void qemu_bh_schedule(QEMUBH *bh);

#endif
