/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* errors.h - element errors. Any thread. */
#ifndef VSOCKENC_ERRORS_H
#define VSOCKENC_ERRORS_H

#include "element.h"

/* Post @error (taken over, translated) as an element error. */
void vsockenc_post_error(GstVsockEnc *self, GError *error);

#endif
