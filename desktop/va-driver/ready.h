/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ready.h - connections that are begun in vaInitialize(), for programs whose sandbox forbids socket() later: Chromium
 * initialises libva once before it closes its sandbox, and again in it. They belong to the process, so vaTerminate()
 * keeps them; an encoder takes one. Any thread.
 */
#ifndef HELIX_VA_READY_H
#define HELIX_VA_READY_H

#include "settings.h"

/* Begin as many as the settings say, less those that there are. Waits for no host, starts no thread, and does not fail:
 * an encoder that finds none connects itself. */
void hva_ready_fill(const HvaSettings *settings);
/* A socket to the host that @settings name, which had not closed it yet; the caller's. -1: none. */
int hva_ready_take(const HvaSettings *settings);

#endif
