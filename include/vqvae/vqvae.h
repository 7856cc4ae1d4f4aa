/* SPDX-License-Identifier: Apache-2.0
 * vqvae/vqvae.h -- the whole public interface. */
#ifndef VQVAE_VQVAE_H
#define VQVAE_VQVAE_H

#include <vqvae/codebook.h>
#include <vqvae/context.h>
#include <vqvae/data.h>
#include <vqvae/diagnose.h>
#include <vqvae/measure.h>
#include <vqvae/model.h>
#include <vqvae/operation.h>
#include <vqvae/settings.h>
#include <vqvae/status.h>
#include <vqvae/tensor.h>
#include <vqvae/train.h>
#include <vqvae/version.h>

#endif
