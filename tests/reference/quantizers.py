# SPDX-License-Identifier: Apache-2.0
"""Vector quantisers in PyTorch, written from their formulas.

All choose argmin_k |z - e_k|^2 with the codebook as it was before the step. The moving averages
start in three ways:
    one     counts 1, sums e
    zero    counts 0, sums e, as vq-vae-2-pytorch does
    debias  both 0, divided by 1 - decay^t before use, as sonnet does
"""

import torch
import torch.nn.functional as F


def nearest(z, codebook):
    """Squared distances in the form that does not cancel; ties go to the lowest index."""
    return (z[:, None, :] - codebook[None]).pow(2).sum(-1)


def commitment(z, q):
    return (q.detach() - z).pow(2).mean()


class Ema:
    def __init__(self, codebook, start, decay=0.99, epsilon=1e-5):
        self.codebook = codebook.clone()
        self.start, self.decay, self.epsilon = start, decay, epsilon
        self.steps = 0
        self.counts = torch.full_like(codebook[:, 0], 1.0 if start == "one" else 0.0)
        self.sums = torch.zeros_like(codebook) if start == "debias" else codebook.clone()

    def choose(self, z):
        return nearest(z, self.codebook).argmin(1)

    def update(self, z, codes):
        self.steps += 1
        hot = F.one_hot(codes, len(self.codebook)).to(z.dtype)
        self.counts = self.decay * self.counts + (1 - self.decay) * hot.sum(0)
        self.sums = self.decay * self.sums + (1 - self.decay) * hot.t() @ z
        scale = 1 - self.decay**self.steps if self.start == "debias" else 1.0
        counts, sums = self.counts / scale, self.sums / scale
        total = counts.sum()
        smooth = (counts + self.epsilon) / (total + len(counts) * self.epsilon) * total
        self.codebook = sums / smooth[:, None]


def gradient_losses(z, codebook):
    """Codes, chosen vectors, and the two terms of arXiv:1711.00937, equation 3."""
    codes = nearest(z.detach(), codebook.detach()).argmin(1)
    q = codebook[codes]
    return codes, q, commitment(z, q), (z.detach() - q).pow(2).mean()
