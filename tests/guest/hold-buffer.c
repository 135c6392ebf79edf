/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * hold-buffer gl|classic|dumb|blob WIDTH HEIGHT NUMBER: makes a resource that shows drawing NUMBER (pattern.h), prints
 * "resource ID", and keeps it until standard input ends: for clients that are given a resource id.
 */
#include "buffer.h"
#include "pattern.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int find_kind(const char *name)
{
    static const char *const names[] = {
        [BUFFER_GL] = "gl", [BUFFER_CLASSIC] = "classic", [BUFFER_DUMB] = "dumb", [BUFFER_BLOB] = "blob"
    };

    for (int kind = 0; kind < (int)(sizeof(names) / sizeof(names[0])); kind++) {
        if (strcmp(names[kind], name) == 0) {
            return kind;
        }
    }
    return -1;
}

static int hold(Gpu *gpu, const BufferSpec *spec, unsigned number)
{
    const BufferArea area = { 0, 0, spec->width, spec->height };
    Buffer buffer;
    int ret = -1;

    if (buffer_new(gpu, spec, &buffer) < 0) {
        return -1;
    }
    if (buffer_draw(&buffer, number, &area) == 0 && buffer_upload(&buffer) == 0 && buffer_wait(&buffer) == 0) {
        printf("resource %u\n", buffer.resource_id);
        fflush(stdout);
        while (getchar() != EOF) {
        }
        ret = 0;
    }
    buffer_free(&buffer);
    return ret;
}

int main(int argc, char **argv)
{
    int kind = argc == 5 ? find_kind(argv[1]) : -1, ret;
    BufferSpec spec = { 0 };
    Gpu gpu;

    if (kind < 0) {
        fprintf(stderr, "usage: %s gl|classic|dumb|blob WIDTH HEIGHT NUMBER\n", argv[0]);
        return 2;
    }
    spec.kind = (BufferKind)kind;
    spec.width = atoi(argv[2]);
    spec.height = atoi(argv[3]);
    if (gpu_open(&gpu) < 0) {
        return 1;
    }
    ret = hold(&gpu, &spec, (unsigned)atoi(argv[4]));
    gpu_close(&gpu);
    return ret < 0;
}
