"""The registry from the command line: register, list, show, checkout, scorecard, diff, gate, audit."""

import json
import pathlib
import subprocess
import sys

import pytest

from program import BIN, SANITIZED
from release import GATE, QUALITY


def commands(backstay, *group: str) -> list[list[str]]:
    """Every command there is, by what --help lists."""
    text = backstay(*group, "--help").out
    if "Subcommands:" not in text:
        return [list(group)]
    listed = text.split("Subcommands:")[1].split("\n\n")[0].splitlines()
    # A help text that is too long for its line goes on in the next one, further in.
    names = [line.split()[0] for line in listed if line.startswith("  ") and not line.startswith("   ")]
    return [command for name in names for command in commands(backstay, *group, name)]


def test_every_command_has_help_with_an_example(backstay):
    found = commands(backstay)
    assert len(found) > 25
    for command in found:
        text = backstay(*command, "--help").out
        assert f"Example:\n  backstay {' '.join(command)}" in text, command


def test_registering_the_same_content_again_gives_the_same_version(backstay, releases):
    first = releases.register("1.0.0").json
    again = releases.register("1.0.0").json
    assert first["created"] is True and again["created"] is False
    assert {**first, "created": False} == again
    assert first["missing"] == [] and first["ordinal"] == 1 and first["stage"] == "Staging"
    assert [entry["action"] for entry in backstay.audit()] == ["version.register"]


def test_a_used_version_with_other_content_is_refused_and_stays_what_it_was(backstay, releases):
    releases.register("1.0.0", {"weights.bin": b"first"})
    shown = backstay("show", "m@1.0.0", "--json").out
    changed = releases.describe("1.0.0", {"weights.bin": b"second"})
    refused = backstay("register", changed, code=5)
    assert "m@1.0.0" in refused.err
    assert backstay("show", "m@1.0.0", "--json").out == shown
    assert len(backstay.audit()) == 1
    backstay("checkout", "m@1.0.0", "out")
    assert (backstay.folder / "out/weights.bin").read_bytes() == b"first"


def test_an_incomplete_version_is_told_what_it_lacks_and_passes_no_gate(backstay, releases):
    registered = releases.register("1.0.0", code=None, data=None, config=None, changelog=None).json
    assert registered["complete"] is False
    assert registered["missing"] == ["code (commit)", "data (training slices)", "config", "changelog"]
    assert backstay("show", "m@1.0.0", "--json").json["missing"] == registered["missing"]
    assert "incomplete: it lacks code (commit)" in backstay("show", "m@1.0.0").out
    releases.measure("1.0.0")
    releases.gate("1.0.0", code=6)


def test_list_names_versions_of_one_model_or_of_all(backstay, releases):
    releases.register("1.0.0")
    releases.register("1.1.0")
    releases.register("1.0.0", model="other")
    assert {(v["model"], v["version"]) for v in backstay("list", "--json").json} == {
        ("m", "1.0.0"), ("m", "1.1.0"), ("other", "1.0.0")}
    assert [v["version"] for v in backstay("list", "m", "--json").json] == ["1.1.0", "1.0.0"]
    assert backstay("list", "unknown", "--json").json == []
    assert "m@1.1.0" in backstay("list").out


def test_checkout_writes_what_was_registered_and_never_over_something(backstay, releases):
    files = {"model.bin": bytes(range(256)) * 100, "deep/er/vocabulary.txt": b"words\n", "empty": b""}
    releases.register("1.0.0", files)
    done = backstay("checkout", "m@1.0.0", "out", "--json").json
    assert done["files"] == 3 and done["size_bytes"] == sum(map(len, files.values()))
    for name, content in files.items():
        assert (backstay.folder / "out" / name).read_bytes() == content
    assert "exists already" in backstay("checkout", "m@1.0.0", "out", code=5).err
    assert "m@9.9.9" in backstay("checkout", "m@9.9.9", "elsewhere", code=3).err
    assert not (backstay.folder / "elsewhere").exists()


def test_diff_says_what_changed_in_each_corner(backstay, releases):
    releases.register("1.0.0")
    releases.register("1.1.0", config={"seed": 7, "hidden": 16}, changelog="Wider.")
    differences = backstay("diff", "m@1.0.0", "m@1.1.0", "--json").json
    assert {d["section"] for d in differences} == {"artifacts", "config", "changelog"}
    assert {"section": "config", "what": "hidden", "before": "", "after": "16"} in differences
    assert "+ hidden: 16" in backstay("diff", "m@1.0.0", "m@1.1.0").out
    assert backstay("diff", "m@1.0.0", "m@1.0.0", "--json").json == []
    backstay("diff", "m@1.0.0", "m@9.0.0", code=3)


def test_a_gate_says_pass_fail_or_insufficient_by_its_exit_code(backstay, releases):
    releases.register("1.0.0")
    assert "measure it with" in releases.gate("1.0.0", code=8).out
    releases.measure("1.0.0", {**QUALITY, "metrics": [{"name": "accuracy", "value": 0.95, "samples": 20}]})
    assert "it takes 36 or more" in releases.gate("1.0.0", code=8).out
    releases.measure("1.0.0", {**QUALITY, "metrics": [{"name": "accuracy", "value": 0.5, "samples": 2000}]})
    assert "FAIL" in releases.gate("1.0.0", code=6).out
    releases.measure("1.0.0")
    assert "PASS" in releases.gate("1.0.0").out
    verdicts = backstay("show", "m@1.0.0", "--json").json["verdicts"]
    assert sorted(v["verdict"] for v in verdicts) == ["FAIL", "INSUFFICIENT", "INSUFFICIENT", "PASS"]
    assert all(v["evidence"]["rows"] and v["decided_by"] == "tester" for v in verdicts)


def test_a_percentage_is_no_rate(backstay, releases):
    releases.register("1.0.0")
    card = releases.write("percent.json", {"kind": "quality", "metrics": [
        {"name": "accuracy", "value": 98.8, "samples": 3}]})
    assert "write 0.988" in backstay("scorecard", "add", "m@1.0.0", "--file", card, code=2).err
    releases.measure("1.0.0", {"kind": "quality", "metrics": [{"name": "our_score", "value": 98.8, "samples": 3}]})
    gate = {"name": "g", "rules": [{"metric": "our_score", "at_least": 0.9}]}
    assert "98.8 looks like a percentage" in releases.gate("1.0.0", gate, code=8).out
    gate = {"name": "g", "rules": [{"metric": "accuracy", "at_least": 90}]}
    assert "Write it as a share" in releases.gate("1.0.0", gate, code=2).err
    releases.measure("1.0.0", {"kind": "latency", "metrics": [
        {"name": "latency_p95_seconds", "value": 12.5, "samples": 100}]})
    releases.gate("1.0.0", {"name": "g", "rules": [{"metric": "latency_p95_seconds", "at_most": 20}]})


def test_a_gate_finds_bias_between_groups(backstay, releases):
    def groups(a, b):
        return {"kind": "bias", "dataset": "d", "metrics": [
            {"name": "sensitivity", "group": "a", "value": a, "samples": 1000},
            {"name": "sensitivity", "group": "b", "value": b, "samples": 1000}]}

    gate = {"name": "fair", "rules": [{"metric": "sensitivity", "max_gap": 0.1}]}
    releases.register("1.0.0")
    releases.measure("1.0.0", groups(0.95, 0.60))
    assert "'b' is served worse than 'a'" in releases.gate("1.0.0", gate, code=6).out
    releases.measure("1.0.0", groups(0.95, 0.94))
    releases.gate("1.0.0", gate)


def test_gate_and_scorecard_print_json_and_read_standard_input(backstay, releases):
    releases.register("1.0.0")
    added = backstay("scorecard", "add", "m@1.0.0", "--file", "-", "--json", input=json.dumps(QUALITY)).json
    assert added["id"] == 1
    verdict = backstay("gate", "m@1.0.0", "--file", releases.write("g.yaml", GATE), "--json").json
    assert verdict["decision"] == "PASS" and verdict["gate"] == "production" and verdict["version"] == "m@1.0.0"
    assert {row["rule"]: row["decision"] for row in verdict["rows"]}["accuracy >= 0.9"] == "PASS"


def test_the_audit_log_names_who_did_what_and_verifies(backstay, releases):
    releases.release("1.0.0")
    entries = backstay.audit()
    assert [entry["action"] for entry in entries] == ["version.register", "scorecard.add", "gate.verdict"]
    assert {entry["actor"] for entry in entries} == {"tester"}
    assert entries[1]["previous_sha256"] == entries[0]["sha256"]
    verified = backstay("audit", "--verify", "--json").json
    assert verified["entries"] == 3 and verified["verified"] is True
    assert [e["sequence"] for e in backstay("audit", "--from", 2, "--limit", 1, "--json").json] == [2]


def test_options_come_before_the_environment(backstay, releases):
    releases.register("1.0.0")
    backstay("register", releases.describe("2.0.0"), "--data-dir", "elsewhere")
    assert [v["version"] for v in backstay("list", "--json").json] == ["1.0.0"]
    assert [v["version"] for v in backstay("list", "--json", "--data-dir", "elsewhere").json] == ["2.0.0"]
    backstay("scorecard", "add", "m@1.0.0", "--file", releases.write("card.json", QUALITY), "--actor", "alice")
    assert [entry["actor"] for entry in backstay.audit()] == ["tester", "alice"]


def test_errors_are_json_when_json_was_asked_for(backstay, releases):
    releases.register("0.9.0")
    failed = backstay("show", "m@1.0.0", "--json", code=3)
    error = json.loads(failed.err)["error"]
    assert error["code"] == "not_found" and error["message"].endswith(".") and error["hint"]
    assert failed.out == ""


MEASURE = """
import os, sys
pid = os.spawnv(os.P_NOWAIT, sys.argv[1], sys.argv[1:])
_, status, usage = os.wait4(pid, 0)
print(usage.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps freed memory")
def test_a_large_artifact_is_registered_in_little_memory(backstay, releases):
    file = releases.describe("1.0.0")
    with open(pathlib.Path(file).parent / "files/weights.bin", "r+b") as weights:
        weights.truncate(300 * 1024 * 1024)
    # A small process in between: a child's peak counts what its parent had when it was forked.
    done = subprocess.run([sys.executable, "-S", "-E", "-c", MEASURE, str(BIN / "backstay"), "register", str(file)],
                          env=backstay.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    peak_kib = int(done.stdout.splitlines()[-1])
    assert peak_kib < 100 * 1024


def test_a_data_directory_without_a_registry_is_refused_by_all_that_read(backstay, releases, tmp_path):
    releases.register("1.0.0")
    nowhere = tmp_path / "slip"
    for command in (["list"], ["search", "stage = Staging"], ["show", "m@1.0.0"], ["log", "m"], ["audit"], ["fsck"],
                    ["gc"], ["register", releases.describe("1.0.1"), "--dry-run"]):
        assert f"There is no registry in {nowhere}." in backstay(*command, "--data-dir", nowhere, code=3).err
        assert not nowhere.exists()
    nowhere.mkdir()
    backstay("list", "--data-dir", nowhere, code=3)
    assert not list(nowhere.iterdir())


def test_the_audit_log_counts_only_earlier_entries_that_there_are(backstay, releases):
    releases.register("1.0.0")
    there = len(backstay.audit())
    assert f"{there} earlier entries: backstay audit --from 1\n" in backstay("audit", "--from", 999).out
    assert "--limit 0" in backstay("audit", "--limit", 0, code=2).err
