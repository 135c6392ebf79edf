/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tsan-mesa.c - what ThreadSanitizer is to leave out in a program that draws with Mesa: of Mesa and LLVM it only sees
 * parts, nothing under test runs in them, and they hold more locks at once than its deadlock detector can count.
 */
const char *__tsan_default_options(void);
const char *__tsan_default_suppressions(void);

const char *__tsan_default_options(void)
{
    return "detect_deadlocks=0";
}

const char *__tsan_default_suppressions(void)
{
    return "called_from_lib:libglib-2.0.so.0\ncalled_from_lib:libgallium\nrace:libgallium\n";
}
