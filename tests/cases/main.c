/* SPDX-License-Identifier: GPL-2.0-or-later */
/* main.c - the main() of a test program that needs nothing else in it. */
#include "cases.h"

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    test_cases_add();
    return g_test_run();
}
