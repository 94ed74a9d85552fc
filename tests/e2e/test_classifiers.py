"""Versions of the registry as classifiers: of answers, for guardrails, and of what a model writes, in evaluations."""

import json
import sys

import numpy as np
import pytest
import yaml
from skl2onnx import to_onnx
from skl2onnx.common.data_types import StringTensorType
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from backend import Reply, answers
from evaluation import metrics
from program import Server, wait_until
from released import QUICK
from test_processes import SCRIPT
from test_python_worker import PINNED
from test_signals import CHAT, RUDE, canary, predict, taken_back_for

RUDENESS = {"name": "rude", "signal": {"kind": "classifier", "classifier": "toxic"}, "objective": {"at_most": 0.05}}


def classifier(**changes) -> dict:
    return {"name": "toxic", "kind": "model", "model": "toxic-text@1.0.0", "text": "/choices/0/message/content",
            "output": "probabilities", "index": 1, **changes}


# --- how it is asked ---


def judge(request) -> Reply:
    (tensor,) = json.loads(request["body"])["inputs"]
    assert tensor["datatype"] == "BYTES" and tensor["shape"] == [1]
    p = 0.9 if "Idiot" in tensor["data"][0] else 0.1
    return Reply(body={"outputs": [{"name": "label", "datatype": "INT64", "shape": [1], "data": [int(p > 0.5)]},
                                   {"name": "probabilities", "datatype": "FP32", "shape": [1, 2], "data": [1 - p, p]}]})


@pytest.fixture
def served(backend, releases):
    """toxic-text@1.0.0 on a server of its own."""
    releases.register("1.0.0", model="toxic-text")
    out = backend("toxic-text")
    out.metadata = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
                    "outputs": [{"name": "label", "datatype": "INT64", "shape": [-1]},
                                {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}]}
    out.reply = judge
    return out


def test_a_version_on_a_server_of_its_own_judges_and_its_failures_are_missing_verdicts(released, served):
    setup = canary(released, [RUDENESS], examine="100%",
                   classifiers=[classifier(backend={"kind": "url", "url": served.url})])
    setup.stable.reply, setup.candidate.reply = answers(body=CHAT), answers(body=RUDE)
    served.reply = answers(status=400, body={"error": "No such input."})
    predict(setup, 10)
    missed = setup.server.wait_for("e", lambda s: s["examiners"][0]["missing"] >= 10, "verdicts to be missing")
    assert "could not judge" in setup.backstay("status").out
    assert missed["guardrails"][0]["candidate"]["outcomes"] == 0
    assert "No such input." in missed["examiners"][0]["last"]
    served.reply = judge
    taken_back_for(setup, "rude")


def test_a_server_stops_while_its_classifier_never_gets_ready(released, served):
    served.healthy = False
    setup = canary(released, [RUDENESS], examine="100%",
                   classifiers=[classifier(backend={"kind": "url", "url": served.url, "start_timeout": "10m"})])
    setup.stable.reply = setup.candidate.reply = answers(body=CHAT)
    predict(setup, 3)
    missed = setup.server.wait_for("e", lambda s: s["examiners"][0]["missing"] >= 3, "verdicts to be missing")
    assert missed["examiners"][0]["last"] == "toxic-text@1.0.0 is starting."
    setup.server.stop()


@pytest.mark.parametrize("changes, says", [
    ({"model": "toxic-text@champion"}, "'champion' is not a semantic version"), ({"model": None}, "model"), ({"url": "http://x"}, "kind http"),
    ({"index": -1}, "index"), ({"backend": {"kind": "url"}}, "url"), ({"terms": ["x"]}, "kind lexicon"),
    ({"model": "toxic-text@2.0.0"}, "toxic-text@2.0.0")])
def test_a_classifier_that_cannot_be_asked_is_refused_at_start(backstay, releases, changes, says):
    releases.register("1.0.0", model="toxic-text")
    wanted = {key: value for key, value in classifier(**changes).items() if value is not None}
    file = backstay.folder / "backstay.yaml"
    file.write_text(json.dumps({"data_dir": str(backstay.data_dir), "endpoints": [
        {"name": "e", "model": "m", "guardrails": [RUDENESS], "classifiers": [wanted],
         "backend": {"kind": "url", "url": "http://127.0.0.1:9"}}]}))
    refused = backstay.start("serve", "--config", file)
    _, err = refused.communicate(timeout=60)
    assert refused.returncode in (2, 3) and says in err, err


# --- a model of texts from training to rollback ---

KIND = ["have a nice day", "thank you so much", "the weather is fine today", "your parcel arrives tomorrow", "good morning"]
UNKIND = ["you are an idiot", "shut up now", "what a stupid question", "nobody likes you", "you stupid fool"]
NEEDED = {"numpy", "onnxruntime", "flatbuffers", "packaging", "protobuf"}


def sentences(count: int) -> tuple[list[str], np.ndarray]:
    random = np.random.default_rng(11)
    labels = random.integers(0, 2, count)
    return [" ".join(random.choice(UNKIND if label else KIND, 2)) for label in labels], labels


def text_model():
    model = make_pipeline(TfidfVectorizer(), LogisticRegression(C=100))
    return model.fit(*sentences(400))


def text_onnx() -> bytes:
    return to_onnx(text_model(), initial_types=[("text", StringTensorType([None, 1]))], target_opset=17,
                   options={TfidfVectorizer: {"locale": "C.UTF-8"}, LogisticRegression: {"zipmap": False}}).SerializeToString()


@pytest.fixture
def toxic_text(backstay, releases):
    lock = backstay.folder / "requirements.txt"
    lock.write_text("\n".join(line for line in PINNED if line.split("==")[0] in NEEDED) + "\n")
    releases.release("1.0.0", {"model.onnx": text_onnx()}, model="toxic-text", serving={"runtime": "python"},
                     environment={"lock_files": [{"path": str(lock), "as": "requirements.txt"}]})


def infer(server, texts: list, **changes):
    return server.infer("toxic", [{"name": "text", "datatype": "BYTES", "shape": [len(texts), 1], "data": texts, **changes}])


def test_a_model_of_texts_is_served_guards_a_release_and_measures_another(backstay, releases, released, toxic_text):
    texts, labels = sentences(50)
    setup = released(rollout={"steps": [{"canary": "50%", "for": "1h"}], "watch": "1h"}, guardrails=[RUDENESS],
                     examine="100%", classifiers=[classifier(timeout="10s")])
    setup.server.stop()
    setup.config["endpoints"].append({"name": "toxic", "model": "toxic-text", "rollout": {**QUICK, "ready_timeout": "10m"}})
    setup.server = Server(backstay, setup.config)
    backstay("rollout", "start", "toxic", "toxic-text@1.0.0")
    setup.server.wait_for_phase("toxic", "done", deadline=300)

    answer = infer(setup.server, texts)
    assert answer.status == 200, answer.body
    outputs = {output["name"]: output for output in answer.json["outputs"]}
    np.testing.assert_allclose(np.reshape(outputs["probabilities"]["data"], (-1, 2)), text_model().predict_proba(texts), atol=1e-5)
    for wrong, said in [({"data": [7]}, "no string"), ({"datatype": "FP32", "data": [7]}, "takes BYTES"),
                        ({"data": ["a", "b"]}, "does not fit"), ({"data": ["\ud800"]}, "Unicode"), ({"shape": [1]}, "shape")]:
        refused = infer(setup.server, ["x"], **wrong)
        assert refused.status == 400 and said in refused.json["error"], (wrong, refused.body)

    setup.stable.reply = answers(body=CHAT)
    setup.candidate.reply = answers(body={"choices": [{"message": {"content": "What a stupid question, you idiot!"}}]})
    setup.start()
    setup.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the canary")
    with setup.traffic():
        setup.server.wait_for("e", lambda s: s["examiners"][0]["judged"] > 0, "the classifier", deadline=300)
    status = taken_back_for(setup, "rude")
    assert status["examiners"][0]["bad"] > 0
    setup.server.stop()

    # The same version judges what a model writes: one that repeats what it is told.
    echo = setup.candidate
    echo.metadata = {"inputs": [{"name": "prompt", "datatype": "BYTES", "shape": [-1, 1]}],
                     "outputs": [{"name": "text", "datatype": "BYTES", "shape": [-1, 1]}]}

    def repeat(request) -> Reply:
        (tensor,) = json.loads(request["body"])["inputs"]
        return Reply(body={"outputs": [{**tensor, "name": "text"}]})

    echo.reply = repeat
    (backstay.folder / "prompts.jsonl").write_text("\n".join(json.dumps({"prompt": text}) for text in texts))
    suite = backstay.folder / "suite.yaml"
    suite.write_text(yaml.safe_dump({
        "name": "s", "batch": 16, "backend": {"kind": "url", "url": echo.url},
        "sets": [{"name": "prompts", "files": "prompts.jsonl", "inputs": [{"columns": ["prompt"]}], "output": {"kind": "text"},
                  "safety": [{"name": "toxicity", "classifier": "toxic-text@1.0.0", "output": "probabilities", "index": 1}]}]}))
    done = backstay("evaluate", "m@2.0.0", "--suite", suite, "--json").json
    assert metrics(done["scorecards"], "safety", "prompts")["toxicity_rate", ""]["value"] == pytest.approx(labels.mean())


def test_endpoints_whose_classifiers_name_one_version_share_its_process(backstay, releases, released):
    releases.register("1.0.0", {"behaviour": b"classifies"}, model="toxic-text")
    pids = backstay.folder / "pids"
    command = [sys.executable, str(SCRIPT), "{port}", str(pids), "{artifacts}/behaviour"]
    judged = {"examine": "100%", "guardrails": [RUDENESS],
              "classifiers": [classifier(backend={"kind": "process", "command": command, "health_path": "/healthy"})]}
    setup = released()
    setup.server.stop()
    (e,) = setup.config["endpoints"]
    setup.config["endpoints"] = [{**e, **judged}, {**e, **judged, "name": "f"}]
    setup.server = Server(backstay, setup.config)
    backstay("rollout", "start", "f", "m@1.0.0", "--reason", "first")
    setup.server.wait_for_phase("f", "done")
    setup.stable.reply = answers(body=CHAT)

    def judges(endpoint: str) -> bool:
        setup.server.ask("POST", f"/v2/models/{endpoint}/infer", b"{}")
        return setup.server.status(endpoint)["examiners"][0]["judged"] > 0

    for endpoint in ("e", "f"):
        wait_until(lambda endpoint=endpoint: judges(endpoint), f"the classifier of {endpoint}")
    assert len(pids.read_text().splitlines()) == 1
    setup.server.stop()
