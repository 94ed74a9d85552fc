"""Lineage both ways: from a prediction to its training slices, from a bad slice to everything that it reached."""

import hashlib
import json

import pytest

from released import INFER, LONG, QUICK, Released

DIGEST = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("site-a", "site-d")}


def data(*slices: str) -> list[dict]:
    return [{"name": "wards", "role": "training",
             "slices": [{"name": name, "sha256": DIGEST[name], "rows": 7} for name in slices]}]


def test_a_prediction_is_traced_to_the_slices_code_and_config_behind_it(released):
    setup: Released = released(rollout=LONG)
    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    seen = set()
    while len(seen) < 2:
        answer = setup.server.ask("POST", INFER, b"{}")
        seen.add(answer.version)
        trace = setup.backstay("trace", answer.headers["Backstay-Prediction-Id"], "--json").json
        assert trace["version"]["version"] == answer.version
        assert trace["prediction"]["endpoint"] == "e"
        assert trace["prediction"]["traffic"]["share"] == 0.5
        manifest = trace["version"]["manifest"]
        assert manifest["data"][0]["slices"][0]["sha256"] == DIGEST["site-a"]
        assert manifest["code"]["commit"] == "0a1b2c3"
        assert manifest["config"] == {"seed": "7"}
    shown = setup.backstay("trace", answer.headers["Backstay-Prediction-Id"]).out
    assert f"answered by m@{answer.version} on endpoint e" in shown
    assert "wards/site-a" in shown


def test_a_prediction_is_traced_after_the_server_has_gone_and_come_back(released):
    setup: Released = released()
    before = setup.server.ask("POST", INFER, b"{}").headers["Backstay-Prediction-Id"]
    setup.server.stop()
    assert setup.backstay("trace", before, "--json").json["version"]["version"] == "1.0.0"


def test_an_id_that_nobody_gave_is_told_apart(released):
    setup: Released = released()
    assert "no prediction id" in setup.backstay("trace", "xyz", code=2).err
    setup.backstay("trace", "ffffffff" + "0" * 24, code=3)
    # A serving's number with a time in which it served nobody.
    real = setup.server.ask("POST", INFER, b"{}").headers["Backstay-Prediction-Id"]
    made_up = real[:24] + "00000001"
    assert setup.backstay("trace", made_up, "--json").json["prediction"]["traffic"] is None
    assert "unconfirmed" in setup.backstay("trace", made_up).out


def test_impact_reaches_versions_descendants_endpoints_and_windows(released, releases):
    setup: Released = released(rollout=LONG)
    releases.register("3.0.0", data=data("site-a", "site-d"))
    releases.register("1.0.0", model="distilled", parents=["m@3.0.0"], data=data("site-a"))
    releases.register("1.0.0", model="ensemble", parents=["distilled@1.0.0"], data=data("site-a"))
    found = setup.backstay("impact", "site-d", "--json").json
    assert found["subject"] == {"kind": "slice", "name": "wards/site-d"}
    assert [(v["version"], v["through"]) for v in found["versions"]] == [
        ("m@3.0.0", None), ("distilled@1.0.0", "m@3.0.0"), ("ensemble@1.0.0", "distilled@1.0.0")]
    assert found["proposals"] == []

    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    found = setup.backstay("impact", "m@2.0.0", "--json").json
    window = found["versions"][0]["traffic"][0]
    assert (window["endpoint"], window["share"], window["role"], window["until"]) == ("e", 0.5, "candidate", None)
    assert found["proposals"][0]["command"].startswith("backstay rollback e ")
    assert found["proposals"][0]["target"] == "m@1.0.0"
    setup.backstay("rollback", "e", "--reason", "made from a bad slice")
    window = setup.backstay("impact", "m@2.0.0", "--json").json["versions"][0]["traffic"][0]
    assert window["until"] > window["from"]


def test_a_quarantine_blocks_all_that_was_made_from_it_until_it_is_lifted(released, releases):
    setup: Released = released()
    setup.start()
    with setup.traffic():
        setup.server.wait_for_phase("e", "done")
    found = setup.backstay("impact", "m@2.0.0", "--quarantine", "--reason", "labels are flipped", "--json").json
    assert found["proposals"][0]["target"] == "m@1.0.0"
    assert "--to 1.0.0" in found["proposals"][0]["command"]
    setup.backstay("rollback", "e", "--to", "1.0.0", "--reason", "as proposed")
    setup.server.wait_for("e", lambda s: s["stable"] == "1.0.0", "1.0.0 serves")

    refused = setup.backstay("rollout", "start", "e", "m@2.0.0", "--reason", "again", code=10).err
    assert "labels are flipped" in refused
    # What is made from it later is blocked as well.
    releases.release("2.1.0", parents=["m@2.0.0"])
    assert "version m@2.0.0 is in quarantine" in setup.backstay("rollout", "start", "e", "m@2.1.0", code=10).err
    setup.backstay("impact", "m@2.0.0", "--quarantine", "--reason", "twice", code=5)
    assert len(setup.backstay("quarantine", "list", "--json").json) == 1
    setup.backstay("quarantine", "lift", "m@2.0.0", "--reason", "they were right")
    setup.backstay("rollout", "start", "e", "m@2.1.0", "--reason", "now")
    assert [e["action"] for e in setup.backstay.audit() if "quarantine" in e["action"]] == [
        "quarantine.add", "quarantine.lift"]


def test_one_cannot_return_to_a_version_in_quarantine(released):
    setup: Released = released()
    setup.start()
    with setup.traffic():
        setup.server.wait_for_phase("e", "done")
    setup.backstay("impact", "m@1.0.0", "--quarantine", "--reason", "leaks names")
    assert "leaks names" in setup.backstay("rollback", "e", "--to", "1.0.0", "--reason", "x", code=10).err
    assert setup.server.status("e")["stable"] == "2.0.0"


def test_a_candidate_that_serves_is_kept_when_what_it_replaces_is_affected(released, releases):
    setup: Released = released(rollout={**QUICK, "watch": "1h"})
    setup.backstay("rollout", "start", "e", "m@2.0.0", "--blue-green")
    setup.server.wait_for_phase("e", "watching")
    (proposal,) = setup.backstay("impact", "m@1.0.0", "--quarantine", "--reason", "leaks names", "--json").json["proposals"]
    assert proposal["target"] == "m@2.0.0" and proposal["command"].startswith("backstay rollout promote e ")
    left = setup.backstay("rollback", "e", "--reason", "all the same")  # Never refused.
    assert "warning: " in left.err and "leaks names" in left.err
    setup.server.wait_for_phase("e", "rolled_back")


@pytest.mark.parametrize("what, code", [("site-x", 3), ("m@9.0.0", 3), ("m@champion", 3), ("abc", 3), ("@", 2)])
def test_impact_of_nothing_says_so(backstay, releases, what, code):
    releases.register("1.0.0")
    backstay("impact", what, code=code)


def test_a_name_with_several_meanings_is_asked_about(backstay, releases):
    slices = [{"name": "wards", "sha256": DIGEST["site-a"]}]
    releases.register("1.0.0", data=[{"name": "wards", "role": "training", "slices": slices}])
    assert "--kind" in backstay("impact", "wards", code=2).err
    assert backstay("impact", "wards", "--kind", "data_set", "--json").json["subject"]["kind"] == "data_set"


def test_pictures_and_openlineage_events_tell_the_same(backstay, releases, tmp_path):
    releases.register("1.0.0", data=data("site-a", "site-d"))
    releases.register("2.0.0", model="m", parents=["m@1.0.0"])
    assert 'wards/site-d<br/>' in backstay("trace", "m@2.0.0", "--format", "mermaid").out
    backstay("trace", "m@2.0.0", "--format", "svg", "--out", tmp_path / "lineage.svg")
    assert "<svg" in (tmp_path / "lineage.svg").read_text()
    events = [json.loads(line) for line in backstay("trace", "m@2.0.0", "--format", "openlineage").out.splitlines()]
    assert [e["eventType"] for e in events] == ["START", "COMPLETE"] * 2
    assert events[0]["run"] == events[1]["run"] != events[2]["run"]
    assert {i["name"] for i in events[0]["inputs"]} == {"wards/site-a", "wards/site-d"}
    assert {i["name"] for i in events[2]["inputs"]} == {"wards/site-a", "m"}
    assert events[3]["outputs"][0]["facets"]["version"]["datasetVersion"] == "2.0.0"
    assert events[3]["job"]["facets"]["sourceCodeLocation"]["version"] == "0a1b2c3"
    # A location without an address is none.
    releases.register("3.0.0", code={"commit": "0a1b2c3"})
    for line in backstay("trace", "m@3.0.0", "--format", "openlineage").out.splitlines():
        assert "sourceCodeLocation" not in json.loads(line)["job"]["facets"]
