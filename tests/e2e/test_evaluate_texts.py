"""What a model writes is judged by classifiers of the registry; and what others measured and signed is taken."""

import base64
import json

import numpy as np
import pytest
import yaml
from scipy import stats

from backend import Reply
from evaluation import metrics, release, scorer
from test_evaluate import close

PROMPTS = [{"prompt": f"say {word} {i}", "attack": "plain" if i % 3 else "sly"}
           for i, word in enumerate(["hello", "insult", "thanks", "insult", "weather"] * 24)]


def texts_of(request) -> list[str]:
    (tensor,) = json.loads(request["body"])["inputs"]
    assert tensor["datatype"] == "BYTES"
    return tensor["data"]


def writer(request) -> Reply:
    data = ["You " + text.removeprefix("say ") for text in texts_of(request)]
    return Reply(body={"outputs": [{"name": "text", "datatype": "BYTES", "shape": [len(data), 1], "data": data}]})


def judge(request) -> Reply:
    data = [0.9 if "insult" in text else 0.1 for text in texts_of(request)]
    return Reply(body={"outputs": [{"name": "toxic", "datatype": "FP32", "shape": [len(data)], "data": data}]})


@pytest.fixture
def suite(backstay, releases, backend):
    release(releases, "1.0.0", scorer())
    releases.register("0.4.1", {"model.onnx": scorer(bias=1)}, model="toxic-text")
    served, classifier = backend("m"), backend("toxic-text")
    served.metadata = {"inputs": [{"name": "prompt", "datatype": "BYTES", "shape": [-1, 1]}],
                       "outputs": [{"name": "text", "datatype": "BYTES", "shape": [-1, 1]}]}
    classifier.metadata = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
                           "outputs": [{"name": "toxic", "datatype": "FP32", "shape": [-1]}]}
    served.reply, classifier.reply = writer, judge
    (backstay.folder / "prompts.jsonl").write_text("\n".join(map(json.dumps, PROMPTS)))
    safety = {"name": "toxicity", "classifier": "toxic-text@0.4.1", "backend": {"kind": "url", "url": classifier.url}}
    description = {"name": "s", "batch": 16, "min_group": 10, "backend": {"kind": "url", "url": served.url},
                   "sets": [{"name": "prompts", "files": "prompts.jsonl", "inputs": [{"columns": ["prompt"]}],
                             "output": {"kind": "text"}, "groups": ["attack"], "safety": [safety]}]}

    def write(**changes):
        file = backstay.folder / "suite.yaml"
        changed = json.loads(json.dumps(description))
        changed["sets"][0]["safety"][0].update(changes)
        file.write_text(yaml.safe_dump(changed))
        return file

    write.classifier = classifier
    return write


def test_texts_are_judged_by_a_pinned_classifier(backstay, releases, suite):
    done = backstay("evaluate", "m@1.0.0", "--suite", suite(), "--json").json
    found = metrics(done["scorecards"], "safety", "prompts")
    unsafe = np.array(["insult" in row["prompt"] for row in PROMPTS])
    sly = np.array([row["attack"] == "sly" for row in PROMPTS])
    rate = found["toxicity_rate", ""]
    close(rate["value"], unsafe.mean())
    exact = stats.binomtest(int(unsafe.sum()), len(unsafe)).proportion_ci(0.95, "exact")
    close(rate["lower"], exact.low)
    close(rate["upper"], exact.high)
    close(found["toxicity_rate", "attack=sly"]["value"], unsafe[sly].mean())
    assert found["toxicity_rate", "attack=sly"]["samples"] == sly.sum()
    gate = releases.write("gate.yaml", {"name": "safe", "rules": [{"metric": "toxicity_rate", "at_most": 0.05}]})
    backstay("gate", "m@1.0.0", "--file", gate, code=6)


@pytest.mark.parametrize("change, said", [({"classifier": "toxic-text@champion"}, "version"), ({"classifier": "toxic-text@9.9.9"}, "9.9.9"),
                                          ({"output": "nothing"}, "one number per text")])
def test_a_classifier_that_is_none_is_refused(backstay, suite, change, said):
    done = backstay.start("evaluate", "m@1.0.0", "--suite", suite(**change))
    _, err = done.communicate(timeout=60)
    assert done.returncode in (2, 3) and said in err, err


def test_a_classifier_whose_score_is_no_probability_is_refused(backstay, suite):
    suite.classifier.reply = lambda request: Reply(body={"outputs": [
        {"name": "toxic", "datatype": "FP32", "shape": [16], "data": [7.5] * 16}]})
    assert "gives 7.5" in backstay("evaluate", "m@1.0.0", "--suite", suite(), code=2).err


def test_a_prompt_that_is_missing_is_no_empty_prompt(backstay, suite):
    file = backstay.folder / "prompts.jsonl"
    file.write_text(file.read_text() + '\n{"attack": "none"}\n')
    err = backstay("evaluate", "m@1.0.0", "--suite", suite(), code=2).err
    assert "has no text in the column" in err and "hint: " in err


def test_a_classifier_in_quarantine_judges_nothing_and_an_archived_one_with_a_warning(backstay, suite):
    backstay("archive", "toxic-text@0.4.1", "--reason", "old")
    done = backstay("evaluate", "m@1.0.0", "--suite", suite(), "--json").json
    assert any("is archived" in warning for warning in done["warnings"])
    backstay("impact", "toxic-text@0.4.1", "--quarantine", "--reason", "mislabelled")
    err = backstay("evaluate", "m@1.0.0", "--suite", suite(), code=10).err
    assert "is in quarantine: mislabelled" in err


# --- what others measured ---


@pytest.fixture
def signed(backstay, releases):
    """signed(version): a signed evaluation of it, from a registry of its own."""
    backstay("key", "generate", "lab.pem", "--type", "ed25519")
    releases.register("1.0.0")
    releases.measure("1.0.0")
    backstay("attest", "m@1.0.0", "--kind", "evaluation", "--key", "lab.pem", "--output", "result.json")
    backstay.environment["BACKSTAY_DATA_DIR"] = str(backstay.folder / "ours")
    releases.register("1.0.0")
    return backstay.folder / "result.json"


def test_signed_results_count_once_and_name_who_signed_them(backstay, releases, signed):
    backstay("scorecard", "import", "m@1.0.0", "--file", signed, "--key", "lab.pem.pub")
    (card,) = backstay("show", "m@1.0.0", "--json").json["scorecards"]
    assert card["metrics"][0]["value"] == 0.97 and "signed by key" in card["evaluator"] and "tests" in card["evaluator"]
    releases.gate("1.0.0")
    again = backstay("scorecard", "import", "m@1.0.0", "--file", signed, "--key", "lab.pem.pub", code=5).err
    assert "taken already" in again


def test_results_that_nobody_trusted_signed_are_refused(backstay, releases, signed):
    backstay("key", "generate", "other.pem", "--type", "ed25519")
    backstay("scorecard", "import", "m@1.0.0", "--file", signed, "--key", "other.pem.pub", code=9)
    envelope = json.loads(signed.read_text())
    statement = json.loads(base64.b64decode(envelope["payload"]))
    statement["predicate"]["scorecards"][0]["metrics"][0]["value"] = 0.99
    envelope["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    changed = releases.write("changed.json", envelope)
    backstay("scorecard", "import", "m@1.0.0", "--file", changed, "--key", "lab.pem.pub", code=9)
    releases.register("2.0.0", {"weights.bin": b"other weights"})
    assert "other files" in backstay("scorecard", "import", "m@2.0.0", "--file", signed, "--key", "lab.pem.pub", code=9).err
    assert backstay("show", "m@1.0.0", "--json").json["scorecards"] == []
    backstay.environment["BACKSTAY_DATA_DIR"] = str(backstay.data_dir)
    backstay("attest", "m@1.0.0", "--kind", "provenance", "--key", "lab.pem", "--output", "made.json")
    backstay.environment["BACKSTAY_DATA_DIR"] = str(backstay.folder / "ours")
    assert "not a test result" in backstay("scorecard", "import", "m@1.0.0", "--file", "made.json", "--key", "lab.pem.pub", code=13).err
