/* SPDX-License-Identifier: GPL-2.0-or-later */
/* queue.h - stands in for QEMU's header of this name, whose tail queues are BSD's. */
#ifndef QEMU_QUEUE_H
#define QEMU_QUEUE_H

#include <sys/queue.h>

#define QTAILQ_HEAD             TAILQ_HEAD
#define QTAILQ_HEAD_INITIALIZER TAILQ_HEAD_INITIALIZER
#define QTAILQ_ENTRY            TAILQ_ENTRY
#define QTAILQ_INIT             TAILQ_INIT
#define QTAILQ_EMPTY            TAILQ_EMPTY
#define QTAILQ_FIRST            TAILQ_FIRST
#define QTAILQ_FOREACH          TAILQ_FOREACH
#define QTAILQ_INSERT_TAIL      TAILQ_INSERT_TAIL
#define QTAILQ_REMOVE           TAILQ_REMOVE

#endif
