#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How the cost of a training step and of a forward pass grows: a table and a plot.

    bench/growth.py [--rounds 3] [--axis batch ...] [--write]

One setting at a time leaves preset cifar10: images a step, their edge, channels, codes, threads. Each
point is the median of some rounds, which go over all points anew, so that no point has the machine's
bad moment to itself; the share of the machine's f32 peak is taken with the peak of the same process.
Points are kept in build/growth.json. --write puts the table into docs/benchmarks.md and the plot
into docs/growth.svg.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.join(HERE, os.pardir)
sys.path.insert(0, HERE)
from turns import processor, write_between  # noqa: E402

PROGRAM = os.environ.get("VQVAE", os.path.join(ROOT, "build", "release", "vqvae"))
KEPT = os.path.join(ROOT, "build", "growth.json")
HEADING = "## How cost grows"
AXES = {  # values, the options of one, and the batch where that is not what grows
    "batch": ([1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024], lambda v: ["--batch", str(v)]),
    "size": ([32, 48, 64, 96, 128, 192, 256], lambda v: ["--batch", "4", "--size", str(v)]),
    "width": ([32, 64, 96, 128, 192, 256],
              lambda v: ["--batch", "32", "-s", f"model.level.0.width={v}", "-s",
                         f"model.level.0.narrow={v // 2}"]),
    "codes": ([64, 512, 4096, 16384, 65536],
              lambda v: ["--batch", "32", "-s", f"model.level.0.k={v}", "-s",
                         "model.codebook_init=normal"]),
    "threads": ([1, 2], lambda v: ["--batch", "128", "--threads", str(v)]),
}
WHAT = ("forward", "train")
COLOURS = {"forward": "#1f6f8b", "train": "#b5532a"}


def measure(what, axis, value):
    command = [PROGRAM, "bench", what, "--json", "--seconds", "1", *AXES[axis][1](value)]
    if axis != "threads":
        command += ["--threads", "2"]
    return json.loads(subprocess.check_output(command, text=True))


def measure_all(axes, rounds):
    points = {}
    for turn in range(rounds):
        for axis in axes:
            for value in AXES[axis][0]:
                for what in WHAT:
                    row = measure(what, axis, value)
                    points.setdefault((axis, value, what), []).append(row)
                    print(f"round {turn + 1}: {what} {axis} {value}: {row['median_ms']:.2f} ms",
                          file=sys.stderr, flush=True)
    return [{"axis": axis, "value": value, "what": what,
             "ms": statistics.median(row["median_ms"] for row in rows),
             "gflops": statistics.median(row["gflops"] for row in rows),
             "share": statistics.median(row["gflops"] / row["peak_gflops"] for row in rows),
             "memory": statistics.median(row["peak_rss_mb"] for row in rows)}
            for (axis, value, what), rows in points.items()]


def table(points):
    lines = ["| | | forward | of peak | training step | of peak | memory in training |",
             "|---|--:|--:|--:|--:|--:|--:|"]
    by = {(p["axis"], p["value"], p["what"]): p for p in points}
    for axis, (values, _) in AXES.items():
        for value in values:
            pair = [by.get((axis, value, what)) for what in WHAT]
            if None in pair:
                continue
            cells = "".join(f" {p['ms']:.3g} ms | {100 * p['share']:.0f} % |" for p in pair)
            lines.append(f"| {axis} | {value} |{cells} {pair[1]['memory']:.0f} MB |")
    return "\n".join(lines)


def scale(axis, points):
    """The step of the lines across a panel, and how many there are above 0."""
    most = max(p["share"] for p in points if p["axis"] == axis)
    step = 0.2 if most <= 1.4 else 0.5
    return step, max(6, math.ceil(most / step - 1e-9))


def panel(axis, points, x0, y0, wide, high):
    """Lines over log2 of the value; the height is the share of the peak."""
    step, steps = scale(axis, points)
    most = step * steps
    values = AXES[axis][0]
    least, last = math.log2(values[0]), math.log2(values[-1])
    at = lambda v: x0 + wide * (math.log2(v) - least) / ((last - least) or 1)  # noqa: E731
    up = lambda share: y0 + high - high * share / most  # noqa: E731
    parts = [f'<text x="{x0}" y="{y0 - 8}" class="title">{axis}</text>']
    for k in range(steps + 1):
        y = up(step * k)
        parts.append(f'<path class="grid" d="M{x0} {y:.1f}h{wide}"/>'
                     f'<text class="mark" x="{x0 - 5}" y="{y + 4:.1f}" text-anchor="end">'
                     f"{100 * step * k:.0f} %</text>")
    shown = values if len(values) < 8 else values[::2]
    for value in shown:
        parts.append(f'<text class="mark" x="{at(value):.1f}" y="{y0 + high + 15}" '
                     f'text-anchor="middle">{value}</text>')
    for what in WHAT:
        own = sorted((p["value"], p["share"]) for p in points
                     if p["axis"] == axis and p["what"] == what)
        line = " ".join(f"{at(v):.1f},{up(s):.1f}" for v, s in own)
        parts.append(f'<polyline points="{line}" stroke="{COLOURS[what]}"/>')
        parts += [f'<circle cx="{at(v):.1f}" cy="{up(s):.1f}" r="2.6" fill="{COLOURS[what]}"/>'
                  for v, s in own]
    return "".join(parts)


def plot(points):
    wide, high, gap = 250, 150, 70
    axes = [axis for axis in AXES if any(p["axis"] == axis for p in points)]
    columns = 3
    rows = (len(axes) + columns - 1) // columns
    width, height = columns * (wide + gap) + 20, rows * (high + gap) + 30
    style = ("text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.mark{font-size:10px;"
             "fill:#777}.grid{stroke:#ddd}polyline{fill:none;stroke-width:1.6}")
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
             f'width="{width}" height="{height}"><style>{style}</style>'
             f'<rect width="{width}" height="{height}" fill="#fff"/>']
    for i, axis in enumerate(axes):
        parts.append(panel(axis, points, 50 + i % columns * (wide + gap),
                           34 + i // columns * (high + gap), wide, high))
    for i, what in enumerate(WHAT):
        parts.append(f'<text x="{50 + 90 * i}" y="{height - 8}" style="fill:{COLOURS[what]}">'
                     f"{what}</text>")
    parts.append(f'<text class="mark" x="240" y="{height - 8}">share of the f32 peak of the '
                 f"machine, {processor()}</text></svg>\n")
    return "".join(parts)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--axis", nargs="*", choices=list(AXES), default=list(AXES))
    parser.add_argument("--write", action="store_true", help="what is kept, or was measured now")
    parser.add_argument("--kept", action="store_true", help="measure nothing")
    options = parser.parse_args()
    points = []
    if os.path.exists(KEPT):
        with open(KEPT, encoding="utf-8") as file:
            points = json.load(file)
    if not options.kept:
        points = [p for p in points if p["axis"] not in options.axis]
        points += measure_all(options.axis, options.rounds)
        with open(KEPT, "w", encoding="utf-8") as file:
            json.dump(points, file, indent=1)
    print(table(points))
    if options.write:
        write_between("growth", "![Share of the machine's peak over batch, size, width, codes and "
                      f"threads](growth.svg)\n\n{processor()}, medians of {options.rounds} rounds."
                      f"\n\n{table(points)}", HEADING)
        with open(os.path.join(ROOT, "docs", "growth.svg"), "w", encoding="utf-8") as file:
            file.write(plot(points))


if __name__ == "__main__":
    main()
