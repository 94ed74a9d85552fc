#!/usr/bin/env python3
"""How many audit entries a second become durable, in batches, and how long one waits until its batch is on disk.

bench-audit appends to a registry on disk, each call one transaction with its fsyncs. The floor is what the disk alone
takes for the bytes: four writes and fdatasyncs, one fewer than a commit of SQLite. Kinds take turns in
rounds, so that whatever else the machine does hits all of them.
"""

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import contenders
import load

BATCHES = (1, 100, 250, 500, 700, 1000, 2000)
LOADED = (500, 700, 1000)
TARGET_RATE = 100_000
TARGET_MS = 10.0
FLOOR_SYNCS = 4  # A commit has five (strace -c): the floor is not to be above what it is the floor of.
BYTES_PER_ENTRY = 500


def run_program(folder, kind, batch, calls):
    done = subprocess.run([contenders.BIN / "bench-audit", folder, kind, str(batch), str(calls)], text=True,
                          stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit("error: bench-audit failed; what it said is above")
    return [int(line) / 1e6 for line in done.stdout.splitlines()]


def run_floor(folder, _kind, batch, calls):
    piece = os.urandom(max(4096, batch * BYTES_PER_ENTRY // FLOOR_SYNCS))
    file = os.open(pathlib.Path(folder) / "floor", os.O_RDWR | os.O_CREAT)
    times = []
    for _ in range(calls):
        before = time.perf_counter()
        for _ in range(FLOOR_SYNCS):
            os.write(file, piece)
            os.fdatasync(file)
        times.append((time.perf_counter() - before) * 1e3)
    os.close(file)
    return times


def spread(values, digits=1):
    ordered = sorted(values)
    return f"{load.percentile(ordered, 0.5):,.{digits}f} ({ordered[0]:,.{digits}f}-{ordered[-1]:,.{digits}f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 rounds of 50 calls: to see that it works")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=200, help="per round and kind")
    parser.add_argument("--folder", default=tempfile.gettempdir(), help="on the disk to measure")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there too")
    options = parser.parse_args()
    rounds, calls = (2, 50) if options.quick else (options.rounds, options.calls)
    kinds = [("batch", batch) for batch in BATCHES] + [("loaded", batch) for batch in LOADED]
    kinds += [("floor", 1), ("floor", 1000), ("version", 1)]
    machine = load.machine()
    samples = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind in kinds if number % 2 == 0 else kinds[::-1]:
            folder = tempfile.mkdtemp(prefix="backstay-bench-", dir=options.folder)
            run = run_floor if kind[0] == "floor" else run_program
            samples[kind].append(run(folder, *kind, calls))
            shutil.rmtree(folder)
    print("{cpu}, {cores} cores, Linux {kernel}, load at start {load_at_start}".format(**machine))
    print(f"{rounds} rounds of {calls} calls each; medians of rounds (smallest-largest)\n")
    print("| kind | entries per call | entries/s | p50 ms | p99 ms |\n|---|---|---|---|---|")
    met = []
    for kind in kinds:
        rates = [kind[1] * len(times) / sum(times) * 1e3 for times in samples[kind]]
        p99 = [load.percentile(times, 0.99) for times in samples[kind]]
        print("| {} | {} | {} | {} | {} |".format(*kind, "" if kind[0] == "floor" else spread(rates, 0), spread(
            [load.percentile(times, 0.5) for times in samples[kind]], 2), spread(p99, 2)))
        good = load.percentile(rates, 0.5) >= TARGET_RATE and load.percentile(p99, 0.5) < TARGET_MS
        if good and kind[0] in ("batch", "loaded"):
            met.append(kind)
    print()
    for name in ("batch", "loaded"):
        sizes = [batch for kind, batch in met if kind == name]
        print(f"{'met' if sizes else 'MISSED'}: {name}: at least {TARGET_RATE:,} durable entries/s with a p99 below "
              f"{TARGET_MS:.0f} ms" + (f" at batches of {', '.join(map(str, sizes))}" if sizes else ""))
    if options.json:
        rows = [{"kind": kind, "batch": batch, "ms": samples[kind, batch]} for kind, batch in kinds]
        pathlib.Path(options.json).write_text(json.dumps({"machine": machine, "samples": rows}) + "\n")
    return 0 if {kind for kind, _ in met} == {"batch", "loaded"} else 1


if __name__ == "__main__":
    sys.exit(main())
