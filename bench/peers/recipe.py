# SPDX-License-Identifier: Apache-2.0
"""Training PyTorch's side of a comparison on real images, with the settings of a preset."""

import math
import time

import numpy as np
import torch

import codebooks
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
    """The library keeps a twentieth, at most 5,000 images, from training, unless it is given others
    to look at (`--valid`)."""
    kept = min(len(images) // 20, 5000)
    return images[rng.permutation(len(images))[kept:]]


def start(model, init, feed, seed):
    """First codes from data, before the first step."""
    if init == "data":
        model.quantizer.start_from(codebooks.vectors(model, next(feed)))
    elif init == "kmeans":
        codebooks.fit(model, feed, seed)


def tend(model, x, feed, step, recipe, seed):
    """After a step: dead codes get new places, and all codes where a fit is due. Returns how many
    dead ones there were."""
    if step > recipe["revive_until"] * recipe["steps"]:
        return 0
    revived = 0
    if recipe["revive"] and step % recipe["revive_every"] == 0:
        revived = codebooks.revive(model, x, recipe["revive"])
    if recipe["refit_every"] and step % recipe["refit_every"] == 0:
        codebooks.fit(model, feed, seed)
    return revived


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


def make(settings, channels, averages):
    return Peer(settings["model"], channels, averages, settings["model"]["codebook_init"]).to(
        memory_format=torch.channels_last)


def train(settings, images, test, options):
    """Trains on `images` (bytes N,H,W,C) and returns the figures on `test`."""
    recipe, seed = settings["train"], options.seed
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    if not options.all:
        images = hold_out(images, rng)
    variance = (images / np.float64(255)).var()
    model = make(settings, images.shape[-1], options.start or settings["model"]["ema_start"])
    # Fits look at batches of their own, so that the steps see the same with and without them.
    feed = batches(images, recipe["batch"], np.random.default_rng(seed + 1))
    start(model, settings["model"]["codebook_init"], feed, seed)
    run = model if options.eager else torch.compile(model)
    optimizer = torch.optim.Adam(model.parameters(), betas=(recipe["b1"], recipe["b2"]),
                                 eps=recipe["eps"])
    average = Average(model, recipe["average"]) if recipe["average"] else None
    begin, revived = time.time(), 0
    for step, x in zip(range(1, recipe["steps"] + 1), batches(images, recipe["batch"], rng)):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(recipe, step)
        optimizer.zero_grad(set_to_none=True)
        reconstruction, commitment, perplexity, _ = run(x)
        loss, mse = model.losses(x, reconstruction, commitment, variance)
        loss.backward()
        optimizer.step()
        revived += tend(model, x, feed, step, recipe, seed)
        if average:
            average.step(step)
        if step % 500 == 0:
            print(f"step {step}: nmse {mse.item() / variance:.4f}, perplexity "
                  f"{perplexity.item():.0f}, {revived} revived, {time.time() - begin:.0f} s",
                  flush=True)
    seconds = time.time() - begin
    last = evaluate(model, test, variance) | {"seconds": seconds}
    if average:
        average.take()
    return last, evaluate(model, test, variance) | {"seconds": seconds} if average else None


def report(name, settings, options, weights, figures):
    recipe, model = settings["train"], settings["model"]
    averages = options.start or model["ema_start"]
    print(f"{name}, {weights} weights: {recipe['steps']} steps of {recipe['batch']} on "
          f"{'all images' if options.all else 'all but those held out'}, codes from "
          f"{model['codebook_init']}, averages from {averages}, revive {recipe['revive']}, refit "
          f"every {recipe['refit_every']}, seed {options.seed}: test nmse {figures['nmse']:.5f}, "
          f"mse {figures['mse']:.6f}, psnr {figures['psnr']:.2f}, perplexity "
          f"{figures['perplexity']:.0f}, {figures['codes_used']} codes used, "
          f"{figures['seconds']:.0f} s")


def add_options(parser):
    parser.add_argument("--steps", type=int, help="instead of the preset's, as the next ones")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--lr", type=float)
    parser.add_argument("--schedule", choices=["constant", "cosine"])
    parser.add_argument("--revive", type=float, help="share of n/K; 0: never")
    parser.add_argument("--refit-every", type=int, help="steps between fits by k-means; 0: never")
    parser.add_argument("--init", choices=["uniform", "normal", "data", "kmeans"])
    parser.add_argument("--start", choices=["one", "zero", "debias"])
    parser.add_argument("--all", action="store_true", help="hold no image out of training")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--eager", action="store_true", help="without torch.compile")


def run(name, settings, images, test, options):
    """What the two scripts on real images share."""
    torch.set_num_threads(options.threads)
    for key in ("steps", "batch", "lr", "schedule", "revive", "refit_every"):
        if getattr(options, key) is not None:
            settings["train"][key] = getattr(options, key)
    if options.init:
        settings["model"]["codebook_init"] = options.init
    last, averaged = train(settings, images, test, options)
    report(name, settings, options, "last", last)
    if averaged:
        report(name, settings, options, "averaged", averaged)
