/* SPDX-License-Identifier: GPL-2.0-or-later */
/* runstate.h - stands in for QEMU's header of this name. */
#ifndef SYSTEM_RUNSTATE_H
#define SYSTEM_RUNSTATE_H

bool runstate_is_running(void);

#endif
