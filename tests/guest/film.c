/* SPDX-License-Identifier: GPL-2.0-or-later */
/* film.c - see film.h. */
#include "film.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static FILE *open_file(const char *directory, const char *name, const char *ending)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s.%s", directory, name, ending);
    file = fopen(path, "wb");
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    }
    return file;
}

int film_open(Film *film, const char *directory, const char *name)
{
    *film = (Film){ .data = open_file(directory, name, "h264") };
    if (!film->data) {
        return -1;
    }
    film->index = open_file(directory, name, "index");
    if (!film->index) {
        fclose(film->data);
        return -1;
    }
    fprintf(film->index, "film 1\n");
    return 0;
}

int film_add(Film *film, const FilmUnit *unit, const uint8_t *bytes, size_t size)
{
    if (fwrite(bytes, 1, size, film->data) != size) {
        fprintf(stderr, "writing the film: %s\n", strerror(errno));
        return -1;
    }
    fprintf(film->index, "unit %u %u %d %d %d %" PRIu64 " %zu\n", unit->stream, unit->number, unit->width, unit->height,
            unit->key, film->offset, size);
    film->offset += size;
    film->units++;
    return 0;
}

int film_close(Film *film)
{
    int failed = fprintf(film->index, "end %u\n", film->units) < 0;

    failed |= fclose(film->index) != 0;
    failed |= fclose(film->data) != 0;
    if (failed) {
        fprintf(stderr, "writing the film: %s\n", strerror(errno));
    }
    return failed ? -1 : 0;
}
