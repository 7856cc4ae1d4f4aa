#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Of each layer and direction of a training step, and of a model in use: which implementation runs, how
long, and at what share of the machine's f32 peak.

    bench/layers.py [--preset cifar10] [--batch 128] [--threads 2] [--precision f32|bf16] [--runs 15]
        [--write]

In bf16 models in use are --fast. --write puts the table of this processor and precision into
docs/benchmarks.md.
"""

import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
from turns import processor, write_between  # noqa: E402

PROGRAM = os.environ.get("VQVAE", os.path.join(HERE, os.pardir, "build", "release", "vqvae"))
HEADING = "## Layer by layer"
COLUMNS = ("use", "forward", "data", "weights")


def measure(options, *more):
    command = [PROGRAM, "bench", "layers", "--json", "--preset", options.preset, "--batch",
               str(options.batch), "--threads", str(options.threads), "--runs", str(options.runs),
               "--precision", options.precision]
    return json.loads(subprocess.check_output([*command, *more], text=True))


def cell(row):
    if not row:
        return " |"
    share = f", {100 * row['peak_share']:.0f} %" if row["peak_share"] is not None else ""
    return f" {row['ms']:.2f} ms{share}{' W' * ('Winograd' in row['implementation'])} |"


def table(use, training):
    rows = {}
    for row in training["layers"]:
        rows.setdefault(row["node"], {})[row["direction"]] = row
    for row in use["layers"]:
        rows.setdefault(row["node"], {})["use"] = row
    lines = ["| | in use | training: forward | gradient of the input | of the weights |",
             "|---|--:|--:|--:|--:|"]
    for node, own in rows.items():
        lines.append(f"| {node} |" + "".join(cell(own.get(column)) for column in COLUMNS))
    lines.append(f"| all | {use['median_ms']:.1f} ms | {training['median_ms']:.1f} ms, all "
                 "directions | | |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="cifar10")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    fast = ["--fast"] if options.precision == "bf16" else []
    use, training = measure(options, "--use", *fast), measure(options)
    where = f"{processor()}, {options.precision}"
    text = (f"### {where}\n{table(use, training)}\n\n{options.preset}, batch {options.batch}, "
            f"{options.threads} threads, medians of {options.runs} steps; the f32 peak was "
            f"{use['peak_gflops']:.0f} and {training['peak_gflops']:.0f} GFLOP/s.")
    print(text)
    if options.write:
        write_between(f"layers {where}", text, HEADING)


if __name__ == "__main__":
    main()
