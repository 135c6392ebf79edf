/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * autorelease.h - autorelease pools of the Objective-C runtime, in C. macOS alone.
 *
 * Frameworks leave objects to the calling thread's pool. A thread without one keeps them until it ends.
 */
#ifndef HELIX_AUTORELEASE_H
#define HELIX_AUTORELEASE_H

/* Exported by the runtime for compilers (clang's documentation of automatic reference counting, "Runtime support"). */
extern void *objc_autoreleasePoolPush(void);
extern void objc_autoreleasePoolPop(void *pool);

#endif
