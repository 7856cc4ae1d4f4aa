# SPDX-License-Identifier: Apache-2.0
"""The search for the nearest code and the quantiser's training step beside other libraries.

    bench/peers/run bench/compare_nearest.py [--table] [--grid] [--quantizer] [--write]

Without a part all are measured. Every contender of a shape is alive at once and does one step when
it is its turn, so that what else the machine does meets all of them; medians are told, as GFLOP/s
of 2 n K D over the whole time, beside the machine's own peak of multiply-adds in f32, measured in
between. Results are kept shape by shape in a folder (--results), so that a run that was cut off
goes on where it stood; --again measures anew. --write puts the tables of what is there into
docs/benchmarks.md, which keeps one for each kind of processor.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "peers"))
from paper import environment, program  # noqa: E402

PAGE = os.path.join(HERE, os.pardir, "docs", "benchmarks.md")
KERNELS = ["portable", "avx2", "avx512", "avx512bf16", "amx"]
OURS = KERNELS + ["neon"]
SCREENED = ["avx512bf16", "amx"]  # in bf16 first; the last that the processor has is the best
MATRIX_MOST = 6e8  # numbers of a peer's n x K matrix that are let into memory

# n, D, K, the peers named beside it.
TABLE = [(8192, 64, 512), (8192, 64, 8192), (8192, 256, 1024), (8192, 256, 16384),
         (65536, 8, 8192), (4096, 8, 16384), (8192, 4, 512)]
WITH_VQP = {(4096, 8, 16384)}

GRID = [
    (1, 64, 512), (1, 256, 8192), (1, 768, 65536), (1, 8, 65536), (1, 4, 512), (1, 1, 16),
    (1, 128, 1024), (1, 64, 8192),
    (7, 64, 512), (7, 256, 1024), (7, 768, 1000), (7, 16, 65536),
    (16, 64, 512), (16, 256, 16384), (16, 768, 1024), (16, 8, 8192),
    (50, 64, 512), (50, 128, 4096), (50, 768, 512), (50, 4, 65536),
    (256, 1, 256), (256, 4, 512), (256, 16, 16384), (256, 64, 512), (256, 256, 1024),
    (256, 768, 8192), (256, 64, 65536),
    (1000, 3, 100), (1000, 100, 1000), (1000, 512, 512),
    (4096, 1, 65536), (4096, 2, 2), (4096, 8, 16384), (4096, 32, 256), (4096, 64, 512),
    (4096, 128, 1024), (4096, 256, 4096), (4096, 768, 1024),
    (8192, 4, 512), (8192, 8, 256), (8192, 16, 1), (8192, 64, 512), (8192, 64, 8192),
    (8192, 256, 1024), (8192, 256, 16384), (8192, 512, 2048), (8192, 768, 4096),
    (16384, 16, 16), (16384, 32, 1024), (16384, 64, 65536),
    (65536, 1, 2), (65536, 1, 1024), (65536, 2, 512), (65536, 4, 512), (65536, 8, 8192),
    (65536, 16, 1024), (65536, 32, 512), (65536, 64, 1024), (65536, 128, 256), (65536, 768, 100),
]
READY_MOST = 64    # up to so many vectors a codebook is packed before, as faiss's index is
PORTABLE_MOST = 4e9  # operations that the portable kernels are given


class Worker:
    """A program that does one step for every line it is given."""

    def __init__(self, command, threads, **more):
        self.name = command[0]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        env=environment(threads) | more, text=True, bufsize=1)

    def ask(self, line=""):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended with {self.process.wait()}")
        return line.strip()

    def close(self):
        self.process.stdin.close()
        self.process.wait()


class Ours(Worker):
    def __init__(self, workload, shape, kernel, ready, threads):
        n, dim, codes = shape
        super().__init__([program(), "bench", workload, "--n", str(n), "--dim", str(dim),
                          "--codes", str(codes), "--kernel", kernel, "--threads", str(threads),
                          "--lines"] + ["--ready"] * ready, threads)
        if self.answer() != "ready":
            raise SystemExit("vqvae is not ready")

    def step(self):
        return float(self.ask())


class Peer(Worker):
    """One process for all shapes: to start it takes longer than most measurements."""

    def __init__(self, peer, threads, dynamic=False):
        more = {"PEERS_DYNAMIC": "1"} if dynamic else {}
        super().__init__([sys.executable, os.path.join(HERE, "peers", "peer_vectors.py")], threads,
                         **more)
        self.peer = peer

    def prepare(self, shape):
        n, dim, codes = shape
        said = self.ask(json.dumps({"peer": self.peer, "n": n, "dim": dim, "codes": codes}))
        if said != "ready":
            raise SystemExit(f"{self.peer} is not ready: {said}")

    def step(self):
        return float(self.ask())


def take_turns(contenders, options):
    """Milliseconds of all contenders, each first as often as the others."""
    names, times = list(contenders), {name: [] for name in contenders}
    end = time.monotonic() + options.seconds
    turn = 0
    while turn < options.least or (turn < options.most and time.monotonic() < end):
        for i in range(len(names)):
            name = names[(turn + i) % len(names)]
            times[name].append(contenders[name].step())
        turn += 1
    return {name: {"median_ms": statistics.median(ms), "min_ms": min(ms), "steps": len(ms)}
            for name, ms in times.items()}


class Results:
    """A JSON file of one part, saved after every shape."""

    def __init__(self, options, part):
        self.path = os.path.join(options.results, part + ".json")
        self.rows = {}
        if os.path.exists(self.path) and not options.again:
            with open(self.path, encoding="utf-8") as file:
                self.rows = json.load(file)

    def keep(self, shape, row):
        self.rows[key(shape)] = row
        with open(self.path + ".new", "w", encoding="utf-8") as file:
            json.dump(self.rows, file, indent=1)
        os.replace(self.path + ".new", self.path)


def key(shape):
    return " ".join(map(str, shape))


def measure(results, shape, workload, kernels, peers, ready, options):
    if key(shape) in results.rows:
        return
    ours = {kernel: Ours(workload, shape, kernel, ready, options.threads) for kernel in kernels}
    for peer in peers.values():
        peer.prepare(shape)
    # "peak" is answered by the kernels of the worker: the best ones for f32 are what it is held
    # against, avx512 or those that were named last.
    judge = ours.get("avx512", list(ours.values())[-1])
    before = float(judge.ask("peak"))
    row = take_turns(ours | peers, options)
    row["peak_gflops"] = max(before, float(judge.ask("peak")))
    row["ready"] = ready
    for worker in ours.values():
        worker.close()
    results.keep(shape, row)
    print(f"{results.path}: {key(shape)}: " + ", ".join(
        f"{name} {gflops(shape, one):.3g} GF" for name, one in row.items()
        if isinstance(one, dict)), flush=True)


def gflops(shape, one):
    n, dim, codes = shape
    return 2e-6 * n * dim * codes / one["median_ms"]


def available(kernels):
    """Those of the processor: the program names the best it has, and refuses none above."""
    got = []
    for kernel in kernels:
        out = subprocess.run([program(), "bench", "nearest", "--n", "1", "--dim", "1", "--codes",
                              "1", "--runs", "1", "--kernel", kernel, "--json"],
                             capture_output=True, text=True)
        if out.returncode == 0 and json.loads(out.stdout)["kernel"] == kernel:
            got.append(kernel)
    return got


def peers_for(shape, peers):
    n, _, codes = shape
    small = n * codes <= MATRIX_MOST
    return {name: peer for name, peer in peers.items()
            if (name == "faiss" or small) and (name != "vqp" or shape in WITH_VQP)}


def run_part(part, options):
    results = Results(options, part)
    names = {"table": ["faiss", "eager", "compiled", "vqp"], "grid": ["faiss", "eager", "compiled"],
             "quantizer": ["step eager", "step compiled"]}[part]
    shapes = {"table": TABLE, "grid": GRID, "quantizer": [(8192, 64, 512)]}[part]
    if all(key(shape) in results.rows for shape in shapes):
        return
    kernels = available(KERNELS if part == "grid" else ["avx512", *SCREENED])
    if not kernels:
        kernels = available(["neon", "avx2", "portable"])[:1]
    peers = {name: Peer(name, options.threads, dynamic=part == "grid") for name in names}
    for shape in shapes:
        n, dim, codes = shape
        some = [k for k in kernels if k != "portable" or 2.0 * n * dim * codes <= PORTABLE_MOST]
        measure(results, shape, "quantizer" if part == "quantizer" else "nearest", some,
                peers_for(shape, peers), part == "grid" and n <= READY_MOST, options)
    for peer in peers.values():
        peer.close()


# ---- tables ----------------------------------------------------------------------------------


def best_peer(shape, row):
    rates = {name: gflops(shape, one) for name, one in row.items()
             if isinstance(one, dict) and name not in OURS}
    return max(rates.items(), key=lambda item: item[1])


def figure(rate):
    """Three digits of it."""
    return f"{rate:.3g}" if rate < 999.5 else f"{float(f'{rate:.3g}'):,.0f}"


def cell(shape, row, name):
    return figure(gflops(shape, row[name])) if name in row else "–"


def table_of_bars(rows):
    lines = ["| n, D, K | faiss | PyTorch eager | compiled | vqp | f32 | of peak | to the best "
             "peer | with bf16 | of f32 peak |", "|---|" + "--:|" * 9]
    for shape in TABLE:
        row = rows.get(key(shape))
        if not row:
            continue
        _, best = best_peer(shape, row)
        f32 = "avx512" if "avx512" in row else next(k for k in row if k in OURS)
        own = gflops(shape, row[f32])
        screened = [kernel for kernel in SCREENED if kernel in row]
        low = gflops(shape, row[screened[-1]]) if screened else None
        lines.append(
            f"| {shape[0]}, {shape[1]}, {shape[2]} | {cell(shape, row, 'faiss')} | "
            f"{cell(shape, row, 'eager')} | {cell(shape, row, 'compiled')} | "
            f"{cell(shape, row, 'vqp')} | {figure(own)} | {100 * own / row['peak_gflops']:.0f} % | "
            f"{own / best:.2f}x | " + (f"{figure(low)} | {low / row['peak_gflops']:.2f}x |" if low
                                       else "– | – |"))
    peaks = [row["peak_gflops"] for row in rows.values()]
    return lines + ["", f"GFLOP/s, medians; the f32 peak was {min(peaks):.0f} to "
                        f"{max(peaks):.0f} meanwhile."]


def table_of_grid(rows):
    kernels = [kernel for kernel in OURS if any(kernel in row for row in rows.values())]
    lines = ["| n, D, K | best peer | " + " | ".join(kernels) + " |",
             "|---|---|" + "--:|" * len(kernels)]
    ahead, behind = dict.fromkeys(kernels, 0), dict.fromkeys(kernels, 0)
    for shape in GRID:
        row = rows.get(key(shape))
        if not row:
            continue
        name, best = best_peer(shape, row)
        cells = []
        for kernel in kernels:
            if kernel not in row:
                cells.append("–")
                continue
            ratio = gflops(shape, row[kernel]) / best
            (ahead if ratio >= 1.0 else behind)[kernel] += 1
            cells.append(f"{figure(gflops(shape, row[kernel]))} ({ratio:.2f}x"
                         + (")" if ratio >= 1.0 else ", behind)"))
        lines.append(f"| {shape[0]}, {shape[1]}, {shape[2]} | {name} {figure(best)} | "
                     + " | ".join(cells) + " |")
    return lines + ["", "; ".join(f"{kernel}: ahead in {ahead[kernel]}, behind in {behind[kernel]}"
                                  for kernel in kernels) + "."]


def table_of_quantizer(rows):
    lines = ["| n, D, K | PyTorch eager | compiled | vqvae | to eager | to compiled |",
             "|---|" + "--:|" * 5]
    for name, row in rows.items():
        own = min(one["median_ms"] for kernel, one in row.items() if kernel in OURS)
        eager, compiled = row["step eager"]["median_ms"], row["step compiled"]["median_ms"]
        lines.append(f"| {name.replace(' ', ', ')} | {eager:.2f} ms | {compiled:.2f} ms | "
                     f"{own:.2f} ms | {eager / own:.1f}x | {compiled / own:.1f}x |")
    return lines


def best_kernel(rows):
    """The best instruction set that was measured: every kind of processor has tables of its own."""
    return max({name for row in rows.values() for name in row if name in OURS}, key=OURS.index)


def put(page, part, kernel, lines):
    """The page with these lines for the part; a new kind of processor comes behind the others."""
    begin, end = (f"<!-- nearest {part} {kernel}: {edge} -->" for edge in ("begin", "end"))
    if begin not in page:
        others = [at for at in OURS if f"<!-- nearest {part} {at}: end -->" in page]
        if not others:
            raise SystemExit(f"{PAGE} has no place for the {part}: {begin} ... {end}")
        last = f"<!-- nearest {part} {others[0]}: end -->"
        page = page.replace(last, f"{last}\n\n{begin}\n{end}", 1)
    before, rest = page.split(begin, 1)
    title = f"On processors whose best is {kernel}:"
    return before + "\n".join([begin, title, "", *lines, end]) + rest.split(end, 1)[1]


def write(options):
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    makers = {"table": table_of_bars, "grid": table_of_grid, "quantizer": table_of_quantizer}
    options.again = False
    for part, make in makers.items():
        rows = Results(options, part).rows
        if rows:
            page = put(page, part, best_kernel(rows), make(rows))
    with open(PAGE, "w", encoding="utf-8") as file:
        file.write(page)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for part in ("table", "grid", "quantizer"):
        parser.add_argument("--" + part, action="store_true", help=f"measure the {part} alone")
    parser.add_argument("--write", action="store_true", help="put the tables into docs")
    parser.add_argument("--again", action="store_true", help="forget what was measured before")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=3.0, help="for a shape")
    parser.add_argument("--least", type=int, default=5, help="turns for a shape")
    parser.add_argument("--most", type=int, default=41)
    parser.add_argument("--results", default=os.path.join(tempfile.gettempdir(), "vqvae-nearest"))
    options = parser.parse_args()
    os.makedirs(options.results, exist_ok=True)
    wanted = [part for part in ("table", "grid", "quantizer") if getattr(options, part)]
    if not wanted and not options.write:
        wanted = ["table", "grid", "quantizer"]
    for part in wanted:
        run_part(part, options)
    if options.write:
        write(options)


if __name__ == "__main__":
    main()
