/* SPDX-License-Identifier: Apache-2.0
 * cli/run/progress.c -- how training is followed. */
#include "run/progress.h"
#include <inttypes.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

void progress_begin(progress *g, int64_t steps, int64_t first, int64_t batch, int64_t codes)
{
    *g = (progress){.steps = steps,
                    .first = first,
                    .batch = batch,
                    .codes = codes,
                    .rate_step = first,
                    .began = seconds_now()};
}

static double stepping_seconds(const progress *g)
{
    return seconds_now() - g->began - g->paused;
}

pace progress_pace(progress *g, int64_t step, double waited)
{
    const double now = stepping_seconds(g), passed = now - g->rate_at;
    if (step > g->rate_step && passed > 0) {
        g->last.images_per_second = (double)((step - g->rate_step) * g->batch) / passed;
        g->last.data_wait = (waited - g->waited) / passed;
    }
    g->last.images = step * g->batch;
    g->last.seconds = g->seconds_before + seconds_now() - g->began;
    g->rate_step = step;
    g->rate_at = now;
    g->waited = waited;
    return g->last;
}

double progress_wait(const progress *g, double waited)
{
    const double now = stepping_seconds(g);
    return now > 0 ? waited / now : 0.0;
}

/* Speed over the whole process: steadier than the last few steps. */
static double mean_rate(const progress *g, int64_t step)
{
    const double now = stepping_seconds(g);
    return now > 0 ? (double)((step - g->first) * g->batch) / now : 0.0;
}

static void time_left(const progress *g, int64_t step, char *to, size_t size)
{
    const double rate = mean_rate(g, step);
    const double left = rate > 0 ? (double)((g->steps - step) * g->batch) / rate : 0.0;
    const int64_t s = (int64_t)left;
    if (s >= 3600)
        (void)snprintf(to, size, "%" PRId64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60),
                       (int)(s % 60));
    else (void)snprintf(to, size, "%d:%02d", (int)(s / 60), (int)(s % 60));
}

static int terminal_width(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 20) return 80;
    return size.ws_col;
}

/* `brief` leaves out what a terminal of 80 columns has no room for. */
static void figures(const progress *g, const vq_step_metrics *m, bool brief, char *to, size_t size)
{
    const char *const format = brief ? "%s %.0f/s %s loss %.4f nmse %.4f perplexity %.0f codes %s"
                                     : "%s  %.0f images/s  %s left  loss %.4f  nmse %.4f  "
                                       "perplexity %.0f  codes %s";
    char left[32], done[48], codes[48];
    time_left(g, m->step, left, sizeof left);
    (void)snprintf(done, sizeof done, "%" PRId64 "/%" PRId64, m->step, g->steps);
    (void)snprintf(codes, sizeof codes, "%" PRId64 "/%" PRId64, m->codes_used, g->codes);
    (void)snprintf(to, size, format, done, mean_rate(g, m->step), left, m->loss, m->nmse,
                   m->perplexity, codes);
}

static void draw(program *p, const progress *g, const vq_step_metrics *m)
{
    enum { BAR_MIN = 6, BAR_MAX = 24 };
    char line[256], bar[BAR_MAX * 3 + 1] = "";
    const int width = terminal_width();
    figures(g, m, false, line, sizeof line);
    if ((int)strlen(line) >= width) figures(g, m, true, line, sizeof line);
    int room = width - (int)strlen(line) - 3;
    if (room > BAR_MAX) room = BAR_MAX;
    const int full = g->steps > 0 ? (int)(room * m->step / g->steps) : 0;
    for (int i = 0; i < room; i++)
        (void)strncat(bar, i < full ? "\u2588" : "\u2591", sizeof bar - strlen(bar) - 1);
    if (room >= BAR_MIN)
        fprintf(stderr, "\r%s%s%s %.*s\033[K", p->colour ? "\033[36m" : "", bar,
                p->colour ? "\033[0m" : "", width - room - 2, line);
    else fprintf(stderr, "\r%.*s\033[K", width - 1, line);
    p->bar_shown = true;
    (void)fflush(stderr);
}

static bool has_bar(const program *p)
{
    return p->terminal && !p->quiet;
}

void progress_step(program *p, progress *g, const vq_step_metrics *m)
{
    const double now = seconds_now();
    if (!has_bar(p) || now - g->drawn < 0.1) return;
    g->drawn = now;
    draw(p, g, m);
}

void progress_line(program *p, const progress *g, const vq_step_metrics *m)
{
    char line[256];
    if (has_bar(p)) return;
    figures(g, m, false, line, sizeof line);
    say(p, "step %s", line);
}

void progress_valid(program *p, int64_t step, const score *valid, bool best)
{
    say(p,
        "step %" PRId64
        "  held-out images: nmse %.5f  psnr %.2f dB  perplexity %.1f  codes %" PRId64 "/%" PRId64
        "%s",
        step, valid->nmse, valid->psnr, valid->perplexity[0], valid->codes_used[0], valid->codes[0],
        best ? "  (best so far)" : "");
}
