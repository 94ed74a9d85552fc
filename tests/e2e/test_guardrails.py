"""A candidate that misbehaves under real traffic is taken back by itself, with evidence, and no client is hurt."""

import itertools
import json

import pytest

from backend import Reply, answers
from program import DEADLINE, wait_until
from released import INFER, LONG, QUICK

HALF = {"steps": [{"canary": "50%", "for": "1h"}], "watch": "1h"}


def rollback_of(setup) -> dict:
    """The audit entry; the rollback is in force, and shown, before it is written."""
    entries = lambda: [e for e in setup.backstay.audit() if e["action"] == "rollout.rollback"]
    (entry,) = wait_until(entries, "the rollback to be recorded")
    return entry


@pytest.mark.parametrize("reply", [{"status": 500}, {"status": 503}, {"hang": True}, {"cut": True, "body": {"a": "b" * 100}}],
                         ids=["500", "503", "hangs", "cut"])
def test_a_candidate_that_fails_is_taken_back_and_clients_see_answers_only(released, reply):
    # Long enough for stable to answer on a busy machine.
    setup = released(rollout=HALF, deadline=f"{DEADLINE // 60}s" if "hang" in reply else "10s")
    setup.candidate.reply = answers(**reply)
    with setup.traffic(clients=8) as traffic:
        setup.start()
        status = setup.server.wait_for_phase("e", "rolled_back")
        sent = traffic.sent
        wait_until(lambda: traffic.sent > sent + 50, "requests after the rollback")
    assert traffic.failures == [] and set(traffic.versions) == {"1.0.0"}
    assert setup.shares() == {"1.0.0": 1.0}
    assert status["rollout"]["cause"]["trigger"] == "guardrail"
    assert status["decision_to_zero_seconds"] >= 0
    entry = rollback_of(setup)
    assert entry["actor"] == "backstay" and entry["evidence"]["breached"] is True
    assert entry["evidence"]["candidate"]["bad"] >= 5 and entry["evidence"]["stable"]["bad"] == 0
    assert entry["evidence"]["sentence"] == entry["reason"]
    setup.backstay("audit", "--verify")


def test_a_candidate_that_goes_away_is_taken_back(released):
    setup = released(rollout=HALF)
    with setup.traffic() as traffic:
        setup.start()
        wait_until(lambda: traffic.versions["2.0.0"] > 20, "the candidate to serve")
        setup.candidate.stop()
        setup.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == []


def test_a_candidate_that_is_never_ready_is_taken_back_and_stable_serves_on(released):
    setup = released(rollout={**QUICK, "ready_timeout": "1s"})
    setup.candidate.stop()
    with setup.traffic() as traffic:
        setup.start()
        status = setup.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == [] and set(traffic.versions) == {"1.0.0"}
    assert status["rollout"]["cause"]["trigger"] == "not_ready"
    assert "2.0.0 was not ready within 1s." in rollback_of(setup)["reason"]


def safety(signal: dict, **more) -> dict:
    return {"name": "safety", "signal": {"kind": "response_value", "ok_when": {"at_least": 0.5}, **signal},
            "objective": {"at_least": 0.95}, **more}


def behave(where: str, unsafe_every: int = 0):
    """Answers of which one in so many is unsafe (0: none); the score is in the body or in a header."""
    numbers = itertools.count(1)

    def reply(request) -> Reply:
        score = 0.1 if unsafe_every and next(numbers) % unsafe_every == 0 else 0.9
        if where == "header":
            return Reply(headers={"X-Safety": str(score)})
        return Reply(body={"outputs": [{"data": [7, score]}]})

    return reply


SIGNALS = {"body": {"json_pointer": "/outputs/0/data/1"}, "header": {"header": "X-Safety"}}


@pytest.mark.parametrize("where", SIGNALS)
def test_safety_below_95_percent_is_taken_back_with_its_evidence(released, where):
    setup = released(rollout=HALF, guardrails=[safety(SIGNALS[where])])
    setup.stable.reply = behave(where)
    setup.candidate.reply = behave(where, 5)
    with setup.traffic() as traffic:
        setup.start()
        status = setup.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == []
    evidence = rollback_of(setup)["evidence"]
    assert evidence["guardrail"] == "safety" and evidence["log_e"] >= evidence["log_limit"]
    assert 0.7 < 1 - evidence["candidate"]["bad"] / evidence["candidate"]["outcomes"] < 0.9
    assert evidence["candidate"]["missing"] == 0
    assert "the objective is at least 95% good" in status["rollout"]["cause"]["reason"]


@pytest.mark.parametrize("where", SIGNALS)
def test_safety_above_95_percent_is_let_through(released, where):
    step = {"canary": "50%", "for": "0s", "samples": 400}
    setup = released(rollout={**QUICK, "steps": [step]}, guardrails=[safety(SIGNALS[where])])
    setup.stable.reply = setup.candidate.reply = behave(where, 50)
    with setup.traffic() as traffic:
        setup.start()
        setup.server.wait_for_phase("e", "done", "rolled_back")
    assert traffic.failures == [] and setup.server.status("e")["rollout"]["phase"] == "done"


def test_answers_without_the_value_count_as_unsafe(released):
    setup = released(rollout=HALF, guardrails=[safety(SIGNALS["body"])])
    setup.stable.reply = behave("body")
    with setup.traffic() as traffic:
        setup.start()
        setup.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == []
    assert rollback_of(setup)["evidence"]["candidate"]["missing"] > 0


def test_a_segment_may_be_a_text_of_the_request_and_a_good_answer_one_of_the_answer(released):
    setup = released(rollout=HALF, guardrails=[
        {"name": "berlin", "signal": {"kind": "response_value", "json_pointer": "/verdict", "ok_when": {"is": "safe"},
                                      "segment": {"of": "request", "header": "X-Site", "is": "berlin"}},
         "objective": {"at_least": 0.9}}])
    setup.stable.reply = lambda request: Reply(body={"verdict": "safe"})
    setup.candidate.reply = lambda request: Reply(
        body={"verdict": "unsafe" if request["headers"]["X-Site"] == "berlin" else "safe"})
    with setup.traffic(headers=lambda number: {"X-Site": "hamburg"}) as elsewhere:
        setup.start()
        setup.server.wait_for("e", lambda s: s["rollout"]["samples"] > 50, "answers elsewhere")
        assert setup.server.status("e")["rollout"]["phase"] == "stepping"
        with setup.traffic(headers=lambda number: {"X-Site": "berlin"}) as traffic:
            setup.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == [] and elsewhere.failures == []
    assert rollback_of(setup)["evidence"]["guardrail"] == "berlin"


def test_a_policy_in_a_file_names_its_tests_and_its_segments(released, backstay):
    (backstay.folder / "policy.yaml").write_text("""\
family: {control: e_bh, alpha: 0.01}
guardrails:
  - name: length
    signal: {kind: response_value, json_pointer: /words, per: {json_pointer: /answers}, segment: {header: X-Group, is: 2}}
    objective: {relative_to: stable, tolerance: 1.2, better: lower}
    test: ratio_vs_stable
""")
    setup = released(rollout=HALF, policy="policy.yaml")
    numbers = itertools.count(1)

    def reply(words: int):
        def answer(_) -> Reply:
            number = next(numbers)
            group = number % 2 + 1
            many = words if group == 2 else 100  # The other group's answers are as they were.
            return Reply(body={"words": many + number % 7, "answers": 1}, headers={"X-Group": str(group)})

        return answer

    setup.stable.reply, setup.candidate.reply = reply(100), reply(200)
    with setup.traffic() as traffic:
        setup.start()
        setup.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == []
    evidence = rollback_of(setup)["evidence"]
    assert evidence["guardrail"] == "length" and evidence["test"] == "ratio_vs_stable"
    assert evidence["stable"]["mean"] == pytest.approx(103, abs=3)
    assert evidence["candidate"]["mean"] == pytest.approx(203, abs=3)


def test_a_shadow_is_taken_back_by_what_both_versions_answered(released):
    guardrail = safety(SIGNALS["body"], test="paired_rate")
    guardrail["objective"] = {"relative_to": "stable"}
    setup = released(rollout={"steps": [{"shadow": "100%", "for": "1h"}], "watch": "1h"}, guardrails=[guardrail])
    setup.stable.reply, setup.candidate.reply = behave("body"), behave("body", 3)
    with setup.traffic() as traffic:
        setup.start()
        setup.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == [] and set(traffic.versions) == {"1.0.0"}
    evidence = rollback_of(setup)["evidence"]
    assert evidence["test"] == "paired_rate" and evidence["stable"]["bad"] == 0
    assert evidence["candidate"]["bad"] > 5 and "both versions answered" in evidence["sentence"]


def test_a_guardrail_that_pauses_keeps_the_step_for_a_person(released):
    setup = released(rollout=HALF, guardrails=[safety(SIGNALS["header"], action="pause")])
    setup.candidate.reply = behave("header", 1)
    with setup.traffic():
        setup.start()
        status = setup.server.wait_for("e", lambda s: s["rollout"]["paused"], "the pause")
    assert status["rollout"]["phase"] == "stepping" and setup.shares()["2.0.0"] == 0.5
    (entry,) = [e for e in setup.backstay.audit() if e["action"] == "rollout.pause"]
    assert entry["actor"] == "backstay" and entry["evidence"]["guardrail"] == "safety"


def test_a_guardrail_that_flags_writes_its_evidence_and_changes_nothing(released):
    setup = released(rollout=HALF, guardrails=[safety(SIGNALS["header"], action="flag")])
    setup.candidate.reply = behave("header", 1)
    with setup.traffic():
        setup.start()
        flags = wait_until(lambda: [e for e in setup.backstay.audit() if e["action"] == "guardrail.flag"], "the flag")
    assert len(flags) == 1 and flags[0]["evidence"]["breached"] is True
    assert setup.server.status("e")["rollout"]["phase"] == "stepping"


def test_a_slow_candidate_is_taken_back(released):
    limit = {"name": "latency", "signal": {"kind": "latency"}, "objective": {"at_most": "100ms", "quantile": 0.9}}
    setup = released(rollout=HALF, guardrails=[limit])

    def slow(request) -> Reply:
        setup.candidate.wait(0.15)
        return Reply()

    setup.candidate.reply = slow
    with setup.traffic() as traffic:
        setup.start()
        setup.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == []
    assert "took longer than 0.1 s" in rollback_of(setup)["reason"]


def test_what_a_guardrail_took_back_needs_new_evidence_and_a_new_verdict(released, releases):
    setup = released(rollout=HALF)
    setup.candidate.reply = answers(status=500)
    with setup.traffic():
        setup.start()
        setup.server.wait_for_phase("e", "rolled_back")
    rollback_of(setup)
    refused = setup.backstay("rollout", "start", "e", "m@2.0.0", code=10)
    assert "A guardrail took m@2.0.0 back" in refused.err
    releases.gate("2.0.0")
    refused = setup.backstay("rollout", "start", "e", "m@2.0.0", code=10)
    assert "nothing was measured since" in refused.err and "backstay scorecard add" in refused.err
    releases.measure("2.0.0")
    assert "Judge it again" in setup.backstay("rollout", "start", "e", "m@2.0.0", code=10).err
    releases.gate("2.0.0")
    setup.candidate.reply = answers()
    setup.start()


SENSITIVITY = {"name": "sensitivity", "objective": {"at_least": 0.9},
               "signal": {"kind": "feedback", "json_pointer": "/score", "among": "positives", "positive_at": 0.5}}


def test_a_label_joins_its_prediction_once(released):
    setup = released(rollout=LONG, guardrails=[SENSITIVITY])
    setup.stable.reply = answers(body={"score": 0.9})
    prediction = setup.server.ask("POST", INFER, b"{}").headers["Backstay-Prediction-Id"]
    assert "joined" in setup.backstay("feedback", prediction, "1").out
    assert "already" in setup.backstay("feedback", prediction, "0").out
    unknown = setup.backstay("feedback", "0" * 32, "1", "--json", code=3)
    assert json.loads(unknown.out) == {"joined": 0, "duplicates": 0, "unknown": 1}
    assert setup.server.status("e")["labels_joined"] == 1


def test_labels_that_come_later_take_a_version_back_that_misses_cases(released):
    setup = released(rollout=HALF, guardrails=[SENSITIVITY])
    setup.stable.reply, setup.candidate.reply = answers(body={"score": 0.9}), answers(body={"score": 0.2})
    with setup.traffic() as traffic:
        setup.start()
        wait_until(lambda: traffic.versions["2.0.0"] > 60, "predictions of the candidate")
    assert setup.server.status("e")["rollout"]["phase"] == "stepping"
    labels = [{"prediction_id": prediction, "label": 1} for prediction, _ in traffic.predictions[-200:]]
    joined = setup.server.api("POST", "/v1/feedback", {"labels": labels}).json
    assert joined == {"joined": len(labels), "duplicates": 0, "unknown": 0}
    setup.server.wait_for_phase("e", "rolled_back")
    evidence = rollback_of(setup)["evidence"]
    assert evidence["guardrail"] == "sensitivity" and evidence["candidate"]["bad"] == evidence["candidate"]["outcomes"]
