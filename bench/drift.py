#!/usr/bin/env python3
"""Drift over the same columns: Backstay next to Evidently's DataDriftPreset.

A training and a live table are written as CSV: numbers, categories, two of them drifted. Both are asked which columns drifted, on
one core (OMP and BLAS threads off), in turns; counted is CPU time. "whole": from the CSV files to the verdict, start of the program
included (`backstay drift` reads the stored training profile, Evidently reads the training rows). "in memory": rows that are read
already; for Evidently Report.run() on data frames, for Backstay profiling and comparing (bench/drift_main.cpp): the live rows only,
as the program does it, and both tables.
"""

import argparse
import csv
import hashlib
import json
import os
import pathlib
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build/release/bin"
TARGET_RATIO = 100
ONE_CORE = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMEXPR_NUM_THREADS": "1",
            "DO_NOT_TRACK": "1"}

EVIDENTLY = """
import json, sys, time
begin = time.process_time()
import pandas
from evidently import DataDefinition, Dataset, Report
from evidently.presets import DataDriftPreset
training, live = pandas.read_csv(sys.argv[1]), pandas.read_csv(sys.argv[2])
ready = time.process_time()
numbers = [c for c in training if c.startswith("n")]
definition = DataDefinition(numerical_columns=numbers, categorical_columns=[c for c in training if c not in numbers])
result = Report([DataDriftPreset()]).run(Dataset.from_pandas(live, data_definition=definition),
                                         Dataset.from_pandas(training, data_definition=definition)).dict()
end = time.process_time()
count = next(m["value"]["count"] for m in result["metrics"] if "DriftedColumnsCount" in str(m.get("metric_name", m.get("metric_id", ""))))
print(json.dumps({"drifted": count, "in_memory": end - ready}))
"""


def write(path: pathlib.Path, rows: int, columns: int, seed: int, moved: float) -> pathlib.Path:
    source = random.Random(seed)
    categories = max(1, columns // 5)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([f"n{i}" for i in range(columns - categories)] + [f"c{i}" for i in range(categories)])
        for _ in range(rows):
            numbers = [f"{source.gauss(moved if i < 2 else 0, 1):.6f}" for i in range(columns - categories)]
            writer.writerow(numbers + [f"k{min(int(source.expovariate(0.5)), 9)}" for _ in range(categories)])
    return path


def cpu_of(command: list, codes=(0,), **popen) -> tuple[float, str]:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, text=True, **popen)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in codes:
        sys.exit(f"error: {' '.join(map(str, command))} ended with {done.returncode}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done.stdout


def register(folder: pathlib.Path, training: pathlib.Path) -> None:
    (folder / "weights.bin").write_bytes(b"weights")
    (folder / "version.yaml").write_text(json.dumps({
        "model": "m", "version": "1.0.0", "changelog": "First.", "artifacts": ["weights.bin"], "config": {"seed": 1},
        "code": {"repository": "r", "commit": hashlib.sha1(b"r").hexdigest()},
        "data": [{"name": "d", "role": "training", "slices": [{"name": "all", "file": training.name}]}]}))
    cpu_of([BIN / "backstay", "register", folder / "version.yaml", "--no-git", "--no-environment", "--data-dir", folder / "data"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--training", type=int, default=100_000, help="rows")
    parser.add_argument("--live", type=int, default=100_000, help="rows")
    parser.add_argument("--columns", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--python", help="an interpreter that has evidently")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there too")
    options = parser.parse_args()
    python = options.python or shutil.which("python", path=str(ROOT / ".bench-drift-venv/bin"))
    if not python:
        sys.exit("error: there is no evidently; ./dev bench drift installs it from tools/bench-drift-requirements.txt")
    results = {"whole": [], "in memory, training profile stored": [], "in memory, both profiled": []}
    with tempfile.TemporaryDirectory(prefix="backstay-bench-") as name:
        folder = pathlib.Path(name)
        training = write(folder / "training.csv", options.training, options.columns, 1, 0)
        live = write(folder / "live.csv", options.live, options.columns, 2, 0.3)
        (folder / "evidently_run.py").write_text(EVIDENTLY)
        register(folder, training)
        for _ in range(options.rounds):
            ours, text = cpu_of([BIN / "backstay", "drift", "m@1.0.0", "--live", live, "--json", "--data-dir", folder / "data"], (6,))
            found = json.loads(text)
            memory = json.loads(cpu_of([BIN / "bench-drift", training, live])[1])
            theirs, text = cpu_of([python, folder / "evidently_run.py", training, live], env={**os.environ, **ONE_CORE})
            other = json.loads(text)
            drifted = sum(column["drifted"] for column in found["columns"])
            if (drifted, memory["drifted"], int(other["drifted"])) != (2, 2, 2):
                sys.exit(f"error: 2 columns drifted; found were {drifted}, {memory['drifted']} and {other['drifted']}")
            results["whole"].append((options.live / ours, options.live / theirs))
            theirs = options.live / other["in_memory"]
            results["in memory, training profile stored"].append((options.live / memory["live_cpu"], theirs))
            results["in memory, both profiled"].append((options.live / (memory["training_cpu"] + memory["live_cpu"]), theirs))
    print(f"{options.training:,} training rows, {options.live:,} live rows, {options.columns} columns; live rows per CPU second, "
          f"median of {options.rounds}\n")
    print("| from | Backstay | Evidently | ratio: median (min-max) |\n|---|---|---|---|")
    missed = 0
    for what, pairs in results.items():
        ratio = sorted(mine / other for mine, other in pairs)
        print(f"| {what} | {statistics.median(p[0] for p in pairs):,.0f} | {statistics.median(p[1] for p in pairs):,.0f} | "
              f"{statistics.median(ratio):.1f} ({ratio[0]:.1f}-{ratio[-1]:.1f}) |")
        missed += statistics.median(ratio) < TARGET_RATIO
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results))
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
