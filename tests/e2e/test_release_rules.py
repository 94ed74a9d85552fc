"""What a rollout requires before it goes on, what a rollback takes with it, and what stands before the next try."""

import resource
import socket

import pytest

from backend import answers
from program import Server, wait_until
from released import LONG, Released


def entries(setup: Released, action: str) -> list[dict]:
    return [e for e in setup.backstay.audit() if e["action"] == action]


def test_a_step_is_left_when_what_it_requires_is_shown(released):
    setup = released(rollout={"steps": [{"canary": "50%", "for": "0s", "require": [{"meets": "errors", "at_most": 0.2}]}],
                              "watch": "1h", "holdback": "20%"})
    setup.start()
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the canary")
    waits = setup.server.status("e")["waiting_for"]
    assert waits == "The objective of errors: E 1.0 of 20.", waits
    assert "The objective of errors" in setup.backstay("status").out
    with setup.traffic():
        setup.server.wait_for_phase("e", "watching")
    (shown,) = entries(setup, "rollout.require")
    assert shown["reason"].startswith("2.0.0 has shown the objective of errors: E ")
    assert shown["evidence"]["shown"][0]["log_e"] >= shown["evidence"]["shown"][0]["log_limit"]


def test_what_is_not_shown_in_time_is_taken_back(released):
    setup = released(rollout={"steps": [{"canary": "50%", "for": "0s", "require": [{"superior": "errors"}], "within": "1s"}]})
    setup.start()
    with setup.traffic() as traffic:
        status = setup.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == []
    assert status["rollout"]["cause"]["trigger"] == "requirement"
    assert "has not shown within 1s: superiority of errors: E 1.0 of 20" in status["rollout"]["cause"]["reason"]
    setup.start()  # It did nothing wrong: it may be tried again.


@pytest.mark.parametrize("require, says", [
    ("[{non_inferior: accuracy}]", "no guardrail has that name"), ("[errors]", "no tolerance"),
    ("[{superior: errors, meets: errors}]", "exactly one"), ("[{meets: errors}]", "no objective of its own")])
def test_a_plan_that_requires_what_cannot_be_shown_is_refused(released, require, says):
    setup = released()
    plan = setup.plan(f"steps: [{{canary: 5%, for: 1h, require: {require}}}]\n")
    refused = setup.backstay("rollout", "start", "e", "m@2.0.0", "--plan", plan, code=2).err
    assert says in refused
    assert setup.server.status("e")["rollout"]["phase"] == "done"


def test_what_was_taken_back_again_and_again_waits_or_is_forced_with_a_reason(released):
    setup = released(rollout=LONG)
    for number in range(3):
        setup.start()
        setup.backstay("rollback", "e", "--reason", f"complaints {number}")
    refused = setup.backstay("rollout", "start", "e", "m@2.0.0", "--reason", "again", code=10).err
    assert "2.0.0 was taken back 3 times within 24 hours" in refused and "--force" in refused
    assert "says why" in setup.backstay("rollout", "start", "e", "m@2.0.0", "--force", code=2).err
    setup.backstay("rollout", "start", "e", "m@2.0.0", "--force", "--reason", "it was the network")
    started = entries(setup, "rollout.start")[-1]
    assert started["reason"].startswith("it was the network (forced: 2.0.0 was taken back 3 times")
    assert started["evidence"]["forced"] is True


def test_a_rollback_over_rest_needs_a_reason(released):
    setup = released(rollout=LONG)
    setup.start()
    for body in ({}, {"reason": ""}, {"actor": "a"}):
        assert setup.server.api("POST", "/v1/endpoints/e/rollback", body).status == 400, body
    assert setup.server.status("e")["rollout"]["phase"] != "rolled_back"
    assert setup.server.api("POST", "/v1/endpoints/e/rollback", {"reason": "why not"}).status == 200


def test_a_return_says_which_version_was_chosen_and_why(released, releases):
    setup = released(rollout=LONG)
    releases.release("3.0.0")
    setup.config["endpoints"][0]["backend"]["urls"]["3.0.0"] = setup.candidate.url
    setup.server.stop()
    server = setup.server = Server(setup.backstay, setup.config)
    try:
        for version in ("2.0.0", "3.0.0"):
            setup.backstay("rollout", "start", "e", f"m@{version}", "--blue-green", "--reason", "next")
            server.wait_for_phase("e", "watching")
            setup.backstay("rollout", "promote", "e")
            server.wait_for("e", lambda s: s["stable"] == version, f"{version} serves")
        releases.measure("2.0.0", {"kind": "quality", "dataset": "held-out", "evaluator": "tests",
                                   "metrics": [{"name": "accuracy", "value": 0.5, "samples": 2000}]})
        releases.gate("2.0.0", code=6)
        setup.backstay("rollback", "e", "--reason", "complaints")
        assert server.status("e")["stable"] == "1.0.0"
        evidence = entries(setup, "rollout.revert")[-1]["evidence"]
        assert evidence["chosen"] == "1.0.0" and evidence["looked_at"][0]["version"] == "2.0.0"
        assert "passed over 2.0.0: Gate 'production' says FAIL" in evidence["why"]
    finally:
        server.stop()


@pytest.fixture
def three_versions(released, releases, backend):
    """1.0.0 is the standby of 2.0.0, and 3.0.0 serves half of the requests as a candidate; each has a backend of its own."""
    setup = released(rollout=LONG)
    third = backend("third")
    releases.release("3.0.0")
    setup.config["endpoints"][0]["backend"]["urls"]["3.0.0"] = third.url
    setup.server.stop()
    setup.server = Server(setup.backstay, setup.config)
    try:
        setup.start("--blue-green")
        setup.server.wait_for_phase("e", "watching")
        setup.backstay("rollout", "promote", "e")
        setup.server.wait_for("e", lambda s: s["stable"] == "2.0.0", "2.0.0 serves")
        setup.backstay("rollout", "start", "e", "m@3.0.0", "--reason", "next")
        setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the canary")
        yield setup
    finally:
        setup.server.stop()


def states(setup: Released) -> dict:
    return {b["version"]: b["state"] for b in setup.server.status("e")["backends"]}


def test_a_ready_version_takes_the_place_of_a_stable_one_that_is_down(three_versions):
    setup = three_versions
    setup.candidate.healthy = False  # The backend of 2.0.0, which is stable.
    wait_until(lambda: states(setup)["2.0.0"] == "unhealthy", "stable is down")
    setup.backstay("rollback", "e", "--reason", "complaints")
    setup.server.wait_for("e", lambda s: s["stable"] == "1.0.0", "the standby")
    assert setup.shares() == {"1.0.0": 1.0}
    (entry,) = entries(setup, "rollout.revert")
    assert entry["actor"] == "backstay" and "led to 2.0.0, which is not ready: 1.0.0 takes its place" in entry["reason"]
    assert entry["evidence"]["chosen"] == "1.0.0"
    setup.backstay("rollback", "e", "--reason", "complaints")  # Said twice it means the same.
    assert setup.server.status("e")["stable"] == "1.0.0"


def test_when_nothing_is_ready_the_log_says_so_and_what_gets_ready_first_serves(three_versions):
    setup = three_versions
    setup.candidate.healthy = setup.stable.healthy = False
    wait_until(lambda: (states(setup)["2.0.0"], states(setup)["1.0.0"]) == ("unhealthy", "unhealthy"), "both are down")
    setup.backstay("rollback", "e", "--reason", "complaints")
    (entry,) = wait_until(lambda: entries(setup, "rollout.no_target"), "the entry")
    assert "no version that served before it is" in entry["reason"]
    setup.stable.healthy = True
    setup.server.wait_for("e", lambda s: s["stable"] == "1.0.0", "the standby")


@pytest.fixture
def two_models(backstay, releases, server, backend):
    """Endpoint `tags` serves ner 1.1.0, with 1.0.0 as its standby; `triage` goes from 1.0.0 to 2.0.0, which needs ner >=1.1."""
    one = backend("any")
    one.reply = answers()
    for model, version, needs in (("ner", "1.0.0", []), ("ner", "1.1.0", []), ("triage", "1.0.0", []),
                                  ("triage", "2.0.0", [{"name": "ner", "kind": "model", "direction": "upstream",
                                                        "version": ">=1.1"}])):
        releases.release(version, model=model, dependencies=needs)
    run = server({"endpoints": [
        {"name": name, "model": model, "backend": {"kind": "url", "url": one.url}, "rollout": {**LONG, "watch": "0s"}}
        for name, model in (("tags", "ner"), ("triage", "triage"))]})

    def deploy(endpoint: str, ref: str, stable: str) -> None:
        backstay("rollout", "start", endpoint, ref, "--blue-green", "--reason", "next")
        run.wait_for_phase(endpoint, "watching", "done")
        if run.status(endpoint)["rollout"]["phase"] != "done":
            backstay("rollout", "promote", endpoint)
        run.wait_for(endpoint, lambda s: s["stable"] == stable, f"{stable} serves")

    deploy("tags", "ner@1.0.0", "1.0.0")
    deploy("triage", "triage@1.0.0", "1.0.0")
    assert "needs the model 'ner' >=1.1" in backstay("rollout", "start", "triage", "triage@2.0.0", code=10).err
    deploy("tags", "ner@1.1.0", "1.1.0")
    return run, deploy


def test_a_rollback_takes_back_the_candidate_that_needs_the_version(two_models, backstay):
    run, _ = two_models
    backstay("rollout", "start", "triage", "triage@2.0.0", "--reason", "with the new tags")
    run.wait_for("triage", lambda s: len(s["split"]["arms"]) == 2, "the canary")
    backstay("rollback", "tags", "--reason", "wrong tags")
    status = run.wait_for_phase("triage", "rolled_back")
    assert status["rollout"]["cause"]["trigger"] == "dependency"
    assert "took 1.1.0 back" in status["rollout"]["cause"]["reason"]
    assert run.status("triage")["stable"] == "1.0.0"


def test_a_rollback_takes_back_what_serves_and_needs_the_version(two_models, backstay):
    run, deploy = two_models
    deploy("triage", "triage@2.0.0", "2.0.0")
    backstay("rollback", "tags", "--reason", "wrong tags")
    run.wait_for("triage", lambda s: s["stable"] == "1.0.0", "triage to follow")
    (revert,) = wait_until(lambda: [e for e in backstay.audit() if e["action"] == "rollout.revert"
                                    and e["subject"] == "endpoint triage"], "the return to be recorded")
    assert revert["actor"] == "backstay" and "needs the model 'ner' >=1.1" in revert["reason"]
    assert revert["evidence"]["chosen"] == "1.0.0"


def test_a_release_past_what_others_need_is_warned_of(two_models, backstay, releases):
    server, deploy = two_models
    releases.release("3.0.0", model="triage", dependencies=[
        {"name": "ner", "kind": "model", "direction": "upstream", "version": "<2"}])
    releases.release("2.0.0", model="ner")
    deploy("triage", "triage@3.0.0", "3.0.0")
    said = backstay("rollout", "start", "tags", "ner@2.0.0", "--reason", "next").err
    assert "Once ner@2.0.0 is stable, triage@3.0.0 on 'triage' needs the model 'ner' <2" in said, said


def test_what_can_go_nowhere_goes_on_and_the_log_says_so(two_models, backstay):
    run, deploy = two_models
    deploy("triage", "triage@2.0.0", "2.0.0")
    backstay("impact", "triage@1.0.0", "--quarantine", "--reason", "bad data")
    backstay("rollback", "tags", "--reason", "wrong tags")
    (flag,) = wait_until(lambda: [e for e in backstay.audit() if e["action"] == "dependency.broken"], "the entry")
    assert flag["subject"] == "endpoint triage" and "goes on serving" in flag["reason"]
    assert run.status("triage")["stable"] == "2.0.0"


def test_a_control_api_that_others_can_reach_is_warned_of(backstay, server):
    open_to_all = server({"control": {"listen": "0.0.0.0:0"}, "endpoints": [
        {"name": "e", "model": "m", "backend": {"kind": "url", "url": "http://127.0.0.1:9"}}]})
    open_to_all.stop()
    assert "WARNING: the control API listens on 0.0.0.0" in "".join(open_to_all.errors)


def test_clients_that_take_every_descriptor_keep_nobody_from_taking_a_release_back(released):
    setup = released(rollout=LONG)
    setup.server.stop()
    few = lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))  # noqa: E731
    setup.server = Server(setup.backstay, setup.config, preexec_fn=few)
    clients = []
    try:
        setup.start()
        setup.server.wait_for_phase("e", "stepping")
        host, port = setup.server.addresses["gateway"].split(":")
        for _ in range(500):
            client = socket.create_connection((host, int(port)), timeout=5)
            client.sendall(b"POST / HTTP/1.1\r\n")
            clients.append(client)
        setup.backstay("rollback", "e", "--reason", "complaints")
        assert entries(setup, "rollout.rollback")[-1]["reason"] == "complaints"
    finally:
        for client in clients:
            client.close()
        setup.server.stop()
