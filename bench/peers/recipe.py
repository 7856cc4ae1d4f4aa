# SPDX-License-Identifier: Apache-2.0
"""Training PyTorch's side of a comparison on real images, with the settings of a preset."""

import math
import time

import numpy as np
import torch

from paper import Peer


def learning_rate(train, step):
    """Of step number `step`, counted from 1: what the library's own schedule gives."""
    share = 1.0
    if train["schedule"] == "cosine":
        done = max(step - 1 - train["warmup"], 0) / max(train["steps"] - train["warmup"], 1)
        share = train["final_lr"] + (1 - train["final_lr"]) * 0.5 * (1 + math.cos(math.pi * done))
    return train["lr"] * share * min(1.0, step / max(train["warmup"], 1))


def network_input(pixels):
    x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - 0.5
    return x.contiguous(memory_format=torch.channels_last)


def batches(images, batch, rng):
    """One shuffled epoch after the other, without end."""
    order = np.empty(0, dtype=np.int64)
    while True:
        while len(order) < batch:
            order = np.concatenate([order, rng.permutation(len(images))])
        yield network_input(images[order[:batch]])
        order = order[batch:]


def hold_out(images, rng):
    """The library keeps a twentieth, at most 5,000 images, from training."""
    kept = min(len(images) // 20, 5000)
    return images[rng.permutation(len(images))[kept:]]


@torch.no_grad()
def evaluate(model, images, variance):
    model.eval()
    error, codes = 0.0, []
    for begin in range(0, len(images), 500):
        x = network_input(images[begin:begin + 500])
        reconstruction, _, _, chosen = model(x)
        error += (reconstruction - x).double().square().sum().item()
        codes.append(chosen)
    share = torch.bincount(torch.cat(codes)).double()
    share = share[share > 0] / share.sum()
    mse = error / images.size
    return {"mse": mse, "nmse": mse / variance, "psnr": -10 * math.log10(mse),
            "perplexity": math.exp(-(share * share.log()).sum().item()), "codes_used": len(share)}


@torch.no_grad()
def start_from_data(model, x):
    model.quantizer.start_from(model.encoder(x).permute(0, 2, 3, 1).flatten(0, 2))


class Average:
    """Averaged weights as the library has them; codebooks by moving averages are left alone."""

    def __init__(self, model, decay):
        self.decay = decay
        self.weights = [p for p in model.parameters() if p.requires_grad]
        self.average = [p.detach().clone() for p in self.weights]

    @torch.no_grad()
    def step(self, step):
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.average, self.weights, 1 - decay)

    @torch.no_grad()
    def take(self):
        torch._foreach_copy_(self.weights, self.average)


def train(settings, images, test, start, seed, compiled=True):
    """Trains on `images` (bytes N,H,W,C) and returns the figures on `test`."""
    recipe = settings["train"]
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    images = hold_out(images, rng)
    variance = (images / np.float64(255)).var()
    init = settings["model"]["codebook_init"]
    model = Peer(settings["model"], images.shape[-1], start, init).to(
        memory_format=torch.channels_last)
    if init == "data":
        start_from_data(model, network_input(images[:recipe["batch"]]))
    run = torch.compile(model) if compiled else model
    optimizer = torch.optim.Adam(model.parameters(), betas=(recipe["b1"], recipe["b2"]),
                                 eps=recipe["eps"])
    average = Average(model, recipe["average"]) if recipe["average"] else None
    begin = time.time()
    for step, x in zip(range(1, recipe["steps"] + 1), batches(images, recipe["batch"], rng)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        optimizer.zero_grad(set_to_none=True)
        reconstruction, commitment, perplexity, _ = run(x)
        loss, mse = model.losses(x, reconstruction, commitment, variance)
        loss.backward()
        optimizer.step()
        if average:
            average.step(step)
        if step % 500 == 0:
            print(f"step {step}: nmse {mse.item() / variance:.4f}, perplexity "
                  f"{perplexity.item():.0f}, {time.time() - begin:.0f} s", flush=True)
    seconds = time.time() - begin
    last = evaluate(model, test, variance) | {"seconds": seconds}
    if average:
        average.take()
    return last, evaluate(model, test, variance) | {"seconds": seconds} if average else None


def report(name, settings, start, seed, weights, figures):
    recipe = settings["train"]
    print(f"{name}, {weights} weights: {recipe['steps']} steps of {recipe['batch']}, start {start}, seed {seed}: "
          f"test nmse {figures['nmse']:.4f}, mse {figures['mse']:.6f}, psnr "
          f"{figures['psnr']:.2f}, perplexity {figures['perplexity']:.0f}, "
          f"{figures['codes_used']} codes used, {figures['seconds']:.0f} s")


def add_options(parser):
    parser.add_argument("--steps", type=int, help="instead of the preset's")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--schedule", choices=["constant", "cosine"])
    parser.add_argument("--start", choices=["one", "zero", "debias"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")


def run(name, settings, images, test, options):
    """What the two scripts on real images share."""
    torch.set_num_threads(options.threads)
    for key in ("steps", "batch", "lr", "schedule"):
        if getattr(options, key) is not None:
            settings["train"][key] = getattr(options, key)
    start = options.start or settings["model"]["ema_start"]
    last, averaged = train(settings, images, test, start, options.seed, not options.eager)
    report(name, settings, start, options.seed, "last", last)
    if averaged:
        report(name, settings, start, options.seed, "averaged", averaged)
