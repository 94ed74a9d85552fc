"""Rollouts over real traffic: steps, orders, standby, shadow, sticky users. Clients see answers only."""

import os
import resource

import pytest

from backend import Reply, answers
from program import Server, wait_until
from released import INFER, LONG, QUICK

def test_a_version_without_a_verdict_or_an_incomplete_one_is_not_rolled_out(backstay, releases, released):
    setup = released()
    releases.register("3.0.0")
    assert "has passed no gate" in backstay("rollout", "start", "e", "m@3.0.0", code=10).err
    releases.measure("3.0.0", {"kind": "quality", "metrics": [{"name": "accuracy", "value": 0.5, "samples": 2000}]})
    releases.gate("3.0.0", code=6)
    assert "Gate 'production' says FAIL" in backstay("rollout", "start", "e", "m@3.0.0", code=10).err
    releases.register("4.0.0", changelog=None, config=None)
    assert "lacks config, changelog" in backstay("rollout", "start", "e", "m@4.0.0", code=10).err
    assert "m@9.9.9" in backstay("rollout", "start", "e", "m@9.9.9", code=3).err
    assert "'nowhere'" in backstay("rollout", "start", "nowhere", "m@2.0.0", code=3).err
    assert len(setup.server.api("GET", "/v1/endpoints/e/rollouts").json["rollouts"]) == 1


def test_a_verdict_that_is_older_than_a_scorecard_does_not_count(released, releases):
    setup = released()
    releases.measure("2.0.0", {"kind": "quality", "metrics": [{"name": "accuracy", "value": 0.5, "samples": 2000}]})
    refused = setup.backstay("rollout", "start", "e", "m@2.0.0", code=10)
    assert "Gate 'production' judged m@2.0.0 before its newest scorecard" in refused.err
    assert "backstay gate m@2.0.0" in refused.err
    releases.gate("2.0.0", code=6)
    assert "says FAIL" in setup.backstay("rollout", "start", "e", "m@2.0.0", code=10).err
    releases.measure("2.0.0")
    releases.gate("2.0.0")
    setup.start()


def test_a_good_version_takes_over_step_by_step_and_nobody_notices(released):
    setup = released()
    with setup.traffic() as traffic:
        setup.start()
        done = setup.server.wait_for_phase("e", "done")
        wait_until(lambda: traffic.versions["2.0.0"] > 50, "the new version to serve")
    assert traffic.failures == [] and traffic.versions["1.0.0"] > 0
    assert done["stable"] == "2.0.0" and done["standby"] == "1.0.0"
    assert setup.shares() == {"2.0.0": 1.0}
    assert setup.stages() == {"1.0.0": "Archived", "2.0.0": "Production"}
    actions = [e["action"] for e in setup.backstay.audit() if e["subject"] == "endpoint e"]
    assert actions[-4:] == ["rollout.start", "rollout.advance", "rollout.advance", "rollout.done"]
    setup.backstay("audit", "--verify")


def test_after_it_is_done_rollback_returns_to_the_standby_at_once(released):
    setup = released(rollout=LONG)
    with setup.traffic() as traffic:
        setup.start("--blue-green")
        setup.server.wait_for_phase("e", "watching")
        setup.backstay("rollout", "promote", "e", "--reason", "sure")
        setup.server.wait_for_phase("e", "done")
        setup.backstay("rollback", "e", "--reason", "complaints")
        assert setup.shares() == {"1.0.0": 1.0}
        before = traffic.versions["1.0.0"]
        wait_until(lambda: traffic.versions["1.0.0"] > before + 50, "the old version to serve")
    assert traffic.failures == []
    status = setup.server.status("e")
    assert status["stable"] == "1.0.0" and status["rollout"]["revert"] is True
    assert setup.stages()["1.0.0"] == "Production"
    reverted = [e for e in setup.backstay.audit() if e["action"] == "rollout.revert"]
    assert [(e["reason"], e["actor"]) for e in reverted] == [("complaints", "tester")]


def test_after_a_rollback_the_same_order_stays_and_says_how_to_go_further_back(released):
    setup = released(rollout=LONG)
    setup.start("--blue-green")
    setup.server.wait_for_phase("e", "watching")
    setup.backstay("rollout", "promote", "e", "--reason", "sure")
    setup.server.wait_for_phase("e", "done")
    setup.backstay("restore", "m@1.0.0", "--reason", "to compare it again")
    setup.backstay("rollout", "start", "e", "m@1.0.0", "--reason", "compare again")
    setup.backstay("rollback", "e", "--reason", "enough")
    again = setup.backstay("rollback", "e", "--reason", "a second person, a second later")
    assert "rollback e --to 1.0.0" in again.out and setup.server.status("e")["stable"] == "2.0.0"
    assert "no version m@9.0.0" in setup.backstay("rollback", "e", "--to", "m@9.0.0", "--reason", "x", code=3).err
    setup.backstay("rollback", "e", "--to", "m@1.0.0", "--reason", "both were wrong")
    assert setup.server.status("e")["stable"] == "1.0.0" and setup.shares() == {"1.0.0": 1.0}


def test_a_manual_rollback_takes_the_candidate_out_and_may_be_repeated(released):
    setup = released(rollout=LONG)
    with setup.traffic() as traffic:
        setup.start()
        wait_until(lambda: traffic.versions["2.0.0"] > 20, "the candidate to get its share")
        setup.backstay("rollback", "e", "--reason", "ward 3 complains")
        assert setup.shares() == {"1.0.0": 1.0}
        setup.backstay("rollback", "e", "--reason", "again")
        served, sent = setup.candidate.asked[INFER], traffic.sent
        wait_until(lambda: traffic.sent > sent + 100, "more requests")
        assert setup.candidate.asked[INFER] <= served + 4  # Those that were under way.
    assert traffic.failures == []
    rollout = setup.server.status("e")["rollout"]
    assert rollout["phase"] == "rolled_back" and rollout["cause"]["trigger"] == "manual"
    assert (rollout["cause"]["reason"], rollout["cause"]["actor"]) == ("ward 3 complains", "tester")
    assert sum(e["action"] == "rollout.rollback" for e in setup.backstay.audit()) == 1
    setup.backstay("rollout", "start", "e", "m@2.0.0", "--reason", "the ward was wrong")  # Nobody forbids it.


def test_a_rollback_is_in_force_on_a_full_disk_and_stored_when_there_is_space(released):
    setup = released(rollout=LONG)
    server = setup.server
    with setup.traffic() as traffic:
        setup.start()
        wait_until(lambda: traffic.versions["2.0.0"] > 20, "the candidate to get its share")
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        order = setup.backstay.start("rollback", "e", "--reason", "ward 3 complains")
        server.wait_for("e", lambda s: s["trouble"], "the store's trouble")
        assert setup.shares() == {"1.0.0": 1.0} and order.poll() is None
        served, sent = setup.candidate.asked[INFER], traffic.sent
        wait_until(lambda: traffic.sent > sent + 100, "more requests")
        assert setup.candidate.asked[INFER] <= served + 4
        assert not [e for e in setup.backstay.audit() if e["action"] == "rollout.rollback"]
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        output, errors = order.communicate()
    assert order.returncode == 0, output + errors
    assert traffic.failures == []
    assert [e["reason"] for e in setup.backstay.audit() if e["action"] == "rollout.rollback"] == ["ward 3 complains"]
    setup.backstay("audit", "--verify")


def test_pause_keeps_the_step_and_resume_goes_on(released):
    setup = released()
    setup.start("--plan", setup.plan("steps: [{canary: 30%, for: 0s, samples: 1000000}]\nwatch: 0s\nholdback: 0%\n"))
    setup.server.wait_for_phase("e", "stepping")
    setup.backstay("rollout", "pause", "e", "--reason", "weekend")
    status = setup.server.status("e")
    assert status["rollout"]["paused"] is True
    assert setup.shares() == pytest.approx({"1.0.0": 0.7, "2.0.0": 0.3})
    setup.backstay("rollout", "resume", "e", "--reason", "monday")
    assert setup.server.status("e")["rollout"]["paused"] is False
    setup.backstay("rollout", "promote", "e", "--reason", "sure")
    assert setup.server.wait_for_phase("e", "done")["stable"] == "2.0.0"
    actions = [e["action"] for e in setup.backstay.audit()]
    assert {"rollout.pause", "rollout.resume", "rollout.done"} <= set(actions)


def test_a_paused_rollout_does_not_advance_however_many_requests_come(released):
    setup = released(rollout={**QUICK, "steps": [{"canary": "50%", "for": "0s", "samples": 50}]})
    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    setup.backstay("rollout", "pause", "e", "--reason", "wait")
    with setup.traffic() as traffic:
        wait_until(lambda: traffic.versions["2.0.0"] > 100, "more samples than the step needs")
        status = setup.server.status("e")
        assert status["rollout"]["phase"] == "stepping" and status["rollout"]["paused"]
        setup.backstay("rollout", "resume", "e", "--reason", "go on")
        setup.server.wait_for_phase("e", "done")
    assert traffic.failures == []


def test_orders_without_a_rollout_are_refused(released):
    setup = released()
    for order in ("pause", "resume", "promote"):
        assert "no rollout under way" in setup.backstay("rollout", order, "e", "--reason", "x", code=10).err
    assert "no version to go back to" in setup.backstay("rollback", "e", "--reason", "x", code=10).err


def test_a_candidate_that_is_not_ready_is_not_promoted(released):
    setup = released()
    setup.candidate.stop()
    setup.start()
    assert "not ready" in setup.backstay("rollout", "promote", "e", "--reason", "now", code=10).err
    assert setup.server.status("e")["rollout"]["phase"] == "warming"


def test_a_rollout_onto_what_serves_or_while_another_is_under_way_is_a_conflict(released):
    setup = released(rollout=LONG)
    assert "serves m@1.0.0 already" in setup.backstay("rollout", "start", "e", "m@1.0.0", code=5).err
    setup.start()
    assert "under way" in setup.backstay("rollout", "start", "e", "m@2.0.0", code=5).err
    rollouts = setup.server.api("GET", "/v1/endpoints/e/rollouts").json["rollouts"]
    assert len(rollouts) == 2 and rollouts[0]["phase"] in ("warming", "stepping")


def test_a_wrong_plan_starts_nothing(released):
    setup = released()
    for text, said in [("stepps: []\n", "Did you mean 'steps'?"), ("steps: [{canary: 200%}]\n", "5% or 0.05"),
                       ("steps: [{canary: 50%}, {canary: 10%}]\n", "does not raise"), ("steps: [{}]\n", "shadow")]:
        assert said in setup.backstay("rollout", "start", "e", "m@2.0.0", "--plan", setup.plan(text), code=2).err
    assert len(setup.server.api("GET", "/v1/endpoints/e/rollouts").json["rollouts"]) == 1


def test_a_shadow_gets_copies_and_no_client_gets_its_answers(released):
    setup = released(rollout={**QUICK, "steps": [{"shadow": "100%", "for": "0s", "samples": 50}], "watch": "0s"},
                     guardrails=[{"name": "errors", "signal": {"kind": "error"}, "objective": {"at_most": 0.5},
                                  "action": "flag"}])
    setup.candidate.reply = answers(body={"from": "shadow"})
    setup.start("--plan", setup.plan("steps: [{shadow: 100%, for: 1h, samples: 50}]\nwatch: 0s\nholdback: 0%\n"))
    setup.server.wait_for_phase("e", "stepping")
    with setup.traffic() as traffic:
        wait_until(lambda: setup.candidate.asked[INFER] > 100, "copies to come to the shadow")
    assert traffic.failures == [] and set(traffic.versions) == {"1.0.0"}
    assert {request["body"] for request in setup.candidate.seen} == {b'{"inputs": []}'}
    ids = {r["headers"]["Backstay-Prediction-Id"] for r in setup.stable.seen}
    assert {r["headers"]["Backstay-Prediction-Id"] for r in setup.candidate.seen} <= ids
    assert setup.server.status("e")["split"]["shadow"] == {"version": "2.0.0", "share": 1.0}


def test_a_failing_shadow_is_taken_back_and_no_client_saw_it(released):
    setup = released(rollout={**QUICK, "steps": [{"shadow": "100%", "for": "1h"}]})
    setup.candidate.reply = answers(status=500)
    with setup.traffic() as traffic:
        setup.start()
        status = setup.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == [] and set(traffic.versions) == {"1.0.0"}
    assert status["rollout"]["cause"]["trigger"] == "guardrail"


def test_a_sticky_user_stays_on_one_version_and_never_flips_back(released):
    setup = released(sticky={"header": "X-User"},
                     rollout={"steps": [{"canary": "30%", "for": "1h"}, {"canary": "60%", "for": "1h"}], "watch": "1h"})
    setup.start()
    setup.server.wait_for_phase("e", "stepping")

    def versions():
        return {user: {setup.server.ask("POST", INFER, b"{}", {"X-User": f"user-{user}"}).version for _ in range(3)}
                for user in range(60)}

    first = versions()
    assert all(len(seen) == 1 for seen in first.values())
    moved = {user for user, seen in first.items() if seen == {"2.0.0"}}
    assert 5 < len(moved) < 35
    setup.backstay("rollout", "promote", "e", "--reason", "more")
    setup.server.wait_for_phase("e", "watching")
    later = versions()
    assert all(later[user] == {"2.0.0"} for user in moved)


APPROVED = {"steps": [{"canary": "20%", "for": "0s", "samples": 5}, {"canary": "50%", "for": "0s", "samples": 5, "approval": True}],
            "watch": "0s", "holdback": "0%"}


def test_a_step_that_takes_a_person_waits_for_one_and_a_rollback_does_not(released):
    setup = released(rollout=APPROVED)
    with setup.traffic() as traffic:
        setup.start()
        status = setup.server.wait_for("e", lambda s: "An approval: 50%" in s["waiting_for"], "the question")
        assert setup.shares() == {"2.0.0": 0.2, "1.0.0": 0.8}
        assert "waits for: An approval" in setup.backstay("status").out
        wait_until(lambda: [e for e in setup.backstay.audit() if e["action"] == "rollout.ask"], "the question's entry")
        setup.backstay("rollout", "approve", "e", "--reason", "the ward is content")
        setup.server.wait_for_phase("e", "done")
    assert traffic.failures == [] and status["rollout"]["phase"] == "stepping"
    actions = [(e["action"], e["actor"]) for e in setup.backstay.audit() if e["subject"] == "endpoint e"]
    assert ("rollout.ask", "backstay") in actions and ("rollout.approve", "tester") in actions


def test_a_frozen_endpoint_goes_nowhere_but_back(released):
    freeze = {"from": "2020-01-01T00:00:00Z", "until": "2100-01-01T00:00:00Z", "reason": "holidays"}
    setup = released(rollout={**QUICK, "freezes": [freeze]})
    plan = setup.plan("steps: [{canary: 50%}]\nwatch: 0s\n")
    setup.start("--plan", plan)  # A plan of one's own does not lift it.
    setup.server.wait_for("e", lambda s: "Frozen until 2100-01-01T00:00Z: holidays." == s["waiting_for"], "the freeze")
    assert setup.shares() == {"1.0.0": 1.0}
    setup.backstay("rollback", "e", "--reason", "another time")
    assert setup.server.status("e")["rollout"]["phase"] == "rolled_back"


def test_wrong_hours_are_told_with_how_to_write_them(released):
    setup = released()
    for text, part in [("hours: {days: monday}", "mon-fri"), ("hours: {from: 9am}", '"09:00"'),
                       ("hours: {from: \"17:00\", until: \"17:00\"}", "hold no time"),
                       ("freezes: [{from: 2026-01-02T00:00:00Z, until: 2026-01-01T00:00:00Z}]", "ends before it begins")]:
        refused = setup.backstay("rollout", "start", "e", "m@2.0.0", "--plan", setup.plan(text + "\n"), code=2)
        assert part in refused.err


def test_a_server_says_at_its_start_what_traffic_will_miss(released):
    setup = released()
    setup.server.stop()
    renamed = {"endpoints": [{**setup.config["endpoints"][0], "name": "f"}]}
    slip = Server(setup.backstay, renamed)
    slip.stop()
    assert "the endpoint 'e' of the registry, which serves m@1.0.0, is not in the configuration" in "".join(slip.errors)
    setup.server = Server(setup.backstay, setup.config)
    setup.server.stop()
    assert "warning" not in "".join(setup.server.errors)


def test_requests_of_before_a_rollout_are_not_held_against_it(released):
    setup = released(rollout={"steps": [{"canary": "50%", "for": "1h"}], "watch": "1h"}, deadline="3s")
    setup.candidate.reply = lambda request: Reply(hang=True)
    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    with setup.traffic(clients=16) as traffic:
        wait_until(lambda: len(setup.candidate.seen) > 6, "requests that hang")
        setup.backstay("rollback", "e", "--reason", "it hangs")
        hung = len(setup.candidate.seen)
        setup.candidate.reply = setup.stable.reply  # It is mended; what hangs goes on hanging.
        setup.start()
        setup.server.wait_for("e", lambda s: s["rollout"]["id"] == "e-3" and s["rollout"]["phase"] == "stepping", "e-3")
        # All that hung has met its deadline by now, which is when a version used to pay for it.
        setup.server.wait_for("e", lambda s: errors_of(s, "2.0.0") >= hung, "the deadlines")
        setup.server.wait_for("e", lambda s: s["rollout"]["samples"] > 50, "answers of this rollout")
    assert setup.server.status("e")["rollout"]["phase"] == "stepping"
    assert traffic.failures == []


def errors_of(status: dict, version: str) -> int:
    return sum(v["errors"] for v in status["versions"] if v["version"] == version)


@pytest.mark.parametrize("errors", ["a full disk", "nobody"])
def test_a_server_whose_messages_nobody_can_take_goes_on(backstay, releases, backend, errors):
    """Standard error is a log on a full disk, or a pipe whose reader has gone."""
    releases.release("1.0.0")
    one = backend("one")
    if errors == "nobody":
        reader, writer = os.pipe()
        os.close(reader)
    else:
        writer = os.open("/dev/full", os.O_WRONLY)
    server = Server(backstay, {"endpoints": [{"name": "e", "model": "m", "rollout": QUICK,
                                              "backend": {"kind": "url", "urls": {"1.0.0": one.url}}}]}, stderr=writer)
    os.close(writer)
    try:
        backstay("rollout", "start", "e", "m@1.0.0", "--reason", "first")
        server.wait_for_phase("e", "done")
        backstay("audit", "--verify")
        assert server.running
    finally:
        server.stop()
