/* SPDX-License-Identifier: GPL-2.0-or-later */
/* resources.h - what this process has of the system: descriptors, threads, resident memory. Linux; elsewhere zeroes. */
#ifndef HELIX_TEST_RESOURCES_H
#define HELIX_TEST_RESOURCES_H

#include <glib.h>

typedef struct Resources {
    guint descriptors, threads;
    gsize resident; /* bytes */
} Resources;

Resources resources_now(void);
/* Descriptors and threads are what they were in @before; a thread that was joined may take a moment to be gone. */
void resources_expect(const Resources *before);

#endif
