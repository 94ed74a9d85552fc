"""Answers that are streams of server-sent events, as language models give them: what guardrails see of them."""

import pytest

from backend import answers
from released import INFER
from test_signals import canary, predict, taken_back_for

LEXICON = {"examine": "100%", "classifiers": [{"name": "words", "kind": "lexicon", "terms": ["idiot"],
                                               "text": "/choices/0/message/content"}]}
RUDENESS = {"name": "rude", "signal": {"kind": "classifier", "classifier": "words"}, "objective": {"at_most": 0.05}}


def chat(*pieces: str, tokens: int = 9) -> list:
    deltas = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
    return [{"choices": [{"index": 0, "delta": {"role": "assistant"}}]}, *deltas,
            {"choices": [], "usage": {"total_tokens": tokens}}, "[DONE]"]


KIND, RUDE = chat("Have a nice ", "day."), chat("You Idi", "ot!")


def test_what_the_events_of_a_stream_add_up_to_is_judged(released):
    setup = canary(released, [RUDENESS], **LEXICON)
    setup.stable.reply, setup.candidate.reply = answers(events=KIND), answers(events=RUDE)
    answer = setup.server.ask("POST", INFER, b"{}")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.body.endswith(b"data: [DONE]\n\n") and answer.body.count(b"data: ") == 5
    status = taken_back_for(setup, "rude")
    (examiner,) = status["examiners"]
    assert examiner["bad"] > 0 and examiner["missing"] == 0
    assert setup.server.api("GET", "/v1/status").json["gateway"]["answers_missed"] == 0


def test_a_stream_without_a_text_is_a_missing_verdict(released):
    setup = canary(released, [RUDENESS], **LEXICON)
    setup.stable.reply = setup.candidate.reply = answers(events=[{"type": "message_start"}, {"type": "message_stop"}])
    predict(setup, 5)
    status = setup.server.wait_for("e", lambda s: s["examiners"][0]["missing"] == 5, "verdicts to be missing")
    assert "no text at /choices/0/delta/content" in status["examiners"][0]["last"]
    assert status["guardrails"][0]["candidate"]["outcomes"] == 0


def test_tokens_are_read_from_the_last_event_of_a_stream(released):
    setup = canary(released, [{"name": "tokens", "objective": {"at_least": 0.8},
                               "signal": {"kind": "response_value", "json_pointer": "/usage/total_tokens",
                                          "ok_when": {"at_most": 500}}}])
    setup.stable.reply, setup.candidate.reply = answers(events=KIND), answers(events=chat("So ", "long.", tokens=900))
    status = taken_back_for(setup, "tokens")
    counted = status["guardrails"][0]
    assert counted["candidate"]["bad"] == counted["candidate"]["outcomes"] and counted["candidate"]["missing"] == 0, counted


def test_streams_of_a_shadow_are_read_to_their_end_and_judged(released):
    setup = released(rollout={"steps": [{"shadow": "100%", "for": "1h"}, {"canary": "5%", "for": "1h"}]},
                     guardrails=[RUDENESS], **LEXICON)
    setup.stable.reply, setup.candidate.reply = answers(events=KIND), answers(events=RUDE)
    setup.start()
    setup.server.wait_for("e", lambda s: s["split"].get("shadow"), "the shadow step")
    status = taken_back_for(setup, "rude")
    assert all(version == "1.0.0" for version in predict(setup, 5).values())
    assert status["examiners"][0]["missing"] == 0


def ended(reason: str, usage: bool) -> list:
    return [{"choices": [{"index": 0, "delta": {"content": "So"}, "finish_reason": None}]},
            {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]},
            *([{"choices": [], "usage": {"total_tokens": 9}}] if usage else []), "[DONE]"]


@pytest.mark.parametrize("usage", [True, False])
def test_why_a_stream_ended_is_known_whether_the_client_asks_for_usage_or_not(released, usage):
    setup = canary(released, [{"name": "ends", "objective": {"at_least": 0.8},
                               "signal": {"kind": "response_value", "json_pointer": "/choices/0/finish_reason",
                                          "ok_when": {"is": "stop"}}}])
    setup.stable.reply = setup.candidate.reply = answers(events=ended("stop", usage))
    predict(setup, 30)
    healthy = setup.server.wait_for("e", lambda s: s["guardrails"][0]["candidate"]["outcomes"] > 5, "outcomes")
    counted = healthy["guardrails"][0]["candidate"]
    assert (counted["bad"], counted["missing"]) == (0, 0), counted
    setup.candidate.reply = answers(events=ended("length", usage))
    taken_back_for(setup, "ends")
