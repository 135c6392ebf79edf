/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bytes.h - little-endian integers in byte buffers that need not be aligned. The caller has checked the bounds.
 */
#ifndef HELIX_BYTES_H
#define HELIX_BYTES_H

#include <string.h>
#include <glib.h>

#define HELIX_BYTES_ACCESSORS(bits) \
    static inline guint##bits helix_get_u##bits(const guint8 *bytes) \
    { \
        guint##bits value; \
        memcpy(&value, bytes, sizeof value); \
        return GUINT##bits##_FROM_LE(value); \
    } \
    static inline void helix_put_u##bits(guint8 *bytes, guint##bits value) \
    { \
        value = GUINT##bits##_TO_LE(value); \
        memcpy(bytes, &value, sizeof value); \
    }

HELIX_BYTES_ACCESSORS(16)
HELIX_BYTES_ACCESSORS(32)
HELIX_BYTES_ACCESSORS(64)

#undef HELIX_BYTES_ACCESSORS

#endif
