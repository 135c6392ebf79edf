/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test-lookup.c - what virglrenderer says of a texture, from a library of version 0 or 1; built twice, against a header
 * of either.
 */
#include <virglrenderer.h>

#include "cases.h"
#include "capture/apple/virgl-texture.h"
#include "gpu.h"

TEST("/lookup", test_lookup)
{
    char metal;
    HelixTexture texture;

    double_virgl = (DoubleVirglOrders){
        .tex_id = 3, .width = 10, .height = 20, .flags = 1, .native = &metal, .native_type = 2
    };
    g_assert_true(helix_virgl_texture(9, &texture));
    g_assert_null(texture.metal); /* version 0 has no handle, whatever lies there */
    g_assert_cmpuint(texture.id, ==, 9);
    g_assert_cmpuint(texture.tex_id, ==, 3);
    g_assert_cmpuint(texture.width, ==, 10);
    g_assert_cmpuint(texture.height, ==, 20);
    g_assert_true(texture.bottom_up);
    double_virgl.version = 1;
    double_virgl.flags = 2;
    g_assert_true(helix_virgl_texture(9, &texture));
    g_assert_true(texture.metal == &metal);
    g_assert_false(texture.bottom_up);
    double_virgl.native_type = 1; /* Direct3D's */
    g_assert_true(helix_virgl_texture(9, &texture));
    g_assert_null(texture.metal);
    double_virgl.tex_id = 0;
    g_assert_false(helix_virgl_texture(9, &texture));
    double_virgl.missing = TRUE;
    g_assert_false(helix_virgl_texture(9, &texture));
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(VIRGL_RENDERER_RESOURCE_INFO_EXT_VERSION, ==, HEADER_VERSION);
    test_cases_add();
    return g_test_run();
}
