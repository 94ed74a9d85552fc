"""Labels come late, twice, in any order, after restarts and crashes: each is joined once, and credits the version that answered."""

import json
import random

import pytest

from backend import answers
from program import Server, wait_until
from released import INFER, LONG

SENSITIVITY = {"name": "sensitivity", "objective": {"at_least": 0.9},
               "signal": {"kind": "feedback", "json_pointer": "/score", "among": "positives", "positive_at": 0.5}}


def predict(setup, count: int) -> dict[str, str]:
    """Prediction ids and the versions that answered them."""
    answered = [setup.server.ask("POST", INFER, b"{}") for _ in range(count)]
    return {answer.headers["Backstay-Prediction-Id"]: answer.version for answer in answered}


def tell(setup, ids, label: float = 1) -> dict:
    answer = setup.server.api("POST", "/v1/feedback",
                              json.dumps({"labels": [{"prediction_id": each, "label": label} for each in ids]}))
    assert answer.status == 200, answer
    return answer.json


def labels(setup) -> dict:
    return {v["version"]: v["labels"] for v in setup.server.status("e")["versions"] if v["labels"]}


def scoring(released, **endpoint):
    setup = released(rollout=LONG, guardrails=[SENSITIVITY], **endpoint)
    setup.stable.reply = answers(body={"score": 0.9})
    setup.candidate.reply = answers(body={"score": 0.1})
    return setup


def test_labels_may_be_classes_by_their_names(released, backstay):
    setup = released(rollout=LONG, guardrails=[
        {"name": "right", "signal": {"kind": "feedback", "json_pointer": "/class", "right_when": "same"},
         "objective": {"at_least": 0.9}}])
    setup.stable.reply = answers(body={"class": "cat"})
    setup.candidate.reply = answers(body={"class": "dog"})
    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    answered = predict(setup, 80)
    first = next(iter(answered))
    assert "joined" in backstay("feedback", first, "cat").out
    assert "is not a number" in backstay("feedback", first, "bad", "--report", code=2).err
    tell(setup, answered, "cat")
    status = setup.server.wait_for_phase("e", "rolled_back")
    assert status["rollout"]["cause"]["reason"].startswith("right: ")


def restart(setup) -> None:
    setup.server = Server(setup.backstay, setup.config)
    wait_until(lambda: setup.server.ask("POST", INFER, b"{}").status == 200, "the restarted server to answer")


def test_labels_of_before_a_restart_credit_who_answered_and_decide(released):
    setup = scoring(released)
    setup.start()
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the canary")
    versions = predict(setup, 200)
    candidates = [each for each, version in versions.items() if version == "2.0.0"]
    setup.server.stop()
    restart(setup)
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the rollout to go on")
    shuffled = list(versions)
    random.Random(7).shuffle(shuffled)
    told = tell(setup, shuffled + shuffled[:10] + ["f" * 32])
    assert told == {"joined": 200, "duplicates": 10, "unknown": 1}
    # Every one of the candidate's is wrong: the labels of before decide about the rollout that is under way.
    status = setup.server.wait_for_phase("e", "rolled_back")
    assert "sensitivity" in status["rollout"]["cause"]["reason"]
    assert "drift.alarm" not in [e["action"] for e in setup.backstay.audit()], "of a candidate the guardrail decides"
    assert labels(setup) == {"1.0.0": 200 - len(candidates), "2.0.0": len(candidates)}
    setup.server.stop()


def test_what_was_acknowledged_before_kill_9_is_joined_exactly_once(released):
    setup = scoring(released)
    ids = list(predict(setup, 120))
    for round_ in range(3):
        part = ids[40 * round_: 40 * (round_ + 1)]
        acknowledged = part[:20]
        assert tell(setup, acknowledged)["joined"] == 20
        setup.server.kill()
        restart(setup)
        assert tell(setup, part) == {"joined": 20, "duplicates": 20, "unknown": 0}
        assert labels(setup) == {"1.0.0": 40 * (round_ + 1)}
    setup.server.stop()


def test_a_label_of_before_this_rollout_tells_nothing_against_stable(released):
    """The draw that sent it to its version was another experiment's, with other chances."""
    relative = {**SENSITIVITY, "objective": {"relative_to": "stable"}}
    setup = released(rollout={"steps": [{"canary": "50%", "for": "0s"}], "watch": "1h", "holdback": "20%"},
                     guardrails=[relative])
    setup.stable.reply = setup.candidate.reply = answers(body={"score": 0.1})
    setup.start()
    setup.server.wait_for_phase("e", "watching")
    old = [each for each, version in predict(setup, 150).items() if version == "1.0.0"]
    setup.backstay("rollout", "promote", "e", "--reason", "go")
    setup.server.wait_for_phase("e", "done")
    setup.backstay("restore", "m@1.0.0", "--reason", "once more")
    setup.backstay("rollout", "start", "e", "m@1.0.0", "--plan", setup.plan("steps: [{canary: 5%, for: 1h}]\nwatch: 1h\n"))
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the canary")
    assert tell(setup, old)["joined"] == len(old) > 10
    status = setup.server.status("e")
    assert status["rollout"]["phase"] == "stepping" and status["guardrails"][0]["log_e"] == 0
    assert status["guardrails"][0]["candidate"]["bad"] == len(old)  # Seen, and no bet.


def test_labels_that_show_more_errors_than_allowed_raise_an_alarm_without_a_release(released):
    accuracy = {"name": "accuracy", "objective": {"at_least": 0.9},
                "signal": {"kind": "feedback", "json_pointer": "/score", "positive_at": 0.5}}
    setup = released(rollout=LONG, guardrails=[accuracy])
    setup.stable.reply = answers(body={"score": 0.9})
    tell(setup, predict(setup, 60), label=1)
    assert not [entry for entry in setup.backstay.audit() if entry["action"] == "drift.alarm"]
    tell(setup, predict(setup, 60), label=0)  # The concept changed: what was right is wrong now.
    (entry,) = wait_until(lambda: [e for e in setup.backstay.audit() if e["action"] == "drift.alarm"], "the alarm")
    evidence = entry["evidence"]
    assert (evidence["guardrail"], evidence["version"]) == ("accuracy", "1.0.0")
    assert evidence["errors"] == evidence["labels"] < 60 and evidence["allowed"] == pytest.approx(0.1)
    assert setup.server.status("e")["stable"] == "1.0.0", "it is an alarm, not a rollback"


RIGHT = {"name": "right", "objective": {"at_least": 0.9},
         "signal": {"kind": "feedback", "json_pointer": "/class", "right_when": "same"}}
SAFE = {"name": "safe", "objective": {"at_least": 0.5},
        "signal": {"kind": "response_value", "json_pointer": "/verdict", "ok_when": {"is": "safe"}}}
SLIP = {**RIGHT, "signal": {**RIGHT["signal"], "json_pointer": "/clas"}}
REPORTS = {"name": "reports", "objective": {"at_most": 0.3}, "signal": {"kind": "report"}}


def guard(setup, guardrails: list) -> None:
    """The server is started again with these."""
    setup.server.stop()
    setup.config["endpoints"][0]["guardrails"] = guardrails
    restart(setup)
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the rollout to go on")


def classes(released, guardrails: list):
    """A release under way of which both versions always say cat, and what the candidate answered."""
    setup = released(rollout=LONG, guardrails=guardrails)
    setup.stable.reply = setup.candidate.reply = answers(body={"class": "cat", "verdict": "safe"})
    setup.start()
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the canary")
    return setup, [each for each, version in predict(setup, 80).items() if version == "2.0.0"]


def seen(setup, name: str) -> tuple:
    (found,) = [g["candidate"] for g in setup.server.status("e")["guardrails"] if g["guardrail"] == name]
    return found["outcomes"], found["bad"]


@pytest.mark.parametrize("before, after", [([RIGHT], [SAFE, RIGHT]), ([SAFE, RIGHT], [RIGHT, SAFE]),
                                           ([SAFE, RIGHT], [RIGHT]), ([RIGHT], [RIGHT])],
                         ids=["one in front", "swapped", "removed in front", "the same"])
def test_labels_are_of_the_values_of_their_time_when_the_guardrails_are_others(released, before, after):
    setup, ids = classes(released, before)
    guard(setup, after)
    right, wrong = ids[:len(ids) // 2], ids[len(ids) // 2:]
    tell(setup, right, "cat")
    assert seen(setup, "right") == (len(right), 0)
    assert setup.server.status("e")["rollout"]["phase"] == "stepping"
    tell(setup, wrong, "dog")
    status = setup.server.wait_for_phase("e", "rolled_back")
    assert status["rollout"]["cause"]["reason"].startswith("right: ")
    setup.server.stop()
    assert "bit for bit" in setup.backstay("replay", "e").out


@pytest.mark.parametrize("before", [SLIP, REPORTS], ids=["pointer corrected", "labels not asked for"])
def test_labels_judge_nothing_by_values_that_were_not_taken(released, before):
    setup, ids = classes(released, [before])
    guard(setup, [RIGHT])
    assert tell(setup, ids, "cat")["joined"] == len(ids)
    assert seen(setup, "right") == (0, 0)
    assert setup.server.status("e")["rollout"]["phase"] == "stepping"
    ids = [each for each, version in predict(setup, 40).items() if version == "2.0.0"]
    tell(setup, ids, "cat")
    assert seen(setup, "right") == (len(ids), 0), "those of now are judged"
    setup.server.stop()
