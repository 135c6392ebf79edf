/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.c - the core's GError domain. */
#include "error.h"

/* G_DEFINE_QUARK keeps it in a variable that threads would read and write as they come. */
GQuark helix_error_quark(void)
{
    return g_quark_from_static_string("helix-error-quark");
}
