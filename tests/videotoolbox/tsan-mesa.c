/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tsan-mesa.c - ThreadSanitizer in a program that draws with Mesa: Mesa holds more locks at once than its deadlock
 * detector can count. What else of Mesa is left out is in tests/core/tsan-queue.c.
 */
const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
    return "detect_deadlocks=0";
}
