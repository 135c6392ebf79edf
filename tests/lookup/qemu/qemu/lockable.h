/* SPDX-License-Identifier: GPL-2.0-or-later */
/* lockable.h - stands in for QEMU's header of this name: a lock that is held to the end of a block. */
#ifndef QEMU_LOCKABLE_H
#define QEMU_LOCKABLE_H

#include <glib.h>

#define QEMU_LOCK_GUARD(mutex) G_GNUC_UNUSED g_autoptr(GMutexLocker) lock_guard = g_mutex_locker_new(mutex)
#define WITH_QEMU_LOCK_GUARD(mutex) \
    for (g_autoptr(GMutexLocker) lock_guard = g_mutex_locker_new(mutex); lock_guard; lock_guard_end(&lock_guard))

static inline void lock_guard_end(GMutexLocker **guard)
{
    g_clear_pointer(guard, g_mutex_locker_free);
}

#endif
