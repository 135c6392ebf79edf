/* SPDX-License-Identifier: GPL-2.0-or-later */
/* encode-budget.c - the memory that the open encoders of one pool may keep together. */
#include "encode-budget.h"

void helix_encode_budget_init(HelixEncodeBudget *budget)
{
    g_mutex_init(&budget->lock);
    budget->max_bytes = G_MAXUINT64;
    budget->bytes = 0;
}

void helix_encode_budget_clear(HelixEncodeBudget *budget)
{
    g_mutex_clear(&budget->lock);
}

HelixEncodeRoom helix_encode_budget_reserve(HelixEncodeBudget *budget, guint64 bytes, guint64 held, guint64 *others)
{
    HelixEncodeRoom room = HELIX_ENCODE_ROOM_NONE;

    g_mutex_lock(&budget->lock);
    *others = budget->bytes - held;
    if (bytes <= budget->max_bytes && budget->bytes <= budget->max_bytes - bytes) {
        budget->bytes += bytes;
        room = HELIX_ENCODE_ROOM_BESIDE;
    } else if (bytes <= budget->max_bytes && *others <= budget->max_bytes - bytes) {
        budget->bytes = *others + bytes;
        room = HELIX_ENCODE_ROOM_INSTEAD;
    }
    g_mutex_unlock(&budget->lock);
    return room;
}

void helix_encode_budget_release(HelixEncodeBudget *budget, guint64 bytes)
{
    g_mutex_lock(&budget->lock);
    budget->bytes -= bytes;
    g_mutex_unlock(&budget->lock);
}
