/* SPDX-License-Identifier: GPL-2.0-or-later */
/* error.c - the core's GError domain. */
#include "error.h"

/* Not G_DEFINE_QUARK: it caches the quark in a variable that several threads would write without a lock. */
GQuark helix_error_quark(void)
{
    return g_quark_from_static_string("helix-error-quark");
}
