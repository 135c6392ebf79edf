/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue.h - stands in for QEMU's header of this name: its tail queues are those of <sys/queue.h>, under names of its
 * own. */
#ifndef QEMU_QUEUE_H
#define QEMU_QUEUE_H

#include <sys/queue.h>

#define QTAILQ_HEAD(name, type) TAILQ_HEAD(name, type)
#define QTAILQ_HEAD_INITIALIZER(head) TAILQ_HEAD_INITIALIZER(head)
#define QTAILQ_ENTRY(type) TAILQ_ENTRY(type)
#define QTAILQ_INIT(head) TAILQ_INIT(head)
#define QTAILQ_EMPTY(head) TAILQ_EMPTY(head)
#define QTAILQ_FIRST(head) TAILQ_FIRST(head)
#define QTAILQ_FOREACH(item, head, field) TAILQ_FOREACH(item, head, field)
#define QTAILQ_INSERT_TAIL(head, item, field) TAILQ_INSERT_TAIL(head, item, field)
#define QTAILQ_INSERT_HEAD(head, item, field) TAILQ_INSERT_HEAD(head, item, field)
#define QTAILQ_NEXT(item, field) TAILQ_NEXT(item, field)
#define QTAILQ_REMOVE(head, item, field) TAILQ_REMOVE(head, item, field)

#define QSIMPLEQ_HEAD(name, type) SIMPLEQ_HEAD(name, type)
#define QSIMPLEQ_ENTRY(type) SIMPLEQ_ENTRY(type)
#define QSIMPLEQ_INIT(head) SIMPLEQ_INIT(head)
#define QSIMPLEQ_FIRST(head) SIMPLEQ_FIRST(head)
#define QSIMPLEQ_INSERT_TAIL(head, item, field) SIMPLEQ_INSERT_TAIL(head, item, field)
#define QSIMPLEQ_REMOVE_HEAD(head, field) SIMPLEQ_REMOVE_HEAD(head, field)

#endif
