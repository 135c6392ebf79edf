/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * encoder-null-texture.c - the null encoder for textures that are left on the GPU: the cost of a frame without
 * read-back, conversion and coding. Its access units are those of `null`.
 */
#include "../encode/encoder.h"

static HelixEncoder *texture_open(HelixEncoderConfig *config, gboolean hardware_only, GError **error)
{
    HelixEncoder *encoder = helix_encoder_null.open(config, hardware_only, error);

    if (encoder) {
        encoder->klass = &helix_encoder_null_texture;
    }
    return encoder;
}

static gboolean texture_reconfigure(HelixEncoder *encoder, HelixEncoderConfig *config, GError **error)
{
    return helix_encoder_null.reconfigure(encoder, config, error);
}

static gboolean texture_encode(HelixEncoder *encoder, HelixSurface *surface, gboolean force_idr, HelixAccessUnit *unit,
                               GError **error)
{
    return helix_encoder_null.encode(encoder, surface, force_idr, unit, error);
}

static void texture_close(HelixEncoder *encoder)
{
    helix_encoder_null.close(encoder);
}

const HelixEncoderClass helix_encoder_null_texture = {
    .name = "null-texture",
    .surface_kinds = 1u << HELIX_SURFACE_MEMORY | 1u << HELIX_SURFACE_DMABUF | 1u << HELIX_SURFACE_IOSURFACE |
        1u << HELIX_SURFACE_TEXTURE,
    .open = texture_open,
    .reconfigure = texture_reconfigure,
    .encode = texture_encode,
    .close = texture_close,
};
