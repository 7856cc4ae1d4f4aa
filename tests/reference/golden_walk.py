# SPDX-License-Identifier: Apache-2.0
"""Golden files of examples/walk: the same steps by numpy and PyTorch, on the same numbers."""

import numpy as np
import torch
import torch.nn.functional as F

from golden_file import UNIT
from golden_quantize import check_margin, margin
from quantizers import Ema, commitment

DIM, CODES, PLACES = 32, 128, 100
# Both sides compute in f64; files hold f32, and 1e-9 is far above f64's errors in these steps.
RTOL, ATOL = 2 * UNIT, 1e-9


def fill(seed, *shape):
    """The sequence of walk.h: a linear congruential generator's upper 24 bits."""
    numbers = []
    for _ in range(int(np.prod(shape))):
        seed = (seed * 1664525 + 1013904223) % 2**32
        numbers.append((seed >> 8) / 2**24)
    return torch.tensor(numbers, dtype=torch.float64).reshape(shape)


def embedding(golden):
    ids = torch.tensor([[3, 1, 4, 1], [5, 9, 2, 6]])
    table = fill(1, 10, 3).requires_grad_()
    d_out = fill(11, 2, 4, 3)
    out = F.embedding(ids, table)
    d_table = torch.autograd.grad(out, table, d_out)[0]
    golden.write("walk_embedding", "walk", {"out": out, "d_table": d_table}, RTOL, ATOL,
                 "f64 on both sides, stored as f32")


def mistaken(golden):
    z, table = fill(2, PLACES, DIM).numpy(), fill(3, DIM, CODES).numpy()
    inverse = np.linalg.pinv(table)
    dist = (z @ table - 1) ** 2
    ind = dist.argmin(1)
    two = np.sort(dist, 1)[:, :2]
    check_margin("walk_mistaken", (two[:, 1] - two[:, 0]).min())
    golden.write("walk_mistaken", "walk",
                 {"embed_inv": torch.from_numpy(inverse), "ind": ind.astype(np.int32),
                  "dist_of_first": torch.from_numpy(dist[0]),
                  "output": torch.from_numpy(np.eye(CODES)[ind] @ inverse)},
                 RTOL, ATOL, "f64 on both sides, stored as f32")


def right(golden):
    z, table = fill(6, PLACES, DIM), fill(7, CODES, DIM)
    check_margin("walk_right", margin(z, table))
    q = torch.cdist(z, table, compute_mode="donot_use_mm_for_euclid_dist").argmin(1)
    golden.write("walk_right", "walk", {"q": q.int(), "z_q": F.one_hot(q, CODES).double() @ table},
                 RTOL, ATOL, "f64 on both sides, stored as f32")


def loss(golden):
    z = torch.tensor([[0.1, 0.3], [0.9, 0.2], [0.4, 0.8], [0.7, 0.8]], dtype=torch.float64)
    table = torch.tensor([[0.0, 0.0], [1.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    z.requires_grad_(), table.requires_grad_()
    z_q = table[(z[:, None] - table).pow(2).sum(-1).argmin(1)]
    terms = [(z - z_q), (z.detach() - z_q), (z - z_q.detach())]
    values, d_z, d_table = [], [], []
    for term in terms:
        value = term.pow(2).mean()
        grads = torch.autograd.grad(value, (z, table), retain_graph=True, allow_unused=True,
                                    materialize_grads=True)
        values.append(value.detach())
        d_z.append(grads[0])
        d_table.append(grads[1])
    golden.write("walk_loss", "walk",
                 {"value": torch.stack(values), "d_z": torch.stack(d_z),
                  "d_table": torch.stack(d_table)}, RTOL, 1e-9,
                 "differences of a quadratic, exact but for 1e-16 / 1e-5 of rounding")


def quantize(golden, original):
    codes, dim, rows, steps, shown = 16, 4, 2048, 20, 64
    table = 2 * fill(17, codes, dim) - 1
    ours, theirs = Ema(table, "zero"), None
    if original:
        theirs = original(dim, codes).double()
        theirs.embed.copy_(table.t())
        theirs.embed_avg.copy_(table.t())
    kept = {name: [] for name in ("diff", "ind", "quantize", "embed")}
    for step in range(1, steps + 1):
        x = 2 * fill(1001 * step, rows, dim) - 1
        check_margin("walk_quantize", margin(x, ours.codebook))
        ind = ours.choose(x)
        q, diff = ours.codebook[ind], commitment(x, ours.codebook[ind])
        ours.update(x, ind)
        if theirs:
            q, diff, found = theirs(x)
            assert torch.equal(found, ind)
            torch.testing.assert_close(theirs.embed.t(), ours.codebook)
            ours.codebook = theirs.embed.t().clone()
        for name, value in zip(kept, (diff, ind[:shown].int(), q[:shown], ours.codebook)):
            kept[name].append(value.detach())
    golden.write("walk_quantize", "walk", {k: torch.stack(v) for k, v in kept.items()}, RTOL, ATOL,
                 "f64 on both sides, stored as f32; vq-vae-2-pytorch's own class")


def write_all(golden, original=None):
    embedding(golden)
    mistaken(golden)
    right(golden)
    loss(golden)
    quantize(golden, original)
