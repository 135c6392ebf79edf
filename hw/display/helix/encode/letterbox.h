/* SPDX-License-Identifier: GPL-2.0-or-later */
/* letterbox.h - conversion as convert.h, but a picture that is scaled keeps its shape, in the middle of black borders.
 * One thread at a time. */
#ifndef HELIX_LETTERBOX_H
#define HELIX_LETTERBOX_H

#include "convert.h"

typedef struct HelixLetterbox HelixLetterbox;

/* For coded pictures of @width x @height, even and > 0, with borders of luma @black. Never NULL. */
HelixLetterbox *helix_letterbox_new(guint32 width, guint32 height, guint8 black);
void helix_letterbox_free(HelixLetterbox *letterbox);
/* As helix_converter_run(). */
gboolean helix_letterbox_run(HelixLetterbox *letterbox, const HelixSurface *surface, HelixNv12 *nv12, GError **error);

#endif
