/* SPDX-License-Identifier: GPL-2.0-or-later */
/* osdep.h - stands in for QEMU's header of this name: what the look-up needs of it. */
#ifndef QEMU_OSDEP_H
#define QEMU_OSDEP_H

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <glib.h>

#endif
