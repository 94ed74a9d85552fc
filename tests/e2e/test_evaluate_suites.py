"""What suites ask beside figures: latency, changed rows, golden answers, a version in production; and going on after a kill."""

import collections
import json
import signal
import subprocess
import threading

import numpy as np
import pytest
import sklearn.metrics as sk
import yaml
from scipy import stats

from backend import Reply
from evaluation import FEATURES, Table, metrics, promote, release, scorer
from program import BIN
from test_evaluate import SET, close, evaluate  # noqa: F401: a fixture

GATE = {"name": "production", "rules": [{"metric": "accuracy", "at_least": 0.6}]}
PLAIN = {**SET, "groups": [], "intersections": False}


def rows_by_rule(done: dict) -> dict:
    return {row["rule"]: row for row in done["verdict"]["rows"]}


def test_latency_has_exact_limits_and_p99_only_with_enough_requests(backstay, releases, evaluate):
    Table(50).write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    found = metrics(evaluate("m@1.0.0", [{**PLAIN, "latency": {"requests": 367}}])["scorecards"], "latency")
    assert ("latency_p99_seconds", "") not in found
    found = metrics(evaluate("m@1.0.0", [{**PLAIN, "latency": {"requests": 368, "parallel": 2}}])["scorecards"], "latency")
    p50, p95, p99 = (found[f"latency_p{q}_seconds", ""] for q in (50, 95, 99))
    assert 0 < p50["value"] <= p95["value"] <= p99["value"]
    assert all(m["lower"] <= m["value"] <= m["upper"] and m["samples"] == 368 for m in (p50, p95, p99))
    assert found["throughput_rows_per_second", ""]["value"] > 0


def test_a_gate_judges_what_was_measured(backstay, releases, evaluate):
    Table(300).write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    gate = releases.write("gate.yaml", {**GATE, "rules": [
        {"metric": "accuracy", "at_least": 0.6}, {"metric": "demographic_parity_ratio", "group": "site", "at_least": 0.99}]})
    done = evaluate("m@1.0.0", [SET], "--gate", gate, code=8)
    rules = rows_by_rule(done)
    assert rules["accuracy >= 0.6"]["decision"] == "PASS"
    assert rules["demographic_parity_ratio{site} >= 0.99"]["decision"] == "INSUFFICIENT"
    # Limits of a lower confidence than the gate's say nothing to it.
    gate = releases.write("gate.yaml", {**GATE, "confidence": 0.99})
    done = evaluate("m@1.0.0", [SET], "--gate", gate, code=8)
    assert "measure with confidence: 0.99" in rows_by_rule(done)["accuracy >= 0.6"]["explanation"]
    done = evaluate("m@1.0.0", [SET], "--gate", gate, confidence=0.99)
    assert done["verdict"]["decision"] == "PASS"


def newcombe_paired(a, b):
    """Method 10 of Newcombe (1998) for two lists of 0 and 1."""
    n, z = len(a), stats.norm.ppf(0.975)

    def wilson(p):
        middle, half = (p + z * z / 2 / n) / (1 + z * z / n), z / (1 + z * z / n) * np.sqrt(p * (1 - p) / n + z * z / 4 / n / n)
        return middle - half, middle + half

    e, f, g, h = (a & b).sum(), (a & ~b).sum(), (~a & b).sum(), (~a & ~b).sum()
    p1, p2 = (e + f) / n, (e + g) / n
    (l1, u1), (l2, u2) = wilson(p1), wilson(p2)
    top = e * h - f * g
    top = max(top - n / 2, 0) if top > 0 else top
    phi = top / np.sqrt(float((e + f) * (g + h) * (e + g) * (f + h)))
    low = np.sqrt((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)
    high = np.sqrt((u1 - p1) ** 2 - 2 * phi * (u1 - p1) * (p2 - l2) + (p2 - l2) ** 2)
    return p1 - p2 - low, p1 - p2 + high


def test_a_version_is_compared_with_production_row_by_row(backstay, releases, server, evaluate):
    table = Table(600)
    table.write(backstay.folder / "held_out.csv")
    drop = releases.write("gate.yaml", {**GATE, "rules": [{"metric": "accuracy", "max_drop": 0.05}]})
    for version, weights in [("1.0.0", [1.5, -2, 0.75]), ("1.1.0", [1.45, -2, 0.8]), ("2.0.0", [-1, 2, 0.1])]:
        release(releases, version, scorer(weights))
    done = evaluate("m@1.0.0", [PLAIN], "--answers", "old.jsonl", "--gate", drop)
    assert rows_by_rule(done)["drop in accuracy <= 0.05"]["observed"] == "nothing to compare with"
    promote(backstay, server, "1.0.0")
    done = evaluate("m@1.1.0", [PLAIN], "--answers", "new.jsonl", "--gate", drop)
    assert done["baseline"] == "m@1.0.0" and done["rows"] == 1200
    old, new = (np.array([json.loads(line)["outputs"][0] for line in (backstay.folder / name).read_text().splitlines()])
                for name in ("old.jsonl", "new.jsonl"))
    right_old, right_new = ((s >= 0.4) == (table.label == 1) for s in (old, new))
    found = metrics(done["scorecards"], "quality")
    change = found["accuracy_change", ""]
    assert change["baseline"] == "m@1.0.0"
    close(change["value"], right_new.mean() - right_old.mean())
    low, high = newcombe_paired(right_new, right_old)
    close(change["lower"], low)
    close(change["upper"], high)
    close(found["roc_auc_change", ""]["value"], sk.roc_auc_score(table.label, new) - sk.roc_auc_score(table.label, old))
    assert rows_by_rule(done)["drop in accuracy <= 0.05"]["decision"] == "PASS"
    worse = evaluate("m@2.0.0", [PLAIN], "--gate", drop, code=6)
    assert rows_by_rule(worse)["drop in accuracy <= 0.05"]["decision"] == "FAIL"
    # What it was compared with is no longer in production.
    promote(backstay, server, "1.1.0")
    assert "m@1.1.0 is in production" in backstay("gate", "m@2.0.0", "--file", drop, code=8).out


def test_robustness_and_behaviour_change_rows_before_they_are_sent(backstay, releases, evaluate):
    table = Table(400)
    table.write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer([1.5, 0, 0.75]))
    tests = {"robustness": [{"name": "gaps", "missing": 0.5, "as": "0"}, {"name": "noise", "noise": 2},
                            {"name": "only-a", "where": {"site": "a"}}],
             "behaviour": [{"name": "dose-blind", "set": "9", "columns": ["dose"]},
                           {"name": "rises-with-age", "add": 1, "columns": ["age"], "expect": "not_less"},
                           {"name": "falls-with-age", "add": 1, "columns": ["age"], "expect": "not_more"},
                           {"name": "steady", "add": 0.02, "columns": ["age"], "tolerance": 0.005}]}
    done = evaluate("m@1.0.0", [{**PLAIN, **tests}])
    assert done["rows"] == 400 * 7  # As they are, and each of six changes.
    found = metrics(done["scorecards"], "quality")
    assert found["behaviour_pass_rate", "dose-blind"]["value"] == 1
    assert found["behaviour_pass_rate", "rises-with-age"]["value"] == 1
    assert found["behaviour_pass_rate", "falls-with-age"]["value"] == 0
    close(found["behaviour_pass_rate", "dose-blind"]["lower"], 0.025 ** (1 / 400))
    score = lambda age: 1 / (1 + np.exp(-(1.5 * age + 0.75 * table.x[:, 2].astype(np.float64) + 0.1)))
    age = table.x[:, 0].astype(np.float64)
    close(found["behaviour_pass_rate", "steady"]["value"], (np.abs(score(age + 0.02) - score(age)) <= 0.005).mean())
    for name in ("gaps", "noise"):
        assert found["robustness_accuracy", name]["value"] < found["accuracy", ""]["value"]
        close(found["robustness_accuracy_change", name]["value"],
              found["robustness_accuracy", name]["value"] - found["accuracy", ""]["value"])
    assert found["robustness_accuracy", "only-a"]["samples"] == (table.site == "a").sum()
    again = metrics(evaluate("m@1.0.0", [{**PLAIN, **tests}])["scorecards"], "quality")
    assert again["robustness_accuracy", "noise"] == found["robustness_accuracy", "noise"], "the seed draws the noise"


def test_golden_answers_are_compared_bit_by_bit(backstay, releases, evaluate):
    Table(120).write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    release(releases, "1.0.1", scorer(bias=0.1 + 1e-6))
    evaluate("m@1.0.0", [PLAIN], "--answers", "golden.jsonl")
    golden = {**PLAIN, "golden": "golden.jsonl"}
    found = metrics(evaluate("m@1.0.0", [golden], parallel=3, batch=7)["scorecards"], "quality")
    assert found["golden_mismatches", ""] == {"name": "golden_mismatches", "value": 0, "lower": 0, "upper": 0, "samples": 120}
    found = metrics(evaluate("m@1.0.1", [golden])["scorecards"], "quality")
    assert found["golden_mismatches", ""]["value"] > 100
    lines = (backstay.folder / "golden.jsonl").read_text().splitlines()
    (backstay.folder / "golden.jsonl").write_text("\n".join(lines[:-1]))
    assert "1 of the 120 rows" in evaluate("m@1.0.0", [golden], code=2)["error"]["message"]


def test_rows_come_from_parquet_and_arrow_as_from_csv(backstay, releases, evaluate):
    import pandas
    import pyarrow
    import pyarrow.feather

    Table(200).write(backstay.folder / "held_out.csv")
    frame = pandas.read_csv(backstay.folder / "held_out.csv")
    frame.to_parquet(backstay.folder / "held_out.parquet", row_group_size=70)
    pyarrow.feather.write_feather(pyarrow.Table.from_pandas(frame, preserve_index=False), backstay.folder / "held_out.arrow")
    release(releases, "1.0.0", scorer())
    found = [metrics(evaluate("m@1.0.0", [{**SET, "files": f"held_out.{ending}"}])["scorecards"], "quality")
             for ending in ("csv", "parquet", "arrow")]
    assert found[0] == found[1] == found[2]


def scores(request) -> Reply:
    (x,) = json.loads(request["body"])["inputs"]
    rows = np.reshape(x["data"], x["shape"])
    score = 1 / (1 + np.exp(-rows.sum(1)))
    return Reply(body={"outputs": [{"name": "score", "datatype": "FP64", "shape": [len(rows)], "data": score.tolist()}]})


METADATA = {"name": "m", "inputs": [{"name": "x", "datatype": "FP64", "shape": [-1, 3]}],
            "outputs": [{"name": "score", "datatype": "FP64", "shape": [-1]}]}


def test_versions_behind_one_url_are_not_compared_and_those_behind_two_are(backstay, releases, backend, evaluate):
    Table(300).write(backstay.folder / "held_out.csv")
    served = [backend("m"), backend("m")]
    for version, server in zip(("1.0.0", "1.1.0"), served):
        release(releases, version, scorer())
        server.metadata, server.reply = METADATA, scores

    def sure(request):
        rows = json.loads(request["body"])["inputs"][0]["shape"][0]
        return Reply(body={"outputs": [{"name": "score", "datatype": "FP64", "shape": [rows, 1], "data": [0.9] * rows}]})

    served[0].reply = sure
    one = {"kind": "url", "url": served[1].url}
    refused = evaluate("m@1.1.0", [PLAIN], "--against", "m@1.0.0", code=2, backend=one)
    assert "One would be compared with itself" in refused["error"]["message"] and "--against none" in refused["error"]["hint"]
    two = {"kind": "url", "urls": {"1.0.0": served[0].url, "1.1.0": served[1].url}}
    found = metrics(evaluate("m@1.1.0", [PLAIN], "--against", "m@1.0.0", backend=two)["scorecards"], "quality")
    assert found["accuracy_change", ""]["value"] != 0 and served[0].seen and served[1].seen


def test_an_evaluation_that_was_killed_goes_on_where_it_was(backstay, releases, backend):
    table = Table(1000)
    table.write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    served = backend("m")
    served.metadata = METADATA
    enough = threading.Event()
    answered = collections.Counter()

    def answer(request):
        answered["all"] += 1
        if answered["all"] > 60:
            enough.set()
            return Reply(hang=True)
        return scores(request)

    served.reply = answer
    suite = backstay.folder / "suite.yaml"
    suite.write_text(yaml.safe_dump({"name": "suite", "batch": 10, "parallel": 2, "sets": [PLAIN],
                                     "backend": {"kind": "url", "url": served.url}}))
    first = backstay.start("evaluate", "m@1.0.0", "--suite", suite)
    assert enough.wait(60)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    assert backstay("show", "m@1.0.0", "--json").json["scorecards"] == []
    journals = list((backstay.data_dir / "evaluations").glob("*.journal"))
    assert len(journals) == 1
    kept = len(journals[0].read_text().splitlines())
    assert 58 <= kept <= 60
    with open(journals[0], "a") as torn:
        torn.write("0123456789abcdef 99 {\"outputs")
    served.reply = scores
    before = len(served.seen)
    done = json.loads(backstay("evaluate", "m@1.0.0", "--suite", suite, "--json").out)
    assert len(served.seen) - before == 100 - kept
    assert done["resumed_rows"] == 10 * kept
    expected = 1 / (1 + np.exp(-table.x.astype(np.float64).sum(1)))
    close(metrics(done["scorecards"], "quality")["accuracy", ""]["value"],
          ((np.round(expected, 12) >= 0.4) == (table.label == 1)).mean())
    assert not list((backstay.data_dir / "evaluations").glob("*.journal")), "it is done"


@pytest.mark.parametrize("reply, code, said", [
    (Reply(400, {"error": "no such input"}), 2, "no such input"),
    (Reply(500, {"error": "out of memory"}), 11, "out of memory"),
    (Reply(body={"outputs": []}), 2, "no output 'score'"),
    (Reply(body={"outputs": [{"name": "score", "datatype": "FP64", "shape": [3], "data": [1]}]}), 11, "its shape says 3"),
    (Reply(body={"nothing": 1}), 11, "no outputs")])
def test_what_a_server_gets_wrong_is_told_in_its_words(backstay, releases, backend, reply, code, said):
    Table(20).write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    served = backend("m")
    served.metadata = METADATA
    served.reply = lambda request: reply
    suite = backstay.folder / "suite.yaml"
    suite.write_text(yaml.safe_dump({"name": "s", "sets": [PLAIN], "backend": {"kind": "url", "url": served.url}}))
    assert said in backstay("evaluate", "m@1.0.0", "--suite", suite, code=code).err


@pytest.mark.parametrize("change, said", [
    ({"label": "lable"}, "no column 'lable'"), ({"files": "nowhere.csv"}, "nowhere.csv"),
    ({"classes": ["0", "2"]}, "none of its classes"), ({"inputs": [{"name": "z", "columns": FEATURES}]}, "no input 'z'"),
    ({"inputs": [{"columns": FEATURES[:2]}]}, "2 columns"), ({"inputs": [{"columns": ["site", "age", "dose"]}]}, "no number"),
    ({"sha256": "0" * 64}, "pins"), ({"output": {"name": "y"}}, "no output 'y'"), ({"thresold": 1}, "thresold"),
    ({"robustness": [{"name": "r", "noise": 1, "scale": 2}]}, "exactly one"),
    ({"robustness": [{"name": "r", "noise": 0}]}, "noise"), ({"output": {"thrshold": 1}}, "thrshold"),
    ({"files": ["held_out.csv", "./held_out.csv"]}, "twice"), ({"files": "link.csv"}, "symbolic link"),
    ({"robustness": [{"name": "r", "where": {"site": "z"}}]}, "No row"), ({"files": "held_out.xlsx"}, ".csv")])
def test_a_suite_that_does_not_fit_is_refused_with_the_reason(backstay, releases, evaluate, change, said):
    Table(20).write(backstay.folder / "held_out.csv")
    (backstay.folder / "link.csv").symlink_to("held_out.csv")
    release(releases, "1.0.0", scorer())
    suite = backstay.folder / "suite.yaml"
    suite.write_text(yaml.safe_dump({"name": "s", "sets": [{**PLAIN, **change}]}))
    done = backstay.start("evaluate", "m@1.0.0", "--suite", suite)
    _, err = done.communicate()
    assert done.returncode in (2, 3, 9, 13), err
    assert said in err and "hint: " in err
    assert backstay("show", "m@1.0.0", "--json").json["scorecards"] == []


def perfect(rows: int) -> Table:
    """Labels that the scorer's scores separate without a mistake."""
    table = Table(rows)
    table.label = (table.x.astype(np.float64) @ np.array([1.5, -2, 0.75]) + 0.1 > np.log(0.4 / 0.6)).astype(int)
    return table


def test_a_model_that_separates_the_classes_perfectly_is_evaluated(backstay, releases, evaluate):
    perfect(400).write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    found = metrics(evaluate("m@1.0.0", [SET])["scorecards"], "quality")
    precisions = [metric for (name, _), metric in found.items() if name == "average_precision"]
    assert len(precisions) > 5 and all(metric["value"] == 1 == metric["upper"] for metric in precisions)


def test_rows_of_one_class_are_warned_of_and_what_is_not_defined_is_left_out(backstay, releases, evaluate):
    table = Table(50)
    table.label[:] = 1
    table.write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    done = evaluate("m@1.0.0", [PLAIN])
    (warning,) = done["warnings"]
    assert "All 50 rows" in warning and "average_precision" in warning and done["restarts"] == 0
    assert ("average_precision", "") not in metrics(done["scorecards"], "quality")
    assert "warning: All 50 rows" in backstay("evaluate", "m@1.0.0", "--suite", "suite.yaml").err


def test_a_model_that_hangs_ends_the_evaluation_after_its_time(backstay, releases, backend):
    Table(20).write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    served = backend("m")
    served.metadata = METADATA
    served.reply = lambda request: Reply(hang=True)
    suite = backstay.folder / "suite.yaml"
    suite.write_text(yaml.safe_dump({"name": "s", "sets": [PLAIN],
                                     "backend": {"kind": "url", "url": served.url, "answer_timeout": "500ms"}}))
    err = backstay("evaluate", "m@1.0.0", "--suite", suite, code=124).err
    assert "did not answer a request within 500ms" in err and "answer_timeout" in err
    assert len(served.seen) == 1, "what hangs is not asked again"


def test_a_comparison_on_other_data_does_not_count_for_the_newest(backstay, releases, server, evaluate):
    Table(600).write(backstay.folder / "held_out.csv")
    for version in ("1.0.0", "1.1.0"):
        release(releases, version, scorer())
    drop = releases.write("gate.yaml", {**GATE, "rules": [{"metric": "accuracy", "max_drop": 0.05}]})
    evaluate("m@1.0.0", [PLAIN], "--gate", drop)
    promote(backstay, server, "1.0.0")
    rule = "drop in accuracy <= 0.05"
    assert rows_by_rule(evaluate("m@1.1.0", [PLAIN], "--gate", drop))[rule]["decision"] == "PASS"
    Table(600, seed=6).write(backstay.folder / "held_out.csv")
    row = rows_by_rule(evaluate("m@1.1.0", [PLAIN], "--gate", drop, "--against", "none", code=8))[rule]
    assert row["observed"] == "not measured on the newest data"


def test_names_in_the_data_drive_neither_terminal_nor_ci(backstay, releases, evaluate):
    table = Table(200)
    table.site = np.where(table.site == "a", "x\n::error::gone\033[2J", "y")
    table.write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    gate = releases.write("gate.yaml", {**GATE, "rules": [{"metric": "accuracy", "max_gap": 0.001}]})
    suite = backstay.folder / "suite.yaml"
    suite.write_text(yaml.safe_dump({"name": "s", "sets": [{**SET, "intersections": False, "groups": ["site"]}]}))
    done = backstay("evaluate", "m@1.0.0", "--suite", suite, "--gate", gate, "--annotations", code=8)
    shown = backstay("show", "m@1.0.0").out
    for text in (done.out, done.err, shown):
        assert "\033" not in text
        assert not [line for line in text.splitlines() if line.startswith("::error::")]
    assert "site=x ::error::gone" in done.out


def test_output_that_can_not_be_written_is_told(backstay, releases, backend):
    Table(200).write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    suite = backstay.folder / "suite.yaml"
    suite.write_text(yaml.safe_dump({"name": "s", "sets": [SET]}))
    with open("/dev/full", "w") as full:
        done = subprocess.run([str(BIN / "backstay"), "evaluate", "m@1.0.0", "--suite", suite, "--json"], stdout=full,
                              env=backstay.environment, cwd=backstay.folder, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 12 and "No space left" in done.stderr, done
    assert "No space left" in backstay("evaluate", "m@1.0.0", "--suite", suite, "--answers", "/dev/full", code=12).err
    before = len(backstay("show", "m@1.0.0", "--json").json["scorecards"])
    gate = releases.write("gate.yaml", GATE)
    for option in ("--junit", "--sarif", "--markdown", "--answers"):
        assert "nowhere" in backstay("evaluate", "m@1.0.0", "--suite", suite, "--gate", gate, option, "nowhere/f", code=3).err
        assert "folder" in backstay("evaluate", "m@1.0.0", "--suite", suite, "--gate", gate, option, ".", code=2).err
    assert len(backstay("show", "m@1.0.0", "--json").json["scorecards"]) == before, "nothing was measured"
