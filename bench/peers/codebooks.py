# SPDX-License-Identifier: Apache-2.0
"""The life of PyTorch's codebook: a start and later fits by k-means, and new places for dead codes.

The rules are those of docs/codebooks.md as users of PyTorch write them: k-means is scikit-learn's,
and usage is told by the moving counts that the quantiser has anyway."""

import numpy as np
import torch

BATCHES, ROWS_A_CODE, ITERATIONS = 8, 50, 10  # of a fit, as the library's
REVIVED_SHARE = 0.5  # of the even share n/K, which a new place is taken to have been used with


@torch.no_grad()
def vectors(model, x):
    """What the encoder gives to be quantised, n x D."""
    return model.encoder(x).permute(0, 2, 3, 1).flatten(0, 2)


def fit(model, batches, seed):
    """Fits the codebook to vectors of so many batches as the library would take."""
    from sklearn.cluster import KMeans
    quantizer = model.quantizer
    codes = len(quantizer.codebook)
    first = vectors(model, next(batches))
    n = max(BATCHES, -(-ROWS_A_CODE * codes // len(first)))
    rows = torch.cat([first] + [vectors(model, next(batches)) for _ in range(n - 1)])
    means = KMeans(codes, n_init=1, max_iter=ITERATIONS, random_state=seed).fit(rows.numpy())
    counts = np.bincount(means.labels_, minlength=codes) / n
    even = len(first) / codes
    quantizer.place(torch.arange(codes), torch.from_numpy(means.cluster_centers_),
                    torch.from_numpy(np.where(counts > 0, counts, REVIVED_SHARE * even)).float())


def revive(model, x, share):
    """Gives codes whose moving count is below `share` of n/K vectors of this batch, in the model
    as it is by now; returns how many."""
    quantizer = model.quantizer
    rows = vectors(model, x)
    even = len(rows) / len(quantizer.codebook)
    dead = (quantizer.moving_counts() < share * even).nonzero().flatten()[:len(rows)]
    if len(dead):
        chosen = rows[torch.randperm(len(rows))[:len(dead)]]
        quantizer.place(dead, chosen, torch.full((len(dead),), REVIVED_SHARE * even))
    return len(dead)
