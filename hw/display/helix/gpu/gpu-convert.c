/* SPDX-License-Identifier: GPL-2.0-or-later */
/* gpu-convert.c - the shaders that draw NV12, and the state of GL around them. */
#include "gpu-convert.h"
#include "../protocol/error.h"

#define GL_NEEDED 33 /* sampler objects; glGetTexLevelParameteriv() */
#define MOST_ERRORS 8

/* A sample is the mean of so many pixels a side at most (chroma of twice as many): a guest chooses the sizes, and a
 * shader that runs for seconds makes the driver reset the GPU. */
#define MOST_PIXELS 16u

/* From EXT_texture_sRGB_decode; glsl's texelFetch() ignores it, so that pixels are fetched by coordinates. */
#define TEXTURE_SRGB_DECODE 0x8a48
#define SKIP_DECODE 0x8a4a

/* ---- shaders ---- */

static const char vertex_source[] =
    "#version 330\n"
    "void main()\n"
    "{\n"
    "    vec2 corner = vec2(gl_VertexID & 1, gl_VertexID >> 1) * 4.0 - 1.0;\n" /* a triangle around all of it */
    "    gl_Position = vec4(corner, 0.0, 1.0);\n"
    "}\n";

/*
 * One sample of a plane. Indices are in pixels of the picture, top row first. A sample covers the window of the picture
 * that is span wide: span is at least a pixel, which makes the weights those of linear interpolation when scaling up.
 */
static const char fragment_head[] =
    "uniform sampler2D picture;\n"
    "uniform ivec2 origin, size;\n" /* of the picture in its texture, in pixels */
    "uniform ivec2 last;\n"         /* the plane's last sample that is not padding */
    "uniform bool bottom_up;\n"
    "uniform vec2 pixels;\n" /* of the picture, for a sample of the plane */
    "out vec4 sample_out;\n"
    "vec3 pixel(ivec2 at)\n"
    "{\n"
    "    ivec2 whole = textureSize(picture, 0);\n"
    "    at = origin + clamp(at, ivec2(0), size - 1);\n"
    "    at.y = bottom_up ? whole.y - 1 - at.y : at.y;\n"
    "    return textureLod(picture, (vec2(at) + 0.5) / vec2(whole), 0.0).rgb;\n"
    "}\n"
    "vec3 mean(ivec2 at)\n"
    "{\n"
    "#if SCALED\n"
    "    vec2 span = max(pixels, vec2(1.0)), centre = (vec2(at) + 0.5) * pixels;\n"
    "    vec2 from = centre - 0.5 * span, to = centre + 0.5 * span;\n"
    "    ivec2 first = ivec2(floor(from)), end = ivec2(ceil(to));\n"
    "    vec3 sum = vec3(0.0);\n"
    "    for (int y = first.y; y < end.y; y++) {\n"
    "        vec3 row = vec3(0.0);\n"
    "        for (int x = first.x; x < end.x; x++) {\n"
    "            row += pixel(ivec2(x, y)) * (min(to.x, float(x + 1)) - max(from.x, float(x)));\n"
    "        }\n"
    "        sum += row * (min(to.y, float(y + 1)) - max(from.y, float(y)));\n"
    "    }\n"
    "    return sum / (span.x * span.y);\n"
    "#elif CHROMA\n"
    "    at *= 2;\n"
    "    return (pixel(at) + pixel(at + ivec2(1, 0)) + pixel(at + ivec2(0, 1)) + pixel(at + ivec2(1, 1))) / 4.0;\n"
    "#else\n"
    "    return pixel(at);\n"
    "#endif\n"
    "}\n"
    "void main()\n"
    "{\n"
    "    vec3 rgb = mean(min(ivec2(gl_FragCoord.xy), last));\n"
    "    float y = dot(rgb, vec3(0.2126, 0.7152, 0.0722));\n"
    "#if CHROMA\n"
    "    vec2 difference = vec2((rgb.b - y) / 1.8556, (rgb.r - y) / 1.5748);\n"
    "    sample_out = vec4((128.0 + 224.0 * difference) / 255.0, 0.0, 1.0);\n"
    "#else\n"
    "    sample_out = vec4((16.0 + 219.0 * y) / 255.0, 0.0, 0.0, 1.0);\n"
    "#endif\n"
    "}\n";

typedef struct Program {
    GLuint name; /* 0: not made yet */
    GLint origin, size, last, bottom_up, pixels;
} Program;

struct HelixGpuConverter {
    GLuint framebuffer, vertices, sampler;
    Program programs[2][2]; /* chroma, scaled */
};

static gboolean fail(GError **error, const char *what, const char *log)
{
    g_set_error(error, HELIX_ERROR, HELIX_CODE_INTERNAL, "conversion by the GPU: %s%s%s", what, log ? ": " : "",
                log ? log : "");
    return FALSE;
}

static GLuint compile(GLenum type, const char *const *parts, GLsizei n_parts, GError **error)
{
    GLuint shader = glCreateShader(type);
    GLint compiled = GL_FALSE;
    char log[512] = "";

    glShaderSource(shader, n_parts, parts, NULL);
    glCompileShader(shader);
    glGetShaderiv(shader, GL_COMPILE_STATUS, &compiled);
    if (!compiled) {
        glGetShaderInfoLog(shader, sizeof(log), NULL, log);
        glDeleteShader(shader);
        fail(error, "GL does not compile a shader", log);
        return 0;
    }
    return shader;
}

/* Frees both shaders. */
static GLuint link_program(GLuint vertex, GLuint fragment, GError **error)
{
    GLuint name = glCreateProgram();
    GLint linked = GL_FALSE;
    char log[512] = "";

    glAttachShader(name, vertex);
    glAttachShader(name, fragment);
    glLinkProgram(name);
    glDeleteShader(vertex);
    glDeleteShader(fragment);
    glGetProgramiv(name, GL_LINK_STATUS, &linked);
    if (!linked) {
        glGetProgramInfoLog(name, sizeof(log), NULL, log);
        glDeleteProgram(name);
        fail(error, "GL does not link a shader", log);
        return 0;
    }
    return name;
}

/* Compiled when it is needed first: few streams are scaled. */
static const Program *need_program(HelixGpuConverter *converter, gboolean chroma, gboolean scaled, GError **error)
{
    const char *const vertex_parts[] = { vertex_source };
    const char *const fragment_parts[] = { "#version 330\n", chroma ? "#define CHROMA 1\n" : "#define CHROMA 0\n",
                                           scaled ? "#define SCALED 1\n" : "#define SCALED 0\n", fragment_head };
    Program *program = &converter->programs[chroma != 0][scaled != 0];
    GLuint vertex, fragment;

    if (program->name) {
        return program;
    }
    vertex = compile(GL_VERTEX_SHADER, vertex_parts, G_N_ELEMENTS(vertex_parts), error);
    fragment = vertex ? compile(GL_FRAGMENT_SHADER, fragment_parts, G_N_ELEMENTS(fragment_parts), error) : 0;
    if (!fragment) {
        glDeleteShader(vertex);
        return NULL;
    }
    program->name = link_program(vertex, fragment, error);
    if (!program->name) {
        return NULL;
    }
    program->origin = glGetUniformLocation(program->name, "origin");
    program->size = glGetUniformLocation(program->name, "size");
    program->last = glGetUniformLocation(program->name, "last");
    program->bottom_up = glGetUniformLocation(program->name, "bottom_up");
    program->pixels = glGetUniformLocation(program->name, "pixels"); /* -1 where nothing is scaled */
    glUseProgram(program->name);
    glUniform1i(glGetUniformLocation(program->name, "picture"), 0);
    return program;
}

/* ---- the converter ---- */

HelixGpuConverter *helix_gpu_converter_new(GError **error)
{
    HelixGpuConverter *converter;

    if (!epoxy_is_desktop_gl() || epoxy_gl_version() < GL_NEEDED) {
        fail(error, "it takes OpenGL 3.3", NULL);
        return NULL;
    }
    converter = g_new0(HelixGpuConverter, 1);
    glGenFramebuffers(1, &converter->framebuffer);
    glGenVertexArrays(1, &converter->vertices);
    glGenSamplers(1, &converter->sampler);
    glSamplerParameteri(converter->sampler, GL_TEXTURE_MIN_FILTER, GL_NEAREST);
    glSamplerParameteri(converter->sampler, GL_TEXTURE_MAG_FILTER, GL_NEAREST);
    if (epoxy_has_gl_extension("GL_EXT_texture_sRGB_decode")) {
        glSamplerParameteri(converter->sampler, TEXTURE_SRGB_DECODE, SKIP_DECODE);
    }
    if (!need_program(converter, FALSE, FALSE, error) || !need_program(converter, TRUE, FALSE, error)) {
        helix_gpu_converter_free(converter);
        return NULL;
    }
    return converter;
}

void helix_gpu_converter_free(HelixGpuConverter *converter)
{
    if (converter) {
        for (guint i = 0; i < 4; i++) {
            glDeleteProgram(converter->programs[i / 2][i % 2].name);
        }
        glDeleteSamplers(1, &converter->sampler);
        glDeleteVertexArrays(1, &converter->vertices);
        glDeleteFramebuffers(1, &converter->framebuffer);
        g_free(converter);
    }
}

/* ---- one picture ---- */

/* A lost context reports an error each time it is asked. */
static gboolean gl_is_well(void)
{
    gboolean well = TRUE;

    for (guint i = 0; i < MOST_ERRORS && glGetError() != GL_NO_ERROR; i++) {
        well = FALSE;
    }
    return well;
}

/* Bind @texture and check that @right x @bottom pixels lie within it. */
static gboolean bind(GLuint texture, guint64 right, guint64 bottom, GError **error)
{
    GLint width = 0, height = 0;

    glBindTexture(GL_TEXTURE_2D, texture);
    glGetTexLevelParameteriv(GL_TEXTURE_2D, 0, GL_TEXTURE_WIDTH, &width);
    glGetTexLevelParameteriv(GL_TEXTURE_2D, 0, GL_TEXTURE_HEIGHT, &height);
    if (!gl_is_well()) {
        return fail(error, "GL has no such 2D texture", NULL);
    }
    if (right > (guint64)width || bottom > (guint64)height) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY,
                    "pixels of the picture or plane lie beside its texture of %d x %d", width, height);
        return FALSE;
    }
    return TRUE;
}

static gboolean draw_plane(HelixGpuConverter *converter, const HelixGpuPicture *picture, const HelixGpuPlanes *planes,
                           gboolean chroma, GError **error)
{
    const guint divisor = chroma ? 2 : 1;
    const GLuint plane = chroma ? planes->chroma : planes->luma;
    const guint32 width = planes->padded_width / divisor, height = planes->padded_height / divisor;
    gboolean scaled = planes->width != ((picture->width + 1) & ~1u) || planes->height != ((picture->height + 1) & ~1u);
    const Program *program = need_program(converter, chroma, scaled, error);

    if (!program || !bind(plane, width, height, error)) {
        return FALSE;
    }
    glFramebufferTexture2D(GL_DRAW_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, plane, 0);
    if (glCheckFramebufferStatus(GL_DRAW_FRAMEBUFFER) != GL_FRAMEBUFFER_COMPLETE) {
        gl_is_well();
        return fail(error, chroma ? "the chroma plane can't be drawn into" : "the luma plane can't be drawn into",
                    NULL);
    }
    if (!bind(picture->texture, (guint64)picture->x + picture->width, (guint64)picture->y + picture->height, error)) {
        return FALSE;
    }
    glUseProgram(program->name);
    glUniform2i(program->origin, (GLint)picture->x, (GLint)picture->y);
    glUniform2i(program->size, (GLint)picture->width, (GLint)picture->height);
    glUniform2i(program->last, (GLint)(planes->width / divisor) - 1, (GLint)(planes->height / divisor) - 1);
    glUniform1i(program->bottom_up, picture->bottom_up);
    glUniform2f(program->pixels, (GLfloat)picture->width * (GLfloat)divisor / (GLfloat)planes->width,
                (GLfloat)picture->height * (GLfloat)divisor / (GLfloat)planes->height);
    glViewport(0, 0, (GLsizei)width, (GLsizei)height);
    glDrawArrays(GL_TRIANGLES, 0, 3);
    return gl_is_well() || fail(error, "GL can't draw", NULL);
}

gboolean helix_gpu_convert(HelixGpuConverter *converter, const HelixGpuPicture *picture, const HelixGpuPlanes *planes,
                           GError **error)
{
    gboolean good;

    if (!picture->width || !picture->height || !planes->width || !planes->height ||
        (planes->width | planes->height | planes->padded_width | planes->padded_height) & 1 ||
        planes->padded_width < planes->width || planes->padded_height < planes->height) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "planes of %u x %u in %u x %u: they are even, and hold it",
                    planes->width, planes->height, planes->padded_width, planes->padded_height);
        return FALSE;
    }
    if (picture->width / MOST_PIXELS > planes->width || picture->height / MOST_PIXELS > planes->height) {
        g_set_error(error, HELIX_ERROR, HELIX_CODE_GEOMETRY, "the GPU does not scale %u x %u down to %u x %u",
                    picture->width, picture->height, planes->width, planes->height);
        return FALSE;
    }
    gl_is_well(); /* errors from before are not ours */
    glBindFramebuffer(GL_DRAW_FRAMEBUFFER, converter->framebuffer);
    glBindVertexArray(converter->vertices);
    glActiveTexture(GL_TEXTURE0);
    glBindSampler(0, converter->sampler);
    good = draw_plane(converter, picture, planes, FALSE, error) && draw_plane(converter, picture, planes, TRUE, error);
    glFramebufferTexture2D(GL_DRAW_FRAMEBUFFER, GL_COLOR_ATTACHMENT0, GL_TEXTURE_2D, 0, 0);
    glBindTexture(GL_TEXTURE_2D, 0);
    return good;
}
