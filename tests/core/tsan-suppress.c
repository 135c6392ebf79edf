/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tsan-suppress.c - what ThreadSanitizer is to leave out in a program that has no list of its own: see tsan-queue.c. One of the
 * program's files, as its runtime has a list too, an empty one that comes before any library's.
 */
const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libglib-2.0.so.0\n";
}
