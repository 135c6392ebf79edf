/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace-hw_display_helix.h - stands in for what QEMU makes of hw/display/helix/trace-events: the look-up's, to nowhere.
 */
#ifndef TRACE_HELIX_H
#define TRACE_HELIX_H

static inline void trace_helix_lookup(uint32_t resource, uint32_t width, uint32_t height, uint8_t source)
{
}

static inline void trace_helix_lookup_found(uint32_t resource, uint32_t width, uint32_t height, uint32_t format,
                                            const char *path)
{
}

static inline void trace_helix_lookup_no_copy(uint32_t resource, const char *message)
{
}

static inline void trace_helix_lookup_failed(uint32_t resource, int code, const char *message)
{
}

#endif
