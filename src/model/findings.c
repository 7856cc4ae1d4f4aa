/* SPDX-License-Identifier: Apache-2.0
 * model/findings.c -- rules that turn the figures of a codebook into what is wrong with it and
 * which settings to change. Each rule looks at one cause; a codebook that no rule speaks of is
 * healthy. Where the numbers in them come from is told in docs/doctor.md. */
#include "model/patient.h"
#include "quantize/quantize.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A codebook is well used from here on, and a class of unused codes is worth a finding. */
static const double well_used = 0.8, worth_telling = 0.05;
/* Codes that do not follow their vectors, by lag and by lengths. Trained codebooks that are well
 * stay below 0.1 and 1.1; few codes are shorter than their vectors without any lag. */
static const double much_lag = 0.4, some_lag = 0.1, much_stretch = 1.5, much_growth = 8.0;
/* Share of the variance along one direction that leaves nothing to the others. Young encoders give
 * 0.9 to images that differ most in brightness. */
static const double line_share = 0.999;
/* Vectors that data must hold for each code before unused ones mean anything. */
static const double vectors_for_code = 10.0;
/* Commitment weights around the paper's 0.25 that have been seen to work (arXiv:1711.00937, 3.2:
 * 0.1 to 2.0). */
static const double weak_commitment = 0.05, strong_commitment = 4.0;

/* A threshold of revival below this share of the even use does nothing. One above is too high once
 * that share of the codes fall under it though they are used. */
static const double worth_reviving = 0.01, much_below = 0.2;
/* Vectors in a step for each code with which a tenth of the even use is the better share. */
static const double vectors_for_tenth = 2.0;

enum { BY_EMA = 0 }; /* model.quantizer */

/* ---- sentences ------------------------------------------------------------------ */

void vq_measured(vq_finding *to, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    (void)vsnprintf(to->measured, sizeof to->measured, format, words);
    va_end(words);
}

void vq_change(vq_finding *to, const char *format, ...)
{
    va_list words;
    va_start(words, format);
    (void)vsnprintf(to->change, sizeof to->change, format, words);
    va_end(words);
}

void vq_setting(vq_finding *to, const char *format, ...)
{
    size_t i = 0;
    va_list words;
    while (i + 1 < VQ_FINDING_SETTINGS && to->settings[i][0]) i++;
    va_start(words, format);
    (void)vsnprintf(to->settings[i], sizeof to->settings[i], format, words);
    va_end(words);
}

bool vq_commitment_is_weak(const patient *p)
{
    return p->config->commitment < weak_commitment;
}

bool vq_commitment_is_strong(const patient *p)
{
    return p->config->commitment > strong_commitment;
}

static double percent(const patient *p, int64_t codes)
{
    return 100.0 * (double)codes / p->k;
}

static bool worth(const patient *p, int64_t codes)
{
    return p->badly_used && (double)codes >= worth_telling * p->k;
}

static void start_from_data(const patient *p, vq_finding *to)
{
    if (p->config->codebook_init != VQ_CODEBOOK_KMEANS)
        vq_setting(to, "model.codebook_init=kmeans");
}

void vq_set_lower_rate(const patient *p, double divisor, vq_finding *to)
{
    if (p->record.lr > 0.0) vq_setting(to, "train.lr=%.2g", p->record.lr / divisor);
}

void vq_set_falling_rate(const patient *p, vq_finding *to)
{
    enum { COSINE = 1 }; /* train.schedule */
    if (p->record.schedule != COSINE) vq_setting(to, "train.schedule=cosine");
}

/* ---- the encoder ---------------------------------------------------------------- */

/* What makes an encoder say the same of everything. */
static void cure_encoder(const patient *p, vq_finding *to)
{
    if (vq_commitment_is_strong(p)) {
        vq_change(to, "train anew with a commitment that leaves the encoder free");
        vq_setting(to, "model.commitment=0.25");
        return;
    }
    vq_change(
        to, "train anew at a smaller learning rate that is reached slowly; if that does not help, "
            "see whether the images differ at all");
    vq_set_lower_rate(p, 10.0, to);
    if (p->record.warmup < 200) vq_setting(to, "train.warmup=200");
}

static bool is_point(const patient *p)
{
    return p->f->spread <= 1e-3 * p->f->vector_norm.median;
}

static bool encoder_at_a_point(const patient *p, vq_finding *to)
{
    const vq_codebook_figures *f = p->f;
    if (!p->badly_used || !is_point(p)) return false;
    vq_measured(
        to,
        "the encoder gives one vector for everything: the vectors are %.3g long and lie %.2g "
        "(root mean square) from their mean",
        f->vector_norm.median, f->spread);
    cure_encoder(p, to);
    return true;
}

static bool encoder_on_a_line(const patient *p, vq_finding *to)
{
    const vq_codebook_figures *f = p->f;
    if (!p->badly_used || is_point(p) || f->dim < 2 || f->line < line_share) return false;
    vq_measured(
        to,
        "the encoder's vectors lie on a line: one direction has %.5g %% of the variance of all "
        "%lld; the variance of single numbers is %.2g to %.2g",
        100.0 * f->line, (long long)f->dim, f->variance.least, f->variance.greatest);
    cure_encoder(p, to);
    return true;
}

/* ---- codes behind their vectors --------------------------------------------------- */

/* Codes that nobody uses are where they started, which the vectors have long left: both were about
 * as long then. */
static bool outgrown(const patient *p)
{
    const vq_codebook_figures *f = p->f;
    return p->badly_used && f->forgotten == 0 &&
           f->vector_norm.median > much_growth * f->unused_norm.median;
}

static bool codes_drift(const patient *p, vq_finding *to)
{
    const vq_codebook_figures *f = p->f;
    const double ratio = f->vector_norm.median / f->chosen_norm.median;
    const bool apart = f->lag >= some_lag && (ratio > much_stretch || ratio < 1.0 / much_stretch);
    if (is_point(p) || !(f->lag >= much_lag || apart || outgrown(p))) return false;
    char unused[32] = "";
    if (f->used < f->codes)
        (void)snprintf(unused, sizeof unused, ", unused codes %.3g", f->unused_norm.median);
    vq_measured(
        to,
        "the vectors have moved away from their codes: they are %.3g long, the codes that they "
        "chose %.3g%s (medians), and %.0f %% of the squared distance would go if each code "
        "moved to the mean of its vectors",
        f->vector_norm.median, f->chosen_norm.median, unused, 100.0 * f->lag);
    if (vq_commitment_is_weak(p)) {
        vq_change(to, "hold the encoder to its codes: the commitment of %g is too weak for that",
                  p->config->commitment);
        vq_setting(to, "model.commitment=0.25");
    } else if (p->config->quantizer != BY_EMA) {
        vq_change(to,
                  "let the codes move faster than the encoder, or follow it by moving averages");
        vq_setting(to, "train.codebook_lr=10");
    } else {
        vq_change(to,
                  "let the encoder come to rest: a smaller learning rate that falls to the end");
        vq_set_lower_rate(p, 3.0, to);
        vq_set_falling_rate(p, to);
    }
    return true;
}

static bool commitment_too_strong(const patient *p, vq_finding *to)
{
    const vq_codebook_figures *f = p->f;
    if (is_point(p) || !vq_commitment_is_strong(p)) return false;
    if (!p->badly_used && f->perplexity > 0.25 * p->k) return false;
    vq_measured(
        to,
        "the commitment weighs %g, and vectors lie near the codes that they happened to start "
        "with: perplexity %.3g of %lld codes, squared distance %.2g of the variance",
        p->config->commitment, f->perplexity, (long long)f->codes, f->error);
    vq_change(to, "weaken the pull, so that the encoder can move from code to code");
    vq_setting(to, "model.commitment=0.25");
    return true;
}

/* ---- codes without vectors -------------------------------------------------------- */

static bool codes_at_the_origin(const patient *p, vq_finding *to)
{
    const vq_codebook_figures *f = p->f;
    if (is_point(p) || !worth(p, f->at_origin)) return false;
    vq_measured(
        to,
        "%lld of %lld codes (%.0f %%) lie at the origin, nearer to it than any vector: their "
        "moving counts are below model.epsilon (median length %.2g, of the vectors %.3g)",
        (long long)f->at_origin, (long long)f->codes, percent(p, f->at_origin),
        f->unused_norm.median, f->vector_norm.median);
    if (p->config->ema_start == VQ_EMA_DEBIAS) {
        vq_change(to, "ema_start=debias sets every code that the first step does not use to zero: "
                      "start counts at one, and codes among the vectors");
        vq_setting(to, "model.ema_start=one");
    } else {
        vq_change(to, "codes that get no vector for long are shrunk to zero: start them among the "
                      "vectors, so that they get some");
    }
    start_from_data(p, to);
    return true;
}

static bool codes_out_of_reach(const patient *p, vq_finding *to)
{
    const vq_codebook_figures *f = p->f;
    if (is_point(p) || !worth(p, f->out_of_reach)) return false;
    if (outgrown(p)) return false; /* which is told as drift */
    vq_measured(
        to,
        "%lld of %lld codes (%.0f %%) are out of reach: unused codes are %.3g long and %.3g "
        "from the nearest vector (medians), while vectors are %.3g long and lie %.3g around "
        "their mean",
        (long long)f->out_of_reach, (long long)f->codes, percent(p, f->out_of_reach),
        f->unused_norm.median, f->unused_distance.median, f->vector_norm.median, f->spread);
    if (p->config->quantizer == BY_EMA && p->config->ema_start == VQ_EMA_ZERO) {
        vq_change(to,
                  "ema_start=zero divides every code that the first step does not use by "
                  "model.epsilon, which throws it far away: start counts at one, and codes among "
                  "the vectors");
        vq_setting(to, "model.ema_start=one");
    } else {
        vq_change(to, "the first codes did not fit the encoder's vectors: start them among those");
    }
    start_from_data(p, to);
    return true;
}

static bool codes_repeat(const patient *p, vq_finding *to)
{
    const vq_codebook_figures *f = p->f;
    if (is_point(p) || !worth(p, f->duplicates)) return false;
    vq_measured(
        to,
        "%lld of %lld codes (%.0f %%) all but repeat another one: they are nearer to it than a "
        "tenth of what vectors lie from their codes (%.3g, median), and used codes from the "
        "nearest other one",
        (long long)f->duplicates, (long long)f->codes, percent(p, f->duplicates),
        f->distance.median);
    vq_change(to, "the first codes lay closer together than the vectors do by now: let "
                  "k-means start them, or have fewer");
    start_from_data(p, to);
    return true;
}

static bool too_few_in_a_batch(const patient *p, vq_finding *to)
{
    if (!p->badly_used || !(p->batch > 0.0) || p->batch >= p->k) return false;
    vq_measured(
        to,
        "a training step has %.0f vectors for %lld codes, %.2g for each: most codes get none, "
        "and first codes taken from a batch repeat",
        p->batch, (long long)p->f->codes, p->batch / p->k);
    if (p->record.batch > 0 && p->k / p->batch <= 32.0) {
        vq_change(to,
                  "have a batch of at least as many vectors as there are codes, or fewer codes");
        vq_setting(to, "train.batch=%.0f", ceil((double)p->record.batch * p->k / p->batch));
        return true;
    }
    vq_change(to, "have fewer codes, or larger batches");
    vq_setting(to, "model.level.%zu.k=%.0f", p->level, exp2(floor(log2(p->batch))));
    return true;
}

static bool too_few_in_the_data(const patient *p, vq_finding *to)
{
    const double vectors = (double)p->f->vectors;
    if (!p->badly_used || vectors >= vectors_for_code * p->k) return false;
    vq_measured(to, "these %lld images give %lld vectors for %lld codes, %.2g for each",
                (long long)p->f->images, (long long)p->f->vectors, (long long)p->f->codes,
                vectors / p->k);
    vq_change(to,
              "look at more images; where the model was trained on no more than these, have fewer "
              "codes");
    vq_setting(to, "model.level.%zu.k=%.0f", p->level,
               fmax(1.0, exp2(floor(log2(vectors / vectors_for_code)))));
    return true;
}

static bool codes_crowded_out(const patient *p, vq_finding *to)
{
    const vq_codebook_figures *f = p->f;
    if (is_point(p) || !worth(p, f->crowded_out)) return false;
    if (2 * f->crowded_out <= f->codes - f->used) return false; /* something else is wrong */
    vq_measured(to,
                "%lld of %lld codes (%.0f %%) lie among the vectors, %.3g from the nearest one "
                "(median of all unused), but another code is always nearer",
                (long long)f->crowded_out, (long long)f->codes, percent(p, f->crowded_out),
                f->unused_distance.median);
    vq_change(to, "have fewer codes: the vectors keep %lld busy", (long long)f->used);
    /* Powers of two: the least that holds those in use, where that is fewer than there are. */
    vq_setting(to, "model.level.%zu.k=%.0f", p->level,
               exp2(fmin(ceil(log2((double)f->used)), ceil(log2(p->k)) - 1.0)));
    return true;
}

/* Used codes that get less here than a share of the even use n/K. */
static int64_t used_below(const patient *p, double share)
{
    const vq_codebook_figures *f = p->f;
    const double even = (double)f->vectors / p->k;
    int64_t below = 0;
    for (int64_t k = 0; f->counts && k < f->codes; k++)
        below += f->counts[k] > 0 && (double)f->counts[k] < share * even;
    return below;
}

/* A share that does well: the more vectors a step has for each code, the surer it is who is dead
 * (docs/codebooks.md). It is less than one that is too high, and so low that few used codes get
 * less. */
static double better_threshold(const patient *p, bool too_high)
{
    static const double shares[] = {0.1, 0.03, 0.01};
    size_t i = p->batch >= vectors_for_tenth * p->k ? 0u : 1u;
    while (i + 1 < sizeof shares / sizeof *shares &&
           ((too_high && shares[i] >= p->record.revive) ||
            (double)used_below(p, shares[i]) >= much_below * p->k))
        i++;
    return shares[i];
}

/* Codes are revived below a share of the even use. Used codes that get less than that here were
 * thrown away again and again; a share that asks for next to nothing leaves unused ones where they
 * are. */
static bool threshold_is_wrong(const patient *p, vq_finding *to)
{
    const vq_codebook_figures *f = p->f;
    const double revive = p->record.revive;
    const int64_t below = used_below(p, revive);
    const bool too_high = revive > worth_reviving && (double)below >= much_below * p->k;
    if (!(p->record.lr > 0.0)) return false;
    if (too_high) {
        vq_change(to, "revive only codes that get a smaller share");
        vq_measured(to,
                    "codes are revived below %g of the even share n/K, and %lld of %lld used codes "
                    "get less than that here: they are thrown away though vectors choose them",
                    revive, (long long)below, (long long)f->used);
    } else if (p->badly_used && revive < worth_reviving) {
        vq_measured(to,
                    "codes are revived below %g of the even share n/K, which is next to never, and "
                    "%lld of %lld are not used",
                    revive, (long long)(f->codes - f->used), (long long)f->codes);
        vq_change(to, "revive the codes that get a few hundredths of the even share");
    } else {
        return false;
    }
    vq_setting(to, "train.revive=%g", better_threshold(p, too_high));
    return true;
}

static bool codes_used_unevenly(const patient *p, vq_finding *to)
{
    const vq_codebook_figures *f = p->f;
    if (p->badly_used || f->perplexity > 0.1 * (double)f->used) return false;
    vq_measured(to,
                "%lld codes are used, but as unevenly as %.3g would be: one takes %.0f %% of the "
                "vectors",
                (long long)f->used, f->perplexity, 100.0 * f->top_share);
    vq_change(to, "plain backgrounds do this and do no harm; in other images look for vectors that "
                  "stand for padding");
    return true;
}

/* ---- the table ---------------------------------------------------------------------- */

typedef struct rule {
    const char *cause;
    vq_rule *holds;
} rule;

/* What explains other findings comes before them. */
static const rule rules[] = {
    {"point", encoder_at_a_point},   {"line", encoder_on_a_line},
    {"lost", vq_use_was_lost},       {"loss", vq_loss_fell_apart},
    {"origin", codes_at_the_origin}, {"reach", codes_out_of_reach},
    {"batch", too_few_in_a_batch},   {"drift", codes_drift},
    {"norms", vq_norms_run_away},    {"commitment", commitment_too_strong},
    {"duplicates", codes_repeat},    {"data", too_few_in_the_data},
    {"revival", vq_revived_in_vain}, {"young", vq_still_young},
    {"crowded", codes_crowded_out},  {"threshold", threshold_is_wrong},
    {"uneven", codes_used_unevenly},
};
enum { N_RULES = sizeof rules / sizeof *rules };
_Static_assert((int)N_RULES <= (int)VQ_FINDINGS_MAX, "each rule may speak");

/* Moving counts add up to the vectors of a step once what they started with has faded, as it has
 * for sure when some count is below epsilon. */
static double vectors_in_a_step(const patient *p)
{
    const vq_codebook_figures *f = p->f;
    const double of_an_image = (double)f->vectors / (double)f->images;
    if (p->record.batch > 0) return of_an_image * (double)p->record.batch;
    return f->forgotten > 0 ? f->moving_total : 0.0;
}

size_t vq_diagnosis_findings(const vq_model_config *config, size_t level,
                             const vq_codebook_figures *figures, const vq_training_record *record,
                             vq_finding *findings)
{
    patient p = {.config = config, .level = level, .f = figures, .k = (double)figures->codes};
    size_t n = 0;
    if (record) p.record = *record;
    p.batch = vectors_in_a_step(&p);
    p.badly_used = (double)figures->used < well_used * p.k;
    for (size_t i = 0; i < N_RULES; i++) {
        findings[n] = (vq_finding){.cause = rules[i].cause};
        if (rules[i].holds(&p, &findings[n])) n++;
    }
    return n;
}
