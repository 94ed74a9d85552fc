"""Verdicts for CI systems, model cards, pipelines, and gates that an endpoint requires."""

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest
import yaml

from program import BIN
from release import GATE

NASTY = "a<b>&\"'|`\n::error::x,y:z%"


def test_a_verdict_is_written_for_ci_systems(backstay, releases):
    releases.register("1.0.0")
    releases.measure("1.0.0")
    rules = [{"metric": "accuracy", "at_least": 0.9}, {"metric": "accuracy", "at_least": 0.99}, {"metric": NASTY, "at_least": 1}]
    gate = releases.write("gate.yaml", {**GATE, "rules": rules})
    done = backstay("gate", "m@1.0.0", "--file", gate, "--junit", "g.xml", "--sarif", "g.sarif", "--markdown", "g.md",
                    "--annotations", code=6)
    root = ElementTree.parse(backstay.folder / "g.xml").getroot()
    (suite,) = root.findall("testsuite")
    assert suite.attrib["tests"] == "5" and suite.attrib["failures"] == "1" and suite.attrib["errors"] == "1"
    cases = {case.attrib["name"]: case for case in suite.findall("testcase")}
    assert cases["accuracy >= 0.9"].find("failure") is None
    assert cases["accuracy >= 0.99"].find("failure").attrib["type"] == "FAIL"
    assert "0.970" in cases["accuracy >= 0.99"].find("failure").attrib["message"]
    (nasty,) = [case for name, case in cases.items() if name.startswith("a<b>&")]
    assert nasty.find("error").attrib["type"] == "INSUFFICIENT"

    sarif = json.loads((backstay.folder / "g.sarif").read_text())
    (run,) = sarif["runs"]
    assert sarif["version"] == "2.1.0" and run["tool"]["driver"]["name"] == "backstay"
    assert [result["level"] for result in run["results"]] == ["error", "warning"]
    known = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert all(result["ruleId"] in known for result in run["results"])

    lines = [line for line in done.out.splitlines() if line.startswith("::")]
    assert len(lines) == 2, "nothing that a name holds begins a command of its own"
    assert lines[0].startswith("::error file=") and lines[1].startswith("::warning file=")
    assert "%0A::error::x" in lines[1]

    text = (backstay.folder / "g.md").read_text()
    assert text.startswith("## FAIL: gate production of m@1.0.0")
    table = [line for line in text.splitlines() if line.startswith("|")]
    assert len(table) == 2 + 5, "a line break in a name breaks no table"


def test_reports_need_a_gate(backstay, releases):
    releases.register("1.0.0")
    (backstay.folder / "suite.yaml").write_text("name: s\n")
    assert "--gate" in backstay("evaluate", "m@1.0.0", "--suite", "suite.yaml", "--junit", "g.xml", code=2).err


def test_a_model_card_tells_what_the_registry_holds(backstay, releases):
    releases.register("1.0.0", changelog="Because <script>alert(1)</script> | was slow.")
    card = {"kind": "quality", "dataset": "held-out", "evaluator": "tests", "metrics": [
        {"name": "accuracy", "value": 0.97, "samples": 2000, "lower": 0.96, "upper": 0.98},
        {"name": "accuracy", "group": "site=a", "value": 0.9, "samples": 50}]}
    releases.measure("1.0.0", card)
    releases.gate("1.0.0", {**GATE, "rules": [{"metric": "recall", "at_least": 0.9}]}, code=8)
    text = backstay("card", "m@1.0.0").out
    assert "<script>" not in text and "\\| was slow" in text
    text = text.replace("\\", "")
    for words in ("# Model card: m@1.0.0", "0.97 [0.96, 0.98]", "site=a", "wards", "INSUFFICIENT", "0a1b2c3", "seed",
                  "no intended use"):
        assert words in text, words
    backstay("card", "m@1.0.0", "--html", "--output", "card.html")
    html = (backstay.folder / "card.html").read_text()
    assert html.startswith("<!doctype html>") and "<script>" not in html and "&lt;script&gt;" in html
    assert "0.97 [0.96, 0.98]" in html


PIPELINES = {"github": ".github/workflows/backstay.yml", "gitlab": ".gitlab-ci.yml", "jenkins": "Jenkinsfile"}


@pytest.mark.parametrize("system", PIPELINES)
def test_ci_init_writes_a_pipeline_and_overwrites_none(backstay, system):
    backstay("ci", "init", system, "--suite", "eval/suite.yaml")
    file = backstay.folder / PIPELINES[system]
    text = file.read_text()
    assert "@" not in text.replace("actions/checkout@v4", "").replace("upload-artifact@v4", "").replace(
        "upload-sarif@v3", "").replace('"@"', ""), "everything is filled in"
    assert "--suite eval/suite.yaml --gate gate.yaml" in " ".join(text.split())
    if system != "jenkins":
        assert yaml.safe_load(text)
    file.write_text("mine")
    assert "--force" in backstay("ci", "init", system, code=5).err
    assert file.read_text() == "mine"
    backstay("ci", "init", system, "--force")
    assert "mine" not in file.read_text()


def test_ci_init_refuses_paths_that_a_shell_would_run(backstay):
    assert "no path" in backstay("ci", "init", "github", "--suite", "x; rm -rf /", code=2).err
    assert "github, gitlab or jenkins" in backstay("ci", "init", "travis", code=2).err


def test_the_pipelines_way_to_the_versions_name_works(backstay, releases):
    out = releases.register("1.0.0").out
    assert subprocess.run(["jq", "-r", '.model + "@" + .version'], input=out, text=True, capture_output=True).stdout == "m@1.0.0\n"


def commit(folder, message: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    subprocess.run(["git", "add", "-A"], cwd=folder, check=True)
    subprocess.run(["git", *identity, "commit", "-q", "-m", message], cwd=folder, check=True)


def register_step(system: str, text: str) -> str:
    """The command that the pipeline registers with."""
    return next(line for line in re.split("[\n']", text) if "backstay register" in line).strip(" -")


@pytest.mark.parametrize("system", PIPELINES)
def test_the_pipeline_judges_every_commit_of_a_pull_request(backstay, tmp_path, system):
    work = tmp_path / "work"
    work.mkdir()
    subprocess.run(["git", "init", "-q"], cwd=work, check=True)
    (work / "model.bin").write_bytes(b"weights")
    (work / "rows.csv").write_text("a,b\n" + "1,2\n" * 40)
    (work / "version.yaml").write_text(yaml.safe_dump({
        "model": "m", "version": "1.0.0", "changelog": "First.", "artifacts": ["model.bin"], "config": {"seed": 1},
        "data": [{"name": "d", "role": "training", "files": "rows.csv"}]}))
    backstay("ci", "init", system, "--to", work)
    step = register_step(system, (work / PIPELINES[system]).read_text())
    commit(work, "the model")
    environment = {**backstay.environment, "PATH": f"{BIN}:{os.environ['PATH']}"}

    def pipeline() -> subprocess.CompletedProcess:
        return subprocess.run(["bash", "-c", step], cwd=work, env=environment, text=True, capture_output=True)

    assert pipeline().returncode == 0
    first = json.loads((work / "registered.json").read_text())
    assert first["created"]
    (work / ".gitignore").write_text("registered.json\n")
    (work / "README").write_text("how to use it")
    commit(work, "a README")
    again = pipeline()
    assert again.returncode == 0, again.stderr
    second = json.loads((work / "registered.json").read_text())
    assert second["reused"] and not second["created"] and second["manifest_sha256"] == first["manifest_sha256"]
    assert any("is registered already, from commit" in warning for warning in second["warnings"])
    assert "README" not in backstay("register", work / "version.yaml", "--reuse", "--dry-run").err
    assert "code commit" in backstay("register", work / "version.yaml", code=5).err, "without --reuse it is another"
    (work / "model.bin").write_bytes(b"other weights")
    commit(work, "another model")
    refused = pipeline()
    assert refused.returncode == 5 and "new version number" in refused.stderr


def test_pull_requests_from_forks_do_not_reach_the_runner(backstay):
    backstay("ci", "init", "github")
    job = yaml.safe_load((backstay.folder / PIPELINES["github"]).read_text())["jobs"]["gate"]
    assert job["if"].endswith("github.event.pull_request.head.repo.full_name == github.repository")


def test_an_endpoint_takes_only_what_passed_its_gate_byte_for_byte(backstay, releases, server, backend):
    strict = {**GATE, "rules": [{"metric": "accuracy", "at_least": 0.99}]}
    required = releases.write("required.yaml", GATE)
    served = backend("m")
    config = {"endpoints": [{"name": "e", "model": "m", "backend": {"kind": "url", "url": served.url}, "gates": ["required.yaml"],
                             "rollout": {"watch": "0s"}}]}
    releases.register("1.0.0")
    releases.measure("1.0.0")
    laxer = releases.write("gate.yaml", {**GATE, "rules": [{"metric": "accuracy", "at_least": 0.1}]})
    backstay("gate", "m@1.0.0", "--file", laxer)
    serving = server(config)
    refused = backstay("rollout", "start", "e", "m@1.0.0", code=10).err
    assert "requires the gate required.yaml" in refused and "not this one" in refused
    backstay("gate", "m@1.0.0", "--file", required)
    backstay("rollout", "start", "e", "m@1.0.0")
    serving.wait_for_phase("e", "done")
    # The file that counts is what the server read, not what stands in its place later.
    required.write_text(json.dumps(strict))
    releases.register("1.1.0")
    releases.measure("1.1.0")
    backstay("gate", "m@1.1.0", "--file", required, code=6)
    backstay("gate", "m@1.1.0", "--file", laxer)
    assert "has passed gates, but not this one" in backstay("rollout", "start", "e", "m@1.1.0", code=10).err


def test_a_required_gate_may_be_a_digest_and_must_be_a_gate(backstay, releases, server, backend):
    endpoint = {"name": "e", "model": "m", "backend": {"kind": "url", "url": backend("m").url}}
    bad = backstay.folder / "bad.yaml"
    for gates, said in [(["sha256:12"], "gates of endpoint 'e'"), (["nowhere.yaml"], "nowhere.yaml"), (["text.yaml"], "text.yaml")]:
        (backstay.folder / "text.yaml").write_text("rules: 7")
        bad.write_text(yaml.safe_dump({"data_dir": str(backstay.data_dir), "gateway": {"listen": "127.0.0.1:0"},
                                       "control": {"listen": "127.0.0.1:0"}, "endpoints": [{**endpoint, "gates": gates}]}))
        done = backstay.start("serve", "--config", bad)
        _, err = done.communicate(timeout=60)
        assert done.returncode != 0 and said in err, err
    releases.register("1.0.0")
    releases.measure("1.0.0")
    gate = releases.write("gate.yaml", GATE)
    digest = backstay("gate", "m@1.0.0", "--file", gate, "--json") and backstay("show", "m@1.0.0", "--json").json["verdicts"][0]
    serving = server({"endpoints": [{**endpoint, "gates": ["sha256:" + digest["gate_sha256"]], "rollout": {"watch": "0s"}}]})
    backstay("rollout", "start", "e", "m@1.0.0")
    serving.wait_for_phase("e", "done")


# --- exceptions ---


@pytest.fixture
def failed(backstay, releases, server, backend):
    """m@1.0.0 got a FAIL from the gate that endpoint e requires; e trusts alice's key."""
    for name in ("alice", "mallory"):
        backstay("key", "generate", f"{name}.pem", "--type", "ed25519")
    releases.register("1.0.0")
    releases.measure("1.0.0")
    gate = releases.write("required.yaml", {**GATE, "rules": [{"metric": "accuracy", "at_least": 0.99}]})
    backstay("gate", "m@1.0.0", "--file", gate, code=6)
    serving = server({"endpoints": [{"name": "e", "model": "m", "backend": {"kind": "url", "url": backend("m").url},
                                     "gates": ["required.yaml"], "exception_keys": ["alice.pem.pub"], "rollout": {"watch": "0s"}}]})
    assert "FAIL" in backstay("rollout", "start", "e", "m@1.0.0", code=10).err
    serving.gate = gate
    return serving


def accept(backstay, key: str, expires: str = "7d", code: int = 0):
    return backstay("gate", "accept", "m@1.0.0", "--gate", "production", "--reason", "reviewed", "--expires", expires,
                    "--key", key, code=code)


def test_a_signed_exception_of_a_trusted_person_lets_a_version_through(backstay, failed):
    accept(backstay, "alice.pem")
    warnings = json.loads(backstay("rollout", "start", "e", "m@1.0.0", "--json").out)["warnings"]
    assert any("said FAIL: tester answers for it until" in warning and "reviewed" in warning for warning in warnings)
    failed.wait_for_phase("e", "done")
    (entry,) = [entry for entry in backstay.audit() if entry["action"] == "gate.accept"]
    assert entry["reason"] == "reviewed" and entry["evidence"]["verdict"] == "FAIL" and entry["evidence"]["key_sha256"]
    assert re.search("gate exception signed with key [0-9a-f]{16} by tester until", backstay("show", "m@1.0.0").out)
    (shown,) = backstay("show", "m@1.0.0", "--json").json["gate_exceptions"]
    assert shown["reason"] == "reviewed" and shown["signed_by"] == "tester" and not shown["expired"]
    card = backstay("card", "m@1.0.0").out
    assert re.search(r"Exception from gate production, signed with the key [0-9a-f]{16} by tester on .*: reviewed\. It counts "
                     "for endpoints whose exception_keys have the key", card.replace("\\", ""))


def test_an_exception_that_nobody_trusted_signed_or_that_expired_counts_for_nothing(backstay, failed):
    accept(backstay, "mallory.pem")
    err = backstay("rollout", "start", "e", "m@1.0.0", code=10).err
    assert "FAIL" in err and "is signed with a key that is not trusted here" in err
    accept(backstay, "alice.pem", expires="1ms")
    err = backstay("rollout", "start", "e", "m@1.0.0", code=10).err
    assert "FAIL" in err and re.search(r"The exception of tester \(key [0-9a-f]{16}\) expired at 2", err)
    assert "counts nowhere: it expired at" in backstay("card", "m@1.0.0").out.lower()


def test_an_exception_is_about_one_verdict_only(backstay, releases, failed):
    accept(backstay, "alice.pem")
    releases.measure("1.0.0", {"kind": "quality", "dataset": "held-out", "evaluator": "tests",
                               "metrics": [{"name": "accuracy", "value": 0.5, "samples": 2000}]})
    assert "judged" in backstay("rollout", "start", "e", "m@1.0.0", code=10).err
    backstay("gate", "m@1.0.0", "--file", failed.gate, code=6)
    assert "is about an earlier verdict" in backstay("rollout", "start", "e", "m@1.0.0", code=10).err
    assert "It counts nowhere: it is about an earlier verdict" in backstay("card", "m@1.0.0").out
    assert "counts nowhere: it is about an earlier verdict" in backstay("show", "m@1.0.0").out
    (shown,) = backstay("show", "m@1.0.0", "--json").json["gate_exceptions"]
    assert shown["why_void"] == "is about an earlier verdict" and not shown["expired"]


def test_exceptions_need_a_reason_an_end_and_something_to_except(backstay, releases, failed):
    assert "at most 366 days" in accept(backstay, "alice.pem", expires="400d", code=2).err
    assert "no gate" in backstay("gate", "accept", "m@1.0.0", "--gate", "other", "--reason", "r", "--expires", "1d", "--key",
                                 "alice.pem", code=10).err.lower()
    assert "reason" in backstay("gate", "accept", "m@1.0.0", "--gate", "production", "--reason", " ", "--expires", "1d",
                                "--key", "alice.pem", code=2).err
    releases.gate("1.0.0", {**GATE, "name": "easy"})
    assert "PASS" in backstay("gate", "accept", "m@1.0.0", "--gate", "easy", "--reason", "r", "--expires", "1d", "--key",
                              "alice.pem", code=5).err
