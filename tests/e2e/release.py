"""Versions to work with: their files, their version.yaml, their scorecards and verdicts."""

import hashlib
import json
import pathlib

import yaml

from program import Done, Program

QUALITY = {"kind": "quality", "dataset": "held-out", "evaluator": "tests",
           "metrics": [{"name": "accuracy", "value": 0.97, "samples": 2000}]}
GATE = {"name": "production", "rules": [{"metric": "accuracy", "at_least": 0.9}]}


class Releases:
    def __init__(self, program: Program, model: str = "m"):
        self.program = program
        self.model = model

    def describe(self, version: str, files: dict[str, bytes] | None = None, **changes) -> pathlib.Path:
        """Writes a complete version's files; `changes` replace keys of version.yaml, None takes one out."""
        folder = self.program.folder / f"{changes.get('model', self.model)}-{version}"
        for name, content in (files or {"weights.bin": b"weights of " + version.encode()}).items():
            (folder / "files" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "files" / name).write_bytes(content)
        spec = {"model": self.model, "version": version, "changelog": f"Release {version}.",
                "artifacts": [{"path": "files", "as": ""}],
                "code": {"repository": "git@example.org:m.git", "commit": "0a1b2c3"},
                "data": [{"name": "wards", "role": "training",
                          "slices": [{"name": "site-a", "sha256": hashlib.sha256(b"site-a").hexdigest(), "rows": 7}]}],
                "config": {"seed": 7}, **changes}
        file = folder / "version.yaml"
        file.write_text(yaml.safe_dump({key: value for key, value in spec.items() if value is not None}))
        return file

    def register(self, version: str, files: dict[str, bytes] | None = None, **changes) -> Done:
        return self.program("register", self.describe(version, files, **changes), "--json")

    def write(self, name: str, content: dict) -> pathlib.Path:
        file = self.program.folder / name
        file.write_text(json.dumps(content))
        return file

    def gate(self, version: str, gate: dict = GATE, code: int = 0, model: str | None = None) -> Done:
        file = self.write("gate.yaml", gate)
        return self.program("gate", f"{model or self.model}@{version}", "--file", file, code=code)

    def measure(self, version: str, scorecard: dict = QUALITY, model: str | None = None) -> Done:
        file = self.write("scorecard.json", scorecard)
        return self.program("scorecard", "add", f"{model or self.model}@{version}", "--file", file)

    def release(self, version: str, files: dict[str, bytes] | None = None, **changes) -> None:
        """Registers a version and brings it past its gate."""
        self.register(version, files, **changes)
        self.measure(version, model=changes.get("model"))
        self.gate(version, model=changes.get("model"))
