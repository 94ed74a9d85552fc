"""Load from wrk, and the numbers that are made of it."""

import json
import os
import pathlib
import re
import resource
import statistics
import subprocess
import sys
import time

from contenders import LOAD_CORE

SCRIPT = pathlib.Path(__file__).resolve().parent / "post.lua"


def wrk_command(url, connections, seconds):
    return ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", str(SCRIPT), url]


def result_of(output):
    found = re.search(r"^RESULT (\{.*\})$", output, re.M)
    if not found:
        sys.exit(f"error: wrk printed no result:\n{output}")
    return json.loads(found.group(1))


def run_wrk(url, connections, seconds):
    command = ["taskset", "-c", str(LOAD_CORE), *wrk_command(url, connections, seconds)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)
    return result_of(done.stdout + done.stderr)


class Neighbours:
    """How much of the CPU other programs took meanwhile, in cores: all that ran, less wrk and `programs`."""

    def __init__(self, programs):
        self.programs = programs
        self.before = self.now()

    def now(self):
        user, nice, system, _, _, irq, softirq = map(int, pathlib.Path("/proc/stat").read_text().split()[1:8])
        mine = sum(program.cpu_ns() for program in self.programs) / 1e9
        own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        mine += own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
        return time.monotonic(), (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK") - mine

    def cores(self):
        at, used = self.now()
        return max(0.0, (used - self.before[1]) / (at - self.before[0]))


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def percentile(values, share):
    """The smallest value that `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1)]


def machine():
    cpu = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    cores = len(re.findall(r"^processor", pathlib.Path("/proc/cpuinfo").read_text(), re.M))
    kernel = pathlib.Path("/proc/sys/kernel/osrelease").read_text().strip()
    load = pathlib.Path("/proc/loadavg").read_text().split()[0]
    return {"cpu": cpu.group(1) if cpu else "unknown", "cores": cores, "kernel": kernel, "load_at_start": float(load)}
