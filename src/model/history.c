/* SPDX-License-Identifier: Apache-2.0
 * model/history.c -- rules on the metrics of a training: what a codebook as it lies there cannot
 * tell, since one that was lost looks like one that never lived. Batches differ, so every figure is
 * the median over a few lines. docs/doctor.md says where the thresholds come from. */
#include <math.h>
#include <string.h>

#include "model/patient.h"

enum {
    WINDOW = 5,      /* lines of a median */
    LEAST_LINES = 20 /* fewer say nothing */
};

/* A loss so many times its best is no noise. */
static const double fallen_apart = 1.5;
/* What is left of the best perplexity where use was lost. */
static const double lost_share = 0.5;
/* Growth (or its inverse) since the first quarter, and in the last quarter: norms that come to
 * rest grow a lot at first and hardly at the end. */
static const double grown = 3.0, growing = 1.25;
/* Codes dead at the end, as a share of all, where revival did not help; the rise of the perplexity
 * in the last quarter that says that it would go on. */
static const double still_dead = 0.1, rising = 1.1;

typedef double figure_of(const vq_training_point *point);

static double loss_of(const vq_training_point *point)
{
    return point->loss;
}

static double perplexity_of(const vq_training_point *point)
{
    return point->perplexity;
}

static double norm_of(const vq_training_point *point)
{
    return point->code_norm;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Median over the lines around line i; NAN where one of them lacks the figure. */
static double around(const patient *p, figure_of *figure, size_t i)
{
    const size_t half = WINDOW / 2, last = p->record.n_points - WINDOW;
    const vq_training_point *from = p->record.points + least(i < half ? 0 : i - half, last);
    double sorted[WINDOW];
    for (size_t n = 0; n < WINDOW; n++) {
        const double value = figure(&from[n]);
        size_t at = n;
        if (isnan(value)) return (double)NAN;
        for (; at > 0 && sorted[at - 1] > value; at--) sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    return sorted[half];
}

static double at_quarter(const patient *p, figure_of *figure, size_t quarter)
{
    return around(p, figure, (p->record.n_points - 1) * quarter / 4);
}

static long long step_at(const patient *p, size_t i)
{
    return (long long)p->record.points[i].step;
}

static bool is_told(const patient *p)
{
    return p->level == 0 && p->record.points && p->record.n_points >= LEAST_LINES;
}

/* Its own findings say what such a weight does. */
static bool is_held_wrongly(const patient *p)
{
    return vq_commitment_is_weak(p) || vq_commitment_is_strong(p);
}

static void rest(const patient *p, vq_finding *to)
{
    vq_set_lower_rate(p, 3.0, to);
    if (!(p->record.clip > 0.0 && p->record.clip <= 1.0)) vq_setting(to, "train.clip=1");
}

/* The line where the figure is best, by sign: 1 greatest, -1 least. */
static size_t best_line(const patient *p, figure_of *figure, double sign)
{
    size_t best = 0;
    for (size_t i = 1; i < p->record.n_points; i++)
        if (sign * around(p, figure, i) > sign * around(p, figure, best)) best = i;
    return best;
}

/* How the loss fell apart, if it did. */
typedef struct fall {
    size_t best; /* line */
    double low, now;
} fall;

static bool loss_fell(const patient *p, fall *f)
{
    f->best = best_line(p, loss_of, -1.0);
    f->low = around(p, loss_of, f->best);
    f->now = at_quarter(p, loss_of, 4);
    return f->low > 0.0 && f->now > fallen_apart * f->low;
}

bool vq_loss_fell_apart(const patient *p, vq_finding *to)
{
    fall f;
    if (!is_told(p) || is_held_wrongly(p) || !loss_fell(p, &f)) return false;
    vq_measured(to,
                "the loss fell to %.3g around step %lld and is %.3g at the end (medians of %d "
                "lines): what was learned was lost again",
                f.low, step_at(p, f.best), f.now, WINDOW);
    vq_change(to, "take smaller steps, and bound the largest");
    rest(p, to);
    return true;
}

/* The line from which on at most the lost share of the best is left. */
static size_t line_of_loss(const patient *p, double best)
{
    size_t i = p->record.n_points - 1;
    while (i > 0 && around(p, perplexity_of, i - 1) < lost_share * best) i--;
    return i;
}

bool vq_use_was_lost(const patient *p, vq_finding *to)
{
    if (!is_told(p) || is_held_wrongly(p)) return false;
    const size_t top = best_line(p, perplexity_of, 1.0);
    const double best = around(p, perplexity_of, top), now = at_quarter(p, perplexity_of, 4);
    if (!(best > 2.0 && now < lost_share * best)) return false;
    const size_t lost = line_of_loss(p, best);
    fall f;
    vq_measured(to,
                "its codes were better used before: the perplexity of a batch was %.3g around step "
                "%lld, less than half of that from step %lld on, and is %.3g at the end",
                best, step_at(p, top), step_at(p, lost), now);
    if (p->record.revive > 0.0 && (double)step_at(p, lost) > p->record.revived_until &&
        !loss_fell(p, &f)) {
        vq_change(to, "that was after step %.0f, when revival had ended: let it go on to the end",
                  p->record.revived_until);
        vq_setting(to, "train.revive_until=1");
    } else {
        vq_change(to, "the start was good, and the encoder left its codes later: take smaller "
                      "steps, and bound the largest");
        rest(p, to);
    }
    return true;
}

bool vq_norms_run_away(const patient *p, vq_finding *to)
{
    if (!is_told(p)) return false;
    const double first = at_quarter(p, norm_of, 1), third = at_quarter(p, norm_of, 3),
                 now = at_quarter(p, norm_of, 4);
    const bool up = now > grown * first && now > growing * third;
    const bool down = now * grown < first && now * growing < third;
    if (!up && !down) return false;
    vq_measured(to,
                "the codes %s and do not come to rest: those in use were %.3g long after a quarter "
                "of the steps, %.3g after three, and are %.3g at the end (medians of %d lines)",
                up ? "grow" : "shrink", first, third, now, WINDOW);
    if (is_held_wrongly(p)) {
        vq_change(to, "give the commitment a weight that binds vectors and codes to each other");
        vq_setting(to, "model.commitment=0.25");
    } else {
        vq_change(to, "let the training come to rest: a smaller learning rate that falls to the "
                      "end");
        vq_set_lower_rate(p, 3.0, to);
        vq_set_falling_rate(p, to);
    }
    return true;
}

/* The last line of a step up to `step`. */
static const vq_training_point *point_at(const patient *p, double step)
{
    size_t i = p->record.n_points - 1;
    while (i > 0 && (double)p->record.points[i].step > step) i--;
    return &p->record.points[i];
}

/* Codes revived in the second half of the time that there is for it; those of the first half had
 * to follow an encoder that was young. */
bool vq_revived_in_vain(const patient *p, vq_finding *to)
{
    if (!is_told(p) || !(p->record.revive > 0.0)) return false;
    const vq_training_point *half = point_at(p, 0.5 * p->record.revived_until),
                            *end = point_at(p, p->record.revived_until),
                            *last = &p->record.points[p->record.n_points - 1];
    const int64_t again = end->revived - half->revived;
    if (half->revived < 0 || (double)again < p->k) return false;
    if (!p->badly_used && (double)last->dead_codes < still_dead * p->k) return false;
    vq_measured(to,
                "codes are revived again and again: %lld times from step %lld to %lld, %.2g for "
                "each code, and %lld are dead at the end: new places do not live",
                (long long)again, (long long)half->step, (long long)end->step, (double)again / p->k,
                (long long)last->dead_codes);
    vq_change(to, "have larger batches, fewer codes, or a lower train.revive");
    if (p->batch > 0.0 && p->batch < p->k && p->record.batch > 0)
        vq_setting(to, "train.batch=%.0f", ceil((double)p->record.batch * p->k / p->batch));
    else if (p->record.revive > 0.03) vq_setting(to, "train.revive=0.03");
    else vq_setting(to, "model.level.%zu.k=%.0f", p->level, fmax(1.0, exp2(floor(log2(p->k / 2)))));
    return true;
}

bool vq_still_young(const patient *p, vq_finding *to)
{
    if (!is_told(p) || !p->badly_used) return false;
    const double third = at_quarter(p, perplexity_of, 3), now = at_quarter(p, perplexity_of, 4);
    const size_t last = p->record.n_points - 1;
    if (!(now > rising * third)) return false;
    vq_measured(to,
                "the training ended while its codes were still coming into use: the perplexity of "
                "a batch was %.3g after three quarters of the %lld steps and is %.3g at the end",
                third, step_at(p, last), now);
    vq_change(to, "train for longer, until the perplexity no longer rises");
    vq_setting(to, "train.steps=%lld", 2 * step_at(p, last));
    return true;
}
