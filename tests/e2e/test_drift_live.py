"""Live requests: profiled by the gateway's sampling, alarms in the audit log, suggestions and what follows from them."""

import gzip
import json
import random
import struct

import pytest

from program import wait_until
from test_suggest import errors, release, scores, season

PATH = "/v2/models/e/infer"


def body(row: list) -> str:
    return json.dumps({"inputs": [
        {"name": "temperature", "shape": [1], "datatype": "FP32", "data": [float(row[0])]},
        {"name": "demand", "shape": [1, 1], "datatype": "FP32", "data": [float(row[1])]},
        {"name": "site", "shape": [1], "datatype": "BYTES", "data": [row[2]]}]})


class Seasons:
    """Endpoint e serves 2.0.0, trained on summer; 1.3.0, trained on winter, waits."""

    def __init__(self, program, releases, server, backend, **drift):
        self.program = program
        release(releases, "1.3.0", "winter", scores(0.94, 0.86))
        release(releases, "2.0.0", "summer", scores(0.87, 0.95))
        urls = {version: backend(version).url for version in ("1.3.0", "2.0.0")}
        self.serve = lambda: server({"endpoints": [{
            "name": "e", "model": "m", "backend": {"kind": "url", "urls": urls},
            "rollout": {"steps": [{"canary": "50%", "for": "1h"}], "watch": "0s", "holdback": "0%"},
            "drift": {"sample": "100%", "window": "1h", **drift}}]})
        self.server = self.serve()
        program("rollout", "start", "e", "m@2.0.0", "--reason", "summer")
        self.server.wait_for_phase("e", "done")

    def ask(self, rows: list[list]) -> None:
        # The ring holds 64 per thread: what is asked is looked into before more is asked.
        for row in rows:
            assert self.server.ask("POST", PATH, body(row)).status == 200

    def entries(self, action: str) -> list[dict]:
        return [entry for entry in self.program.audit() if entry["action"] == action]


@pytest.fixture
def seasons(backstay, releases, server, backend):
    return lambda **drift: Seasons(backstay, releases, server, backend, **drift)


def test_what_the_gateway_kept_is_compared_by_version_and_segment(seasons):
    setup = seasons(segment="site", alpha=0.001)
    setup.ask(season(300, 3, 0.0))
    setup.server.stop()  # Keeps what is open.
    report = setup.program("drift", "e", "--json").json
    assert report["version"] == "m@2.0.0"
    assert report["live"]["rows"] + report["live"]["dropped"] == 300
    assert report["live"]["rows"] >= 64
    assert report["drifted"] is False
    north = setup.program("drift", "e", "--segment", "north", "--min-rows", "1", "--json").json
    assert north["absent"] == ["site"], "all its rows have one value there, which is no drift"
    assert 0 < north["live"]["rows"] < report["live"]["rows"]
    assert "--live" in setup.program("drift", "e", "--segment", "east", code=10).err
    assert setup.program("suggest", "e", "--json").json["suggested"] is None
    kept = b"".join(file.read_bytes() for file in (setup.program.data_dir / "live/e").iterdir())
    assert b"inputs" not in kept, "no request is kept"


def test_the_control_api_answers_what_the_command_line_does(seasons):
    setup = seasons(ignore=["site"])  # Need not be said again.
    assert setup.server.api("GET", "/v1/endpoints/e/drift").status == 412, "nothing was kept yet"
    setup.ask(season(120, 3, 0.0))
    setup.server.stop()
    setup.server = setup.serve()
    told = setup.server.api("GET", "/v1/endpoints/e/drift?since=2d")
    assert told.status == 200
    assert told.json == setup.program("drift", "e", "--json").json
    assert "or left out by the endpoint's configuration: site" in setup.program("drift", "e").out
    without = setup.server.api("GET", "/v1/endpoints/e/drift?ignore=demand&since=2d").json
    assert {c["column"] for c in without["columns"]} == {"temperature"}
    assert told.json["version"] == "m@2.0.0"
    advice = setup.server.api("GET", "/v1/endpoints/e/suggestion")
    assert {c["column"] for c in told.json["columns"]} == {"temperature", "demand"}
    assert advice.status == 200 and advice.json["current"] == "m@2.0.0" and advice.json["suggested"] is None
    for path, status in (("e/drift?since=yesterday", 400), ("e/drift?segment=nowhere", 412), ("q/drift", 404),
                         ("m/suggestion", 404), ("e/drift?days=2", 400)):
        assert setup.server.api("GET", f"/v1/endpoints/{path}").status == status, path


def test_drift_is_an_alarm_in_the_audit_log_and_a_suggestion(seasons):
    setup = seasons(act="suggest")
    source = random.Random(5)
    wait_until(lambda: (setup.ask(season(60, source.randrange(10**6), 1.0)) or setup.entries("drift.alarm")) and
               setup.entries("drift.suggestion"), "an alarm and a suggestion")
    alarm = setup.entries("drift.alarm")[0]
    assert alarm["subject"] == "endpoint e"
    assert "version 2.0.0 drifted" in alarm["reason"]
    assert setup.entries("rollout.start")[-1]["subject"] == "endpoint e"
    assert len(setup.entries("rollout.start")) == 1, "nothing is released by itself"
    setup.ask(season(300, 8, 1.0))
    setup.server.stop()
    done = setup.program("suggest", "e", "--json").json
    assert done["suggested"] == "m@1.3.0"
    report = setup.program("drift", "e", "--json", code=6).json
    assert report["columns"][0]["since"] is not None


def test_under_policy_the_better_version_is_released_through_shadow_and_canary(seasons):
    setup = seasons(act="rollout", window="1s")
    source = random.Random(6)
    wait_until(lambda: setup.ask(season(60, source.randrange(10**6), 1.0)) or len(setup.entries("rollout.start")) > 1,
               "a rollout")
    start = setup.entries("rollout.start")[-1]
    assert start["actor"] == "backstay"
    assert "fits it better" in start["reason"]
    status = setup.server.wait_for("e", lambda s: s["rollout"] is not None, "the rollout")
    assert status["rollout"]["candidate"] == "1.3.0"


def test_of_an_error_metric_the_version_with_less_of_it_is_released(seasons, releases):
    """Two versions fit the rows; one has a third of the error of what serves, the other three times as much."""
    setup = seasons(act="rollout", window="1s", metric="log_loss")
    release(releases, "1.4.0", "winter", errors(0.9, 0.9))
    for version, loss in (("1.3.0", 0.1), ("2.0.0", 0.3)):
        releases.measure(version, errors(loss, loss))
        releases.gate(version)
    source = random.Random(6)
    wait_until(lambda: setup.ask(season(60, source.randrange(10**6), 1.0)) or len(setup.entries("rollout.start")) > 1, "a rollout")
    status = setup.server.wait_for("e", lambda s: s["rollout"] is not None, "the rollout")
    assert status["rollout"]["candidate"] == "1.3.0"
    said = setup.entries("drift.suggestion")[-1]
    assert "Switch to m@1.3.0" in said["reason"] and said["evidence"]["lower_is_better"] is True


def as_binary(row: list) -> tuple[bytes, dict]:
    """The binary extension of the protocol: JSON, then the tensors' bytes."""
    site = row[2].encode()
    raw = struct.pack("<ffI", float(row[0]), float(row[1]), len(site)) + site
    tensors = [(name, datatype, size) for (name, datatype), size in
               zip((("temperature", "FP32"), ("demand", "FP32"), ("site", "BYTES")), (4, 4, 4 + len(site)))]
    head = json.dumps({"inputs": [{"name": name, "shape": [1], "datatype": datatype, "parameters": {"binary_data_size": size}}
                                  for name, datatype, size in tensors]}).encode()
    return head + raw, {"Inference-Header-Content-Length": str(len(head))}


FORMS = {"json": lambda row: (body(row), {}), "binary": as_binary,
         "gzip": lambda row: (gzip.compress(body(row).encode()), {"Content-Encoding": "gzip"}),
         "binary in gzip": lambda row: (lambda b, h: (gzip.compress(b), {**h, "Content-Encoding": "gzip"}))(*as_binary(row))}


def test_rows_are_read_of_json_of_binary_tensors_and_of_both_in_gzip(seasons):
    setup = seasons()
    for number, made in enumerate(FORMS.values(), 1):
        for row in season(60, number, 0.0):
            sent, headers = made(row)
            assert setup.server.ask("POST", PATH, sent, headers).status == 200
        # The ring holds 64 per thread: what was asked is looked into before more is asked.
        setup.server.wait_for("e", lambda s: s["live"] == {"sampled": 60 * number, "unreadable": 0}, "samples that were read")
    setup.server.stop()
    found = setup.program("drift", "e", "--json").json
    assert found["live"]["unreadable"] == 0 and found["live"]["rows"] == 240
    assert found["drifted"] is False and found["absent"] == []


def test_bodies_that_can_not_be_read_are_counted_with_the_reason(seasons):
    setup = seasons()
    for row in season(30, 3, 0.0):
        setup.server.ask("POST", PATH, b"\x00\xff{", {})
        setup.server.ask("POST", PATH, body(row), {"Content-Encoding": "br"})
    setup.server.wait_for("e", lambda s: s["live"] == {"sampled": 60, "unreadable": 60}, "samples that could not be read")
    assert "60 could not be read" in setup.program("status").out
    setup.server.stop()
    err = setup.program("drift", "e", code=10).err
    assert "60 of 60 sampled requests could not be read: 30 no JSON, 30 packed, but not by gzip into at most 1 MiB" in err
