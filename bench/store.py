#!/usr/bin/env python3
"""What the store costs and saves: ingest beside one core's SHA-256 and beside cp and sha256sum, fine-tunes, checkouts.

Every contender has the same file, which is in the page cache; they take turns. What is written is synced. --folder says
where: the disk counts, so /dev/shm shows what the processor can do.
"""

import argparse
import hashlib
import json
import os
import pathlib
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import contenders
import load

MIB = 1024 * 1024
TARGET = 0.85


def run(*words):
    done = subprocess.run([contenders.BIN / "bench-store", *map(str, words)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"bench-store {' '.join(map(str, words))}: {done.stderr}")
    return json.loads(done.stdout)


def copy_and_hash(file, folder):
    """What a script does: copy, sync, hash."""
    before, start = os.times(), time.monotonic()
    subprocess.run(["cp", "--reflink=never", file, folder / "copy"], check=True)
    subprocess.run(["sync", folder / "copy"], check=True)
    subprocess.run(["sha256sum", folder / "copy"], check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return {"wall_s": time.monotonic() - start,
            "cpu_s": after.children_user + after.children_system - before.children_user - before.children_system}


def dvc_add(program, file, folder):
    """`dvc add` in a new work tree: MD5, and a hard link or reflink into its cache, or a copy."""
    work = fresh(folder / "dvc")
    quiet = {"cwd": work, "check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([program, "init", "--no-scm"], **quiet)
    shutil.copyfile(file, work / "file")
    before, start = os.times(), time.monotonic()
    subprocess.run([program, "add", "--quiet", "file"], **quiet)
    after = os.times()
    return {"wall_s": time.monotonic() - start,
            "cpu_s": after.children_user + after.children_system - before.children_user - before.children_system}


def make_file(path, size, kind):
    """noise, or float32 weights as training leaves them (normal, small), or text that repeats."""
    generator = random.Random(7)
    with open(path, "wb") as out:
        if kind == "noise":
            for _ in range(size // MIB):
                out.write(generator.randbytes(MIB))
        elif kind == "weights":
            import numpy
            weights = numpy.random.default_rng(7)
            for _ in range(size // MIB):
                out.write(weights.normal(0, 0.02, MIB // 4).astype("<f4").tobytes())
        else:
            words = [f"token-{generator.randrange(50_000)} " for _ in range(100_000)]
            left = size
            while left > 0:
                block = "".join(generator.choices(words, k=80_000)).encode()[:left]
                out.write(block)
                left -= len(block)
    return path


def fresh(folder):
    """An empty folder on a disk that has nothing left to write or to discard of what was before."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    os.sync()
    return folder


def spread(values, digits=2):
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}-{max(values):.{digits}f})"


def measure_ingest(folder, file, rounds, dvc):
    size = file.stat().st_size
    samples = {"SHA-256, one core": [], "backstay": [], "cp, sync, sha256sum": []}
    for number in range(rounds):
        turns = {"SHA-256, one core": lambda: run("sha256", file),
                 "backstay": lambda: run("ingest", file, fresh(folder / "store")),
                 "cp, sync, sha256sum": lambda: copy_and_hash(file, fresh(folder / "copy"))}
        if dvc:
            turns["dvc add"] = lambda: dvc_add(dvc, file, folder)
            samples.setdefault("dvc add", [])
        names = list(turns)
        for name in names[number % len(names):] + names[:number % len(names)]:
            samples[name].append(turns[name]())
    ratios = [sha["wall_s"] / ours["wall_s"] for sha, ours in zip(samples["SHA-256, one core"], samples["backstay"])]
    for name, runs in samples.items():
        print("| {} | {} | {} | {} |".format(
            name, spread([size / MIB / r["wall_s"] for r in runs], 0), spread([r["cpu_s"] * 1e9 / size for r in runs]),
            spread([sha["wall_s"] / r["wall_s"] for sha, r in zip(samples["SHA-256, one core"], runs)])))
    return statistics.median(ratios), samples


def tuned_copy(source, target, how):
    data = bytearray(source.read_bytes())
    hundredth = len(data) // 100
    new = random.Random(8).randbytes(hundredth)
    if how == "1% in place, in one run":
        data[len(data) // 3:len(data) // 3 + hundredth] = new
    elif how == "1% in place, in 10 runs":
        part = hundredth // 10
        for i in range(10):
            at = (i * 2 + 1) * len(data) // 20
            data[at:at + part] = new[i * part:(i + 1) * part]
    elif how == "1% inserted":
        data[len(data) // 3:len(data) // 3] = new
    elif how == "1% deleted":
        del data[len(data) // 3:len(data) // 3 + hundredth]
    else:
        for i in range(100):
            at = (i * 2 + 1) * len(data) // 200
            data[at] ^= 1
    target.write_bytes(data)
    return target


def measure_tunes(folder, file):
    rows = []
    for how in ("1% in place, in one run", "1% in place, in 10 runs", "1% inserted", "1% deleted", "100 single bytes"):
        store = fresh(folder / "store")
        before = run("ingest", file, store)
        tuned = tuned_copy(file, folder / "tuned", how)
        os.sync()  # As in fresh().
        after = run("ingest", tuned, store)
        rows.append((how, (after["stored_bytes"] - before["stored_bytes"]) / tuned.stat().st_size,
                     tuned.stat().st_size / MIB / after["wall_s"]))
        print("| {} | {:.2%} | {:.0f} |".format(*rows[-1]))
    return rows


def measure_checkouts(folder, sizes, rounds):
    rows = {}
    for size in sizes:
        file = make_file(folder / "file", size * MIB, "noise")
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        first, second, copies = [], [], []
        for number in range(rounds):
            store = fresh(folder / "store")
            out = fresh(folder / "out")
            run("ingest", file, store)
            first.append(run("checkout", digest, store, out / "a")["wall_s"] * 1e3)
            second.append(run("checkout", digest, store, out / "b")["wall_s"] * 1e3)
            start = time.monotonic()
            subprocess.run(["cp", "--reflink=never", file, out / "c"], check=True)
            subprocess.run(["sync", out / "c"], check=True)
            copies.append((time.monotonic() - start) * 1e3)
        rows[size] = {"first_ms": first, "again_ms": second, "cp_ms": copies}
        print(f"| {size} MiB | {spread(first, 1)} | {spread(second)} | {spread(copies, 1)} |")
    return rows


def measure_layouts(folder, file, rounds):
    samples = {"one pack": [], "a file per chunk, each synced": [], "a file per chunk, one sync": []}
    files = {}
    for _ in range(rounds):
        done = run("ingest", file, fresh(folder / "store"))
        samples["one pack"].append(done["wall_s"])
        files["one pack"] = done["files"]
        for name, word in (("a file per chunk, each synced", "files-each"), ("a file per chunk, one sync", "files-once")):
            samples[name].append(run(word, file, fresh(folder / "files"))["wall_s"])
            files[name] = len(os.listdir(folder / "files"))
    for name, walls in samples.items():
        print(f"| {name} | {files[name]:,} | {spread(walls)} |")
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small files, 3 rounds: to see that it works")
    parser.add_argument("--size", type=int, default=1024, help="MiB of the large file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--folder", help="where files and stores are made (default: the temporary folder)")
    parser.add_argument("--dvc", metavar="PROGRAM", help="the dvc command (pip install dvc), to have it beside")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there too")
    options = parser.parse_args()
    size, rounds = (64, 3) if options.quick else (options.size, options.rounds)
    machine = load.machine()
    print("{cpu}, {cores} cores, Linux {kernel}, load at start {load_at_start}".format(**machine))
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = pathlib.Path(name)
        report = {"machine": machine}
        for kind in ("noise", "weights", "text"):
            file = make_file(folder / "file", size * MIB, kind)
            print(f"\nIngest of {size} MiB of {kind}\n\n| contender | MiB/s | CPU ns/byte | x SHA-256 |\n|---|---|---|---|")
            ratio, samples = measure_ingest(folder, file, rounds, options.dvc)
            report[kind] = {"ratio": ratio, "samples": samples}
            stored = run("usage", "-", folder / "store")["stored_bytes"]
            print(f"\nstored: {stored / file.stat().st_size:.3f} of its size")
        file = make_file(folder / "file", size * MIB, "noise")
        print("\nA changed copy\n\n| change | adds | ingest MiB/s |\n|---|---|---|")
        report["tunes"] = measure_tunes(folder, file)
        print("\nHow chunks are kept\n\n| form | files | seconds |\n|---|---|---|")
        report["layouts"] = measure_layouts(folder, file, min(rounds, 3))
        print("\nCheckout, ms\n\n| size | first | again | cp, sync |\n|---|---|---|---|")
        report["checkouts"] = measure_checkouts(folder, (16, 64, size), rounds)
    met = report["noise"]["ratio"] >= TARGET
    print("\n{}: ingest runs at {:.2f} of the rate of SHA-256 on one core (the target is {:.2f}).".format(
        "met" if met else "MISSED", report["noise"]["ratio"], TARGET))
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
