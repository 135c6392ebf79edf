/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* context.h - a context: an encoder with its stream, or VideoProc. */
#ifndef HELIX_VA_CONTEXT_H
#define HELIX_VA_CONTEXT_H

#include <va/va.h>
#include <va/va_vpp.h>
#include "encode-state.h"
#include "session.h"

/* What VideoProc is to do, copied: the client's rectangles live until vaRenderPicture() returns. */
typedef struct HvaProcess {
    HvaSurface *source; /* NULL: no pipeline buffer came yet */
    HvaRect from, to;
    guint32 background;
} HvaProcess;

typedef struct HvaContext {
    HvaObject object;
    HvaDriver *driver;
    HvaConfig *config;
    GMutex lock;         /* all below */
    HvaSurface *target;  /* between vaBeginPicture() and vaEndPicture() */
    HvaSession *session; /* of encoders */
    HvaEncodeState encode;
    HvaProcess process;
} HvaContext;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(HvaContext, hva_unref)

/* encode.c. With the context's lock: hand the picture that was begun to the session. */
VAStatus hva_encode_end(HvaContext *context);
/* process.c. With the context's lock. */
VAStatus hva_process_take(HvaContext *context, const HvaBuffer *buffer);
/* Not under a lock: may wait for the host. @target shows what @process says from here on. Clears @process. */
VAStatus hva_process_run(HvaDriver *driver, HvaProcess *process, HvaSurface *target);
void hva_process_clear(HvaProcess *process);

#endif
