/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * bits.h - bits of an H.264 NAL unit: read, written, and freed from or given emulation prevention.
 *
 * H.264, clauses 7.2 (u, ue, se), 7.3.1 and 7.4.1 (emulation_prevention_three_byte), 9.1 (Exp-Golomb). No state beyond the
 * structs here; any thread.
 */
#ifndef HELIX_BITS_H
#define HELIX_BITS_H

#include <glib.h>

/* Reads an RBSP. Past its end every read gives 0 and @failed stays set: check it once, at the end. */
typedef struct HelixBitReader {
    const guint8 *data;
    gsize n_bits;
    gsize pos;                  /* bits read so far */
    gboolean failed;
} HelixBitReader;

void helix_bit_reader_init(HelixBitReader *reader, const guint8 *rbsp, gsize len);
/* u(n), @n up to 32. */
guint32 helix_bits_u(HelixBitReader *reader, guint n);
/* ue(v) and se(v): 32 bits, as 7.2 bounds them; a longer code is a failure. */
guint32 helix_bits_ue(HelixBitReader *reader);
gint32 helix_bits_se(HelixBitReader *reader);

/* Writes an RBSP into @bytes, which it owns until helix_bit_writer_end(). */
typedef struct HelixBitWriter {
    GByteArray *bytes;
    gsize n_bits;
} HelixBitWriter;

void helix_bit_writer_init(HelixBitWriter *writer);
void helix_bits_put(HelixBitWriter *writer, guint32 value, guint n);
void helix_bits_put_ue(HelixBitWriter *writer, guint32 value);
/* Bits [@from, @to) of @rbsp as they are. The caller knows that they are there. */
void helix_bits_copy(HelixBitWriter *writer, const guint8 *rbsp, gsize from, gsize to);
/* rbsp_trailing_bits(), 7.3.2.11; the array is the caller's. */
GByteArray *helix_bit_writer_end(HelixBitWriter *writer);

/* The RBSP behind a NAL unit's bytes: each 03 behind two zeros is left out. The caller frees it. */
GByteArray *helix_rbsp_from_nal(const guint8 *nal, gsize len);
/* The other way: 03 put in wherever two zeros are followed by 0 to 3. The caller frees it. */
GByteArray *helix_nal_from_rbsp(const guint8 *rbsp, gsize len);

#endif
