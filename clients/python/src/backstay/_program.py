"""Registers by the program `backstay`."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess
import sys
from typing import Any, Optional

from ._errors import BackstayError
from ._records import Description, Registered

_TIMEOUT_S = 24 * 3600


def _program() -> str:
    given = os.environ.get("BACKSTAY_BIN", "")
    if given:
        path = pathlib.Path(given)
        return str(path / "backstay" if path.is_dir() else path)
    found = shutil.which("backstay")
    if found is None:
        raise BackstayError("There is no program backstay.",
                            "Put it into PATH, set BACKSTAY_BIN, or set BACKSTAY_URL and BACKSTAY_TOKEN.", "not_found")
    return found


def _run(description: Description, arguments: list[str], text: str) -> Any:
    environment = dict(os.environ)
    if description.actor:
        environment["BACKSTAY_ACTOR"] = description.actor
    # Other folder, other default: a relative data directory is meant from where the script runs.
    environment["BACKSTAY_DATA_DIR"] = os.path.abspath(environment.get("BACKSTAY_DATA_DIR", "backstay-data"))
    try:
        done = subprocess.run([_program(), *arguments, "--json"], input=text, text=True, capture_output=True,
                              cwd=description.root, env=environment, timeout=_TIMEOUT_S, check=False)
    except OSError as error:
        raise BackstayError(f"The program backstay can't be run: {error}.", "Check BACKSTAY_BIN.", "not_found") from error
    if done.returncode != 0:
        raise _error(done.stderr)
    return json.loads(done.stdout)


def _error(text: str) -> BackstayError:
    try:
        told = json.loads(text.strip().splitlines()[-1])["error"]
        return BackstayError(str(told["message"]), str(told.get("hint", "")), str(told.get("code", "failure")))
    except (ValueError, KeyError, IndexError, TypeError):
        return BackstayError(text.strip() or "The program backstay failed without a word.")


def _spec(description: Description) -> dict[str, Any]:
    config: dict[str, Any] = dict(description.config)
    if description.config_files:
        config["file"] = description.config_files
    spec: dict[str, Any] = {
        "model": description.model, "version": description.version, "changelog": description.changelog,
        "artifacts": description.artifacts, "data": description.data, "config": config,
        "code": {"preprocessing": description.preprocessing, "command": description.command},
        "environment": {"lock_files": description.lock_files, "image": description.image},
        "parents": list(description.parents)}
    return spec


def register(description: Description) -> Registered:
    # JSON is YAML. The description comes by standard input, so the folder that paths are relative to is the root.
    got = _run(description, ["register", "-", "--python", sys.executable], json.dumps(_spec(description), ensure_ascii=False))
    ref: Optional[str] = f"{description.model}@{description.version}"
    for scorecard in description.scorecards:
        _run(description, ["scorecard", "add", str(ref), "--file", "-"], json.dumps(scorecard, ensure_ascii=False))
    return Registered(str(got["model"]), str(got["version"]), str(got["manifest_sha256"]), int(got["ordinal"]),
                      bool(got["created"]), list(got["missing"]), list(got["warnings"]))
