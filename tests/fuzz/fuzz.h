/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz.h - what a fuzz target is, and how it takes its input apart.
 *
 * Each target is libFuzzer's one function. Built with clang and -Dfuzz=true it is a fuzzer; else replay.c runs it over
 * files. Nothing is kept from one input to the next. A check that fails aborts: that is what the fuzzer looks for,
 * beside what the sanitizers see.
 */
#ifndef HELIX_FUZZ_H
#define HELIX_FUZZ_H

#include <glib.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Reads from the front; beyond the end everything is 0. */
typedef struct Input {
    const guint8 *data;
    gsize size;
} Input;

static inline guint8 input_u8(Input *input)
{
    if (!input->size) {
        return 0;
    }
    input->size--;
    return *input->data++;
}

static inline guint16 input_u16(Input *input)
{
    guint16 low = input_u8(input);

    return (guint16)(low | input_u8(input) << 8);
}

static inline guint32 input_u32(Input *input)
{
    guint32 low = input_u16(input);

    return low | (guint32)input_u16(input) << 16;
}

/* Up to @most bytes, fewer at the end; @len receives how many. A copy of its exact size, for sanitizers to see a step
 * beyond. */
static inline guint8 *input_bytes(Input *input, gsize most, gsize *len)
{
    guint8 *bytes;

    *len = MIN(most, input->size);
    bytes = g_memdup2(input->data, *len);
    if (*len) { /* an empty input has no address */
        input->data += *len;
        input->size -= *len;
    }
    return bytes;
}

#endif
