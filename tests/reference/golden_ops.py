# SPDX-License-Identifier: Apache-2.0
"""Golden files of single operations: inputs, parameters, outputs and all gradients."""

import torch
import torch.nn.functional as F

from golden_file import UNIT, chain_error, generator, normal

# batch, height, width, in, out, (kh, kw), (sh, sw), (top, left, bottom, right), bias
CONVOLUTIONS = [
    (2, 6, 7, 3, 5, (3, 3), (1, 1), (1, 1, 1, 1), True),
    (1, 7, 5, 1, 3, (4, 4), (2, 2), (1, 1, 1, 1), True),
    (2, 3, 7, 5, 4, (1, 1), (1, 1), (0, 0, 0, 0), True),
    (1, 9, 8, 3, 16, (4, 4), (2, 2), (2, 1, 1, 0), True),
    (1, 5, 4, 16, 16, (3, 3), (1, 1), (1, 1, 1, 1), True),
    (1, 8, 8, 5, 1, (3, 3), (2, 2), (0, 1, 1, 0), False),
    (1, 5, 4, 16, 32, (1, 1), (2, 2), (0, 0, 0, 0), True),
    (1, 6, 7, 3, 3, (3, 1), (1, 2), (2, 0, 0, 0), True),
]
TRANSPOSED = [
    (2, 4, 4, 5, 3, (4, 4), (2, 2), (1, 1, 1, 1), True),
    (1, 3, 5, 3, 1, (4, 4), (2, 2), (1, 1, 1, 1), True),
    (1, 5, 4, 1, 5, (3, 3), (1, 1), (1, 1, 1, 1), True),
    (1, 3, 4, 16, 16, (4, 4), (2, 2), (2, 1, 0, 1), True),
    (2, 3, 3, 5, 4, (1, 1), (1, 1), (0, 0, 0, 0), False),
    (1, 4, 3, 3, 5, (3, 3), (2, 2), (0, 1, 1, 0), True),
    (1, 3, 4, 16, 3, (1, 3), (2, 1), (0, 0, 0, 1), True),
]


def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1).contiguous()


def convolve(x, weight, bias, stride, pad):
    top, left, bottom, right = pad
    return F.conv2d(F.pad(x, (left, right, top, bottom)), weight, bias, stride)


def convolve_transposed(x, weight, bias, stride, pad):
    top, left, bottom, right = pad
    return F.pad(F.conv_transpose2d(x, weight, bias, stride), (-left, -right, -top, -bottom))


def gradients(run, x, weight, bias, dy):
    wanted = [t.detach().requires_grad_() for t in (x, weight, bias) if t is not None]
    y = run(*wanted)
    return y, torch.autograd.grad(y, wanted, dy)


def convolution_cases(golden, name, cases, run, transposed):
    rng = generator(name)
    arrays, atol = {}, 0.0
    for number, (n, h, w, i, o, kernel, stride, pad, has_bias) in enumerate(cases):
        x = normal(rng, n, i, h, w)
        weight = normal(rng, *((i, o) if transposed else (o, i)), *kernel, scale=0.5)
        bias = normal(rng, o) if has_bias else None

        def call(x, weight, bias=None):
            return run(x, weight, bias, stride, pad)

        dy = normal(rng, *call(x, weight, bias).shape)
        y, grads = gradients(call, x, weight, bias, dy)
        at = f"case{number}."
        arrays[at + "attrs"] = torch.tensor([i, o, *kernel, *stride, *pad], dtype=torch.int32)
        arrays |= {at + "x": nhwc(x), at + "weight": weight, at + "y": nhwc(y),
                   at + "dy": nhwc(dy), at + "dx": nhwc(grads[0]), at + "dweight": grads[1]}
        if has_bias:
            arrays |= {at + "bias": bias, at + "dbias": grads[2]}
        atol = max(atol, convolution_error(call, x, weight, bias, dy))
    golden.write(name, name, arrays, 2 * UNIT, atol,
                 "chain_error of the longest sum in y, dx, dweight, dbias; rtol: both roundings")


def convolution_error(call, x, weight, bias, dy):
    """The same convolutions on squares give the squared norms of all sums, and on ones their
    lengths."""
    def largest(*tensors):
        y, grads = gradients(call, *tensors)
        return [t.abs().max().item() for t in (y, *grads)]

    squares = largest(*(t if t is None else t * t for t in (x, weight, bias, dy)))
    lengths = largest(*(t if t is None else torch.ones_like(t) for t in (x, weight, bias, dy)))
    return max(chain_error(length, square**0.5) for length, square in zip(lengths, squares))


SHAPES = [(2, 3, 4, 5), (1, 1, 1, 1), (3, 5, 2, 16), (7, 3), (1, 9, 7, 3)]


def relu_cases(golden):
    rng = generator("relu")
    arrays = {}
    for number, shape in enumerate(SHAPES):
        x = normal(rng, *shape)
        x.view(-1)[::7] = 0.0  # the gradient at 0 is 0
        dy = normal(rng, *shape)
        x.requires_grad_()
        y = F.relu(x)
        (dx,) = torch.autograd.grad(y, x, dy)
        at = f"case{number}."
        arrays |= {at + "x": x, at + "y": y, at + "dy": dy, at + "dx": dx}
    golden.write("relu", "relu", arrays, 0.0, 0.0, "nothing is rounded")


def add_cases(golden):
    rng = generator("add")
    arrays = {}
    for number, shape in enumerate(SHAPES):
        a, b, dy = (normal(rng, *shape) for _ in range(3))
        at = f"case{number}."
        arrays |= {at + "a": a, at + "b": b, at + "y": a + b, at + "dy": dy, at + "da": dy,
                   at + "db": dy}
    golden.write("add", "add", arrays, 2 * UNIT, 0.0, "one rounding in f32, two by way of f64")


def concat_cases(golden):
    rng = generator("concat")
    arrays = {}
    for number, widths in enumerate([(1, 3), (3, 1, 5), (16, 16), (4,), (5, 2, 1, 3)]):
        parts = [normal(rng, 2, 3, number + 1, width).requires_grad_() for width in widths]
        y = torch.cat(parts, dim=-1)
        dy = normal(rng, *y.shape)
        at = f"case{number}."
        arrays |= {at + "y": y, at + "dy": dy}
        for part, (x, dx) in enumerate(zip(parts, torch.autograd.grad(y, parts, dy))):
            arrays |= {f"{at}x{part}": x, f"{at}dx{part}": dx}
    golden.write("concat", "concat", arrays, 0.0, 0.0, "nothing is rounded")


def mse_cases(golden):
    rng = generator("mse")
    arrays, lengths = {}, []
    for number, shape in enumerate(SHAPES):
        x, target = normal(rng, *shape), normal(rng, *shape)
        weight = 1.0 / (0.05 * (number + 1))
        x.requires_grad_()
        mse = F.mse_loss(x, target)
        (dx,) = torch.autograd.grad(weight * mse, x)
        at = f"case{number}."
        arrays |= {at + "x": x, at + "target": target, at + "dx": dx,
                   at + "weight": torch.tensor([weight]).double().numpy(),
                   at + "mse": torch.tensor([mse.item()]).double().numpy()}
        lengths.append(x.numel())
    # All summands are positive, so that errors relative to the sum are those of its length.
    rtol = chain_error(max(lengths), 1.0) / max(lengths) ** 0.5 + 4 * UNIT
    golden.write("mse", "mse", arrays, rtol, 8 * UNIT,
                 "rtol: chain_error of a positive sum and 4 roundings; atol: x - target cancels")


def pixel_cases(golden):
    arrays = {"case0.x": torch.arange(256, dtype=torch.uint8).view(1, 16, 16, 1)}
    rng = generator("pixels")
    for number, shape in enumerate([(2, 3, 4, 3), (1, 1, 1, 1), (1, 5, 7, 3), (3, 2, 2, 1)], 1):
        arrays[f"case{number}.x"] = torch.randint(0, 256, shape, generator=rng,
                                                  dtype=torch.uint8)
    for key in list(arrays):
        arrays[key[:-1] + "y"] = arrays[key].double() / 255.0 - 0.5
    golden.write("pixels", "pixels", arrays, UNIT, UNIT,
                 "x/255 and its difference are rounded once each, below 1")


def write_all(golden):
    convolution_cases(golden, "conv2d", CONVOLUTIONS, convolve, False)
    convolution_cases(golden, "conv_transpose2d", TRANSPOSED, convolve_transposed, True)
    relu_cases(golden)
    add_cases(golden)
    concat_cases(golden)
    mse_cases(golden)
    pixel_cases(golden)
