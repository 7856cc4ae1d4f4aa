# SPDX-License-Identifier: Apache-2.0
"""Training step, forward pass and encoding beside PyTorch, JAX, ONNX Runtime and OpenVINO.

    bench/peers/run bench/compare_train.py [train] [forward] [encode] [--pairs 15] [--write]

Without a part all three are measured; with --precision bf16 models in use are --fast, and ONNX
Runtime, which encodes in f32 alone, is left out. All programs are alive at once and do one step when it is
their turn, so that whatever else the machine does meets all of them. Prints medians, and of the
rounds' ratios to the best peer the median: below 1.00 vqvae is the faster one. --write puts the
table of this processor into docs/benchmarks.md, beside those of others. --wait waits for a line
before it measures, so that the machine can be made quiet once everybody is ready.
PEERS_JAX names another interpreter for JAX, which asks for a newer Python than the others.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "peers"))
from paper import ROOT, environment, program  # noqa: E402
from turns import Worker, median_ratio, processor, take_turns, write_between  # noqa: E402

PEERS = os.path.join(HERE, "peers")
HEADING = "## Training, forward and encoding"


def ours(what, options):
    shape = ["--preset", options.preset, "--batch", str(options.batch), "--threads",
             str(options.threads), "--precision", options.precision, "--lines"]
    command = [program(), "bench", what, *shape]
    if options.precision == "bf16":  # our own backend alone, and never exact
        return {"vqvae": command + ["--fast"] * (what != "train")}
    rows = {"vqvae": command, "vqvae onednn": command + ["--backend", "onednn"]}
    if what != "train":  # which takes Winograd's sums anyway
        rows["vqvae --fast"] = command + ["--fast"]
    return rows


def pytorch(what, options):
    shape = ["--preset", options.preset, "--batch", str(options.batch), "--threads",
             str(options.threads), "--precision", options.precision, "--lines"]
    rows = {}
    for how in ("eager", "compiled"):
        for layout in ("", " channels last"):
            rows[f"PyTorch {how}{layout}"] = [
                sys.executable, os.path.join(PEERS, "peer_train.py"), what, *shape,
                *["--compile"] * (how == "compiled"), *["--channels-last"] * bool(layout)]
    return rows


def jax(what, options):
    python = os.environ.get("PEERS_JAX", sys.executable)
    return {"JAX jit": [python, os.path.join(PEERS, "peer_jax.py"), what, "--settings",
                        settings_file(options), "--batch", str(options.batch), "--threads",
                        str(options.threads), "--precision", options.precision]}


def settings_file(options):
    """The preset's settings for peers that run where vqvae itself need not."""
    path = os.path.join(options.folder, options.preset + ".json")
    with open(path, "w", encoding="utf-8") as file:
        file.write(subprocess.check_output([program(), "presets", options.preset], text=True))
    return path


def runtimes(options):
    """Encoder and nearest code of the same weights, exported to ONNX."""
    path = os.path.join(options.folder, options.preset + ".onnx")
    subprocess.check_call([sys.executable, os.path.join(PEERS, "export_onnx.py"), "--preset",
                           options.preset, "-o", path])
    rest = [path, "--batch", str(options.batch), "--threads", str(options.threads), "--precision",
            options.precision]
    script = os.path.join(PEERS, "peer_onnx.py")
    names = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
    return {names[peer]: [sys.executable, script, peer, *rest] for peer in names
            if not (peer == "onnxruntime" and options.precision == "bf16")}


def start(commands, options):
    """Those that are not to be had here are named and left out."""
    workers = []
    for name, command in commands.items():
        worker = Worker(name, command, environment(options.threads))
        try:
            worker.await_ready()
        except SystemExit as why:
            print(f"left out: {why}", file=sys.stderr)
            continue
        workers.append(worker)
        print(f"ready: {name}", file=sys.stderr, flush=True)
    if not any(worker.name == "vqvae" for worker in workers):
        raise SystemExit("compare_train.py: vqvae itself did not get ready: there is nothing to "
                         "compare with")
    return workers


def warm_up(workers, rounds=3):
    take_turns(workers, rounds)


def peak(workers):
    """GFLOP/s of multiply-adds in f32, measured by vqvae between the rounds."""
    return next(worker for worker in workers if worker.name.startswith("vqvae")).ask("peak")


def measure(what, workers, options):
    warm_up(workers)
    peaks = [peak(workers)]
    times = take_turns(workers, options.pairs)
    peaks.append(peak(workers))
    return {"what": what, "preset": options.preset, "batch": options.batch,
            "threads": options.threads, "precision": options.precision, "rounds": options.pairs,
            "peak_gflops": statistics.mean(peaks), "times": times}


def table(results):
    """A row for each program, a pair of columns for each part."""
    names = list(dict.fromkeys(name for row in results for name in row["times"]))
    head = "| |" + "".join(f" {row['what']} | vqvae to it |" for row in results)
    lines = [head, "|---|" + "--:|--:|" * len(results)]
    for name in names:
        cells = f"| {name} |"
        for row in results:
            ms = row["times"].get(name)
            cells += " – | |" if not ms else (
                f" {statistics.median(ms):.1f} ms |"
                f" {median_ratio(row['times']['vqvae'], ms):.2f} |")
        lines.append(cells)
    first = results[0]
    peaks = ", ".join(f"{row['peak_gflops']:.0f}" for row in results)
    lines.append(f"\n{first['preset']}, batch {first['batch']}, {first['precision']}, "
                 f"{first['threads']} threads, {first['rounds']} rounds, medians; the machine's f32 "
                 f"peak was {peaks} GFLOP/s meanwhile. A ratio below 1 says that vqvae is faster.")
    return "\n".join(lines)


def best_peer(row):
    medians = {name: statistics.median(ms) for name, ms in row["times"].items()
               if not name.startswith("vqvae")}
    return min(medians, key=medians.get) if medians else None


def tell(row):
    best = best_peer(row)
    for name, ms in row["times"].items():
        print(f"{row['what']:8} {name:32} {statistics.median(ms):9.2f} ms, least {min(ms):9.2f}, "
              f"vqvae to it {median_ratio(row['times']['vqvae'], ms):.3f}"
              f"{'  <- best peer' * (name == best)}", flush=True)


def keep(result, options):
    """Parts may be measured one by one: the table is made of what is kept of each."""
    path = os.path.join(options.folder, "results.json")
    kept = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
    key = [processor(), *(result[word] for word in ("preset", "batch", "precision", "threads"))]
    rows = kept.setdefault(" | ".join(map(str, key)), {})
    rows[result["what"]] = result
    with open(path + ".new", "w", encoding="utf-8") as file:
        json.dump(kept, file, indent=1)
    os.replace(path + ".new", path)
    return [rows[what] for what in ("train", "forward", "encode") if what in rows]


def write(results):
    where = processor()
    first = results[0]
    mark = f"engine {where} {first['preset']} {first['batch']} {first['precision']}"
    write_between(mark, f"### {where}, {first['precision']}\n{table(results)}", HEADING)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="*", metavar="train|forward|encode",
                        help="one, several or all (default)")
    parser.add_argument("--preset", default="cifar10")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--precision", choices=["f32", "bf16"], default="f32")
    parser.add_argument("--pairs", type=int, default=15, help="rounds that are counted")
    parser.add_argument("--only", default="", help="programs whose names contain one of these "
                        "words, with commas between; vqvae itself always runs")
    parser.add_argument("--folder", default=os.path.join(ROOT, "build", "peers"),
                        help="for exported models and results")
    parser.add_argument("--wait", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    parts = ["train", "forward", "encode"]
    unknown = [what for what in options.what if what not in parts]
    if unknown:
        parser.error(f"there is no part {unknown[0]!r}; there are {', '.join(parts)}")
    options.what = options.what or parts
    return options


def chosen(commands, options):
    words = options.only.split(",")
    return {name: command for name, command in commands.items()
            if name == "vqvae" or any(word in name for word in words)}


def main():
    options = parse()
    os.makedirs(options.folder, exist_ok=True)
    crews = {}
    for what in options.what:
        commands = {**ours(what, options), **pytorch(what, options), **jax(what, options)}
        if what == "encode":
            commands |= runtimes(options)
        crews[what] = start(chosen(commands, options), options)
    if options.wait:
        print("all are ready; a line begins the measurement", file=sys.stderr, flush=True)
        sys.stdin.readline()
    results = []
    for what, workers in crews.items():
        row = measure(what, workers, options)
        tell(row)
        results = keep(row, options)
        if options.json:
            print(json.dumps(row), flush=True)
    for workers in crews.values():
        for worker in workers:
            worker.close()
    if options.write:
        write(results)


if __name__ == "__main__":
    main()
