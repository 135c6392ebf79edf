/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * vaapi-upload.h - NV12 in host memory copied into a VA surface by the CPU. On the encode thread.
 */
#ifndef HELIX_VAAPI_UPLOAD_H
#define HELIX_VAAPI_UPLOAD_H

#include <libavcodec/avcodec.h>

#include "../convert.h"

/*
 * Copy @width x @height samples of @nv12 into the surface that @frame refers to. Its columns and rows beyond them, up
 * to whole macroblocks, repeat the edge: the encoder reads them, and the SPS crops them. Adds the bytes read and
 * written to @cpu_bytes. A negative AVERROR if the surface cannot be mapped.
 */
int helix_vaapi_upload(AVFrame *frame, const HelixNv12 *nv12, guint32 width, guint32 height, guint64 *cpu_bytes);

#endif
