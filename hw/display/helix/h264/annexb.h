/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * annexb.h - length-prefixed NAL units (AVCC, ISO/IEC 14496-15) converted to a byte stream with start codes (H.264,
 * Annex B).
 *
 * Input arrives in pieces that may be split anywhere, as in an encoder's non-contiguous buffer, and is copied once. One
 * thread at a time per HelixAnnexB.
 */
#ifndef HELIX_ANNEXB_H
#define HELIX_ANNEXB_H

#include <glib.h>

typedef struct HelixAnnexB {
    GByteArray *out;   /* NULL before init and after finish */
    gsize max_bytes;   /* limit of the byte stream */
    guint length_size; /* bytes of a length prefix: 1, 2 or 4 */
    guint length_got;  /* bytes of the current length prefix received */
    guint64 remaining; /* bytes missing of the current NAL unit */
} HelixAnnexB;

/*
 * Begin a byte stream of at most @max_bytes. FALSE with HELIX_ERROR (HELIX_CODE_ENCODE) for a @length_size that
 * 14496-15 does not allow; then nothing needs freeing.
 */
gboolean helix_annexb_init(HelixAnnexB *annexb, guint length_size, gsize max_bytes, GError **error);
/*
 * Append one whole NAL unit (header byte first), e.g. a parameter set; not inside of another one. An empty one adds
 * nothing. FALSE with HELIX_ERROR (HELIX_CODE_ENCODE) beyond max_bytes.
 */
gboolean helix_annexb_add_nal(HelixAnnexB *annexb, const guint8 *nal, gsize len, GError **error);
/* Append the next @len bytes of AVCC data. FALSE with HELIX_ERROR (HELIX_CODE_ENCODE) beyond max_bytes. */
gboolean helix_annexb_push(HelixAnnexB *annexb, const guint8 *data, gsize len, GError **error);
/*
 * The whole byte stream, which the caller frees. NULL with HELIX_ERROR (HELIX_CODE_ENCODE) if the data ends inside a
 * length prefix or a NAL unit, or holds none.
 */
GBytes *helix_annexb_finish(HelixAnnexB *annexb, GError **error);
/* Free it instead of finishing; allowed after finish and on a zeroed struct. */
void helix_annexb_clear(HelixAnnexB *annexb);

#endif
