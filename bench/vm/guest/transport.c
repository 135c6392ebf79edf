/* SPDX-License-Identifier: GPL-2.0-or-later */
/* transport.c - see transport.h. */
#include "transport.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void die(const char *what)
{
    perror(what);
    exit(1);
}

double now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static int connect_to(const struct sockaddr *address, socklen_t size, const char *text)
{
    int fd = socket(address->sa_family, SOCK_STREAM, 0), on = 1;

    if (fd < 0 || connect(fd, address, size) < 0) {
        die(text);
    }
    if (address->sa_family == AF_INET) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    return fd;
}

int transport_open(const char *text)
{
    struct sockaddr_vm vm = { .svm_family = AF_VSOCK };
    struct sockaddr_in in = { .sin_family = AF_INET };
    char host[64];
    unsigned port;
    int fd;

    if (sscanf(text, "vsock:%u:%u", &vm.svm_cid, &vm.svm_port) == 2) {
        return connect_to((struct sockaddr *)&vm, sizeof(vm), text);
    }
    if (sscanf(text, "tcp:%63[^:]:%u", host, &port) == 2 && inet_pton(AF_INET, host, &in.sin_addr) == 1) {
        in.sin_port = htons((uint16_t)port);
        return connect_to((struct sockaddr *)&in, sizeof(in), text);
    }
    fd = strncmp(text, "file:", 5) ? -1 : open(text + 5, O_RDWR);
    if (fd < 0) {
        die(text);
    }
    return fd;
}

void transport_begin(int fd, uint32_t what, uint32_t size, uint32_t count)
{
    Job job = { what, size, count };

    if (!write_all(fd, &job, sizeof(job))) {
        die("write");
    }
}

double transport_round(int fd, char *buffer, uint32_t size)
{
    double begin = now_us();

    if (!write_all(fd, buffer, size) || !read_all(fd, buffer, size)) {
        die("echo");
    }
    return now_us() - begin;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

double quantile(double *values, uint32_t n, double share)
{
    uint32_t at = (uint32_t)(share * n);

    qsort(values, n, sizeof(*values), compare);
    return values[at < n ? at : n - 1];
}

void print_arrays(double *const *values, int rows, int n)
{
    for (int row = 0; row < rows; row++) {
        printf(row ? ", [" : "[[");
        for (int i = 0; i < n; i++) {
            printf("%s%.3f", i ? ", " : "", values[row][i]);
        }
        printf("]");
    }
    printf("]\n");
}
