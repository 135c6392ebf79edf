/* SPDX-License-Identifier: GPL-2.0-or-later */
/* desktop.c - pictures of a desktop in motion. */
#include "desktop.h"
#include "measure.h"

#define LINE 18u /* pixels from one line of text to the next */
#define CELL 9u  /* from one letter to the next */

/* Letters are patterns of 2 x 2 pixels each, chosen by their position in the text. */
static gboolean is_ink(guint x, guint y)
{
    guint line = y / LINE, column = x / CELL, in_x = x % CELL / 2, in_y = y % LINE / 2;
    guint32 letter = (line * 7919u + column * 104729u) * 2654435761u;

    if (in_x == 0 || in_y < 2 || in_y == 8 || column % 9 == letter % 7) {
        return FALSE;
    }
    return letter >> ((in_x * 5 + in_y) % 29) & 1;
}

void desktop_draw(guint8 *pixels, gsize stride, guint width, guint height, guint n)
{
    guint left = width / 20, right = width * 11 / 20, top = height / 10, bottom = height * 9 / 10;
    guint ball_x = width * 3 / 5 + n * width / 50, ball_y = height / 3 + (n % 8) * height / 40, radius = height / 14;

    for (guint y = 0; y < height; y++) {
        guint8 *pixel = pixels + y * stride;

        for (guint x = 0; x < width; x++, pixel += 4) {
            guint dx = x > ball_x ? x - ball_x : ball_x - x, dy = y > ball_y ? y - ball_y : ball_y - y;
            guint colour = (20 + x * 60 / width) << 16 | (30 + y * 70 / height) << 8 |
                (90 + (x + y) * 60 / (width + height));

            if (x >= left && x < right && y >= top && y < bottom) {
                colour = y < top + 30 ? 0x3a3f4b : is_ink(x - left, y - top + n * 8) ? 0x202020 : 0xf6f5f4;
            } else if (y > height - 60) {
                colour = is_ink(x + n * 4, y - height + 60) ? 0xffffff : 0x101418;
            } else if (dx * dx + dy * dy < radius * radius) {
                colour = 0xed7a1a;
            }
            pixel[0] = (guint8)colour;
            pixel[1] = (guint8)(colour >> 8);
            pixel[2] = (guint8)(colour >> 16);
            pixel[3] = 255;
        }
    }
}

HelixSurface *desktop_surface(HelixSurfacePool *pool, guint width, guint height, guint n)
{
    HelixSurface *surface = helix_surface_pool_take(pool, HELIX_FORMAT_XR24, width, height, NULL);

    if (!surface) {
        die("no memory for a picture of %u x %u", width, height);
    }
    desktop_draw(surface->data, surface->stride[0], width, height, n);
    surface->path = HELIX_HOST_PATH_READBACK;
    return surface;
}
