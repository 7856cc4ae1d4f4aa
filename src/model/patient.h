/* SPDX-License-Identifier: Apache-2.0
 * model/patient.h -- what the rules of a diagnosis look at, and how they put it into words. */
#ifndef VQ_MODEL_PATIENT_H
#define VQ_MODEL_PATIENT_H

#include <vqvae/diagnose.h>

typedef struct patient {
    const vq_model_config *config;
    size_t level;
    const vq_codebook_figures *f;
    vq_training_record record;
    double k;     /* codes */
    double batch; /* vectors in a training step; 0: unknown */
    bool badly_used;
} patient;

/** True where the rule speaks of the patient; it has filled in all but the cause then. */
typedef bool vq_rule(const patient *p, vq_finding *to);

/* Rules on the metrics of a training (history.c). They speak of the finest level, whose metrics
 * they are, and only where enough lines are known. */
vq_rule vq_loss_fell_apart, vq_use_was_lost, vq_norms_run_away, vq_revived_in_vain, vq_still_young;

/** Weights of the commitment that are too weak or too strong to hold the encoder to its codes. */
bool vq_commitment_is_weak(const patient *p);
bool vq_commitment_is_strong(const patient *p);

/** Two sentences, and a setting in the next place that is free. */
void vq_measured(vq_finding *to, const char *format, ...) VQ_PRINTF(2, 3);
void vq_change(vq_finding *to, const char *format, ...) VQ_PRINTF(2, 3);
void vq_setting(vq_finding *to, const char *format, ...) VQ_PRINTF(2, 3);
/** The learning rate by `divisor`, where it is known. */
void vq_set_lower_rate(const patient *p, double divisor, vq_finding *to);
/** A learning rate that falls to the end, where it does not already. */
void vq_set_falling_rate(const patient *p, vq_finding *to);

#endif
