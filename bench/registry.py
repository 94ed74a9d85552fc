#!/usr/bin/env python3
"""What the registry costs: as it grows, and next to `mlflow server`.

--growth: bench-registry adds versions through the same calls as the program makes, a transaction each, and measures at every size:
registering, scorecards, and searches. The database is built in --folder; on a tmpfs (/dev/shm) it takes minutes rather than
hours, and what a disk's sync costs is not in the figures.

Without it: Backstay's control API and mlflow server (SQLite store, one worker) on this machine get the same work in turns, over HTTP
from one client: register a version with its metrics, get one version, search. Counted is the CPU time of the server's processes.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import requests

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build/release/bin"
TARGET_RATIO = 50
TARGET_P99_MS = 50


def cpu_seconds(session: int) -> float:
    """User and system time of all processes of the session, those that ended and were waited for too."""
    ticks = 0
    for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[3]) == session:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


class Contender:
    """A server in a session of its own."""

    def __init__(self, command: list, folder: pathlib.Path, **environment):
        self.log = open(folder / f"{type(self).__name__}.log", "w")
        self.process = subprocess.Popen([str(word) for word in command], cwd=folder, stdout=self.log, stderr=self.log,
                                        env={**os.environ, **environment}, start_new_session=True)
        self.http = requests.Session()
        self.count = 0

    def wait_until(self, ready, patience: float = 180) -> None:
        end = time.monotonic() + patience
        while not ready():
            if self.process.poll() is not None or time.monotonic() > end:
                sys.exit(f"error: {type(self).__name__} did not start; see {self.log.name}")
            time.sleep(0.05)

    def call(self, method: str, path: str, body=None, params=None):
        answer = self.http.request(method, self.url + path, json=body, params=params)
        if answer.status_code >= 300:
            sys.exit(f"error: {method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def cpu(self) -> float:
        return cpu_seconds(self.process.pid)

    def stop(self) -> None:
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(60)


class Backstay(Contender):
    def __init__(self, folder: pathlib.Path):
        config = folder / "backstay.yaml"
        data = folder / "data"
        config.write_text(json.dumps({"data_dir": str(data), "gateway": {"listen": "127.0.0.1:0"},
                                      "control": {"listen": "127.0.0.1:0"}, "endpoints": [{"name": "e", "model": "m"}]}))
        super().__init__([BIN / "backstay", "serve", "--config", config], folder)
        address = data / "control/address"
        self.wait_until(address.exists)
        self.url = address.read_text().strip()
        self.http.headers["Authorization"] = "Bearer " + (data / "control/token").read_text().strip()
        content = b"weights"
        self.sha256 = hashlib.sha256(content).hexdigest()
        self.http.put(f"{self.url}/v1/blobs/{self.sha256}", data=content).raise_for_status()

    def register(self) -> None:
        version = f"1.{self.count}.0"
        self.call("POST", "/v1/models/m/versions", {
            "model": "m", "version": version, "artifacts": [{"path": "model.onnx", "size_bytes": 7, "sha256": self.sha256}],
            "config": {"lr": "0.001", "seed": str(self.count), "optimizer": "adam"}, "changelog": "Trained again."})
        self.call("POST", f"/v1/models/m/versions/{version}/scorecards", {
            "kind": "quality", "dataset": "held-out", "evaluator": "bench",
            "metrics": [{"name": "accuracy", "value": 0.8 + self.count % 200 / 1000}, {"name": "auc", "value": 0.9}]})
        self.count += 1

    def get(self) -> None:
        self.call("GET", f"/v1/models/m/versions/1.{self.count // 2}.0")

    def search(self) -> None:
        found = self.call("GET", "/v1/versions", params={"filter": "accuracy > 0.95 AND config.optimizer = adam", "limit": 50})
        assert found["versions"]


class Mlflow(Contender):
    def __init__(self, folder: pathlib.Path, program: str):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        super().__init__([program, "server", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db", "--artifacts-destination",
                          folder / "artifacts", "--host", "127.0.0.1", "--port", port, "--workers", "1"], folder,
                         MLFLOW_DISABLE_TELEMETRY="true")
        self.url = f"http://127.0.0.1:{port}"

        def healthy():
            try:
                return self.http.get(self.url + "/health", timeout=5).ok
            except requests.RequestException:
                return False

        self.wait_until(healthy)
        self.call("POST", "/api/2.0/mlflow/registered-models/create", {"name": "m"})
        self.experiment = self.call("POST", "/api/2.0/mlflow/experiments/create", {"name": "e"})["experiment_id"]

    def register(self) -> None:
        now = int(time.time() * 1000)
        run = self.call("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": self.experiment, "start_time": now})["run"]["info"]
        self.call("POST", "/api/2.0/mlflow/runs/log-batch", {
            "run_id": run["run_id"],
            "metrics": [{"key": "accuracy", "value": 0.8 + self.count % 200 / 1000, "timestamp": now, "step": 0},
                        {"key": "auc", "value": 0.9, "timestamp": now, "step": 0}],
            "params": [{"key": "lr", "value": "0.001"}, {"key": "seed", "value": str(self.count)}, {"key": "optimizer", "value": "adam"}]})
        version = self.call("POST", "/api/2.0/mlflow/model-versions/create", {
            "name": "m", "source": run["artifact_uri"] + "/model", "run_id": run["run_id"]})["model_version"]["version"]
        if self.count == 0:
            self.call("POST", "/api/2.0/mlflow/registered-models/alias", {"name": "m", "alias": "champion", "version": version})
        self.count += 1

    def get(self) -> None:
        self.call("GET", "/api/2.0/mlflow/registered-models/alias", params={"name": "m", "alias": "champion"})

    def search(self) -> None:
        found = self.call("POST", "/api/2.0/mlflow/runs/search", {
            "experiment_ids": [self.experiment], "filter": "metrics.accuracy > 0.95 and params.optimizer = 'adam'", "max_results": 50})
        assert found["runs"]


def rate(contender: Contender, what: str, times: int) -> float:
    """Operations per CPU second."""
    before = contender.cpu()
    for _ in range(times):
        getattr(contender, what)()
    return times / max(contender.cpu() - before, 1e-9)


def compare(options) -> int:
    program = options.mlflow or shutil.which("mlflow", path=str(ROOT / ".bench-venv/bin"))
    if not program:
        sys.exit("error: there is no mlflow; ./dev bench registry installs it from tools/bench-requirements.txt")
    missed = 0
    rows = {what: [] for what in ("register", "get", "search")}
    with tempfile.TemporaryDirectory(prefix="backstay-bench-") as name:
        folder = pathlib.Path(name)
        ours, theirs = Backstay(folder), Mlflow(folder, program)
        try:
            for _ in range(200):  # So that there is something to find, and both are warm.
                ours.register()
                theirs.register()
            for number in range(options.rounds):
                for what, results in rows.items():
                    pair = {}
                    for each, times in ((ours, options.times * 10), (theirs, options.times)) if number % 2 else (
                            (theirs, options.times), (ours, options.times * 10)):
                        pair[each] = rate(each, what, times)
                    results.append((pair[ours], pair[theirs], pair[ours] / pair[theirs]))
        finally:
            ours.stop()
            theirs.stop()
    print("| operation | Backstay, per CPU second | mlflow server | ratio: median (min-max) |\n|---|---|---|---|")
    for what, results in rows.items():
        mine, other, ratio = (sorted(column) for column in zip(*results))
        print(f"| {what} | {statistics.median(mine):,.0f} | {statistics.median(other):,.1f} | "
              f"{statistics.median(ratio):.0f} ({ratio[0]:.0f}-{ratio[-1]:.0f}) |")
        missed += statistics.median(ratio) < TARGET_RATIO
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows))
    return 1 if missed else 0


def growth(options) -> int:
    sizes = [size for size in (1_000, 10_000, 100_000, 1_000_000) if size <= options.max]
    results = {}
    with tempfile.TemporaryDirectory(prefix="backstay-bench-", dir=options.folder) as name:
        grown, measured = pathlib.Path(name) / "grown.db", pathlib.Path(name) / "measured.db"
        for size in sizes:
            subprocess.run([BIN / "bench-registry", "grow", grown, str(size)], check=True)
            shutil.copy(grown, measured)
            lines = subprocess.run([BIN / "bench-registry", "measure", measured, str(options.times)], check=True,
                                   stdout=subprocess.PIPE, text=True).stdout.splitlines()
            results[size] = [json.loads(line) for line in lines]
            print(f"{size} versions, {grown.stat().st_size / size / 1024:.1f} KiB each", file=sys.stderr)
    print_growth(results)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(results))
    return 1 if any(row["indexed"] and row["wall_us"]["p99"] > TARGET_P99_MS * 1000 for rows in results.values() for row in rows) else 0


def print_growth(results) -> None:
    print("| call: wall p50 / p99 (CPU p99), ms | " + " | ".join(f"{size:,}" for size in results) + " |")
    print("|---" * (1 + len(results)) + "|")
    for index, row in enumerate(next(iter(results.values()))):
        cells = []
        for rows in results.values():
            wall, cpu = rows[index]["wall_us"], rows[index]["cpu_us"]
            cells.append(f"{wall['p50'] / 1000:.2f} / {wall['p99'] / 1000:.1f} ({cpu['p99'] / 1000:.1f})")
        print(f"| {row['call']} | " + " | ".join(cells) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--growth", action="store_true", help="measure how the cost grows instead of comparing")
    parser.add_argument("--max", type=int, default=100_000, help="versions to grow to (default 100,000)")
    parser.add_argument("--folder", help="where to grow it, like /dev/shm")
    parser.add_argument("--times", type=int, help="calls of each kind (growth 200; comparison 20 of mlflow's and ten times as many of ours)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mlflow", help="the mlflow program")
    parser.add_argument("--json", metavar="FILE", help="write all numbers there too")
    options = parser.parse_args()
    options.times = options.times or (200 if options.growth else 20)
    sys.exit(growth(options) if options.growth else compare(options))


if __name__ == "__main__":
    main()
