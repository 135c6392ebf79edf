/* SPDX-License-Identifier: GPL-2.0-or-later */
/* thread.h - stands in for QEMU's header of this name: its threads and locks are GLib's, under names of its own. */
#ifndef QEMU_THREAD_H
#define QEMU_THREAD_H

#include <glib.h>

typedef GMutex QemuMutex;
typedef GCond QemuCond;
typedef GThread *QemuThread;

#define QEMU_THREAD_DETACHED 1

#define qemu_mutex_init(mutex) g_mutex_init(mutex)
#define qemu_cond_init(cond) g_cond_init(cond)
#define qemu_cond_wait(cond, mutex) g_cond_wait(cond, mutex)
#define qemu_cond_timedwait(cond, mutex, ms) \
    g_cond_wait_until(cond, mutex, g_get_monotonic_time() + (ms) * G_GINT64_CONSTANT(1000))
#define qemu_cond_broadcast(cond) g_cond_broadcast(cond)

static inline void qemu_thread_create(QemuThread *thread, const char *name, void *(*run)(void *), void *data, int mode)
{
    *thread = g_thread_new(name, run, data);
    g_thread_unref(*thread);
}

#endif
