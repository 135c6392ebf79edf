/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error-report.h - stands in for QEMU's header of this name, of which the look-up uses nothing. */
