/* SPDX-License-Identifier: GPL-2.0-or-later */
/* iov.h - stands in for QEMU's header of this name. As QEMU's, it aborts on a start beyond the elements and comes short
 * at their end. */
#ifndef QEMU_IOV_H
#define QEMU_IOV_H

static inline size_t iov_size(const struct iovec *iov, unsigned n)
{
    size_t size = 0;

    for (unsigned i = 0; i < n; i++) {
        size += iov[i].iov_len;
    }
    return size;
}

static inline size_t iov_to_buf(const struct iovec *iov, unsigned n, size_t offset, void *to, size_t bytes)
{
    size_t done = 0;

    for (unsigned i = 0; i < n && (offset || done < bytes); i++) {
        if (offset < iov[i].iov_len) {
            size_t piece = MIN(iov[i].iov_len - offset, bytes - done);

            memcpy((uint8_t *)to + done, (const uint8_t *)iov[i].iov_base + offset, piece);
            done += piece;
            offset = 0;
        } else {
            offset -= iov[i].iov_len;
        }
    }
    g_assert_cmpuint(offset, ==, 0);
    return done;
}

#endif
