/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.c - the domain of the program's errors.
 */
#include "error.h"

GQuark cast_error_quark(void)
{
    return g_quark_from_static_string("helix-screencast-error-quark");
}
