/* SPDX-License-Identifier: GPL-2.0-or-later */
/* trace-hw_display_helix.h - stands in for what QEMU makes of trace-events; qemu-rig.c keeps what was said last. */
#ifndef TRACE_HW_DISPLAY_HELIX_H
#define TRACE_HW_DISPLAY_HELIX_H

void trace_helix_lookup(uint32_t resource, uint32_t width, uint32_t height, uint8_t source);
void trace_helix_lookup_found(uint32_t resource, uint32_t width, uint32_t height, uint32_t format, const char *path);
void trace_helix_lookup_no_copy(uint32_t resource, const char *message);
void trace_helix_lookup_failed(uint32_t resource, int code, const char *message);
void trace_helix_readback_thread(bool usable);
void trace_helix_gpu_readback(int64_t gpu_us, int64_t cpu_us);

#endif
