#!/usr/bin/env python3
"""From the outcome that decides a rollback to the last request the candidate gets, and to its durable audit entry, under load.

bench-rollback has the gateway, the monitor and the backends of both versions in one process; wrk is the load. Again and
again a canary is started, begins to answer 500, breaches the default guardrails and is taken back. The deciding outcome is
stamped when the gateway reads its answer, a request when it reaches the candidate's socket (by the kernel, so that a
backend that waits for a CPU doesn't count as a gateway that goes on sending). The rollback is durable when the ledger's
transaction with state and audit entry has been committed and synced; that is counted from when the table without the
candidate was published.
"""

import argparse
import json
import pathlib
import signal
import subprocess
import sys
import tempfile

import contenders
import load

CONNECTIONS = (32, 256)
TARGET_MS = 5.0
DURABLE_TARGET_MS = 50.0


def measure(repetitions, share_ppm, threads, connections, folder):
    command = [contenders.BIN / "bench-rollback", str(repetitions), str(share_ppm), str(threads), str(folder)]
    driver = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    wrk = None
    try:
        address = driver.stdout.readline().split()[-1]
        # Ended by the signal below; the time is for the case that nobody is there to send it.
        wrk = subprocess.Popen(load.wrk_command(f"http://{address}{contenders.PATH}", connections, 1800),
                               stdout=subprocess.PIPE, text=True)
        rollbacks = []
        for line in driver.stdout:
            if line == "done\n":
                break
            rollbacks.append(json.loads(line))
        wrk.send_signal(signal.SIGINT)
        result = load.result_of(wrk.communicate(timeout=30)[0])
        driver.communicate("", timeout=30)
    finally:
        for process in (wrk, driver):
            if process and process.poll() is None:
                process.kill()
                process.wait()
    if driver.returncode != 0 or len(rollbacks) != repetitions:
        sys.exit("error: bench-rollback failed; what it said is above")
    return rollbacks, result


def row_of(connections, rollbacks, result):
    row = {"connections": connections, "rollbacks": len(rollbacks), "client_errors": result["errors"],
           "error_kinds": result["kinds"],
           "requests_per_s": result["requests"] / result["duration_us"] * 1e6}
    for key, source, unit in (("last_request_ms", "last_request_us", 1e3), ("requests_after", "requests_after", 1),
                              ("decision_to_zero_ms", "decision_to_zero_us", 1e3),
                              ("durable_ms", "durable_us", 1e3)):
        values = [rollback[source] / unit for rollback in rollbacks]
        row[key] = {name: load.percentile(values, share) for name, share in (("p50", 0.5), ("p99", 0.99), ("max", 1))}
    row["guardrails"] = sorted({rollback["guardrail"] for rollback in rollbacks})
    return row


def cell(values, digits):
    return " / ".join(f"{values[name]:.{digits}f}" for name in ("p50", "p99", "max"))


def print_table(rows):
    print("| connections | requests/s | rollbacks | last request after, ms: p50 / p99 / max | requests after: p50 / p99 / max "
          "| traffic at 0% after, ms | durable after that, ms | client errors |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        print("| {} | {:,.0f} | {} | {} | {} | {} | {} | {} |".format(
            row["connections"], row["requests_per_s"], row["rollbacks"], cell(row["last_request_ms"], 2),
            cell(row["requests_after"], 0), cell(row["decision_to_zero_ms"], 2), cell(row["durable_ms"], 2),
            row["client_errors"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="20 rollbacks: to see that it works")
    parser.add_argument("--repetitions", type=int, default=300)
    parser.add_argument("--share", type=float, default=0.25, help="of the traffic that the candidate has")
    parser.add_argument("--threads", type=int, default=1, help="of the gateway")
    parser.add_argument("--folder", metavar="DIR", help="where the ledger is: the disk to measure (default: a temporary folder)")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there too")
    options = parser.parse_args()
    repetitions = 20 if options.quick else options.repetitions
    contenders.need(["wrk"])
    machine = load.machine()
    rows, samples = [], {}
    for connections in CONNECTIONS:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            rollbacks, result = measure(repetitions, round(options.share * 1e6), options.threads, connections, folder)
        rows.append(row_of(connections, rollbacks, result))
        samples[connections] = rollbacks
    print("{cpu}, {cores} cores, Linux {kernel}, load at start {load_at_start}".format(**machine))
    print(f"candidate at {options.share:.0%}, {options.threads} gateway thread(s), closed-loop load\n")
    print_table(rows)
    print()
    met = True
    for row in rows:
        good = row["last_request_ms"]["p99"] <= TARGET_MS and row["client_errors"] == 0
        met = met and good
        print("{}: at {} connections the candidate's last request came {:.2f} ms after the deciding outcome (p99; the "
              "target is {:.0f} ms); {} requests of clients failed.".format(
                  "met" if good else "MISSED", row["connections"], row["last_request_ms"]["p99"], TARGET_MS,
                  row["client_errors"]))
        durable = row["durable_ms"]["p99"] <= DURABLE_TARGET_MS
        met = met and durable
        print("{}: at {} connections the rollback and its audit entry were durable {:.2f} ms after the table was published (p99; "
              "the target is {:.0f} ms).".format("met" if durable else "MISSED", row["connections"], row["durable_ms"]["p99"],
                                                 DURABLE_TARGET_MS))
    if options.json:
        report = {"machine": machine, "rows": rows, "samples": samples}
        pathlib.Path(options.json).write_text(json.dumps(report, indent=1) + "\n")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
