/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * error.h - the errors of the core: GError in the domain HELIX_ERROR.
 *
 * The code of a GError is the one that is sent (HELIX_CODE_ values, negative). The guest reads its message, which says
 * what was wrong and what would be right.
 */
#ifndef HELIX_ERROR_H
#define HELIX_ERROR_H

#include <glib.h>
#include "helix-wire.h"

#define HELIX_ERROR (helix_error_quark())

GQuark helix_error_quark(void);

#endif
