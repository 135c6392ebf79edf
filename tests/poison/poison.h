/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * poison.h - proof that what a program makes does not depend on memory that it never wrote.
 *
 * What is done is done twice. In the first run all memory that is allocated, that was freed, and that goes back to a
 * pool of surfaces is filled with one number, in the second run with another. Whatever was made of such a byte differs
 * between the two: a picture's pixels and all that lies beside them, or a film. The C library fills (mallopt's
 * M_PERTURB), the libraries' own memory too; surfaces are filled by the linker's --wrap=helix_surface_unref.
 */
#ifndef HELIX_TEST_POISON_H
#define HELIX_TEST_POISON_H

#include "frame/surface.h"

/* What one run made, in the order in which it did. */
typedef struct PoisonSeen PoisonSeen;

/* Run @run with both numbers, and compare what it has shown. @what: for the message when they differ. */
void poison_compare(const char *what, void (*run)(PoisonSeen *seen, gconstpointer data), gconstpointer data);

void poison_see(PoisonSeen *seen, gconstpointer bytes, gsize size);
/* All that an encoder may read: every byte of the surface's memory. */
void poison_see_surface(PoisonSeen *seen, const HelixSurface *surface);
/* An answer that is no picture. */
void poison_see_error(PoisonSeen *seen, const GError *error);

/* What memory is filled with in the run under way. */
guint8 poison_number(void);

/* The first test of a program: memory of any kind that nobody wrote is found. */
void poison_test_itself(void);

#endif
