/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main-loop.h - stands in for QEMU's header of this name: bottom halves, which the test's loop runs. */
#ifndef QEMU_MAIN_LOOP_H
#define QEMU_MAIN_LOOP_H

typedef struct AioContext AioContext;
typedef struct QEMUBH QEMUBH;

AioContext *iohandler_get_aio_context(void);
QEMUBH *aio_bh_new(AioContext *context, void (*callback)(void *opaque), void *opaque);
void qemu_bh_schedule(QEMUBH *bh);

#endif
