/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encode-budget.h - the memory that the open encoders of one pool may keep together. Any thread. */
#ifndef HELIX_ENCODE_BUDGET_H
#define HELIX_ENCODE_BUDGET_H

#include <glib.h>

typedef struct HelixEncodeBudget {
    GMutex lock;
    guint64 max_bytes;
    guint64 bytes; /* reserved now */
} HelixEncodeBudget;

typedef enum HelixEncodeRoom {
    HELIX_ENCODE_ROOM_NONE,    /* nothing was reserved */
    HELIX_ENCODE_ROOM_INSTEAD, /* reserved in the place of what the caller held, which counts no longer */
    HELIX_ENCODE_ROOM_BESIDE   /* reserved beside it */
} HelixEncodeRoom;

/* No limit until max_bytes is set, before the first reservation. */
void helix_encode_budget_init(HelixEncodeBudget *budget);
void helix_encode_budget_clear(HelixEncodeBudget *budget);

/* Reserve @bytes for a caller that holds @held bytes of the budget. @others receives what all others hold. */
HelixEncodeRoom helix_encode_budget_reserve(HelixEncodeBudget *budget, guint64 bytes, guint64 held, guint64 *others);
void helix_encode_budget_release(HelixEncodeBudget *budget, guint64 bytes);

#endif
