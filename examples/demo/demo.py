#!/usr/bin/env python3
"""Backstay's main job on real data: releases of a breast-cancer model, a good one, one trained on wrong labels, one that crashes.

Everything printed is what the programs answered; the demo fails when one of its claims does not hold.
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from hospital import Hospital
from models import Data, Model, contaminate, cross_validated, write_slice

HERE = pathlib.Path(__file__).resolve().parent
TTY = sys.stdout.isatty()


def bold(text: str) -> str:
    return f"\033[1m{text}\033[0m" if TTY and "NO_COLOR" not in os.environ else text


def chapter(title: str) -> None:
    print(f"\n{bold('== ' + title)}")


def claim(holds: bool, sentence: str) -> None:
    """What the demo says is true, or it stops."""
    if not holds:
        sys.exit(f"demo: this should be true and is not: {sentence}")
    print(f"   ok: {sentence}")


class Backstay:
    """The command line, on the demo's data directory."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path):
        self.program, self.folder = program, folder

    def run(self, *words, actor="maria", show=True, expect=0) -> str:
        if show:
            print("$ backstay " + " ".join(f'"{w}"' if " " in w else w for w in words))
        done = subprocess.run([self.program, *words, "--data-dir", self.folder / "data", "--actor", actor], text=True,
                              cwd=self.folder, capture_output=True)
        if show:
            print(done.stdout + done.stderr, end="")
        if done.returncode != expect:
            sys.exit(f"demo: 'backstay {' '.join(words)}' ended with {done.returncode}: {done.stderr}")
        return done.stdout

    def json(self, *words):
        return json.loads(self.run(*words, "--json", show=False))

    def endpoint(self) -> dict:
        return self.json("status")["endpoints"][0]


def version_yaml(version: str, changelog: str, data: Data, y, sites, hidden: int, commit: str, parents=()) -> str:
    slices = [{"name": site, "file": f"{site}.csv", "rows": len(data.sites[site]),
               "note": f"export of {site}, August 2026"} for site in sites]
    return json.dumps({  # JSON is YAML.
        "model": "breast-cancer", "version": version, "changelog": changelog, "artifacts": ["model.onnx"],
        "code": {"repository": "https://example.org/oncology/breast-cancer", "commit": commit,
                 "preprocessing": [{"path": str(HERE / "models.py"), "as": "models.py"}]},
        "data": [{"name": "wdbc", "role": "training", "slices": slices}],
        "config": {"hidden": hidden, "alpha": 1, "threshold": 0.3, "seed": 1},
        "environment": {"lock_files": [{"path": str(HERE.parent.parent / "tools/requirements.txt"),
                                        "as": "requirements.txt"}]},
        "signature": {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 30]}],
                      "outputs": [{"name": "score", "datatype": "FP32", "shape": [-1, 1]}]},
        "parents": list(parents)}, indent=2)


def measured_latency(worker: pathlib.Path, model: pathlib.Path, rows) -> dict:
    """p95 of single requests to the worker program itself, as a scorecard."""
    process = subprocess.Popen([worker, "--model", model, "--name", "m", "--version", "0"], stdout=subprocess.PIPE)
    try:
        connection = http.client.HTTPConnection("127.0.0.1", json.loads(process.stdout.readline())["port"])
        times = []
        for row in rows:
            body = json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 30], "data": row.tolist()}]})
            begun = time.perf_counter()
            connection.request("POST", "/v2/models/m/infer", body)
            connection.getresponse().read()
            times.append(time.perf_counter() - begun)
        return {"kind": "latency", "dataset": "training rows", "evaluator": "examples/demo", "metrics": [
            {"name": "latency_p95_seconds", "value": sorted(times)[int(0.95 * len(times))], "samples": len(times)}]}
    finally:
        process.terminate()
        process.wait()


def scorecard(kind: str, metrics: dict, groups: bool) -> dict:
    out = []
    for name, (value, samples) in metrics.items():
        plain, _, group = name.partition("{")
        if bool(group) == groups:
            out.append({"name": plain, "value": float(value), "samples": samples,
                        **({"group": group.rstrip("}")} if group else {})})
    return {"kind": kind, "dataset": "5-fold cross-validation on its own training data", "evaluator": "examples/demo",
            "metrics": out}


class Release:
    """Trains a version, registers it with its scorecards and has the gate judge it."""

    def __init__(self, backstay: Backstay, data: Data, bin_folder: pathlib.Path):
        self.backstay, self.data, self.bin = backstay, data, bin_folder

    def make(self, version, changelog, sites, y, hidden, commit, parents=(), crash=False, show=True) -> None:
        data, rows = self.data, self.data.rows(sites)
        folder = self.backstay.folder / version
        folder.mkdir()
        model = Model(data.x[rows], y[rows], hidden, alpha=1)
        (folder / "model.onnx").write_bytes(model.to_onnx(crash_on_zero_concavity=crash))
        for site in sites:
            write_slice(folder / f"{site}.csv", data, data.sites[site], y)
        (folder / "version.yaml").write_text(version_yaml(version, changelog, data, y, sites, hidden, commit, parents))
        metrics = cross_validated(data.x[rows], y[rows], hidden, 1)
        # Latency is measured on rows every version answers: the crash below is one that no benchmark met.
        usual = data.x[rows][data.x[rows][:, 6] > 0][:100]
        cards = {"quality": scorecard("quality", metrics, False), "bias": scorecard("bias", metrics, True),
                 "latency": measured_latency(self.bin / "backstay-worker", folder / "model.onnx", usual)}
        name = f"breast-cancer@{version}"
        self.backstay.run("register", f"{version}/version.yaml", show=show)
        for kind, card in cards.items():
            (folder / f"{kind}.json").write_text(json.dumps(card, indent=2))
            self.backstay.run("scorecard", "add", name, "--file", f"{version}/{kind}.json", show=False)
        self.backstay.run("gate", name, "--file", "gate.yaml", actor="ci", show=show)


class Server:
    """`backstay serve` on the demo's configuration; stops with this block."""

    def __init__(self, program: pathlib.Path, folder: pathlib.Path):
        self.folder = folder
        # What the server logs is what the story below shows.
        log = folder / "server.log"
        with log.open("w") as errors:
            self.process = subprocess.Popen([program, "serve", "--config", "backstay.yaml"], cwd=folder, text=True,
                                            stdout=subprocess.PIPE, stderr=errors, start_new_session=True)
        head = ""
        while not (found := re.search(r"control +http://(\S+)", head)):
            line = self.process.stdout.readline()
            if not line:
                sys.exit(f"demo: the server did not start:\n{log.read_text()}")
            head += line
        print(head, end="")
        self.control = found[1]
        self.gateway = re.search(r"gateway +http://(\S+)", head)[1]
        self.token = (folder / "data/control/token").read_text().strip()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


def wait_for(backstay: Backstay, hospital, phases, patience: float = 60) -> dict:
    """Follows the rollout until it is in one of `phases`; prints what changes. Returns the endpoint's status."""
    begun, told = time.monotonic(), None
    while True:
        endpoint = backstay.endpoint()
        rollout = endpoint["rollout"]
        arms = ", ".join(f"{arm['version']} {arm['share']:.0%}" for arm in endpoint["split"]["arms"])
        shadow = endpoint["split"].get("shadow")
        line = arms + (f", copies of {shadow['share']:.0%} to {shadow['version']}" if shadow else "")
        if line and line != told:
            clients = f"{hospital.requests:>7,} requests, {len(hospital.failures)} failed" if hospital else ""
            print(f"   {time.monotonic() - begun:5.1f} s  {line:<42}{clients}", flush=True)
            told = line
        if rollout["phase"] in phases:
            return endpoint
        if rollout["phase"] in ("done", "rolled_back") or time.monotonic() - begun > patience:
            sys.exit(f"demo: the rollout is {rollout['phase']} after {time.monotonic() - begun:.0f} s: {rollout}")
        time.sleep(0.1)


def served(endpoint: dict, version: str) -> dict:
    return next(v for v in endpoint["versions"] if v["version"] == version)


def audit_of(backstay: Backstay, rollout_id: str, endpoint: dict) -> None:
    entries = [e for e in backstay.json("audit", "--limit", "1000") if e["subject"].startswith("endpoint ")]
    begun = max(i for i, e in enumerate(entries) if e["action"] == "rollout.start")
    for entry in entries[begun:]:
        print(f"   {entry['sequence']:>3}  {entry['at'][11:23]}  {entry['action']:<17} by {entry['actor']}: {entry['reason']}")


def bad_labels(backstay: Backstay, release: Release, hospital: Hospital, data: Data) -> dict:
    chapter("2.0.0: a release that looks fine and is not")
    labels, flipped = contaminate(data)
    release.make("2.0.0", "Twice the data: site D joins, with many small tumours.", ["site-a", "site-b", "site-c", "site-d"],
                 labels, 16, "77ab03e", ["breast-cancer@1.1.0"])
    print(f"   (Site D's export has {flipped} malignant cases labelled benign. Nobody knows: the version was measured on its own\n"
          "    data, whose labels are just as wrong, and the gate lets it pass.)")
    before = hospital.requests
    backstay.run("rollout", "start", "diagnosis", "breast-cancer@2.0.0", "--reason", "site D joins")
    endpoint = wait_for(backstay, hospital, ["rolled_back"])
    backstay.run("status")
    bad = served(endpoint, "2.0.0")
    claim(endpoint["rollout"]["cause"]["trigger"] == "guardrail", "a guardrail rolled 2.0.0 back, no human in the loop")
    claim(endpoint["stable"] == "1.1.0" and endpoint["split"]["arms"][0]["share"] == 1, "1.1.0 serves every request")
    claim(not hospital.failures, "no client saw an error")
    print("\n   The audit trail of this rollout:")
    audit_of(backstay, endpoint["rollout"]["id"], endpoint)
    print("\n   What 2.0.0 came from, against the version that is back:")
    backstay.run("diff", "breast-cancer@1.1.0", "breast-cancer@2.0.0")
    new = {(d["section"], d["what"]) for d in backstay.json("diff", "breast-cancer@1.1.0", "breast-cancer@2.0.0")}
    claim(any(section == "data" and "site-d" in what for section, what in new), "the new training slice is site-d")
    return {"served": bad["requests"], "of": hospital.requests - before, "zero": endpoint["decision_to_zero_seconds"],
            "cause": endpoint["rollout"]["cause"]["reason"]}


def crashes(backstay: Backstay, release: Release, hospital: Hospital, data: Data) -> dict:
    chapter("2.1.0: a release that crashes on some inputs")
    release.make("2.1.0", "A correction for concavity, looked up in a table.", ["site-a", "site-b", "site-c"], data.y, 16,
                 "c04d1f8", ["breast-cancer@1.1.0"], crash=True, show=False)
    before = hospital.requests
    backstay.run("rollout", "start", "diagnosis", "breast-cancer@2.1.0", "--reason", "concavity correction")
    endpoint = wait_for(backstay, hospital, ["rolled_back"])
    bad = served(endpoint, "2.1.0")
    print(f"   {endpoint['rollout']['cause']['reason']}")
    claim(bad["errors"] > 0, f"2.1.0 failed {bad['errors']} requests of the {bad['requests']} it was given")
    claim(bad["replayed"] == bad["errors"], "each of them was answered by 1.1.0 instead")
    claim(not hospital.failures, "no client saw an error")
    audit_of(backstay, endpoint["rollout"]["id"], endpoint)
    return {"served": bad["requests"], "errors": bad["errors"], "of": hospital.requests - before,
            "zero": endpoint["decision_to_zero_seconds"]}


def good_releases(backstay: Backstay, release: Release, data: Data) -> None:
    chapter("Two good versions: registered, judged by the gate")
    release.make("1.0.0", "First release, trained on site A.", ["site-a"], data.y, 4, "0a1b2c3", show=False)
    release.make("1.1.0", "Sites B and C join; fewer cancers are missed.", ["site-a", "site-b", "site-c"], data.y, 16,
                 "5e6f7a8", ["breast-cancer@1.0.0"])
    backstay.run("list")


def promote(backstay: Backstay, hospital: Hospital) -> None:
    chapter("1.1.0: a real improvement, step by step")
    backstay.run("rollout", "start", "diagnosis", "breast-cancer@1.1.0", "--plan", "quick_plan.yaml", "--reason",
                 "sites B and C")
    endpoint = wait_for(backstay, hospital, ["done"])
    claim(endpoint["stable"] == "1.1.0", "1.1.0 is the stable version, 1.0.0 stays warm as the standby")
    claim(not hospital.failures, "no client saw an error")


def figures(rows) -> None:
    chapter("Figures")
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        print(f"   {name:<{width}}  {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=pathlib.Path, required=True, help="folder of the built programs")
    parser.add_argument("--folder", type=pathlib.Path, required=True, help="where the demo writes; emptied first")
    parser.add_argument("--keep", action="store_true", help="leave the server and the traffic running until Ctrl-C")
    options = parser.parse_args()
    begun = time.monotonic()
    folder = options.folder.resolve()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in ("backstay.yaml", "gate.yaml", "quick_plan.yaml"):
        shutil.copy(HERE / name, folder)
    data = Data()
    backstay = Backstay(options.bin.resolve() / "backstay", folder)
    release = Release(backstay, data, options.bin.resolve())

    good_releases(backstay, release, data)
    chapter("Serve 1.0.0")
    with Server(backstay.program, folder) as server:
        backstay.run("rollout", "start", "diagnosis", "breast-cancer@1.0.0", "--reason", "first release")
        wait_for(backstay, None, ["done"])
        with Hospital(server.gateway, server.control, server.token, data.held_out_x, data.held_out_y) as hospital:
            promote(backstay, hospital)
            wrong = bad_labels(backstay, release, hospital, data)
            broken = crashes(backstay, release, hospital, data)
            verified = backstay.run("audit", "--verify", show=False).strip()
            figures([
                ("requests sent by clients", f"{hospital.requests:,}"),
                ("errors that clients saw", f"{len(hospital.failures)}"),
                ("labels that arrived later and were joined", f"{hospital.joined:,}"),
                ("2.0.0 (wrong labels): requests it served", f"{wrong['served']:,} of {wrong['of']:,}"),
                ("2.0.0: from the deciding label to 0% traffic", f"{wrong['zero'] * 1e3:.2f} ms"),
                ("2.1.0 (crashes): requests it was given", f"{broken['served']:,} of {broken['of']:,}"),
                ("2.1.0: failures replayed on 1.1.0", f"{broken['errors']:,}"),
                ("2.1.0: from the deciding outcome to 0% traffic", f"{broken['zero'] * 1e3:.2f} ms"),
                ("audit log", verified),
                ("the whole demo", f"{time.monotonic() - begun:.0f} s"),
            ])
            if options.keep:
                print(f"\nStill running; Ctrl-C ends it. Try, in {folder}:\n"
                      f"   {backstay.program} status --watch --data-dir data\n"
                      f"   {backstay.program} rollback diagnosis --reason \"a second look\" --data-dir data")
                try:
                    signal.pause()
                except KeyboardInterrupt:
                    print()


if __name__ == "__main__":
    main()
