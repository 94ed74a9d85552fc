"""What versions depend on: a mismatch is refused, and a change is checked before it is made."""

import hashlib
import json
import sys

import pytest

from released import LONG, Released

NEEDS = [{"name": "patients", "kind": "database", "direction": "upstream", "version": ">=12 <15"}]


def needs(version: str) -> dict:
    return {"dependencies": [{**NEEDS[0], "version": version}]}


def test_a_rollout_to_a_version_that_does_not_fit_is_refused_with_the_reason(released, releases):
    setup: Released = released()
    releases.release("3.0.0", **needs(">=12 <15"))
    setup.backstay("infra", "set", "patients", "--kind", "database", "--version", "15.1")
    refused = setup.backstay("rollout", "start", "e", "m@3.0.0", code=10).err
    assert "needs database 'patients' >=12 <15; 15.1 is live" in refused
    setup.backstay("infra", "set", "patients", "--kind", "database", "--version", "14.2", "--reason", "gone back")
    setup.backstay("rollout", "start", "e", "m@3.0.0")


def test_a_change_is_checked_before_it_is_made_and_a_return_after(released, releases):
    """The ghost error: 1.1.0 is live and fits, its standby doesn't any more."""
    setup: Released = released(rollout=LONG)
    backstay = setup.backstay
    releases.release("3.0.0", **needs(">=14"))
    releases.release("4.0.0", **needs(">=14 <16"))
    setup.config["endpoints"][0]["backend"]["urls"].update({"3.0.0": setup.stable.url, "4.0.0": setup.candidate.url})
    backstay("infra", "set", "patients", "--kind", "database", "--version", "14.2")
    setup.server.stop()
    server = setup.server = setup.server.__class__(backstay, setup.config)
    try:
        for version in ("4.0.0", "3.0.0"):
            backstay("rollout", "start", "e", f"m@{version}", "--blue-green")
            server.wait_for_phase("e", "watching")
            backstay("rollout", "promote", "e")
            server.wait_for("e", lambda s: s["stable"] == version, f"{version} serves")
        assert backstay("infra", "check").out.count("fits") == 2
        check = backstay("infra", "check", "patients", "--kind", "database", "--version", "16", "--json", code=10).json
        assert {(d["role"], d["version"], d["holds"]) for d in check["deployed"]} == {
            ("stable", "m@3.0.0", True), ("standby", "m@4.0.0", False)}
        assert backstay("infra", "list", "--json").json[0]["version"] == "14.2"
        told = backstay("infra", "set", "patients", "--kind", "database", "--version", "16").out
        assert "breaks  m@4.0.0 (standby on e)" in told
        refused = backstay("rollback", "e", "--to", "4.0.0", "--reason", "x", code=10).err
        assert "16 is live" in refused
        assert server.status("e")["stable"] == "3.0.0"
    finally:
        server.stop()


def test_what_was_removed_breaks_what_was_never_declared_is_named(released, releases):
    setup: Released = released()
    releases.release("3.0.0", dependencies=[*NEEDS, {"name": "visits", "kind": "queue", "direction": "downstream"}])
    setup.backstay("infra", "set", "patients", "--kind", "database", "--version", "14")
    setup.backstay("infra", "remove", "patients", "--reason", "moved")
    assert "was removed" in setup.backstay("rollout", "start", "e", "m@3.0.0", code=10).err
    setup.backstay("infra", "remove", "nothing", code=3)


def test_a_schema_is_compared_by_its_digest(released, releases, tmp_path):
    setup: Released = released()
    schema = tmp_path / "schema.sql"
    schema.write_text("create table patients(id int);\n")
    digest = hashlib.sha256(schema.read_bytes()).hexdigest()
    releases.release("3.0.0", dependencies=[
        {"name": "patients", "kind": "database", "direction": "upstream", "schema_sha256": digest}])
    setup.backstay("infra", "set", "patients", "--kind", "database", "--schema", schema)
    assert setup.backstay("infra", "list", "--json").json[0]["schema_sha256"] == digest
    setup.backstay("infra", "set", "patients", "--kind", "database", "--schema-sha256", "0" * 64)
    assert "schema" in setup.backstay("rollout", "start", "e", "m@3.0.0", code=10).err


def test_a_probe_declares_what_it_finds(backstay, tmp_path):
    def probe(code: str, exit_code: int = 0):
        return backstay("infra", "probe", "patients", "--kind", "database", "--", sys.executable, "-c", code, code=exit_code)

    probe("print('14.2')")
    assert backstay("infra", "list", "--json").json[0]["version"] == "14.2"
    schema = "ab" * 32
    probe(f"import json; print(json.dumps({{'version': '15', 'schema_sha256': '{schema}'}}))")
    assert backstay("infra", "list", "--json").json[0]["schema_sha256"] == schema
    probe("raise SystemExit(1)", 11)
    probe("pass", 2)
    assert "can't be started" in backstay("infra", "probe", "p", "--kind", "database", "--", "/no/such", code=3).err
    assert backstay("infra", "list", "--json").json[0]["version"] == "15"


def test_many_are_declared_from_a_file_or_none(backstay, tmp_path):
    file = tmp_path / "live.yaml"
    file.write_text(json.dumps({"infrastructure": [{"name": "a", "kind": "queue", "version": "1"},
                                                   {"name": "b", "kind": "api", "version": "2"}]}))
    backstay("infra", "set", "--file", file)
    file.write_text(json.dumps({"infrastructure": [{"name": "a", "kind": "queue", "version": "9"},
                                                   {"name": "B b", "kind": "api", "version": "2"}]}))
    backstay("infra", "set", "--file", file, code=2)
    assert [i["version"] for i in backstay("infra", "list", "--json").json] == ["1", "2"]
    backstay("infra", "set", code=2)


@pytest.mark.parametrize("version", ["=>12", ">=", "1.*.2"])
def test_a_range_that_cannot_be_read_is_refused_at_register(backstay, releases, version):
    assert "version range" in backstay("register", releases.describe("1.0.0", **needs(version)), code=2).err
