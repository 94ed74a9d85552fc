"""Dangerous artifacts: what is found without running it, and what that means for a rollout."""

import io
import json
import logging
import pathlib
import pickle
import re
import sqlite3
import subprocess

import joblib
import numpy as np
import pytest
from picklescan.scanner import scan_file_path
from sklearn.base import BaseEstimator
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import all_estimators

import scan_corpus
import tiny_models
from program import BIN

ROOT = pathlib.Path(__file__).parents[2]
CORPUS = scan_corpus.everything()
EVIL = {"model.pkl": scan_corpus.PROTO4}
EXIT = {"safe": 0, "suspicious": 8, "dangerous": 6}


def scan(path: pathlib.Path) -> dict:
    done = subprocess.run([str(BIN / "backstay"), "scan", str(path), "--json"], text=True, capture_output=True)
    assert done.returncode in EXIT.values(), done.stdout + done.stderr
    report = json.loads(done.stdout)
    assert done.returncode == EXIT[report["verdict"]]
    return report


def written(folder: pathlib.Path, name: str, content: bytes) -> pathlib.Path:
    (folder / name).write_bytes(content)
    return folder / name


# --- made to get past scanners ---


def by_picklescan(path: pathlib.Path) -> str:
    """One file by its content, which is more than its scan of folders looks at."""
    logging.getLogger("picklescan").setLevel(logging.CRITICAL)
    try:
        result = scan_file_path(str(path))
    except Exception:
        return "error"
    if result.issues_count > 0:
        return "dangerous"
    if result.suspicious_count > 0:
        return "suspicious"
    return "error" if result.scan_err else "nothing"


def documented() -> dict[str, tuple[str, str]]:
    rows = {}
    for line in (ROOT / "docs/scanning.md").read_text().splitlines():
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        if len(cells) == 3 and cells[0] in CORPUS:
            rows[cells[0]] = (cells[1], cells[2])
    return rows


@pytest.mark.parametrize("name", CORPUS)
def test_an_artifact_that_was_made_to_get_past_scanners_does_not(tmp_path, name):
    path = written(tmp_path, name, CORPUS[name])
    report = scan(path)
    assert report["verdict"] != "safe"
    assert documented().get(name) == (report["verdict"], by_picklescan(path))


def test_a_payload_that_can_be_reached_is_dangerous_and_named(tmp_path):
    for name, content in {**scan_corpus.streams(), **scan_corpus.renamed()}.items():
        if b"posix\nsystem" in content or content == scan_corpus.PROTO4:
            findings = scan(written(tmp_path, name, content))["findings"]
            assert any(f["import"] == "posix.system" and f["verdict"] == "dangerous" for f in findings), name


# --- honest models ---


def trained(model):
    random = np.random.default_rng(5)
    x = random.normal(size=(100, 4))
    return model.fit(x, np.where(x[:, 0] > 0, "ill", "well"))


@pytest.fixture(scope="module")
def linear():
    return trained(make_pipeline(StandardScaler(), LogisticRegression()))


@pytest.mark.parametrize("protocol", range(6))
def test_a_linear_model_of_scikit_learn_is_safe_in_every_protocol(tmp_path, linear, protocol):
    report = scan(written(tmp_path, "model.pkl", pickle.dumps(linear, protocol)))
    assert report["verdict"] == "safe", report
    assert "sklearn.linear_model._logistic.LogisticRegression" in {f["import"] for f in report["findings"]}


@pytest.mark.parametrize("compress", [0, ("zlib", 3), ("gzip", 3), ("bz2", 3), ("xz", 3), ("lzma", 3)])
def test_a_linear_model_is_safe_as_joblib_writes_it(tmp_path, linear, compress):
    joblib.dump(linear, tmp_path / "model.joblib", compress=compress)
    report = scan(tmp_path / "model.joblib")
    assert report["verdict"] == "safe", report


def test_what_native_code_trusts_is_suspicious_and_named(tmp_path):
    joblib.dump(trained(RandomForestClassifier(3)), tmp_path / "forest.joblib")
    report = scan(tmp_path / "forest.joblib")
    assert report["verdict"] == "suspicious"
    assert "sklearn.tree._tree.Tree" in {f["import"] for f in report["findings"] if f["verdict"] == "suspicious"}


def test_arrays_of_any_type_are_followed_in_joblib_files(tmp_path):
    arrays = {"objects": np.array(["x", None], object), "empty": np.zeros((0, 3)), "scalar": np.array(3.0),
              "fortran": np.asfortranarray(np.ones((3, 4))), "text": np.array(["abc"]), "time": np.zeros(2, "M8[s]")}
    joblib.dump(arrays, tmp_path / "arrays.joblib")
    assert scan(tmp_path / "arrays.joblib")["verdict"] == "safe"
    joblib.dump([arrays, pickle.loads], tmp_path / "evil.joblib")
    assert "_pickle.loads" in {f["import"] for f in scan(tmp_path / "evil.joblib")["findings"]}


def test_models_without_code_are_safe(tmp_path):
    packed = io.BytesIO()
    np.savez_compressed(packed, weights=np.zeros((1000, 1000)), bias=np.ones(3))
    for name, content in {"model.onnx": tiny_models.onnx_model(), "model.pb": tiny_models.graph_def(),
                          "saved_model.pb": tiny_models.saved_model(), "weights.npz": packed.getvalue(),
                          "weights.bin": np.random.default_rng(1).bytes(300_000), "words.txt": b"cat\ndog\nfish\n",
                          "config.json": b'{"layers": [{"type": "dense"}]}'}.items():
        assert scan(written(tmp_path, name, content))["verdict"] == "safe", name


def test_external_data_that_is_there_is_safe(tmp_path):
    (tmp_path / "v").mkdir()
    written(tmp_path / "v", "model.onnx", scan_corpus.external("weights.data"))
    assert scan(tmp_path / "v")["verdict"] == "suspicious"
    written(tmp_path / "v", "weights.data", bytes(4))
    assert scan(tmp_path / "v")["verdict"] == "safe"
    assert scan(tmp_path / "v/model.onnx")["verdict"] == "safe"


def test_the_estimators_that_are_called_harmless_are_made_as_that_assumes():
    source = (ROOT / "src/domain/scan/imports.cpp").read_text()
    listed = re.findall(r'\{"(sklearn[\w.]*)",\s*"([\w ]+)",\s*kEstimator\}', source)
    assert len(listed) > 10
    installed = {(cls.__module__, name): cls for name, cls in all_estimators()}
    for module, names in listed:
        for name in names.split():
            cls = installed[module, name]
            assert cls.__setstate__ is BaseEstimator.__setstate__, name
            assert cls.__new__ is object.__new__ and cls.__reduce__ is object.__reduce__, name
            assert cls.__reduce_ex__ is object.__reduce_ex__, name


# --- versions ---


def test_register_and_show_tell_what_was_found(backstay, releases):
    registered = releases.register("1.0.0", EVIL).json
    assert registered["scan"]["verdict"] == "dangerous"
    shown = backstay("show", "m@1.0.0", "--json").json
    assert [s["verdict"] for s in shown["scans"]] == ["dangerous"]
    assert {f["import"] for f in shown["scans"][0]["findings"]} == {"posix.system"}
    assert "scan dangerous: posix.system" in backstay("show", "m@1.0.0").out
    assert "scan dangerous: posix.system" in backstay("register", backstay.folder / "m-1.0.0/version.yaml").out
    assert backstay("scan", "m@1.0.0", "--json", code=6).json["by"] == "tester"
    assert len(backstay("show", "m@1.0.0", "--json").json["scans"]) == 2
    assert [entry["action"] for entry in backstay.audit()] == ["version.register", "version.scan"]


def accept(backstay, *options: str, key: str = "alice.pem", reason: str = "reviewed", expires: str = "30d", code: int = 0):
    return backstay("scan", "accept", "m@1.0.0", "--reason", reason, "--expires", expires, "--key", key, *options,
                    code=code)


@pytest.fixture
def keys(backstay):
    for name in ("alice", "mallory"):
        backstay("key", "generate", f"{name}.pem", "--type", "ed25519")


def test_a_dangerous_version_is_released_only_when_a_trusted_person_signs_for_it(backstay, releases, server, keys):
    releases.register("1.0.0", EVIL)
    releases.measure("1.0.0")
    assert "posix.system" in releases.gate("1.0.0", code=6).out
    serving = server({"endpoints": [{"name": "e", "model": "m", "exception_keys": ["alice.pem.pub"]}]})
    refused = backstay("rollout", "start", "e", "m@1.0.0", code=10)
    assert "posix.system" in refused.err and "scan accept" in refused.err
    accept(backstay, reason="  ", code=2)
    accept(backstay, expires="3000d", code=2)
    accept(backstay, expires="1ms")
    assert "posix.system" in releases.gate("1.0.0", code=6).out, "that has expired"

    accept(backstay, "--actor", "mallory", key="mallory.pem")
    releases.gate("1.0.0")
    refused = backstay("rollout", "start", "e", "m@1.0.0", code=10)
    assert "mallory answers for it, with a key that this endpoint does not trust" in refused.err

    accepted = accept(backstay, "--json", "--actor", "alice").json
    shown = backstay("show", "m@1.0.0", "--json").json
    assert accepted["signed_by"] == "alice" and accepted["signed"]
    assert [(e["signed_by"], e["signed"]) for e in shown["scan_exceptions"]] == [
        ("alice", True), ("mallory", True), ("tester", True)]
    assert f"scan exception signed with key {accepted['key_sha256'][:16]} by alice until" in backstay("show", "m@1.0.0").out
    assert "where a key is trusted that signed for it" in backstay("show", "m@1.0.0").out
    card = backstay("card", "m@1.0.0").out
    assert f"Exception from the scan, signed with the key {accepted['key_sha256'][:16]} by alice on" in card
    assert "signed for by alice (until" in backstay("gate", "m@1.0.0", "--file", backstay.folder / "gate.yaml").out
    started = backstay("rollout", "start", "e", "m@1.0.0")
    assert "warning: " in started.err and "posix.system" in started.err and "alice answers for it" in started.err
    serving.wait_for_phase("e", "rolled_back")  # There is nothing in it that could be served.
    entry = [e for e in backstay.audit() if e["action"] == "scan.accept"][-1]
    assert entry["actor"] == "alice" and entry["reason"] == "reviewed" and shown["manifest_sha256"] in json.dumps(entry)
    assert entry["evidence"]["key_sha256"] == accepted["key_sha256"]


def test_an_exception_without_a_signature_is_history(backstay, releases, server, keys):
    releases.register("1.0.0", EVIL)
    accept(backstay)
    with sqlite3.connect(backstay.data_dir / "registry.db") as database:  # As a registry from before has them.
        database.executescript(
            "INSERT INTO scan_exceptions SELECT id, version_id, zeroblob(32), findings, 'word of mouth', 'bob', at, expires, "
            "audit_sequence FROM signed_scan_exceptions; DROP TRIGGER signed_scan_exceptions_refuse_DELETE; "
            "DELETE FROM signed_scan_exceptions")
    assert "without a signature, which counts nowhere, by bob" in backstay("show", "m@1.0.0").out
    releases.measure("1.0.0")
    assert "posix.system" in releases.gate("1.0.0", code=6).out
    server({"endpoints": [{"name": "e", "model": "m", "exception_keys": ["alice.pem.pub"]}]})
    assert "posix.system" in backstay("rollout", "start", "e", "m@1.0.0", code=10).err


def test_only_what_is_dangerous_can_be_accepted(backstay, releases, keys):
    releases.register("1.0.0")
    refused = accept(backstay, code=5)
    assert "says safe" in refused.err


def test_a_suspicious_version_is_released_with_a_warning(backstay, releases, server):
    releases.release("1.0.0", {"model.pkl": b"\x80\x02cmodel_helpers\nload\n)R."})
    server({"endpoints": [{"name": "e", "model": "m"}]})
    started = backstay("rollout", "start", "e", "m@1.0.0", "--json")
    assert "model_helpers.load" in started.json["warnings"][0] and "model_helpers.load" in started.err


def test_a_gate_may_ask_for_more_than_not_dangerous(backstay, releases):
    releases.register("1.0.0", {"model.pkl": b"\x80\x02cmodel_helpers\nload\n)R."})
    releases.measure("1.0.0")
    gate = {"name": "production", "rules": [{"metric": "accuracy", "at_least": 0.9}]}
    assert "model_helpers.load" in releases.gate("1.0.0", gate).out
    assert "model_helpers.load" in releases.gate("1.0.0", {**gate, "scan": "safe"}, code=6).out
    releases.gate("1.0.0", {**gate, "scan": "dangerous"}, code=2)


def test_a_version_from_before_there_was_a_scanner_is_scanned_by_its_gate(backstay, releases, server):
    releases.release("1.0.0")
    with sqlite3.connect(backstay.data_dir / "registry.db") as database:
        database.executescript("DROP TRIGGER scans_refuse_DELETE; DELETE FROM scans;")
    server({"endpoints": [{"name": "e", "model": "m"}]})
    refused = backstay("rollout", "start", "e", "m@1.0.0", code=10)
    assert "not been scanned" in refused.err and "backstay scan m@1.0.0" in refused.err
    assert "not scanned yet" in backstay("show", "m@1.0.0").out
    releases.gate("1.0.0")
    assert [s["verdict"] for s in backstay("show", "m@1.0.0", "--json").json["scans"]] == ["safe"]


def test_a_blob_that_was_changed_is_not_scanned_in_place_of_what_was_registered(backstay, releases):
    releases.register("1.0.0", EVIL)
    (blob,) = (backstay.data_dir / "blobs/sha256").glob("*/*")
    blob.chmod(0o600)
    blob.write_bytes(b"harmless")
    backstay("scan", "m@1.0.0", code=9)


def test_what_can_not_be_scanned_is_an_error(backstay):
    backstay("scan", "not-there.pkl", code=3)
    backstay("scan", code=2)
    (backstay.folder / "link").symlink_to("/etc/passwd")
    backstay("scan", "link", code=2)
