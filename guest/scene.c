/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * scene.c - what the demo's desktop shows: a window with a turning cube, a ball that bounces, a line of text that
 * scrolls, and a clock with milliseconds. Wayland (xdg-shell) and GLES2; text comes from one texture of glyphs.
 *
 * scene [WIDTH HEIGHT [stamp]]. With "stamp" the window has no frame around it, and its top left corner has the guest's
 * monotonic clock as black and white cells, for measuring when a picture arrives. SIGUSR1 stops its time: it goes on
 * drawing frames, all alike, so that a picture taken by one way can be compared with one taken by another. SIGUSR2 lets
 * its time run on.
 */
#include <cairo.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <EGL/egl.h>
#include <GLES2/gl2.h>
#include <wayland-client.h>
#include <wayland-egl.h>
#include "xdg-shell-client-protocol.h"

/* Glyphs 32..127 in 16 columns. */
#define CELL_W 32
#define CELL_H 60
#define COLUMNS 16
#define ROWS 6

#define STAMP_BITS 32
#define STAMP_CELL 16

#define TICKER \
    "This desktop is drawn inside a virtual machine. Its pictures leave it by name only: a resource id " \
    "over vsock; the host looks the picture up, encodes it, and sends H.264 back.   +++   "

static struct wl_compositor *compositor;
static struct xdg_wm_base *wm_base;
static struct wl_surface *surface;
static int width = 960, height = 540;
static volatile sig_atomic_t frozen, closed;
static bool configured, stamped;

static GLuint shape_program, text_program, glyphs;

static void die(const char *what)
{
    fprintf(stderr, "scene: %s\n", what);
    exit(1);
}

static void on_signal(int number)
{
    frozen = number == SIGUSR1;
}

/* ---- GL ---- */

static GLuint compile(GLenum kind, const char *source)
{
    GLuint shader = glCreateShader(kind);
    GLint ok;

    glShaderSource(shader, 1, &source, NULL);
    glCompileShader(shader);
    glGetShaderiv(shader, GL_COMPILE_STATUS, &ok);
    if (!ok) {
        die("a shader does not compile");
    }
    return shader;
}

/* Attribute 0 is the position (and depth), attribute 1 colour or texture coordinate. */
static GLuint link_program(const char *vertex, const char *fragment)
{
    GLuint program = glCreateProgram();
    GLint ok;

    glAttachShader(program, compile(GL_VERTEX_SHADER, vertex));
    glAttachShader(program, compile(GL_FRAGMENT_SHADER, fragment));
    glBindAttribLocation(program, 0, "position");
    glBindAttribLocation(program, 1, "extra");
    glLinkProgram(program);
    glGetProgramiv(program, GL_LINK_STATUS, &ok);
    if (!ok) {
        die("a program does not link");
    }
    return program;
}

static void make_glyphs(void)
{
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_A8, COLUMNS * CELL_W, ROWS * CELL_H);
    cairo_t *cr = cairo_create(image);

    cairo_select_font_face(cr, "DejaVu Sans Mono", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
    cairo_set_font_size(cr, 48);
    for (int c = 32; c < 127; c++) {
        char text[2] = { c, 0 };

        cairo_move_to(cr, (c - 32) % COLUMNS * CELL_W + 1, (c - 32) / COLUMNS * CELL_H + 46);
        cairo_show_text(cr, text);
    }
    cairo_surface_flush(image);
    glGenTextures(1, &glyphs);
    glBindTexture(GL_TEXTURE_2D, glyphs);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MIN_FILTER, GL_LINEAR);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_MAG_FILTER, GL_LINEAR);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_S, GL_CLAMP_TO_EDGE);
    glTexParameteri(GL_TEXTURE_2D, GL_TEXTURE_WRAP_T, GL_CLAMP_TO_EDGE);
    /* A8 rows are as wide as the image: 512 is a multiple of cairo's alignment. */
    glTexImage2D(GL_TEXTURE_2D, 0, GL_ALPHA, COLUMNS * CELL_W, ROWS * CELL_H, 0, GL_ALPHA, GL_UNSIGNED_BYTE,
                 cairo_image_surface_get_data(image));
    cairo_destroy(cr);
    cairo_surface_destroy(image);
}

static void setup_gl(void)
{
    shape_program = link_program("attribute vec3 position; attribute vec4 extra; varying vec4 colour;"
                                 "void main() { gl_Position = vec4(position, 1.0); colour = extra; }",
                                 "precision mediump float; varying vec4 colour;"
                                 "void main() { gl_FragColor = colour; }");
    text_program = link_program("attribute vec3 position; attribute vec4 extra; varying vec2 at;"
                                "void main() { gl_Position = vec4(position, 1.0); at = extra.xy; }",
                                "precision mediump float; varying vec2 at; uniform sampler2D glyphs; uniform vec3 ink;"
                                "void main() { gl_FragColor = vec4(ink, texture2D(glyphs, at).a); }");
    make_glyphs();
    glEnableVertexAttribArray(0);
    glEnableVertexAttribArray(1);
    glBlendFunc(GL_SRC_ALPHA, GL_ONE_MINUS_SRC_ALPHA);
    glDepthFunc(GL_LESS);
}

/* Seven floats a vertex: x, y, z, then colour or texture coordinate. */
static void draw(GLenum mode, const float *vertices, int n)
{
    glVertexAttribPointer(0, 3, GL_FLOAT, GL_FALSE, 7 * sizeof(float), vertices);
    glVertexAttribPointer(1, 4, GL_FLOAT, GL_FALSE, 7 * sizeof(float), vertices + 3);
    glDrawArrays(mode, 0, n);
}

static float x_of(float pixel)
{
    return pixel / width * 2 - 1;
}

static float y_of(float pixel)
{
    return 1 - pixel / height * 2;
}

/* Text with its top left corner at (@x, @y) in pixels, @size pixels high. */
static void draw_text(const char *text, float x, float y, float size, const float ink[3])
{
    static float vertices[256 * 6 * 7];
    float advance = size * CELL_W / CELL_H * 0.92f;
    int n = 0;

    for (const char *c = text; *c && n < 256 * 6; c++, x += advance) {
        static const float corner[6][2] = { { 0, 0 }, { 1, 0 }, { 0, 1 }, { 0, 1 }, { 1, 0 }, { 1, 1 } };
        int cell = *c >= 32 && *c < 127 ? *c - 32 : 0;

        if (x + size < 0 || x > width) {
            continue;
        }
        for (int i = 0; i < 6; i++, n++) {
            float *v = vertices + n * 7;

            v[0] = x_of(x + corner[i][0] * size * CELL_W / CELL_H);
            v[1] = y_of(y + corner[i][1] * size);
            v[2] = 0;
            v[3] = (cell % COLUMNS + corner[i][0]) / COLUMNS;
            v[4] = (cell / COLUMNS + corner[i][1]) / ROWS;
            v[5] = v[6] = 0;
        }
    }
    glUseProgram(text_program);
    glUniform3fv(glGetUniformLocation(text_program, "ink"), 1, ink);
    glEnable(GL_BLEND);
    draw(GL_TRIANGLES, vertices, n);
    glDisable(GL_BLEND);
}

static void put(float *v, float x, float y, float z, float r, float g, float b)
{
    memcpy(v, (float[7]){ x, y, z, r, g, b, 1 }, 7 * sizeof(float));
}

static void draw_background(void)
{
    float v[4 * 7];

    put(v, -1, 1, 0, 0.10f, 0.16f, 0.30f);
    put(v + 7, 1, 1, 0, 0.16f, 0.24f, 0.40f);
    put(v + 14, -1, -1, 0, 0.05f, 0.07f, 0.12f);
    put(v + 21, 1, -1, 0, 0.08f, 0.11f, 0.18f);
    draw(GL_TRIANGLE_STRIP, v, 4);
}

static void draw_cube(float seconds)
{
    static const float colours[6][3] = { { 0.90f, 0.30f, 0.24f }, { 0.18f, 0.66f, 0.38f }, { 0.20f, 0.50f, 0.86f },
                                         { 0.95f, 0.77f, 0.20f }, { 0.60f, 0.35f, 0.71f }, { 0.92f, 0.93f, 0.95f } };
    float a = seconds * 0.9f, b = seconds * 0.6f, scale = 0.42f, aspect = (float)height / width;
    float v[36 * 7];
    int n = 0;

    for (int face = 0; face < 6; face++) {
        static const int corner[6][2] = { { -1, -1 }, { 1, -1 }, { -1, 1 }, { -1, 1 }, { 1, -1 }, { 1, 1 } };

        for (int i = 0; i < 6; i++, n++) {
            float p[3], x, y, z, depth;

            p[face / 2] = face % 2 ? 1 : -1;
            p[(face / 2 + 1) % 3] = corner[i][0];
            p[(face / 2 + 2) % 3] = corner[i][1];
            x = p[0] * cosf(a) - p[2] * sinf(a);
            z = p[0] * sinf(a) + p[2] * cosf(a);
            y = p[1] * cosf(b) - z * sinf(b);
            z = p[1] * sinf(b) + z * cosf(b);
            depth = 4 / (5 + z);
            put(v + n * 7, -0.45f + x * scale * depth * aspect, 0.05f + y * scale * depth, z / 4, colours[face][0],
                colours[face][1], colours[face][2]);
        }
    }
    glEnable(GL_DEPTH_TEST);
    draw(GL_TRIANGLES, v, n);
    glDisable(GL_DEPTH_TEST);
}

static void draw_ball(float seconds)
{
    float radius = 28, x = width * (0.72f + 0.2f * sinf(seconds * 1.3f));
    float y = height * 0.72f - fabsf(sinf(seconds * 2.6f)) * height * 0.3f;
    float v[34 * 7];

    put(v, x_of(x - radius / 3), y_of(y - radius / 3), 0, 1, 0.85f, 0.55f);
    for (int i = 0; i <= 32; i++) {
        float angle = i * (float)M_PI / 16;

        put(v + (i + 1) * 7, x_of(x + cosf(angle) * radius), y_of(y + sinf(angle) * radius), 0, 0.93f, 0.45f, 0.10f);
    }
    draw(GL_TRIANGLE_FAN, v, 34);
}

static void draw_frame(double seconds, double of_day)
{
    static const float white[3] = { 1, 1, 1 }, sky[3] = { 0.6f, 0.8f, 1 };
    char clock[64];
    int whole = (int)of_day;
    float ticker_size = 34, ticker_width = strlen(TICKER) * ticker_size * CELL_W / CELL_H * 0.92f;
    float scroll = fmod(seconds * 120, ticker_width);

    glViewport(0, 0, width, height);
    glClear(GL_COLOR_BUFFER_BIT | GL_DEPTH_BUFFER_BIT);
    glUseProgram(shape_program);
    draw_background();
    draw_cube(seconds);
    glUseProgram(shape_program);
    draw_ball(seconds);
    snprintf(clock, sizeof(clock), "%02d:%02d:%02d.%03d", whole / 3600, whole / 60 % 60, whole % 60,
             (int)((of_day - whole) * 1000));
    draw_text(clock, width * 0.50f, height * 0.08f, 64, white);
    draw_text("Guest desktop", width * 0.50f, height * 0.22f, 36, sky);
    draw_text(TICKER, -scroll, height - 60, ticker_size, white);
    draw_text(TICKER, ticker_width - scroll, height - 60, ticker_size, white);
}

/* Ticks of 0.1 ms, lowest bit left; the row below has the opposite, so that a reader knows a good one. */
static void draw_stamp(double seconds)
{
    uint32_t ticks = (uint32_t)(uint64_t)(seconds * 10000);

    glEnable(GL_SCISSOR_TEST);
    for (int i = 0; i < 2 * STAMP_BITS; i++) {
        float white = (ticks >> (i % STAMP_BITS) & 1) != (uint32_t)(i / STAMP_BITS);

        glScissor(i % STAMP_BITS * STAMP_CELL, height - (i / STAMP_BITS + 1) * STAMP_CELL, STAMP_CELL, STAMP_CELL);
        glClearColor(white, white, white, 1);
        glClear(GL_COLOR_BUFFER_BIT);
    }
    glDisable(GL_SCISSOR_TEST);
    glClearColor(0, 0, 0, 0);
}

/* ---- Wayland ---- */

static void on_ping(void *data, struct xdg_wm_base *base, uint32_t serial)
{
    (void)data;
    xdg_wm_base_pong(base, serial);
}

static const struct xdg_wm_base_listener wm_base_listener = { .ping = on_ping };

static void on_global(void *data, struct wl_registry *registry, uint32_t name, const char *interface, uint32_t version)
{
    (void)data;
    (void)version;
    if (!strcmp(interface, wl_compositor_interface.name)) {
        compositor = wl_registry_bind(registry, name, &wl_compositor_interface, 1);
    } else if (!strcmp(interface, xdg_wm_base_interface.name)) {
        wm_base = wl_registry_bind(registry, name, &xdg_wm_base_interface, 1);
        xdg_wm_base_add_listener(wm_base, &wm_base_listener, NULL);
    }
}

static void on_global_remove(void *data, struct wl_registry *registry, uint32_t name)
{
    (void)data;
    (void)registry;
    (void)name;
}

static const struct wl_registry_listener registry_listener = { on_global, on_global_remove };

static void on_surface_configure(void *data, struct xdg_surface *xdg_surface, uint32_t serial)
{
    (void)data;
    xdg_surface_ack_configure(xdg_surface, serial);
    configured = true;
}

static const struct xdg_surface_listener surface_listener = { .configure = on_surface_configure };

static void on_toplevel_configure(void *data, struct xdg_toplevel *toplevel, int32_t w, int32_t h,
                                  struct wl_array *states)
{
    /* The size stays the one that was asked for. */
    (void)data;
    (void)toplevel;
    (void)w;
    (void)h;
    (void)states;
}

static void on_toplevel_close(void *data, struct xdg_toplevel *toplevel)
{
    (void)data;
    (void)toplevel;
    closed = 1;
}

static const struct xdg_toplevel_listener toplevel_listener = { .configure = on_toplevel_configure,
                                                                .close = on_toplevel_close };

static struct wl_display *open_window(void)
{
    struct wl_display *display = wl_display_connect(NULL);
    struct wl_registry *registry;
    struct xdg_surface *xdg_surface;
    struct xdg_toplevel *toplevel;

    if (!display) {
        die("no Wayland display (XDG_RUNTIME_DIR, WAYLAND_DISPLAY)");
    }
    registry = wl_display_get_registry(display);
    wl_registry_add_listener(registry, &registry_listener, NULL);
    wl_display_roundtrip(display);
    if (!compositor || !wm_base) {
        die("the compositor has no xdg-shell");
    }
    surface = wl_compositor_create_surface(compositor);
    xdg_surface = xdg_wm_base_get_xdg_surface(wm_base, surface);
    xdg_surface_add_listener(xdg_surface, &surface_listener, NULL);
    toplevel = xdg_surface_get_toplevel(xdg_surface);
    xdg_toplevel_add_listener(toplevel, &toplevel_listener, NULL);
    xdg_toplevel_set_title(toplevel, "scene");
    if (stamped) {
        xdg_toplevel_set_fullscreen(toplevel, NULL);
    }
    wl_surface_commit(surface);
    while (!configured && wl_display_dispatch(display) >= 0) {
    }
    return display;
}

static EGLDisplay egl_display;
static EGLSurface egl_surface;

static void setup_egl(struct wl_display *display)
{
    static const EGLint wanted[] = { EGL_SURFACE_TYPE,
                                     EGL_WINDOW_BIT,
                                     EGL_RENDERABLE_TYPE,
                                     EGL_OPENGL_ES2_BIT,
                                     EGL_RED_SIZE,
                                     8,
                                     EGL_GREEN_SIZE,
                                     8,
                                     EGL_BLUE_SIZE,
                                     8,
                                     EGL_DEPTH_SIZE,
                                     16,
                                     EGL_NONE };
    static const EGLint version[] = { EGL_CONTEXT_CLIENT_VERSION, 2, EGL_NONE };
    EGLConfig config;
    EGLContext context;
    EGLint n;

    egl_display = eglGetDisplay((EGLNativeDisplayType)display);
    if (!eglInitialize(egl_display, NULL, NULL) || !eglBindAPI(EGL_OPENGL_ES_API) ||
        !eglChooseConfig(egl_display, wanted, &config, 1, &n) || n < 1) {
        die("no EGL config for GLES2");
    }
    context = eglCreateContext(egl_display, config, EGL_NO_CONTEXT, version);
    egl_surface = eglCreateWindowSurface(egl_display, config,
                                         (EGLNativeWindowType)wl_egl_window_create(surface, width, height), NULL);
    if (!context || !egl_surface || !eglMakeCurrent(egl_display, egl_surface, egl_surface, context)) {
        die("no EGL context for the window");
    }
    printf("scene: %s\n", (const char *)glGetString(GL_RENDERER));
    fflush(stdout);
}

static double seconds_now(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return now.tv_sec + now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    struct wl_display *display;
    double begin, stamp, shown = 0, of_day = 0;

    if (argc >= 3) {
        width = atoi(argv[1]);
        height = atoi(argv[2]);
        stamped = argc == 4 && !strcmp(argv[3], "stamp");
    }
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, on_signal);
    display = open_window();
    setup_egl(display);
    setup_gl();
    begin = seconds_now(CLOCK_MONOTONIC);
    while (!closed) {
        if (!frozen) {
            shown = seconds_now(CLOCK_MONOTONIC) - begin;
            of_day = fmod(seconds_now(CLOCK_REALTIME), 86400);
        }
        stamp = seconds_now(CLOCK_MONOTONIC);
        draw_frame(shown, of_day);
        if (stamped) {
            draw_stamp(stamp);
        }
        /* Waits for the compositor's frame callback: one drawing for each frame shown. */
        if (!eglSwapBuffers(egl_display, egl_surface) || wl_display_dispatch_pending(display) < 0) {
            die("the compositor is gone");
        }
    }
    return 0;
}
