/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* translate.h - the library's errors in GStreamer's domains. */
#ifndef VSOCKENC_TRANSLATE_H
#define VSOCKENC_TRANSLATE_H

#include <glib.h>

/* @error of HELIX_CLIENT_ERROR becomes one of GST_RESOURCE_ERROR, GST_STREAM_ERROR or GST_LIBRARY_ERROR. */
void vsockenc_translate_error(GError *error);

#endif
