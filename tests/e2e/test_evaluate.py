"""Evaluation of versions through their own backends: figures as scikit-learn and Fairlearn give them, limits, verdicts."""

import json

import fairlearn.metrics as fair
import numpy as np
import pytest
import sklearn.calibration
import sklearn.metrics as sk
import yaml
from scipy import stats

from evaluation import FEATURES, Table, linear, metrics, release, scorer, softmax_of

SET = {"name": "held-out", "files": "held_out.csv", "inputs": [{"name": "x", "columns": FEATURES}],
       "output": {"name": "score", "threshold": 0.4}, "label": "label", "classes": ["0", "1"], "groups": ["site", "sex"],
       "intersections": True}


def close(value, expected):
    assert value == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.fixture
def evaluate(backstay):
    """evaluate(version, sets, *options): the JSON of the command."""

    def run(version: str, sets: list[dict], *options, code: int = 0, **suite) -> dict:
        file = backstay.folder / "suite.yaml"
        file.write_text(yaml.safe_dump({"name": "suite", "min_group": 20, "sets": sets, **suite}))
        done = backstay("evaluate", version, "--suite", file, "--json", *options, code=code)
        return json.loads(done.out) if done.out else json.loads(done.err)

    return run


def answers(backstay, evaluate, version: str, rows) -> np.ndarray:
    """The scores that the worker really gave, which float32 arithmetic here may miss in the last bit."""
    lines = [json.loads(line) for line in (backstay.folder / "answers.jsonl").read_text().splitlines()]
    return np.array([line["outputs"] for line in lines])


def test_figures_are_those_of_scikit_learn(backstay, releases, evaluate):
    table = Table(700)
    table.write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    done = evaluate("m@1.0.0", [SET], "--answers", "answers.jsonl")
    assert done["rows"] == 700 and done["resumed_rows"] == 0 and done["baseline"] is None
    score = answers(backstay, evaluate, "m@1.0.0", 700)[:, 0]
    np.testing.assert_allclose(score, 1 / (1 + np.exp(-(table.x @ np.array([1.5, -2, 0.75]) + 0.1))), rtol=1e-5)
    y, said = table.label, (score >= 0.4).astype(int)
    found = metrics(done["scorecards"], "quality")
    both = np.stack([1 - score, score], 1)
    expected = {
        "accuracy": sk.accuracy_score(y, said), "balanced_accuracy": sk.balanced_accuracy_score(y, said),
        "precision": sk.precision_score(y, said), "recall": sk.recall_score(y, said),
        "specificity": sk.recall_score(y, said, pos_label=0), "positive_rate": said.mean(), "f1": sk.f1_score(y, said),
        "roc_auc": sk.roc_auc_score(y, score), "average_precision": sk.average_precision_score(y, score),
        "matthews_correlation": sk.matthews_corrcoef(y, said), "log_loss": sk.log_loss(y, both),
        "brier_score": sk.brier_score_loss(y, score)}
    for name, value in expected.items():
        close(found[name, ""]["value"], value)
    close(found["calibration_error", ""]["value"], calibration_error(y, score, 10))
    for metric in found.values():
        assert metric["lower"] <= metric["value"] <= metric["upper"], metric
    exact = stats.binomtest(int((y == said).sum()), 700).proportion_ci(0.95, "exact")
    close(found["accuracy", ""]["lower"], exact.low)
    close(found["accuracy", ""]["upper"], exact.high)
    for group, rows in [("site=a", table.site == "a"), ("sex=f", table.sex == "f"),
                        ("site=b,sex=m", (table.site == "b") & (table.sex == "m"))]:
        close(found["accuracy", group]["value"], sk.accuracy_score(y[rows], said[rows]))
        close(found["roc_auc", group]["value"], sk.roc_auc_score(y[rows], score[rows]))
        assert found["accuracy", group]["samples"] == rows.sum()


def calibration_error(y, score, bins):
    share, mean = sklearn.calibration.calibration_curve(y, score, n_bins=bins)
    counts = np.bincount(np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], score), minlength=bins)
    return float((counts[counts > 0] / len(y) * np.abs(share - mean)).sum())


def test_fairness_is_that_of_fairlearn(backstay, releases, evaluate):
    table = Table(900, seed=8)
    table.write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    done = evaluate("m@1.0.0", [SET], "--answers", "answers.jsonl")
    score = answers(backstay, evaluate, "m@1.0.0", 900)[:, 0]
    y, said = table.label, (score >= 0.4).astype(int)
    found = metrics(done["scorecards"], "bias")
    both = np.char.add(np.char.add(table.site, ","), table.sex)
    for attribute, values in [("site", table.site), ("sex", table.sex), ("site,sex", both)]:
        names = {"demographic_parity_difference": fair.demographic_parity_difference,
                 "demographic_parity_ratio": fair.demographic_parity_ratio,
                 "equalized_odds_difference": fair.equalized_odds_difference,
                 "equalized_odds_ratio": fair.equalized_odds_ratio,
                 "equal_opportunity_difference": fair.equal_opportunity_difference}
        for name, function in names.items():
            metric = found[name, attribute]
            close(metric["value"], function(y, said, sensitive_features=values))
            assert 0 <= metric["lower"] <= metric["value"] <= metric["upper"] <= 1
        gaps = [abs(score[values == v].mean() - y[values == v].mean()) for v in set(values)]
        close(found["calibration_gap", attribute]["value"], max(gaps))
        assert found["small_groups", attribute]["value"] == 0


@pytest.mark.parametrize("classes", [2, 3])
def test_log_loss_is_of_probabilities_as_they_are_given(backstay, releases, evaluate, classes):
    """Those of FP32 do not sum to 1 to the last bit, and scikit-learn does not make them."""
    table = Table(500)
    table.label = np.random.default_rng(2).integers(0, classes, 500)
    table.write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", softmax_of(classes))
    suite = {**SET, "classes": [str(k) for k in range(classes)], "output": {"kind": "probabilities"}, "groups": []}
    done = evaluate("m@1.0.0", [suite], "--answers", "answers.jsonl")
    p = answers(backstay, evaluate, "m@1.0.0", 500)
    assert np.abs(p.sum(1) - 1).max() > 0
    found = metrics(done["scorecards"], "quality")
    assert found["log_loss", ""]["value"] == pytest.approx(sk.log_loss(table.label, p), rel=1e-13)
    clipped = evaluate("m@1.0.0", [{**suite, "clip": 0.2}])
    close(metrics(clipped["scorecards"], "quality")["log_loss", ""]["value"],
          sk.log_loss(table.label, np.clip(p, 0.2, 0.8)))


def test_fairness_without_false_alarms_or_positives_is_that_of_fairlearn(backstay, releases, evaluate):
    table = Table(600, seed=3)
    said = table.x.astype(np.float64) @ np.array([1.5, -2, 0.75]) + 0.1 > np.log(0.4 / 0.6)
    table.label[said] = 1  # No false alarm; some positives are missed.
    table.write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer())
    suite = {**SET, "groups": ["site"], "intersections": False}
    done = evaluate("m@1.0.0", [suite])
    found = metrics(done["scorecards"], "bias")
    wanted = fair.equalized_odds_ratio(table.label, said, sensitive_features=table.site)
    close(found["equalized_odds_ratio", "site"]["value"], wanted)
    assert found["equalized_odds_ratio", "site"]["lower"] == 0
    assert any("No group of site has a false alarm" in warning for warning in done["warnings"])

    table.label[table.site == "c"] = 0
    table.write(backstay.folder / "held_out.csv")
    done = evaluate("m@1.0.0", [suite])
    found = metrics(done["scorecards"], "bias")
    for name in ("equal_opportunity_difference", "equalized_odds_difference", "equalized_odds_ratio"):
        close(found[name, "site"]["value"],
              getattr(fair, name)(table.label, said, sensitive_features=table.site))
    assert any("1 of the groups of site has no positive rows" in warning for warning in done["warnings"])


def test_a_bias_metric_that_is_not_defined_is_warned_of_and_the_gate_says_why(backstay, releases, evaluate):
    Table(200).write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", scorer(weights=[0, 0, 0], bias=-5))  # Calls nobody positive.
    rule = {"metric": "demographic_parity_ratio", "group": "site", "at_least": 0.8}
    gate = releases.write("gate.json", {"name": "fair", "rules": [rule]})
    done = evaluate("m@1.0.0", [{**SET, "groups": ["site"]}], "--gate", gate, code=8)
    assert any("demographic_parity_ratio of site is not defined" in warning for warning in done["warnings"])
    (row,) = [row for row in done["verdict"]["rows"] if row["rule"].startswith("demographic")]
    assert "no group is called positive" in row["explanation"]


def test_more_than_two_classes(backstay, releases, evaluate):
    table = Table(400)
    table.label = np.random.default_rng(1).integers(0, 4, 400)
    table.write(backstay.folder / "held_out.csv")
    release(releases, "1.0.0", softmax_of(4))
    classes = {**SET, "classes": ["0", "1", "2", "3"], "output": {"kind": "probabilities"}, "groups": []}
    done = evaluate("m@1.0.0", [classes], "--answers", "answers.jsonl")
    p = answers(backstay, evaluate, "m@1.0.0", 400)
    y, said = table.label, p.argmax(1)
    found = metrics(done["scorecards"], "quality")
    expected = {"accuracy": sk.accuracy_score(y, said), "balanced_accuracy": sk.balanced_accuracy_score(y, said),
                "precision_macro": sk.precision_score(y, said, average="macro", zero_division=0),
                "recall_macro": sk.recall_score(y, said, average="macro", zero_division=0),
                "f1_macro": sk.f1_score(y, said, average="macro"), "matthews_correlation": sk.matthews_corrcoef(y, said),
                "log_loss": sk.log_loss(y, p), "brier_score": ((p - np.eye(4)[y]) ** 2).sum(1).mean(),
                "calibration_error": calibration_error(y == said, p.max(1), 10)}
    for name, value in expected.items():
        close(found[name, ""]["value"], value)


def test_regression_and_ranking(backstay, releases, evaluate):
    table = Table(300)
    random = np.random.default_rng(4)
    target = table.x @ np.array([1.4, -2, 0.7]) + random.normal(size=300)
    relevance = random.integers(0, 4, 300)
    query = np.repeat(np.arange(30), 10)
    table.write(backstay.folder / "held_out.csv", target=target, relevance=relevance, query=query)
    release(releases, "1.0.0", linear())
    common = {"files": "held_out.csv", "inputs": [{"columns": FEATURES}]}
    done = evaluate("m@1.0.0", [{**common, "name": "values", "task": "regression", "label": "target"},
                                {**common, "name": "ranks", "task": "ranking", "label": "relevance", "query": "query",
                                 "cutoffs": [3, 10]}], "--answers", "answers.jsonl")
    value = answers(backstay, evaluate, "m@1.0.0", 300)[:300, 0]
    found = metrics(done["scorecards"], "quality", "values")
    expected = {"mean_absolute_error": sk.mean_absolute_error(target, value),
                "mean_squared_error": sk.mean_squared_error(target, value),
                "root_mean_squared_error": sk.root_mean_squared_error(target, value), "r2": sk.r2_score(target, value),
                "mean_error": (value - target).mean(),
                "mean_absolute_percentage_error": sk.mean_absolute_percentage_error(target, value)}
    for name, wanted in expected.items():
        close(found[name, ""]["value"], wanted)
    interval = stats.ttest_1samp(np.abs(value - target), 0).confidence_interval(0.95)
    mean, unseen = np.abs(value - target).mean(), 1 - 0.025 ** (1 / 300)
    ignorant = np.abs(target - target.mean()).mean()
    close(found["mean_absolute_error", ""]["lower"], mean - np.hypot(mean - interval.low, unseen * mean))
    close(found["mean_absolute_error", ""]["upper"],
          mean + np.hypot(interval.high - mean, unseen * max(0, ignorant - mean)))
    found = metrics(done["scorecards"], "quality", "ranks")
    shaped, scores = relevance.reshape(30, 10), value.reshape(30, 10)
    for k in (3, 10):
        close(found[f"ndcg_at_{k}", ""]["value"], sk.ndcg_score(shaped, scores, k=k))
    with_relevant = shaped.max(1) > 0
    close(found["mean_average_precision", ""]["value"], np.mean(
        [sk.average_precision_score(r > 0, s) for r, s in zip(shaped[with_relevant], scores[with_relevant])]))
    first = [np.flatnonzero(r[np.argsort(-s)] > 0) for r, s in zip(shaped, scores)]
    close(found["mean_reciprocal_rank", ""]["value"], np.mean([1 / (f[0] + 1) if len(f) else 0 for f in first]))
    assert found["ndcg_at_3", ""]["samples"] == 30
