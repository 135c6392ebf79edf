/* SPDX-License-Identifier: GPL-2.0-or-later */
/* core-media.c - samples with their format description, attachments, and data in as many pieces as ordered. */
#include <string.h>

#include "core-media.h"

DOUBLE_CONSTANT(kCMSampleAttachmentKey_NotSync);
const CMTime kCMTimeInvalid;

CMTime CMTimeMake(int64_t value, int32_t timescale)
{
    return (CMTime){ .value = value, .timescale = timescale, .flags = kCMTimeFlags_Valid };
}

/* ---- block buffers ---- */

typedef struct Block {
    DoubleObject object;
    GPtrArray *pieces; /* GBytes, each its own memory */
    gboolean unreadable;
} Block;

static void block_finalize(gpointer object)
{
    g_ptr_array_unref(((Block *)object)->pieces);
}

static const DoubleClass block_class = { "CMBlockBuffer", block_finalize };

size_t CMBlockBufferGetDataLength(CMBlockBufferRef ref)
{
    Block *block = double_check(ref, &block_class);
    size_t size = 0;

    for (guint i = 0; i < block->pieces->len; i++) {
        size += g_bytes_get_size(block->pieces->pdata[i]);
    }
    return size;
}

OSStatus CMBlockBufferGetDataPointer(CMBlockBufferRef ref, size_t offset, size_t *length_at_offset, size_t *total,
                                     char **data)
{
    Block *block = double_check(ref, &block_class);

    if (total) {
        *total = CMBlockBufferGetDataLength(ref);
    }
    for (guint i = 0; i < block->pieces->len && !block->unreadable; i++) {
        gsize size;
        const char *piece = g_bytes_get_data(block->pieces->pdata[i], &size);

        if (offset < size) {
            *length_at_offset = size - offset;
            *data = (char *)piece + offset;
            return kCMBlockBufferNoErr;
        }
        offset -= size;
    }
    return kCMBlockBufferBadOffsetParameterErr;
}

static Block *block_new(const guint8 *data, gsize size, const DoubleVtOrders *orders)
{
    guint n = MAX(orders->block_pieces, 1);
    Block *block = double_object_new(&block_class, sizeof(*block));

    block->unreadable = orders->unreadable_block;
    block->pieces = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    for (guint i = 0; i < n; i++) {
        gsize from = size * i / n, to = size * (i + 1) / n;

        g_ptr_array_add(block->pieces, g_bytes_new(data + from, to - from));
    }
    return block;
}

/* ---- format descriptions ---- */

typedef struct Format {
    DoubleObject object;
    GPtrArray *sets;
    int length_size;
    gboolean count_fails, length_fails, sets_fail;
} Format;

static void format_finalize(gpointer object)
{
    g_ptr_array_unref(((Format *)object)->sets);
}

static const DoubleClass format_class = { "CMFormatDescription", format_finalize };

OSStatus CMVideoFormatDescriptionGetH264ParameterSetAtIndex(CMFormatDescriptionRef ref, size_t index,
                                                            const uint8_t **pointer, size_t *size, size_t *count,
                                                            int *length_size)
{
    Format *format = double_check(ref, &format_class);
    GBytes *set;

    if ((count && format->count_fails) || (length_size && format->length_fails) || (pointer && format->sets_fail)) {
        return kVTParameterErr;
    }
    if (count) {
        *count = format->sets->len;
    }
    if (length_size) {
        *length_size = format->length_size;
    }
    if (index >= format->sets->len) {
        return kVTParameterErr;
    }
    set = format->sets->pdata[index];
    if (pointer) {
        *pointer = g_bytes_get_data(set, NULL);
    }
    if (size) {
        *size = g_bytes_get_size(set);
    }
    return 0;
}

/* ---- samples ---- */

typedef struct Sample {
    DoubleObject object;
    Block *block;
    Format *format;
    CFArrayRef attachments;
} Sample;

static void sample_finalize(gpointer object)
{
    Sample *sample = object;

    if (sample->block) {
        CFRelease(sample->block);
    }
    if (sample->format) {
        CFRelease(sample->format);
    }
    if (sample->attachments) {
        CFRelease(sample->attachments);
    }
}

static const DoubleClass sample_class = { "CMSampleBuffer", sample_finalize };

CMBlockBufferRef CMSampleBufferGetDataBuffer(CMSampleBufferRef ref)
{
    return (CMBlockBufferRef)((Sample *)double_check(ref, &sample_class))->block;
}

CMFormatDescriptionRef CMSampleBufferGetFormatDescription(CMSampleBufferRef ref)
{
    return (CMFormatDescriptionRef)((Sample *)double_check(ref, &sample_class))->format;
}

CFArrayRef CMSampleBufferGetSampleAttachmentsArray(CMSampleBufferRef ref, Boolean create)
{
    g_assert_false(create);
    return ((Sample *)double_check(ref, &sample_class))->attachments;
}

static CFArrayRef attachments_new(gboolean key, gboolean say_so)
{
    const void *name = kCMSampleAttachmentKey_NotSync, *value = key ? kCFBooleanFalse : kCFBooleanTrue;
    CFDictionaryRef dictionary = CFDictionaryCreate(kCFAllocatorDefault, &name, &value, key && !say_so ? 0 : 1,
                                                    &kCFTypeDictionaryKeyCallBacks, &kCFTypeDictionaryValueCallBacks);
    CFArrayRef array = double_array_new((const void *const *)&dictionary, 1);

    CFRelease(dictionary);
    return array;
}

CMSampleBufferRef double_sample_new(GPtrArray *sets, const GByteArray *avcc, const DoubleVtOrders *orders, gboolean key)
{
    Sample *sample = double_object_new(&sample_class, sizeof(*sample));

    if (!orders->no_data) {
        sample->block = block_new(avcc->data, avcc->len - (orders->truncated ? 3 : 0), orders);
    }
    if (!orders->no_format) {
        sample->format = double_object_new(&format_class, sizeof(Format));
        sample->format->sets = g_ptr_array_ref(sets);
        sample->format->length_size = orders->length_size ? (int)orders->length_size : 4;
        sample->format->count_fails = orders->count_fails;
        sample->format->length_fails = orders->length_fails;
        sample->format->sets_fail = orders->sets_fail;
    }
    if (!(key && orders->no_attachments)) {
        sample->attachments = attachments_new(key, orders->not_sync_false);
    }
    return (CMSampleBufferRef)sample;
}
