/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bytes.h - little-endian integers at any address; GStreamer's macros for it are undefined behaviour if unaligned. */
#ifndef HELIX_CLIENT_BYTES_H
#define HELIX_CLIENT_BYTES_H

#include <string.h>
#include <glib.h>

static inline void put_u16(guint8 *at, guint16 value)
{
    value = GUINT16_TO_LE(value);
    memcpy(at, &value, sizeof(value));
}

static inline void put_u32(guint8 *at, guint32 value)
{
    value = GUINT32_TO_LE(value);
    memcpy(at, &value, sizeof(value));
}

static inline void put_u64(guint8 *at, guint64 value)
{
    value = GUINT64_TO_LE(value);
    memcpy(at, &value, sizeof(value));
}

static inline guint16 get_u16(const guint8 *at)
{
    guint16 value;

    memcpy(&value, at, sizeof(value));
    return GUINT16_FROM_LE(value);
}

static inline guint32 get_u32(const guint8 *at)
{
    guint32 value;

    memcpy(&value, at, sizeof(value));
    return GUINT32_FROM_LE(value);
}

static inline guint64 get_u64(const guint8 *at)
{
    guint64 value;

    memcpy(&value, at, sizeof(value));
    return GUINT64_FROM_LE(value);
}

#endif
