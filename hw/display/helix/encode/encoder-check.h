/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encoder-check.h - whether an encoder's access units are the pictures that it was given. */
#ifndef HELIX_ENCODER_CHECK_H
#define HELIX_ENCODER_CHECK_H

#include "encoder.h"

/*
 * Open an encoder of @klass, which reads NV12 in host memory, encode a few pictures and decode them with libavcodec:
 * each access unit must give its picture, at its size, at once, and the first an IDR. Drivers that open and then fail,
 * or that write something else, are not rare. FALSE with HELIX_CODE_NO_ENCODER and what went wrong. Takes as long as a
 * session takes to open; any thread.
 */
gboolean helix_encoder_check(const HelixEncoderClass *klass, gboolean hardware_only, GError **error);

#endif
