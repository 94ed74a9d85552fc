#!/usr/bin/env python3
"""How many observations a second each sequential test takes on one core, alone and as a whole guardrail.

Processor time, not the clock on the wall: neighbours cost less. The tests take turns in rounds. The target of 50 million a
second is for those that decide about most releases: rates, alone (`test/...`).
"""

import argparse
import json
import subprocess
import sys

import contenders
import load

TESTS = ("rate", "rate_vs_stable", "paired_rate", "mean", "mean_vs_stable", "paired_mean", "value_vs_stable",
         "ratio_vs_stable", "latency_vs_stable")
CHEAP = ("rate", "rate_vs_stable", "paired_rate")
TARGET = 50e6


def nanoseconds(what, observations):
    done = subprocess.run([contenders.BIN / "bench-guardrails", what, str(observations)], text=True,
                          stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit("error: bench-guardrails failed; what it said is above")
    return float(done.stdout)


def millions(times):
    rates = sorted(1e3 / t for t in times)
    return f"{load.percentile(rates, 0.5):,.1f} ({rates[0]:,.1f}-{rates[-1]:,.1f})"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="2 rounds of a million: to see that it works")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--observations", type=int, default=10_000_000, help="per round and test")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there too")
    options = parser.parse_args()
    rounds, count = (2, 1_000_000) if options.quick else (options.rounds, options.observations)
    machine = load.machine()
    kinds = [f"{level}/{test}" for test in TESTS for level in ("test", "guardrail")]
    samples = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind in kinds if number % 2 == 0 else kinds[::-1]:
            samples[kind].append(nanoseconds(kind, count))
    print("{cpu}, {cores} cores, Linux {kernel}, load at start {load_at_start}".format(**machine))
    print(f"{rounds} rounds of {count:,} observations each; millions a second, median (smallest-largest)\n")
    print("| test | test alone | whole guardrail |\n|---|---|---|")
    for test in TESTS:
        print(f"| {test} | {millions(samples['test/' + test])} | {millions(samples['guardrail/' + test])} |")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump({"machine": machine, "nanoseconds": samples}, out, indent=1)
    missed = [t for t in CHEAP if 1e9 / load.percentile(sorted(samples[f"test/{t}"]), 0.5) < TARGET]
    print(f"\ntarget of {TARGET / 1e6:.0f} million: " + ("met" if not missed else "MISSED by " + ", ".join(missed)))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
