/* SPDX-License-Identifier: GPL-2.0-or-later */
/* snapshot-cases.h - the case of picture-client whose producer overwrites its only buffer as soon as the host has kept
 * it.
 */
#ifndef HELIX_TEST_SNAPSHOT_CASES_H
#define HELIX_TEST_SNAPSHOT_CASES_H

#include "picture-cases.h"

/* SpecialCase.play */
int play_snapshots(Context *context, Player *player);

#endif
