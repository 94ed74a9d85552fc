"""Dangerous artifacts: what is found without running it, and what that means for a rollout."""

import json
import pathlib
import pickle
import subprocess
import sys

import pytest

import scan_corpus
from program import BIN

CORPUS = scan_corpus.everything()


def scan(backstay, path, code: int) -> dict:
    return backstay("scan", path, "--json", code=code).json


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("corpus")
    for name, content in CORPUS.items():
        (folder / name).mkdir()
        (folder / name / name).write_bytes(content)
    return folder


@pytest.mark.parametrize("name", CORPUS)
def test_no_made_up_artifact_is_called_safe(corpus, name):
    done = subprocess.run([str(BIN / "backstay"), "scan", str(corpus / name / name), "--json"], text=True, capture_output=True)
    assert done.returncode in (6, 8), done.stdout + done.stderr
    report = json.loads(done.stdout)
    if b"posix" in CORPUS[name] and b"system" in CORPUS[name]:
        assert report["verdict"] == "dangerous", report


def picklescan_says(folder: pathlib.Path) -> str:
    done = subprocess.run([sys.executable, "-m", "picklescan", "--path", str(folder)], text=True, capture_output=True)
    return {0: "missed", 1: "caught", 2: "error"}.get(done.returncode, "error")


def test_where_picklescan_finds_nothing_is_what_the_documentation_says(corpus):
    said = {name: picklescan_says(corpus / name) for name in CORPUS}
    documented = {}
    for line in (pathlib.Path(__file__).parents[2] / "docs/scanning.md").read_text().splitlines():
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0] in CORPUS:
            documented[cells[0]] = cells[2]
    assert documented == said
