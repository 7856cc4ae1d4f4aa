# SPDX-License-Identifier: Apache-2.0
"""Times JAX on a training step, a forward pass or images to codes: one step a line of stdin.

    peer_jax.py train|forward|encode --settings FILE.json [--batch N] [--size N] [--threads N]
                [--precision f32|bf16]

The same model, loss, codebook by moving averages and Adam as the PyTorch peer, in N,H,W,C and under
one jit. FILE.json is what `vqvae presets NAME` prints.
"""

import argparse
import json
import os
import sys
import time

WARM_UP = 3


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["train", "forward", "encode"])
    parser.add_argument("--settings", required=True)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    return parser.parse_args()


# XLA takes as many threads as it may run on processors, and asks when it is loaded.
OPTIONS = parse()
os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:OPTIONS.threads])

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
from jax import lax  # noqa: E402

LAYOUT = ("NHWC", "HWIO", "NHWC")


def conv_shapes(level, channels):
    """(name, kernel, stride, in, out, transposed) of every convolution in the order it runs."""
    steps, width = level["stride"].bit_length() - 1, level["width"]
    narrow = level["narrow"] or max(width // 2, 1)
    inner, rows, at = level["block_width"], [], channels
    for i in range(steps):
        out = width if i + 1 == steps else narrow
        rows.append((f"e.down{i}", 4, 2, at, out, False))
        at = out
    for half, first in (("e", at), ("d", level["d"])):
        rows.append((f"{half}.conv", 3, 1, first, width, False))
        for i in range(level["blocks"]):
            rows.append((f"{half}.{i}.conv3", 3, 1, width, inner, False))
            rows.append((f"{half}.{i}.conv1", 1, 1, inner, width, False))
        if half == "e":
            rows.append(("e.project", 1, 1, width, level["d"], False))
    at = width
    for i in range(steps):
        out = channels if i + 1 == steps else narrow
        rows.append((f"d.up{i}", 4, 2, at, out, True))
        at = out
    return rows


def start_weights(key, shapes):
    weights = {}
    for name, kernel, _, inputs, outputs, _ in shapes:
        key, first, second = jax.random.split(key, 3)
        bound = (inputs * kernel * kernel) ** -0.5
        weights[name] = (
            jax.random.uniform(first, (kernel, kernel, inputs, outputs), minval=-bound,
                               maxval=bound),
            jax.random.uniform(second, (outputs,), minval=-bound, maxval=bound))
    return weights


def network(level, channels, dtype):
    table = {row[0]: row for row in conv_shapes(level, channels)}
    steps = level["stride"].bit_length() - 1

    def conv(weights, name, x):
        _, kernel, stride, _, _, transposed = table[name]
        weight, bias = weights[name]
        x, weight = x.astype(dtype), weight.astype(dtype)
        if transposed:  # pad 1 of PyTorch's is pad 2 here, around the spread input
            y = lax.conv_general_dilated(x, weight, (1, 1), [(2, 2)] * 2, lhs_dilation=(2, 2),
                                         dimension_numbers=LAYOUT)
        else:
            pad = (1, 1) if kernel > 1 else (0, 0)
            y = lax.conv_general_dilated(x, weight, (stride, stride), [pad] * 2,
                                         dimension_numbers=LAYOUT)
        return y + bias.astype(dtype)

    def stack(weights, half, x):
        x = conv(weights, half + ".conv", x)
        for i in range(level["blocks"]):
            y = jax.nn.relu(conv(weights, f"{half}.{i}.conv3", jax.nn.relu(x)))
            x = x + conv(weights, f"{half}.{i}.conv1", y)
        return jax.nn.relu(x)

    def encode(weights, x):
        for i in range(steps):
            x = jax.nn.relu(conv(weights, f"e.down{i}", x))
        return conv(weights, "e.project", stack(weights, "e", x)).astype(jnp.float32)

    def decode(weights, q):
        x = stack(weights, "d", q)
        for i in range(steps):
            x = conv(weights, f"d.up{i}", x if i == 0 else jax.nn.relu(x))
        return x.astype(jnp.float32)
    return encode, decode


def nearest(rows, book):
    return jnp.argmin((book * book).sum(1) - 2 * rows @ book.T, axis=1)


def workload(options):
    with open(options.settings, encoding="utf-8") as file:
        settings = json.load(file)
    model, train = settings["model"], settings["train"]
    channels, level = model["channels"] or 3, model["level"][0]
    dtype = jnp.bfloat16 if options.precision == "bf16" else jnp.float32
    encode, decode = network(level, channels, dtype)
    key = jax.random.key(0)
    weights = start_weights(key, conv_shapes(level, channels))
    x = jax.random.uniform(key, (options.batch, options.size, options.size, channels)) - 0.5
    variance = x.var()
    book = jax.random.normal(key, (level["k"], level["d"]))

    def forward(weights, book, x):
        z = encode(weights, x)
        rows = z.reshape(-1, level["d"])
        codes = nearest(rows, book)
        q = book[codes].reshape(z.shape)
        commitment = jnp.square(lax.stop_gradient(q) - z).mean()
        back = decode(weights, z + lax.stop_gradient(q - z))
        loss = jnp.square(back - x).mean() / variance + model["commitment"] * commitment
        return loss, (rows, codes)

    def averages(ema, rows, codes):
        """As vq-vae-2-pytorch: sums by products with one-hot rows."""
        counts, sums = ema
        decay, hot = model["decay"], jax.nn.one_hot(codes, level["k"])
        counts = counts * decay + (1 - decay) * hot.sum(0)
        sums = sums * decay + (1 - decay) * hot.T @ rows
        total = counts.sum()
        smooth = (counts + model["epsilon"]) / (total + level["k"] * model["epsilon"]) * total
        return (counts, sums), sums / smooth[:, None]

    def adam(weights, gradients, moments, step):
        b1, b2 = train["b1"], train["b2"]
        first = jax.tree.map(lambda m, g: b1 * m + (1 - b1) * g, moments[0], gradients)
        second = jax.tree.map(lambda v, g: b2 * v + (1 - b2) * g * g, moments[1], gradients)
        rate = train["lr"] * jnp.sqrt(1 - b2**step) / (1 - b1**step)
        moved = jax.tree.map(lambda w, m, v: w - rate * m / (jnp.sqrt(v) + train["eps"]), weights,
                             first, second)
        return moved, (first, second)

    def step(state, x):
        weights, book, ema, moments, number = state
        (loss, (rows, codes)), gradients = jax.value_and_grad(forward, has_aux=True)(weights, book,
                                                                                   x)
        weights, moments = adam(weights, gradients, moments, number)
        ema, book = averages(ema, rows, codes)
        return (weights, book, ema, moments, number + 1), loss

    if options.what == "train":
        zeros = jax.tree.map(jnp.zeros_like, weights)
        state = [(weights, book, (jnp.ones(level["k"]), book + 0), (zeros, zeros), 1.0)]
        run = jax.jit(step)

        def train_step():
            state[0], loss = run(state[0], x)
            loss.block_until_ready()
        return train_step
    if options.what == "forward":
        run = jax.jit(lambda x: forward(weights, book, x)[0])
    else:
        run = jax.jit(lambda x: nearest(encode(weights, x).reshape(-1, level["d"]), book))
    return lambda: run(x).block_until_ready()


def main():
    step = workload(OPTIONS)
    for _ in range(WARM_UP):
        step()
    print("ready", flush=True)
    for _ in sys.stdin:
        begin = time.perf_counter()
        step()
        print(f"{(time.perf_counter() - begin) * 1e3:.3f}", flush=True)


if __name__ == "__main__":
    main()
