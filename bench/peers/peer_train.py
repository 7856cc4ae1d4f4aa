# SPDX-License-Identifier: Apache-2.0
"""Times PyTorch on a training step, on forward alone, or on images to codes.

    peer_train.py train|forward|encode [--preset P] [--batch N] [--threads N] [--compile]
                  [--channels-last] [--precision f32|bf16] [--lines]

With --lines it says "ready", then runs one step for each line on stdin and prints its milliseconds,
so that another program can take turns with it; else it prints the least and the median of --steps steps.
"""

import argparse
import statistics
import sys
import time

import torch

from paper import Peer, preset

WARM_UP = 3


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["train", "forward", "encode"])
    parser.add_argument("--preset", default="cifar10")
    parser.add_argument("--size", type=int, default=32, help="height and width of the images")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--channels-last", action="store_true")
    parser.add_argument("--lines", action="store_true")
    return parser.parse_args()


def workload(options):
    settings = preset(options.preset)
    channels = settings["model"]["channels"]
    model = Peer(settings["model"], channels, "zero", "normal")
    x = torch.rand(options.batch, channels, options.size, options.size) - 0.5
    variance = x.var().item()
    if options.channels_last:
        model = model.to(memory_format=torch.channels_last)
        x = x.contiguous(memory_format=torch.channels_last)
    run = torch.compile(model) if options.compile else model
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bf16")
    train = settings["train"]
    optimizer = torch.optim.Adam(model.parameters(), lr=train["lr"],
                                 betas=(train["b1"], train["b2"]), eps=train["eps"])

    def step():
        optimizer.zero_grad(set_to_none=True)
        with autocast:
            reconstruction, commitment, perplexity, _ = run(x)
            loss, _ = model.losses(x, reconstruction.float(), commitment.float(), variance)
        loss.backward()
        optimizer.step()
        return loss.item(), perplexity.item()

    @torch.no_grad()
    def forward():
        with autocast:
            reconstruction, commitment, perplexity, _ = run(x)
            loss, _ = model.losses(x, reconstruction.float(), commitment.float(), variance)
        return loss.item(), perplexity.item()

    class Encode(torch.nn.Module):
        """Codes alone, by the search without |z|^2, which is the same for all codes."""

        def __init__(self):
            super().__init__()
            self.encoder, self.book = model.encoder, model.quantizer.codebook

        def forward(self, x):
            rows = self.encoder(x).permute(0, 2, 3, 1).flatten(0, 2).float()
            return torch.addmm(self.book.square().sum(1), rows, self.book.t(), alpha=-2).argmin(1)

    model.train(options.what == "train")
    if options.what != "encode":
        return step if options.what == "train" else forward
    codes = torch.compile(Encode()) if options.compile else Encode()

    @torch.no_grad()
    def encode():
        with autocast:
            return codes(x)

    return encode


def timed(step):
    begin = time.perf_counter()
    step()
    return (time.perf_counter() - begin) * 1e3


def main():
    options = parse()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    step = workload(options)
    for _ in range(WARM_UP):
        step()
    if options.lines:
        print("ready", flush=True)
        for _ in sys.stdin:
            print(f"{timed(step):.3f}", flush=True)
        return
    times = [timed(step) for _ in range(options.steps)]
    print(f"PyTorch {torch.__version__} {options.what} {options.preset} batch {options.batch} "
          f"{options.precision}{' compiled' * options.compile}"
          f"{' channels-last' * options.channels_last}, {options.threads} threads: "
          f"least {min(times):.1f} ms, median {statistics.median(times):.1f} ms")


if __name__ == "__main__":
    main()
