/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * annexb.h - NAL units with lengths before them (AVCC, ISO/IEC 14496-15) turned into a byte stream with start codes
 * (H.264, Annex B).
 *
 * Input comes in pieces cut anywhere, as an encoder's buffer that is not contiguous has them, and is copied once.
 */
#ifndef HELIX_ANNEXB_H
#define HELIX_ANNEXB_H

#include <glib.h>

typedef struct HelixAnnexB {
    GByteArray *out;   /* NULL before init and after finish */
    gsize max_bytes;   /* of the whole byte stream */
    guint length_size; /* bytes of a length: 1, 2 or 4 */
    guint length_got;  /* bytes of the current length seen */
    guint64 remaining; /* bytes missing of the current NAL unit */
} HelixAnnexB;

/*
 * FALSE with HELIX_ERROR (HELIX_CODE_ENCODE) for a @length_size that 14496-15 does not have; then nothing is to be
 * freed.
 */
gboolean helix_annexb_init(HelixAnnexB *annexb, guint length_size, gsize max_bytes, GError **error);
/*
 * One whole NAL unit (header byte first), e.g. a parameter set; not in the middle of another. An empty one adds
 * nothing.
 */
gboolean helix_annexb_add_nal(HelixAnnexB *annexb, const guint8 *nal, gsize len, GError **error);
/* The next @len bytes of AVCC data. FALSE with HELIX_ERROR (HELIX_CODE_ENCODE) beyond max_bytes. */
gboolean helix_annexb_push(HelixAnnexB *annexb, const guint8 *data, gsize len, GError **error);
/*
 * All of it. NULL with HELIX_ERROR (HELIX_CODE_ENCODE) if the data ends inside a length or a NAL unit, or holds none.
 */
GBytes *helix_annexb_finish(HelixAnnexB *annexb, GError **error);
/* Instead of finish; also after it, and on a zeroed struct. */
void helix_annexb_clear(HelixAnnexB *annexb);

#endif
