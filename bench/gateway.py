#!/usr/bin/env python3
"""CPU per request of the gateway beside an epoll relay without parsing, nginx and HAProxy: the same load, in turns.

Every contender runs pinned to core 0, wrk and the backend to core 1. In each round each contender gets the same load for
a few seconds, in an order that changes from round to round, so that what else happens on the machine hits all of them;
ratios are taken within a round. CPU is what the kernel says all of the contender's threads ran (schedstat), over the
requests that wrk saw answered.
"""

import argparse
import json
import pathlib
import sys
import tempfile
import time

import contenders
import load
from backstay_server import start_backstay

STARTS = {
    "floor": contenders.start_floor,
    "backstay": start_backstay,
    "nginx": contenders.start_nginx,
    "haproxy": contenders.start_haproxy,
}
CONNECTIONS = (32, 256)
QUIET_CORES = 0.1


def measure(program, port, connections, seconds):
    before = program.cpu_ns()
    result = load.run_wrk(f"http://127.0.0.1:{port}{contenders.PATH}", connections, seconds)
    cpu_ns = program.cpu_ns() - before
    if result["errors"] or not result["requests"]:
        raise RuntimeError(f"{program.name} at {connections} connections: {result}")
    return {
        "cpu_us": cpu_ns / 1e3 / result["requests"],
        "requests_per_s": result["requests"] / result["duration_us"] * 1e6,
        "p99_ms": result["p99_us"] / 1e3,
    }


def run_round(running, number, seconds, backend):
    """By connections and contender; with what neighbours took meanwhile."""
    names = list(running)
    turn = number % len(names)
    neighbours = load.Neighbours([backend, *(program for program, _ in running.values())])
    samples = {c: {name: measure(*running[name], c, seconds) for name in names[turn:] + names[:turn]}
               for c in CONNECTIONS}
    return {"samples": samples, "neighbours": neighbours.cores()}


def wait_for_quiet(running, backend, give_up):
    while time.monotonic() < give_up:
        neighbours = load.Neighbours([backend, *(program for program, _ in running.values())])
        time.sleep(2)
        if neighbours.cores() < QUIET_CORES:
            return


def run_rounds(running, options, backend):
    for connections in CONNECTIONS:
        for name in running:  # Connections are made and caches filled before anything counts.
            measure(*running[name], connections, 1)
    rounds = []
    give_up = time.monotonic() + options.patience
    while len(rounds) < options.rounds:
        wait_for_quiet(running, backend, give_up)
        rounds.append(run_round(running, len(rounds), options.seconds, backend))
        disturbed = rounds[-1]["neighbours"] > QUIET_CORES
        print(f"round {len(rounds)} of {options.rounds}; neighbours took {rounds[-1]['neighbours']:.2f} cores",
              file=sys.stderr)
        if disturbed and time.monotonic() < give_up:
            rounds.pop()
    return rounds


def summarise(rounds):
    rows = []
    for connections in CONNECTIONS:
        by_name = {name: [one["samples"][connections][name] for one in rounds] for name in STARTS}
        for name, runs in by_name.items():
            row = {"connections": connections, "contender": name}
            for key in ("cpu_us", "requests_per_s", "p99_ms"):
                row[key] = load.spread([run[key] for run in runs])
            for other in ("floor", "nginx"):
                pairs = zip(runs, by_name[other])
                row[f"x_{other}"] = load.spread([mine["cpu_us"] / its["cpu_us"] for mine, its in pairs])
            rows.append(row)
    return rows


def cell(spread, digits):
    return "{:.{d}f} ({:.{d}f}-{:.{d}f})".format(spread["median"], spread["min"], spread["max"], d=digits)


def print_table(rows):
    print("| connections | contender | CPU us/request | x floor | x nginx | requests/s | p99 ms |")
    print("|---|---|---|---|---|---|---|")
    for row in rows:
        print("| {} | {} | {} | {} | {} | {:,.0f} | {:.2f} |".format(
            row["connections"], row["contender"], cell(row["cpu_us"], 1), cell(row["x_floor"], 2),
            cell(row["x_nginx"], 2), row["requests_per_s"]["median"], row["p99_ms"]["median"]))


def verdict(rows):
    """The target: at no number of connections more CPU per request than nginx."""
    met = True
    for row in rows:
        if row["contender"] != "backstay":
            continue
        good = row["x_nginx"]["median"] <= 1
        met = met and good
        print("{}: at {} connections backstay takes {:.2f} x the CPU of nginx and {:.2f} x the floor's.".format(
            "met" if good else "MISSED", row["connections"], row["x_nginx"]["median"], row["x_floor"]["median"]))
    return met


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1 s: to see that it works")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--seconds", type=int, default=4, help="of load per contender and round")
    parser.add_argument("--patience", type=int, default=0, metavar="S",
                        help="wait for neighbours that take CPU, and measure rounds again in which they did, for up to S s")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there too")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 3, 1
    contenders.need(["wrk", "nginx", "haproxy", "taskset"])
    machine = load.machine()
    if machine["cores"] < 2:
        sys.exit("error: this needs two cores, one for the contender and one for the load")

    programs, running = [], {}
    with tempfile.TemporaryDirectory(prefix="backstay-bench-") as name:
        folder = pathlib.Path(name)
        try:
            stable, canary = contenders.free_port(), contenders.free_port()
            backend = contenders.Program(
                "backend", [contenders.BIN / "bench-backend", f"127.0.0.1:{stable}", f"127.0.0.1:{canary}"],
                contenders.LOAD_CORE, folder)
            programs.append(backend)
            backend.wait_ready(stable)
            for contender, start in STARTS.items():
                program, port = start(folder, stable, canary)
                programs.append(program)
                program.wait_ready(port)
                running[contender] = (program, port)
            rounds = run_rounds(running, options, backend)
            if not running["backstay"][0].canary_is_under_way():
                sys.exit("error: the canary was rolled back while it was measured")
        except RuntimeError as failure:
            sys.exit(f"error: requests failed: {failure}")
        finally:
            for program in reversed(programs):
                program.stop()

    rows = summarise(rounds)
    print("{cpu}, {cores} cores, Linux {kernel}, load at start {load_at_start}".format(**machine))
    worst = max(one["neighbours"] for one in rounds)
    print(f"{options.rounds} rounds of {options.seconds} s; median (min-max); ratios within a round; no request failed; "
          f"neighbours took up to {worst:.2f} cores\n")
    print_table(rows)
    print()
    met = verdict(rows)
    if options.json:
        report = {"machine": machine, "seconds": options.seconds, "rows": rows, "rounds": rounds}
        pathlib.Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
