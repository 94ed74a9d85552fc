"""`backstay serve` with a canary under way, made from nothing in a folder of its own with the commands a person uses."""

import json
import subprocess
import sys
import time

from contenders import BIN, CONTENDER_CORE, Program, free_port

CONFIG = """
data_dir: data
gateway: {{listen: "127.0.0.1:{port}", threads: 1}}
control: {{listen: "127.0.0.1:{control}"}}
endpoints:
  - name: bench
    model: bench
    backend:
      kind: url
      urls: {{"1.0.0": "http://127.0.0.1:{stable}", "1.1.0": "http://127.0.0.1:{canary}"}}
"""

VERSION = """
model: bench
version: {version}
changelog: What the benchmark serves.
artifacts: [model.bin]
code: {{repository: bench, commit: "0123456"}}
data: [{{name: bench, role: training, slices: [{{name: all, file: model.bin, rows: 1}}]}}]
config: {{seed: {version}}}
"""

GATE = "name: bench\nrules: [{metric: accuracy, at_least: 0.9}]\n"
SCORECARD = '{"kind": "quality", "metrics": [{"name": "accuracy", "value": 0.99, "samples": 10000}]}'
# The canary never comes to its end while the benchmark runs.
PLAN = "steps: [{canary: 5%, for: 24h}]\n"


class BackstayServer(Program):
    def __init__(self, folder, stable, canary):
        self.folder = folder
        self.port = free_port()
        (folder / "backstay.yaml").write_text(
            CONFIG.format(port=self.port, control=free_port(), stable=stable, canary=canary))
        (folder / "model.bin").write_bytes(b"weights")
        (folder / "gate.yaml").write_text(GATE)
        (folder / "scorecard.json").write_text(SCORECARD)
        (folder / "plan.yaml").write_text(PLAN)
        super().__init__("backstay", [BIN / "backstay", "serve", "--config", folder / "backstay.yaml"], CONTENDER_CORE,
                         folder)
        self.wait_for("the control API", lambda: (folder / "data" / "control" / "address").exists())
        for version in ("1.0.0", "1.1.0"):
            (folder / "version.yaml").write_text(VERSION.format(version=version))
            self.call("register", folder / "version.yaml")
            self.call("scorecard", "add", f"bench@{version}", "--file", folder / "scorecard.json")
            self.call("gate", f"bench@{version}", "--file", folder / "gate.yaml")
        self.call("rollout", "start", "bench", "bench@1.0.0", "--reason", "first version")
        self.wait_for("the first version", lambda: self.shares() == {"1.0.0": 1.0})
        self.call("rollout", "start", "bench", "bench@1.1.0", "--plan", folder / "plan.yaml", "--reason", "measured")
        self.wait_for("the canary", self.canary_is_under_way)

    def call(self, *words):
        command = [BIN / "backstay", *words, "--data-dir", self.folder / "data"]
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            self.stop()
            sys.exit(f"error: backstay {' '.join(map(str, words))} failed:\n{done.stdout}{done.stderr}")
        return done.stdout

    def wait_for(self, what, condition):
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and self.process.poll() is None:
            if condition():
                return
            time.sleep(0.05)
        self.stop()
        sys.exit(f"error: backstay: {what} did not come; its output is:\n{self.log.read_text()[-2000:]}")

    def status(self):
        return json.loads(self.call("status", "--json"))

    def shares(self):
        split = self.status()["endpoints"][0]["split"]
        return {arm["version"]: arm["share"] for arm in split["arms"]}

    def canary_is_under_way(self):
        """Asked after the measurement too: a rollback in the middle would have made it one of another thing."""
        return self.shares() == {"1.1.0": 0.05, "1.0.0": 0.95}


def start_backstay(folder, stable, canary):
    server = BackstayServer(folder, stable, canary)
    return server, server.port
