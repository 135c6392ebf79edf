/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread's quality-of-service class; see CoreFoundation.h for where declarations come from. */
#ifdef __APPLE__
#include_next <pthread/qos.h>
#else
#ifndef DOUBLE_PTHREAD_QOS_H
#define DOUBLE_PTHREAD_QOS_H

/* from: libc src/new/apple/libpthread/sys/qos.rs */
#define QOS_CLASS_USER_INTERACTIVE 0x21
/* from: libc src/new/apple/libpthread/pthread_/qos.rs */
int pthread_set_qos_class_self_np(unsigned int qos_class, int relative_priority);

#endif
#endif
