/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transport.h - connections to bench-peer on the host, and times, for the guest's bench programs. */
#ifndef HELIX_BENCH_TRANSPORT_H
#define HELIX_BENCH_TRANSPORT_H

#include "../wire-end.h"

/* These end the program with what failed. @address: vsock:CID:PORT, tcp:HOST:PORT or file:PATH (a virtio-serial port).
 */
int transport_open(const char *address);
/* One round trip of @size bytes of an echo job that was begun, in microseconds. */
double transport_round(int fd, char *buffer, uint32_t size);
void transport_begin(int fd, uint32_t what, uint32_t size, uint32_t count);
void die(const char *what) __attribute__((noreturn));

double now_us(void);
/* The value below which @share (0 to 1) of @n lie. Sorts them. */
double quantile(double *values, uint32_t n, double share);
/* A JSON array of arrays, one of @n values for each of @rows. */
void print_arrays(double *const *values, int rows, int n);

#endif
