"""What a verdict rests on: how many rows, measured by whom, and answers that are the model's."""

import json
import signal

import numpy as np
import onnx
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from onnx import TensorProto, helper, numpy_helper

from backend import Reply
from evaluation import FEATURES, Table, linear, metrics, release, scorer
from program import wait_until

CLASSES = {"name": "held-out", "files": "rows.csv", "inputs": [{"columns": FEATURES}], "label": "label",
           "classes": ["0", "1"]}


@pytest.fixture
def evaluate(backstay):
    """evaluate(version, sets, *options, code=0, **suite): the JSON of the command."""

    def run(version: str, sets: list[dict], *options, code: int = 0, **suite) -> dict:
        file = backstay.folder / "suite.yaml"
        file.write_text(yaml.safe_dump({"name": "suite", "sets": sets, **suite}))
        done = backstay("evaluate", version, "--suite", file, "--json", *options, code=code)
        return json.loads(done.out) if done.out else json.loads(done.err)["error"]

    return run


def rules(releases, *items):
    return releases.write("gate.json", {"name": "g", "rules": list(items)})


def judged(done: dict) -> dict:
    return {row["rule"]: row for row in done["verdict"]["rows"] if row["rule"] != "version is complete"
            and not row["rule"].startswith("scan")}


def separable(rows: int) -> Table:
    table = Table(rows)
    table.label = (table.x.astype(np.float64) @ np.array([1.5, -2, 0.75]) + 0.1 > 0).astype(int)
    table.label[:2] = [0, 1]
    table.x[0], table.x[1] = [-2, 2, 0], [2, -2, 0]
    return table


def test_a_small_sample_passes_nothing_however_perfect(backstay, releases, evaluate):
    separable(2).write(backstay.folder / "rows.csv")
    for version in ("1.0.0", "2.0.0"):
        release(releases, version, scorer())
    best = [{"metric": name, "at_least": 0.99}
            for name in ("accuracy", "average_precision", "matthews_correlation", "roc_auc", "f1")]
    least = [{"metric": name, "at_most": 0.15} for name in ("log_loss", "calibration_error", "brier_score")]
    drops = [{"metric": rule["metric"], "max_drop": 0.01} for rule in best]
    rises = [{"metric": rule["metric"], "max_rise": 0.01} for rule in least]
    done = evaluate("m@1.0.0", [CLASSES], "--against", "m@2.0.0", "--gate",
                    rules(releases, *best, *least, *drops, *rises), code=8)
    found = judged(done)
    assert len(found) == 16 and {row["decision"] for row in found.values()} == {"INSUFFICIENT"}
    assert "without a single error it takes 368 or more" in found["accuracy >= 0.99"]["explanation"]

    table = Table(3)
    table.write(backstay.folder / "rows.csv", target=table.x @ np.array([1.5, -2, 0.75], np.float32))
    release(releases, "3.0.0", linear())
    values = {"name": "values", "task": "regression", "files": "rows.csv", "inputs": [{"columns": FEATURES}],
              "label": "target"}
    done = evaluate("m@3.0.0", [values], "--gate", rules(
        releases, {"metric": "mean_absolute_error", "at_most": 0.02}, {"metric": "r2", "at_least": 0.9}), code=8)
    for row in judged(done).values():
        assert row["decision"] == "INSUFFICIENT" and "30 or more" in row["explanation"]


def test_enough_rows_pass(backstay, releases, evaluate):
    separable(1200).write(backstay.folder / "rows.csv")
    release(releases, "1.0.0", scorer())
    gate = rules(releases, {"metric": "average_precision", "at_least": 0.98},
                 {"metric": "matthews_correlation", "at_least": 0.9}, {"metric": "log_loss", "at_most": 0.5})
    assert evaluate("m@1.0.0", [CLASSES], "--gate", gate)["verdict"]["decision"] == "PASS"


# --- who measured ---

FORGED = {"kind": "quality", "dataset": "held-out", "metrics": [{"name": "accuracy", "value": 0.99, "samples": 5000}]}


def test_a_card_written_by_hand_cannot_pass_for_a_measured_or_signed_one(backstay, releases):
    releases.register("1.0.0")
    for claim in ("backstay evaluate 0.1.0, suite s", "lab, signed by key 0011"):
        card = releases.write("card.json", {**FORGED, "evaluator": claim})
        assert "reads like" in backstay("scorecard", "add", "m@1.0.0", "--file", card, code=2).err
    own = releases.write("card.json", {**FORGED, "evaluator": "ci", "source": "evaluated"})
    backstay("scorecard", "add", "m@1.0.0", "--file", own, code=2)
    backstay("scorecard", "add", "m@1.0.0", "--file", releases.write("card.json", {**FORGED, "evaluator": "ci"}))
    (card,) = backstay("show", "m@1.0.0", "--json").json["scorecards"]
    assert card["source"] == "by_hand" and "by ci (by hand)" in backstay("show", "m@1.0.0").out
    assert "by hand" in backstay("card", "m@1.0.0").out

    rule = {"metric": "accuracy", "at_least": 0.9}
    strict = releases.write("strict.json", {"name": "strict", "evidence": ["evaluated", "signed"], "rules": [rule]})
    err = backstay("gate", "m@1.0.0", "--file", strict, code=8).out
    assert "the gate takes what is evaluated, signed" in err

    releases.register("2.0.0")
    backstay("scorecard", "add", "m@2.0.0", "--file", "card.json")
    said = backstay("gate", "m@2.0.0", "--file", rules(releases, rule)).out
    assert "on scorecards that were written by hand: accuracy >= 0.9" in said
    (entry,) = [e for e in backstay.audit() if e["action"] == "gate.verdict" and e["subject"] == "m@2.0.0"]
    assert "Scorecards that were written by hand decide 1 of its 1 rules." in json.dumps(entry)


def test_a_rollout_says_that_its_gate_judged_what_somebody_wrote(backstay, released):
    released()
    started = backstay("rollout", "start", "e", "m@2.0.0", "--json")
    assert any("on scorecards that were written by hand: accuracy >= 0.9" in warning
               for warning in started.json["warnings"])


def test_what_is_measured_or_signed_passes_a_gate_for_such_evidence(backstay, releases, evaluate):
    Table(400).write(backstay.folder / "rows.csv")
    release(releases, "1.0.0", scorer())
    gate = releases.write("g.json", {"name": "g", "evidence": ["evaluated"],
                                     "rules": [{"metric": "accuracy", "at_least": 0.5}]})
    done = evaluate("m@1.0.0", [CLASSES], "--gate", gate)
    assert done["scorecards"][0]["source"] == "evaluated" and done["verdict"]["decision"] == "PASS"
    assert not any("by_hand" in row for row in done["verdict"]["rows"])
    backstay("scorecard", "add", "m@1.0.0", "--file",
             releases.write("card.json", {**FORGED, "evaluator": "ci"}))
    again = backstay("gate", "m@1.0.0", "--file", gate, "--json").json
    assert again["rows"] == done["verdict"]["rows"], "a later card that does not count hides nothing"


# --- answers that are refused ---

METADATA = {"name": "m", "versions": ["1.0.0"], "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 1]}],
            "outputs": [{"name": "s", "datatype": "FP32", "shape": [-1, 1]}]}


def answering(numbers):
    return Reply(body={"outputs": [{"name": "s", "datatype": "FP32", "shape": [len(numbers), 1], "data": numbers}]})


def test_an_evaluation_is_repeated_when_its_backend_is_mended(backstay, releases, backend, evaluate):
    (backstay.folder / "one.csv").write_text("x,y\n" + "0.9,1\n0.1,0\n" * 10)
    releases.register("1.0.0", {"weights.bin": b"w"})
    served = backend("m")
    served.metadata = METADATA
    one = {"name": "held-out", "files": "one.csv", "inputs": [{"columns": ["x"]}], "label": "y", "classes": ["0", "1"]}

    def run(code=0):
        return evaluate("m@1.0.0", [one], code=code, batch=10, parallel=1,
                        backend={"kind": "url", "url": served.url})

    served.reply = lambda request: answering([7.5] * 10)
    assert "outside of [0, 1]" in run(code=2)["message"]
    seen = len(served.seen)
    replies = [answering([0.9, 0.1] * 5), Reply(status=400, body={"error": "out of order"})]
    served.reply = lambda request: replies.pop(0)
    assert "out of order" in run(code=2)["message"]
    assert len(served.seen) == seen + 2
    served.reply = lambda request: answering([0.9, 0.1] * 5)
    done = run()
    assert done["resumed_rows"] == 0 and len(served.seen) == seen + 4
    assert metrics(done["scorecards"], "quality")["accuracy", ""]["value"] == 1


def test_who_interrupts_is_told_how_to_go_on(backstay, releases, backend):
    (backstay.folder / "one.csv").write_text("x,y\n" + "0.9,1\n0.1,0\n" * 10)
    releases.register("1.0.0", {"weights.bin": b"w"})
    served = backend("m")
    served.metadata = METADATA
    served.reply = lambda request: Reply(hang=True)
    suite = backstay.folder / "suite.yaml"
    one = {"name": "held-out", "files": "one.csv", "inputs": [{"columns": ["x"]}], "label": "y", "classes": ["0", "1"]}
    suite.write_text(yaml.safe_dump({"name": "s", "sets": [one], "backend": {"kind": "url", "url": served.url}}))
    running = backstay.start("evaluate", "m@1.0.0", "--suite", suite)
    wait_until(lambda: served.seen, "a request")
    running.send_signal(signal.SIGINT)
    _, err = running.communicate()
    assert running.returncode == -signal.SIGINT
    assert "interrupted: the same command goes on where it was" in err


# --- what becomes of cells ---


def test_lists_of_numbers_are_an_input_and_structs_are_refused(backstay, releases, evaluate):
    table = Table(60)
    release(releases, "1.0.0", scorer())
    columns = {"x": pa.array(table.x.astype(np.float64).tolist()), "label": pa.array(table.label)}
    pq.write_table(pa.table(columns), backstay.folder / "rows.parquet")
    lists = {**CLASSES, "files": "rows.parquet", "inputs": [{"columns": ["x"]}]}
    with_lists = evaluate("m@1.0.0", [lists], "--answers", "lists.jsonl")
    table.write(backstay.folder / "rows.csv")
    plain = evaluate("m@1.0.0", [CLASSES], "--answers", "plain.jsonl")
    assert ((backstay.folder / "lists.jsonl").read_text() == (backstay.folder / "plain.jsonl").read_text())
    assert (metrics(with_lists["scorecards"], "quality")["log_loss", ""]
            == metrics(plain["scorecards"], "quality")["log_loss", ""])

    for bad, said in [([{"a": 1.0}] * 60, "something nested"), (table.x[:, :2].astype(float).tolist(), "gives it 2 numbers"),
                      ([[1.0, 2.0, 3.0]] * 59 + [[1.0]], "Row 60 of the set")]:
        pq.write_table(pa.table({**columns, "x": pa.array(bad)}), backstay.folder / "rows.parquet")
        error = evaluate("m@1.0.0", [{**lists, "inputs": [{"columns": ["x"], "missing": "0"}]}], code=2)
        assert said in error["message"] and error["hint"]


def nan_tolerant() -> bytes:
    """score = 0.9 where x is NaN, else x."""
    nodes = [helper.make_node("IsNaN", ["x"], ["hole"]), helper.make_node("Where", ["hole", "high", "x"], ["score"])]
    graph = helper.make_graph(nodes, "holes", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 1])],
                              [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows", 1])],
                              [numpy_helper.from_array(np.array([[0.9]], np.float32), "high")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def test_nan_is_missing_and_a_model_that_takes_nan_gets_it(backstay, releases, evaluate):
    pq.write_table(pa.table({"x": pa.array([float("nan"), 0.1] * 20), "label": pa.array([1, 0] * 20)}),
                   backstay.folder / "rows.parquet")
    release(releases, "1.0.0", nan_tolerant())

    def run(code=0, **given):
        return evaluate("m@1.0.0", [{**CLASSES, "files": "rows.parquet", "inputs": [{"columns": ["x"], **given}]}],
                        code=code)

    assert "missing: nan" in run(code=2)["hint"]
    assert metrics(run(missing="0")["scorecards"], "quality")["accuracy", ""]["value"] == 0.5
    assert metrics(run(missing="nan")["scorecards"], "quality")["accuracy", ""]["value"] == 1
