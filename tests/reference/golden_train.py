# SPDX-License-Identifier: Apache-2.0
"""Golden files of training: ten steps of a whole small model, twice.

The network is that of examples/load_in_pytorch.py, so that its page is checked as well.
"""

import copy
import math
import os
import sys

import torch
import torch.nn.functional as F
from torch.optim.lr_scheduler import CosineAnnealingLR, LinearLR, SequentialLR
from torch.overrides import TorchFunctionMode

from golden_file import generator
from golden_quantize import check_margin, margin
from quantizers import Ema, commitment, gradient_losses

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), *[os.pardir] * 2,
                                "examples"))
from load_in_pytorch import PaperModel, network_input  # noqa: E402

STEPS, BATCH, SIZE = 10, 4, 16
CONFIG = {"channels": 3, "level": [{"stride": 4, "width": 16, "narrow": 8, "blocks": 1,
                                    "block_width": 8, "k": 16, "d": 8}]}
COMMITMENT, CODEBOOK, LR = 0.25, 1.0, 2e-3
# Where a gradient is exactly 0, Winograd's convolution leaves about 1e-9. Adam's usual 1e-8 would
# make a tenth of a whole step of that.
EPSILON = 1e-5
WEIGHT_DECAY, CLIP, WARMUP, FINAL_LR = 0.05, 0.5, 3, 0.1


def pictures(rng):
    """Bytes with structure on several scales, so that every layer has something to learn."""
    shape = (STEPS * BATCH, 3, SIZE, SIZE)
    image = sum(F.interpolate(torch.randn(*shape[:2], side, side, generator=rng), size=(SIZE, SIZE),
                              mode="bilinear") for side in (2, 4, 16))
    return (image * 32 + 128).round().clamp(0, 255).byte().permute(0, 2, 3, 1).contiguous()


def prepared(pixels):
    """The model at its start. Weights of unit gain and no biases spread the latent vectors, so
    that no code is chosen by a hair; codes are drawn from the first batch."""
    rng = generator("train weights 9")
    model = PaperModel(CONFIG)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            fan_in = tensor[0].numel() if tensor.dim() > 1 else 1
            gain = (2 / fan_in) ** 0.5 if name.endswith("weight") else 0.0
            tensor.copy_(torch.randn(tensor.shape, generator=rng) * gain)
        z = model.encoder[0](network_input(pixels[:BATCH])).permute(0, 2, 3, 1).flatten(0, 2)
        rows = torch.randperm(len(z), generator=generator("train codes 9"))
        model.quantizer[0].codebook.copy_(z[rows[:CONFIG["level"][0]["k"]]])
    return model


class ReluMargin(TorchFunctionMode):
    """How close a ReLU's input comes to 0, in units of its tensor's root mean square: rounding
    that pushes one across would switch its gradient on or off."""

    least = math.inf

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is F.relu:
            x = args[0].detach()
            near = x[x != 0].abs().min() / x.square().mean().sqrt()
            self.least = min(self.least, near.item())
        return function(*args, **(kwargs or {}))


class Run:
    """One training in one precision; `curve` and `state` are what the library must repeat."""

    def __init__(self, model, dtype, variance):
        self.model = copy.deepcopy(model).to(dtype)
        self.dtype, self.variance = dtype, variance
        self.curve = {name: [] for name in ("loss", "mse", "commitment", "lr", "gradient_norm",
                                            "perplexity")}
        self.gaps = []

    def latent(self, pixels):
        image = (pixels.to(self.dtype) / 255 - 0.5).permute(0, 3, 1, 2)
        return image, self.model.encoder[0](image).permute(0, 2, 3, 1)

    def reconstruct(self, z, q):
        passed = z + (q - z).detach()
        return self.model.decoder[0](passed.permute(0, 3, 1, 2))

    def log(self, **values):
        for name, value in values.items():
            self.curve[name].append(float(torch.as_tensor(value).detach()))

    def log_losses(self, mse, commit, loss, codes):
        share = torch.bincount(codes, minlength=CONFIG["level"][0]["k"]).double() / len(codes)
        entropy = -(share * share.clamp(min=1e-300).log()).sum()
        norm = math.sqrt(sum(p.grad.double().square().sum().item() for p in self.trained()))
        self.log(mse=mse, commitment=commit, loss=loss, perplexity=entropy.exp(),
                 gradient_norm=norm)

    def trained(self):
        return [p for p in self.model.parameters() if p.grad is not None]


class EmaRun(Run):
    """Codebook by moving averages from counts of one; Adam with a constant rate."""

    def __init__(self, *args):
        super().__init__(*args)
        self.ema = Ema(self.model.quantizer[0].codebook, "one")
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=LR, eps=EPSILON)

    def step(self, pixels):
        image, z = self.latent(pixels)
        rows = z.detach().flatten(0, 2)
        codes = self.ema.choose(rows)
        self.gaps.append(margin(rows, self.ema.codebook))
        q = self.ema.codebook[codes].view(z.shape)
        mse, commit = F.mse_loss(self.reconstruct(z, q), image), commitment(z, q)
        loss = mse / self.variance + COMMITMENT * commit
        self.optimizer.zero_grad()
        loss.backward()
        self.log(lr=LR)
        self.log_losses(mse, commit, loss, codes)
        self.optimizer.step()
        self.ema.update(rows, codes)

    def state(self):
        q = "quantizer.0."
        return self.model.state_dict() | {q + "codebook": self.ema.codebook,
                                          q + "counts": self.ema.counts,
                                          q + "sums": self.ema.sums}


class GradientRun(Run):
    """Codebook by gradient; AdamW, warm-up, cosine schedule and clipping."""

    def __init__(self, *args):
        super().__init__(*args)
        self.codebook = torch.nn.Parameter(self.model.quantizer[0].codebook.clone())
        groups = [{"params": self.model.parameters(), "weight_decay": WEIGHT_DECAY},
                  {"params": [self.codebook], "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=LR, eps=EPSILON)
        rise = LinearLR(self.optimizer, 1 / WARMUP, total_iters=WARMUP - 1)
        fall = CosineAnnealingLR(self.optimizer, STEPS - WARMUP, eta_min=FINAL_LR * LR)
        self.schedule = SequentialLR(self.optimizer, [rise, fall], milestones=[WARMUP])

    def trained(self):
        return [*self.model.parameters(), self.codebook]

    def step(self, pixels):
        image, z = self.latent(pixels)
        self.gaps.append(margin(z.detach().flatten(0, 2), self.codebook.detach()))
        codes, q, commit, term = gradient_losses(z.flatten(0, 2), self.codebook)
        mse = F.mse_loss(self.reconstruct(z, q.detach().view(z.shape)), image)
        loss = mse / self.variance + COMMITMENT * commit + CODEBOOK * term
        self.optimizer.zero_grad()
        loss.backward()
        self.log(lr=self.schedule.get_last_lr()[0])
        self.log_losses(mse, commit, loss, codes)
        torch.nn.utils.clip_grad_norm_(self.trained(), CLIP)
        self.optimizer.step()
        self.schedule.step()

    def state(self):
        return self.model.state_dict() | {"quantizer.0.codebook": self.codebook}


def train(run, pixels):
    with ReluMargin() as relu:
        for step in range(STEPS):
            run.step(pixels[step * BATCH:(step + 1) * BATCH])
    run.gaps.append(relu.least)
    return run


def case(golden, name, kind, model, pixels, variance):
    exact = train(kind(model, torch.float64, variance), pixels)
    single = train(kind(model, torch.float32, variance), pixels)
    check_margin(name, min(exact.gaps))
    state = exact.state()
    own = max((single.state()[key].double() - state[key].double()).abs().max().item()
              for key in state)
    curve = {key: torch.tensor(values).double() for key, values in exact.curve.items()}
    for key, values in single.curve.items():
        own = max(own, ((torch.tensor(values).double() - curve[key]) / curve[key]).abs().max()
                  .item())
    print(f"{name}: PyTorch's own error in f32 {own:.1e}, margin {min(exact.gaps):.1e}, "
          f"loss {exact.curve['loss'][0]:.4f} to {exact.curve['loss'][-1]:.4f}")
    arrays = {"final." + key: value for key, value in state.items()}
    arrays |= {"curve." + key: values.numpy() for key, values in curve.items()}
    golden.write(name, "train", arrays, 16 * own, 16 * own,
                 "16 times the largest error of PyTorch's own f32 run: 10 steps of Adam")


def write_all(golden):
    pixels = pictures(generator("train pixels"))
    variance = (pixels.double() / 255).var(correction=0).item()
    model = prepared(pixels)
    codebook = model.quantizer[0].codebook
    state = model.state_dict() | {"quantizer.0.counts": torch.ones(len(codebook)),
                                  "quantizer.0.sums": codebook}
    arrays = {"init." + key: value for key, value in state.items()}
    golden.write("train_input", "train", {"pixels": pixels}, 0.0, 0.0, "input")
    golden.write("train_start", "train",
                 arrays | {"variance": torch.tensor([variance]).double().numpy()}, 0.0, 0.0,
                 "input")
    case(golden, "train_ema", EmaRun, model, pixels, variance)
    case(golden, "train_gradient", GradientRun, model, pixels, variance)
