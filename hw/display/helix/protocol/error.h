/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * error.h - the one error convention of the core: GError in the domain HELIX_ERROR.
 *
 * The code of such a GError is the code that goes over the wire (HELIX_CODE_ values, negative), and its message is the
 * text the guest reads: it says what was wrong and what would be right.
 */
#ifndef HELIX_ERROR_H
#define HELIX_ERROR_H

#include <glib.h>
#include "helix-wire.h"

#define HELIX_ERROR (helix_error_quark())

GQuark helix_error_quark(void);

#endif
