# SPDX-License-Identifier: Apache-2.0
"""Golden files of the quantisers: twenty training steps on data that drift."""

import importlib.util
import sys
import types

import torch

from golden_file import UNIT, chain_error, generator, normal, uniform
from quantizers import Ema, commitment, gradient_losses, nearest

STEPS, CODES, DIM, ROWS = 20, 16, 4, 64
COMMITMENT, CODEBOOK = 0.25, 1.0
LR = 1e-2


def drifting(rng):
    """Six clusters that move, so that codes win and lose rows over the steps."""
    centre, speed = normal(rng, 6, DIM), normal(rng, 6, DIM, scale=0.05)
    z = []
    for step in range(STEPS):
        cluster = torch.randint(0, 6, (ROWS,), generator=rng)
        z.append((centre + step * speed)[cluster] + normal(rng, ROWS, DIM, scale=0.3))
    return torch.stack(z).float().double()


def margin(z, codebook):
    """Smallest relative gap between the best code and the next one that is not its twin."""
    distance = nearest(z, codebook).sort(1).values
    gap = distance - distance[:, :1]
    scale = z.pow(2).sum(1) + distance[:, 0]
    gap[gap == 0] = float("inf")
    return (gap.min(1).values / scale).min().item()


def straight_through(z, q, dq):
    z = z.detach().requires_grad_()
    passed = z + (q - z).detach()
    loss = (passed * dq).sum() + COMMITMENT * commitment(z, q)
    return torch.autograd.grad(loss, z)[0]


def ema_steps(quantizer, z, dq):
    kept = {name: [] for name in ("codes", "q", "commitment", "dz", "codebook", "counts", "sums")}
    gaps = []
    for step in range(STEPS):
        codes = quantizer.choose(z[step])
        q = quantizer.codebook[codes]
        gaps.append(margin(z[step], quantizer.codebook))
        kept["codes"].append(codes.int())
        kept["q"].append(q)
        kept["commitment"].append(commitment(z[step], q))
        kept["dz"].append(straight_through(z[step], q, dq))
        quantizer.update(z[step], codes)
        kept["codebook"].append(quantizer.codebook)
        kept["counts"].append(quantizer.counts)
        kept["sums"].append(quantizer.sums)
    return {name: torch.stack(values) for name, values in kept.items()}, min(gaps)


def first_codebook(rng, start):
    if start == "debias":
        return uniform(rng, CODES, DIM, limit=(3 / DIM) ** 0.5)
    return normal(rng, CODES, DIM)


def ema_case(golden, start, z, dq):
    name = "quantize_ema_" + start
    codebook = first_codebook(generator(name), start)
    exact, gap = ema_steps(Ema(codebook, start), z, dq)
    check_margin(name, gap)
    # Each of the n rows and of the three roundings a step adds one rounding to a sum.
    atol = chain_error(ROWS + 3 * STEPS, z.abs().max().item())
    golden.write(name, "quantize_ema", {"codebook0": codebook} | exact, 8 * UNIT, atol,
                 "chain_error of a code's sum over 64 rows and 20 steps; rtol: decay, smoothing")


def check_margin(name, gap):
    """A choice made by less than rounding errors would make the file a coin toss."""
    if gap < 64 * UNIT:
        raise SystemExit(f"{name}: something is decided by {gap:.1e}; choose another seed")


def gradient_steps(codebook, z, dq, dtype):
    codebook = torch.nn.Parameter(codebook.to(dtype, copy=True))
    optimizer = torch.optim.Adam([codebook], lr=LR)
    kept = {name: [] for name in ("codes", "commitment", "dz", "dcodebook", "codebook")}
    gaps = []
    for x, upstream in ((z[step].to(dtype), dq.to(dtype)) for step in range(STEPS)):
        codes, q, commit, loss = gradient_losses(x, codebook)
        gaps.append(margin(x, codebook.detach()))
        optimizer.zero_grad()
        (CODEBOOK * loss).backward()
        kept["codes"].append(codes.int())
        kept["commitment"].append(commit.detach())
        kept["dz"].append(straight_through(x, q.detach(), upstream))
        kept["dcodebook"].append(codebook.grad.clone())
        optimizer.step()
        kept["codebook"].append(codebook.detach().clone())
    return {name: torch.stack(values) for name, values in kept.items()}, min(gaps)


def gradient_case(golden, z, dq):
    name = "quantize_gradient"
    codebook = normal(generator(name), CODES, DIM)
    exact, gap = gradient_steps(codebook, z, dq, torch.float64)
    check_margin(name, gap)
    single, _ = gradient_steps(codebook, z, dq, torch.float32)
    assert torch.equal(single["codes"], exact["codes"])
    own = max((single[key].double() - exact[key]).abs().max().item()
              for key in ("dz", "dcodebook", "codebook"))
    golden.write(name, name, {"codebook0": codebook} | exact, 4 * UNIT, 16 * own,
                 "16 times the error of PyTorch's own f32 run of the same steps; rtol: storing")


def load_original(path):
    """The class Quantize of vq-vae-2-pytorch, from its file vqvae.py."""
    sys.modules["distributed"] = types.SimpleNamespace(all_reduce=lambda tensor: tensor)
    spec = importlib.util.spec_from_file_location("original", path)
    original = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(original)
    return original.Quantize


def compare_with_original(original):
    """Runs vq-vae-2-pytorch's own class beside ours."""
    rng = generator("original")
    z, codebook = drifting(rng), normal(rng, CODES, DIM)
    theirs = original(DIM, CODES).double()
    theirs.embed.copy_(codebook.t())
    theirs.embed_avg.copy_(codebook.t())
    ours = Ema(codebook, "zero")
    for x in z:
        codes = ours.choose(x)
        _, diff, index = theirs(x)
        assert torch.equal(codes, index)
        torch.testing.assert_close(diff, commitment(x, ours.codebook[codes]))
        ours.update(x, codes)
        torch.testing.assert_close(theirs.embed.t(), ours.codebook)
        torch.testing.assert_close(theirs.cluster_size, ours.counts)
    print("start zero agrees with vq-vae-2-pytorch")


def write_all(golden):
    rng = generator("quantize")
    z, dq = drifting(rng), normal(rng, ROWS, DIM)
    golden.write("quantize_input", "quantize_ema", {"z": z, "dq": dq}, 0.0, 0.0, "input")
    for start in ("one", "zero", "debias"):
        ema_case(golden, start, z, dq)
    gradient_case(golden, z, dq)
