/* SPDX-License-Identifier: GPL-2.0-or-later */
/* threads.h - what the doubles ask and tell the calling thread. */
#ifndef DOUBLE_THREADS_H
#define DOUBLE_THREADS_H

#include "doubles.h"
#include "not-in-c.h"

/* Leave the caller's reference of @object to the thread's pool. */
gpointer double_autorelease(gpointer object);
/* 0: none was set. */
guint double_qos_class(void);

#endif
