/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cpus.h - stands in for QEMU's header of this name. */
#ifndef SYSTEM_CPUS_H
#define SYSTEM_CPUS_H

bool qemu_in_vcpu_thread(void);

#endif
