"""`backstay why` and `backstay replay`: what led to a decision is there afterwards, and decides it again, bit for bit."""

import itertools
import json

import pytest

from backend import Reply, answers
from program import Server, wait_until
from released import LONG, QUICK

HALF = {"steps": [{"canary": "50%", "for": "1h"}], "watch": "1h"}
STRICT = "guardrails:\n  - {name: strict, signal: {kind: error}, objective: {at_most: 0.001}, alpha: 0.2}\n"
LAX = "guardrails:\n  - {name: lax, signal: {kind: error}, objective: {at_most: 0.99}}\n"


def every(n: int):
    """One answer in n fails."""
    numbers = itertools.count(1)
    good, bad = answers(), answers(status=500)
    return lambda request: (bad if next(numbers) % n == 0 else good)(request)


def replay(setup, *more, code: int = 0) -> dict:
    return setup.backstay("replay", "e", "--json", *more, code=code).json


@pytest.fixture
def taken_back(released):
    setup = released(rollout=HALF)
    setup.candidate.reply = every(4)
    with setup.traffic() as traffic:
        setup.start()
        setup.server.wait_for_phase("e", "rolled_back")
        wait_until(lambda: replay(setup)["recorded"]["complete"], "the end of the recording")
    assert traffic.failures == []
    return setup


def test_a_rollback_is_decided_again_bit_for_bit(taken_back):
    setup = taken_back
    again = replay(setup)
    (entry,) = [e for e in setup.backstay.audit() if e["action"] == "rollout.rollback"]
    crossing = again["recorded"]["crossings"][0]
    added = {"rows_sha256", "rollout", "from", "to"}  # Which rollout it was, and the store's seal.
    decided_on = {key: value for key, value in entry["evidence"].items() if key not in added}
    assert again["same_decision"] and crossing["evidence"] == decided_on
    assert crossing["candidate_outcomes"] == entry["evidence"]["candidate"]["outcomes"]
    trace = setup.backstay("trace", crossing["prediction_id"], "--json").json
    assert "2.0.0" in json.dumps(trace)
    assert "bit for bit" in setup.backstay("replay", "e-2").out


def basket(less: float):
    """Twice the price that was asked for and a little more or less; `less` on top."""
    def reply(request):
        price = json.loads(request["body"])["price"]
        return Reply(body={"total": 2 * price + price * 7919 % 10 - less})

    return reply


def test_a_covariate_of_the_request_finds_what_its_noise_would_hide_and_replays_bit_for_bit(released):
    explained = {"name": "basket", "signal": {"kind": "response_value", "json_pointer": "/total"}, "test": "value_vs_stable",
                 "covariate": {"json_pointer": "/price"}, "objective": {"relative_to": "stable"}}
    setup = released(rollout=HALF, guardrails=[explained])
    setup.stable.reply, setup.candidate.reply = basket(0), basket(4)  # Of some 1,000, with a deviation of 577.
    with setup.traffic(bodies=lambda number: json.dumps({"price": number * 6151 % 1000}).encode()) as traffic:
        setup.start()
        setup.server.wait_for_phase("e", "rolled_back")
        wait_until(lambda: replay(setup)["recorded"]["complete"], "the end of the recording")
    assert traffic.failures == []
    (entry,) = [e for e in setup.backstay.audit() if e["action"] == "rollout.rollback"]
    assert entry["evidence"]["covariate"]["explained_ratio"] > 0.99 and entry["evidence"]["covariate"]["missing"] == 0
    assert "explains 100%" in entry["evidence"]["sentence"]
    again = replay(setup)
    assert again["same_decision"] and again["recorded"]["crossings"][0]["evidence"]["log_e"] == entry["evidence"]["log_e"]
    plain = setup.backstay.folder / "plain.yaml"
    plain.write_text(json.dumps({"guardrails": [{key: what for key, what in explained.items() if key != "covariate"}]}))
    assert replay(setup, "--policy", plain)["instead"]["crossings"] == []
    other = setup.backstay.folder / "other.yaml"
    other.write_text(json.dumps({"guardrails": [{**explained, "covariate": {"header": "X-Age"}}]}))
    assert "The requests' header X-Age was not recorded" in setup.backstay("replay", "e", "--policy", other, code=2).err


def test_another_policy_decides_sooner_or_not_at_all(taken_back):
    setup = taken_back
    folder = setup.backstay.folder
    (folder / "strict.yaml").write_text(STRICT)
    (folder / "lax.yaml").write_text(LAX)
    sooner = replay(setup, "--policy", folder / "strict.yaml")
    assert sooner["instead"]["crossings"][0]["guardrail"] == "strict"
    assert sooner["instead"]["crossings"][0]["candidate_outcomes"] < sooner["recorded"]["crossings"][0]["candidate_outcomes"]
    assert "sooner" in sooner["sentence"]
    never = replay(setup, "--policy", folder / "lax.yaml")
    assert never["instead"]["crossings"] == [] and "would not have taken the release back" in never["sentence"]


def test_a_policy_that_needs_what_was_not_recorded_is_refused(taken_back):
    file = taken_back.backstay.folder / "safety.yaml"
    file.write_text("guardrails:\n  - {name: s, signal: {kind: response_value, json_pointer: /safety, "
                    "ok_when: {at_least: 0.5}}, objective: {at_least: 0.9}}\n")
    refused = taken_back.backstay("replay", "e", "--policy", file, code=2)
    assert "/safety was not recorded" in refused.err


def test_why_tells_what_was_seen_which_test_crossed_and_how_likely_that_was(taken_back):
    why = taken_back.backstay("why", "e-2").out
    for part in ["a guardrail took 2.0.0 back; 1.0.0 served on", "What was observed", "candidate outcomes were bad against",
                 "at most one in 100", "Where the traffic went", "To 1.0.0", "rollout.start", "rollout.rollback",
                 "limit 100:1", "backstay replay e-2"]:
        assert part in why, part
    told = taken_back.backstay("why", "e", "--json").json
    assert told["rollout"]["id"] == "e-2" and told["replay"]["crossings"]


def test_why_tells_of_a_manual_rollback_and_of_a_release_that_was_done(released):
    setup = released(rollout=QUICK)
    with setup.traffic():
        setup.start()
        setup.server.wait_for_phase("e", "done")
    assert "2.0.0 became the endpoint's stable version" in setup.backstay("why", "e").out
    setup.backstay("rollback", "e", "--reason", "ward 3 complains")
    returned = setup.backstay("why", "e").out
    assert "the endpoint returned from 2.0.0 to 1.0.0" in returned and "Why that version" in returned
    refused = setup.backstay("why", "e-9", code=3)
    assert "There is no rollout 'e-9'" in refused.err and "e-3" in refused.err
    assert "The endpoints are: e." in setup.backstay("why", "nothing", code=3).err


def test_a_replay_notices_a_recording_that_tells_something_else(taken_back):
    recordings = taken_back.backstay.data_dir / "recordings"
    (recordings / "e-1.rec").unlink(missing_ok=True)
    (recordings / "e-2.rec").rename(recordings / "e-1.rec")  # The first release: nothing was taken back there.
    done = taken_back.backstay("replay", "e-1", code=9)
    assert "no guardrail took the release back" in done.err


def test_a_damaged_recording_is_no_evidence_of_anything(taken_back):
    file = taken_back.backstay.data_dir / "recordings" / "e-2.rec"
    whole = file.read_bytes()
    file.write_bytes(whole[:len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1:])
    refused = taken_back.backstay("replay", "e-2", code=9)
    assert "is damaged" in refused.err and "hint: Bring it back from a backup" in refused.err
    why = taken_back.backstay("why", "e-2")
    assert "recording is damaged" in why.err and "candidate outcomes were bad" in why.out


def test_without_its_recording_the_audit_log_still_tells_why(taken_back):
    (taken_back.backstay.data_dir / "recordings" / "e-2.rec").unlink()
    why = taken_back.backstay("why", "e-2").out
    assert "candidate outcomes were bad" in why and "There is no recording" in why
    assert "There is no recording of e-2" in taken_back.backstay("replay", "e-2", code=3).err


def test_the_recording_of_a_killed_server_goes_on(released):
    setup = released(rollout=LONG)
    with setup.traffic():
        setup.start()
        wait_until(lambda: len(setup.candidate.seen) > 50, "requests to the candidate")
    seen = lambda: replay(setup)["recorded"]["candidate_outcomes"] if (
        setup.backstay.data_dir / "recordings" / "e-2.rec").exists() else 0
    wait_until(lambda: seen() > 0, "the recording")
    setup.server.kill()
    before = seen()
    setup.server = Server(setup.backstay, setup.config)
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the rollout to go on")
    setup.candidate.reply = every(2)
    with setup.traffic():
        setup.server.wait_for_phase("e", "rolled_back")
    wait_until(lambda: replay(setup)["recorded"]["crossings"], "the end of the recording")
    again = replay(setup)
    assert again["same_decision"] and again["recorded"]["candidate_outcomes"] > before
    assert not again["recorded"]["complete"]  # Up to a second before the kill is missing.
    assert "The server was killed in between" in setup.backstay("why", "e").out
    setup.server.stop()


def test_the_log_has_the_policy_that_decides_and_that_it_became_another(released):
    setup = released(rollout=LONG)
    setup.start()
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the canary")
    (start,) = [e for e in setup.backstay.audit() if e["action"] == "rollout.start" and "2.0.0" in json.dumps(e)]
    names = [each["name"] for each in start["evidence"]["policy"]["guardrails"]]
    assert names == ["errors", "latency", "refused"] and len(start["evidence"]["policy_sha256"]) == 64
    setup.server.stop()
    setup.config["endpoints"][0]["guardrails"] = [
        {"name": "mine", "signal": {"kind": "error"}, "objective": {"at_most": 0.2}}]
    setup.server = Server(setup.backstay, setup.config)
    wait_until(lambda: any(e["action"] == "rollout.policy" for e in setup.backstay.audit()), "the note")
    (changed,) = [e for e in setup.backstay.audit() if e["action"] == "rollout.policy"]
    assert [each["name"] for each in changed["evidence"]["policy"]["guardrails"]] == ["mine"]
    setup.server.stop()
