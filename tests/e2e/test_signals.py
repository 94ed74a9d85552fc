"""What guardrails can look at beside errors and labels: tensors, lengths, first bytes, what users do, what examiners find."""

import gzip
import json
import pathlib
import struct

import pytest

from backend import Reply, answers
from program import Server, wait_until
from released import INFER, LONG

OPEN = {"steps": [{"canary": "50%", "for": "1h"}], "watch": "1h"}


def canary(released, guardrails, **endpoint):
    setup = released(rollout=OPEN, guardrails=guardrails, **endpoint)
    setup.start()
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the canary")
    return setup


def predict(setup, count: int) -> dict[str, str]:
    answered = [setup.server.ask("POST", INFER, b"{}") for _ in range(count)]
    return {answer.headers["Backstay-Prediction-Id"]: answer.version for answer in answered}


def scores(*values: float) -> dict:
    return {"outputs": [{"name": "scores", "datatype": "FP32", "shape": [1, len(values)], "data": list(values)}]}


def taken_back_for(setup, what: str) -> dict:
    with setup.traffic():
        status = setup.server.wait_for_phase("e", "rolled_back")
    assert status["rollout"]["cause"]["reason"].startswith(what), status["rollout"]["cause"]
    return status


def test_an_element_of_a_tensor(released):
    setup = canary(released, [{"name": "confident", "objective": {"at_least": 0.8},
                               "signal": {"kind": "response_value", "tensor": "scores[0,1]", "ok_when": {"at_least": 0.5}}}])
    setup.stable.reply = answers(body=scores(0.1, 0.9))
    setup.candidate.reply = answers(body=scores(0.9, 0.1))
    taken_back_for(setup, "confident")


def binary_label(text: str) -> dict:
    """What tritonclient.http asks for by default: the head in JSON, then the tensors' bytes in the order of the outputs."""
    scores_bytes, raw = struct.pack("<2f", 0.1, 0.9), struct.pack("<I", len(text)) + text.encode()
    head = json.dumps({"outputs": [
        {"name": "scores", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": len(scores_bytes)}},
        {"name": "label", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": len(raw)}}]}).encode()
    return {"body": head + scores_bytes + raw, "headers": {"Inference-Header-Content-Length": len(head)}}


def zipped_label(text: str) -> dict:
    body = {"outputs": [{"name": "label", "datatype": "BYTES", "shape": [1], "data": [text]}]}
    return {"body": gzip.compress(json.dumps(body).encode()), "headers": {"Content-Encoding": "gzip"}}


CATS = [{"name": "cats", "objective": {"at_least": 0.8},
         "signal": {"kind": "response_value", "tensor": "label", "ok_when": {"is": "cat"}}}]


@pytest.mark.parametrize("form", [binary_label, zipped_label])
def test_tensors_as_binary_data_and_packed_answers(released, form):
    setup = canary(released, CATS)
    setup.stable.reply = setup.candidate.reply = answers(**form("cat"))
    predict(setup, 30)
    healthy = setup.server.wait_for("e", lambda s: s["guardrails"][0]["candidate"]["outcomes"] > 5, "outcomes")
    counted = healthy["guardrails"][0]["candidate"]
    assert (counted["bad"], counted["missing"]) == (0, 0), counted
    setup.candidate.reply = answers(**form("dog"))
    taken_back_for(setup, "cats")


def test_an_answer_that_cant_be_read_is_no_evidence(released):
    setup = canary(released, CATS)
    setup.stable.reply = setup.candidate.reply = answers(body=b"packed", headers={"Content-Encoding": "br"})
    versions = predict(setup, 30)
    unread = list(versions.values()).count("2.0.0")
    seen = setup.server.wait_for("e", lambda s: s["guardrails"][0]["candidate"].get("unread") == unread, "what is unread")
    assert unread > 0 and f"{unread} could not be read" in setup.backstay("status").out, seen["guardrails"]
    setup.candidate.reply = answers(**binary_label("dog"))
    status = taken_back_for(setup, "cats")
    counted = status["guardrails"][0]["candidate"]
    assert counted["missing"] == 0 and counted["bad"] == counted["outcomes"], counted


@pytest.mark.parametrize("form", ["binary", "gzip"])
def test_a_segment_of_requests_with_binary_or_packed_bodies(released, form):
    where = {"of": "request", "json_pointer": "/parameters/site", "is": "berlin"}
    setup = canary(released, [{**CATS[0], "signal": {**CATS[0]["signal"], "segment": where}}])
    setup.stable.reply, setup.candidate.reply = answers(**binary_label("cat")), answers(**binary_label("dog"))
    head = json.dumps({"parameters": {"site": "berlin"}, "inputs": [
        {"name": "x", "shape": [4], "datatype": "UINT8", "parameters": {"binary_data_size": 4}}]}).encode()
    if form == "binary":
        body, fields = head + b"\x00\xff\x22\x5c", {"Inference-Header-Content-Length": str(len(head))}
    else:
        body, fields = gzip.compress(head), {"Content-Encoding": "gzip"}

    def asked():
        setup.server.ask("POST", INFER, body, fields)
        return setup.server.status("e")["rollout"]["phase"] == "rolled_back"

    wait_until(asked, "the rollback")


def test_the_length_of_answers(released):
    setup = canary(released, [{"name": "length", "objective": {"at_least": 0.8},
                               "signal": {"kind": "response_bytes", "ok_when": {"at_most": 2000}}}])
    setup.candidate.reply = answers(body={"outputs": [], "text": "x" * 3000})
    taken_back_for(setup, "length")


def test_the_time_to_the_first_byte(released):
    setup = canary(released, [{"name": "first token", "objective": {"at_most": "100ms", "quantile": 0.5},
                               "signal": {"kind": "first_byte"}}])

    def slow(_):
        setup.candidate.wait(0.15)
        return Reply(body={"outputs": []})

    setup.candidate.reply = slow
    taken_back_for(setup, "first token")


def test_tokens_by_a_json_pointer(released):
    setup = canary(released, [{"name": "tokens", "objective": {"at_least": 0.8},
                               "signal": {"kind": "response_value", "json_pointer": "/usage/total_tokens",
                                          "ok_when": {"at_most": 500}}}])
    setup.stable.reply = answers(body={"usage": {"total_tokens": 100}})
    setup.candidate.reply = answers(body={"usage": {"total_tokens": 900}})
    taken_back_for(setup, "tokens")


def test_reports_of_users_are_joined_once_and_take_a_version_back(released):
    setup = canary(released, [{"name": "complaints", "signal": {"kind": "report", "within": "1h"},
                               "objective": {"relative_to": "stable"}}])
    versions = predict(setup, 60)
    bad = [each for each, version in versions.items() if version == "2.0.0"]
    body = {"reports": [{"prediction_id": each, "severity": 3} for each in bad[:2] * 2] + [{"prediction_id": "f" * 32}]}
    told = setup.server.api("POST", "/v1/feedback", body).json
    assert told == {"joined": 2, "duplicates": 2, "unknown": 1}
    setup.backstay("feedback", bad[2], "--report")
    assert "has one already" in setup.backstay("feedback", bad[2], "--report").out
    setup.backstay("feedback", bad[2], code=2)
    setup.backstay("feedback", bad[2], "--report", "--conversion", code=2)
    for each in bad[3:]:
        setup.server.api("POST", "/v1/feedback", {"reports": [{"prediction_id": each}]})
    status = setup.server.wait_for_phase("e", "rolled_back")
    assert status["rollout"]["cause"]["reason"].startswith("complaints")
    counted = {v["version"]: v["reports"] for v in status["versions"]}
    assert counted["2.0.0"] >= 3 and counted["1.0.0"] == 0
    wait_until(lambda: [e for e in setup.backstay.audit() if e["action"] == "rollout.rollback"], "the rollback to be recorded")
    assert "bit for bit" in setup.backstay("replay", "e").out


def test_conversions_that_stay_away_take_a_version_back_and_survive_restarts(released):
    setup = canary(released, [{"name": "clicks", "signal": {"kind": "conversion", "within": "1h"},
                               "objective": {"relative_to": "stable", "tolerance": 1.25}}])
    first = predict(setup, 20)
    setup.server.kill()
    setup.server = Server(setup.backstay, setup.config)
    wait_until(lambda: setup.server.ask("POST", INFER, b"{}").status == 200, "the restarted server to answer")
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the rollout to go on")
    # Known, counted, and no evidence: what those answers were is not known whole any more.
    told = setup.server.api("POST", "/v1/feedback", {"conversions": [{"prediction_id": each} for each in first]}).json
    assert told["joined"] + told["unknown"] == 20
    assert setup.server.status("e")["guardrails"][0]["candidate"]["outcomes"] == 0
    versions = predict(setup, 150)
    converted = [each for each, version in versions.items() if version == "1.0.0"][:40]
    setup.server.api("POST", "/v1/feedback", {"conversions": [{"prediction_id": each, "value": 9.5} for each in converted]})
    status = setup.server.wait_for_phase("e", "rolled_back")
    assert "were followed by a conversion against" in status["rollout"]["cause"]["reason"]
    setup.server.stop()


def test_answers_that_are_not_what_the_signature_says(released, releases):
    outputs = {"signature": {"inputs": [], "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 2]}]}}
    releases.release("3.0.0", **outputs)
    setup = released(rollout=OPEN, examine="100%",
                     guardrails=[{"name": "schema", "signal": {"kind": "schema"}, "objective": {"at_most": 0.05}}])
    setup.config["endpoints"][0]["backend"]["urls"]["3.0.0"] = setup.candidate.url
    setup.server.stop()
    setup.server = Server(setup.backstay, setup.config)
    setup.candidate.reply = answers(body=scores(1, 2, 3))
    setup.backstay("rollout", "start", "e", "m@3.0.0", "--reason", "next")
    status = taken_back_for(setup, "schema")
    (examiner,) = status["examiners"]
    assert examiner["examiner"] == "signature" and examiner["bad"] > 0
    assert "has the shape [1,3], not [-1,2]" in examiner["last"]
    setup.server.stop()


CHAT = {"choices": [{"message": {"content": "Have a nice day."}}]}
RUDE = {"choices": [{"message": {"content": "You Idiot!"}}]}


def test_a_lexicon_judges_answers_after_they_were_given(released, tmp_path):
    (tmp_path / "words.txt").write_text("# what nobody should read\nidiot\nshut up\n")
    setup = canary(released, [{"name": "rude", "signal": {"kind": "classifier", "classifier": "words"},
                               "objective": {"at_most": 0.05}}], examine="100%",
                   classifiers=[{"name": "words", "kind": "lexicon", "file": "words.txt",
                                 "text": "/choices/0/message/content"}])
    setup.stable.reply, setup.candidate.reply = answers(body=CHAT), answers(body=RUDE)
    status = taken_back_for(setup, "rude")
    assert status["examiners"][0]["examiner"] == "words" and status["examiners"][0]["bad"] > 0


def test_a_classifier_over_http_and_the_verdicts_that_are_missing(released, backend):
    judge = backend("judge")
    setup = canary(released, [{"name": "safety", "signal": {"kind": "classifier", "classifier": "safety"},
                               "objective": {"at_most": 0.05}}], examine="100%",
                   classifiers=[{"name": "safety", "kind": "http", "url": judge.url + "/judge", "score": "/unsafe",
                                 "timeout": "1s"}])
    setup.stable.reply, setup.candidate.reply = answers(body=CHAT), answers(body=RUDE)
    judge.reply = answers(status=503)
    predict(setup, 10)
    missed = setup.server.wait_for("e", lambda s: s["examiners"][0]["missing"] >= 10, "verdicts to be missing")
    assert missed["guardrails"][0]["candidate"]["outcomes"] == 0
    assert missed["examiners"][0]["last"] == "The classifier answered 503."
    judge.reply = lambda request: Reply(body={"unsafe": 0.9 if "Idiot" in json.loads(request["body"])["text"] else 0.1})
    taken_back_for(setup, "safety")


def test_a_classifier_that_hangs_holds_up_no_client(released, backend):
    judge = backend("judge")
    judge.reply = answers(hang=True)
    setup = canary(released, [{"name": "safety", "signal": {"kind": "classifier", "classifier": "safety"},
                               "objective": {"at_most": 0.05}}], examine="100%",
                   classifiers=[{"name": "safety", "kind": "http", "url": judge.url, "timeout": "30s", "waiting": 5}])
    with setup.traffic() as traffic:
        setup.server.wait_for("e", lambda s: s["examiners"][0]["missing"] > 50, "answers to be missed")
    assert traffic.failures == [] and traffic.sent > 50
    assert "More answers wait" in setup.server.status("e")["examiners"][0]["last"]
    judge.stop()


@pytest.mark.parametrize("endpoint, says", [
    ({"guardrails": [{"name": "g", "signal": {"kind": "classifier", "classifier": "x"}, "objective": {"at_most": 0.1}}]},
     "which there is not"),
    ({"guardrails": [{"name": "g", "signal": {"kind": "response_value", "tensor": "a[x]"}, "objective": {"at_least": 0.5}}]},
     "no element of a tensor"),
    ({"classifiers": [{"name": "c", "kind": "lexicon"}]}, "terms"),
    ({"classifiers": [{"name": "c", "kind": "http", "url": "ftp://x"}]}, "url"),
    ({"classifiers": [{"name": "c", "kind": "magic"}]}, "lexicon, http"),
    ({"guardrails": [{"name": "g", "signal": {"kind": "error", "within": "1h"}, "objective": {"at_most": 0.1}}]}, "within")])
def test_what_cannot_be_looked_at_is_refused(backstay, endpoint, says):
    file: pathlib.Path = backstay.folder / "backstay.yaml"
    file.write_text(json.dumps({"endpoints": [{"name": "e", "model": "m", **endpoint,
                                               "backend": {"kind": "url", "url": "http://127.0.0.1:9"}}]}))
    assert says in backstay("serve", "--config", file, code=2).err
