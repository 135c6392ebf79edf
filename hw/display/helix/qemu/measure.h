/* SPDX-License-Identifier: GPL-2.0-or-later */
/* measure.h - see measure.c. Main loop with the BQL held. */
#ifndef HELIX_MEASURE_H
#define HELIX_MEASURE_H

#include "../stream/host.h"
#include "../capture/resource.h"

/* Add the properties to the exporting GPU, and take them away. */
void helix_measure_add(VirtIOGPU *g, HelixHost *host);
void helix_measure_remove(VirtIOGPU *g);
/* QEMU exits: @host of helix_measure_add() is freed next. */
void helix_measure_host_gone(void);

/* Resource @id was looked up for its texture. */
void helix_measure_looked_up(uint32_t id);

#endif
