"""What `backstay evaluate` measured decides which version fits: data sets cut by a column, suites with its groups."""

import numpy as np
import pandas as pd
import pytest
import yaml

from evaluation import FEATURES, scorer

RULES = {"winter": np.array([1.5, -2.0, 0.75], np.float32), "summer": np.array([-1.5, 2.0, 0.75], np.float32)}
BIAS = 1.8


def table(rows: int, seed: int, winter: float) -> pd.DataFrame:
    """Two seasons that lie apart, each with a rule of its own behind the labels."""
    random = np.random.default_rng(seed)
    season = np.where(random.random(rows) < winter, "winter", "summer")
    x = random.normal(size=(rows, 3)) + np.where(season == "winter", -2, 2)[:, None] * np.array([1, 0, 0.3])
    logits = np.where(season == "winter", x @ RULES["winter"], x @ RULES["summer"]) + BIAS
    out = pd.DataFrame(x, columns=FEATURES).round(4)
    out["season"], out["label"] = season, (logits + random.normal(size=rows) > 0).astype(int)
    return out


def sets_of(layout: str) -> list[dict]:
    return [{"name": "load", "role": "training", "files": "train.csv", "by": "season"},
            {"name": "held-out", "role": "test", "files": {"rows": "test.csv", "folders": "parts/"}[layout], "by": "season"}]


def release(backstay, releases, version: str, season: str, layout: str) -> None:
    """A small model that knows one season, registered, evaluated and judged as the documentation shows."""
    folder = backstay.folder / f"m-{version}"
    folder.mkdir()
    table(2_000, 1, 1.0 if season == "winter" else 0.0).to_csv(folder / "train.csv", index=False)
    test = table(2_400, 2, 0.5)
    test.to_csv(folder / "test.csv", index=False)
    test.to_csv(backstay.folder / "test.csv", index=False)
    for name, rows in test.groupby("season"):
        (folder / f"parts/season={name}").mkdir(parents=True)
        rows.to_csv(folder / f"parts/season={name}/rows.csv", index=False)
    releases.register(version, {"model.onnx": scorer(RULES[season], BIAS)}, data=sets_of(layout))
    suite = {"name": "suite", "sets": [
        {"name": "held-out", "files": "test.csv", "inputs": [{"columns": FEATURES}], "output": {"kind": "score"},
         "label": "label", "classes": ["0", "1"], "groups": ["season"]}]}
    (backstay.folder / "suite.yaml").write_text(yaml.safe_dump(suite))
    (backstay.folder / "gate.yaml").write_text(yaml.safe_dump({"name": "production",
                                                               "rules": [{"metric": "accuracy", "at_least": 0.2}]}))
    backstay("evaluate", f"m@{version}", "--suite", "suite.yaml", "--gate", "gate.yaml")


@pytest.mark.parametrize("layout", ["rows", "folders"])
def test_what_evaluate_measured_by_season_decides(backstay, releases, layout):
    release(backstay, releases, "1.3.0", "winter", layout)
    release(backstay, releases, "2.0.0", "summer", layout)
    table(1_000, 9, 0.95).drop(columns=["label"]).to_csv(backstay.folder / "live.csv", index=False)
    done = backstay("suggest", "m@2.0.0", "--live", "live.csv")
    assert "switch to 1.3.0: trained on load/winter, expected accuracy 0." in done.out, done.out
    got = backstay("suggest", "m@2.0.0", "--live", "live.csv", "--json").json
    assert got["suggested"] == "m@1.3.0"
    weights = {each["slice"]: each["weight"] for each in got["looks_like"]}
    assert weights["held-out/winter"] == pytest.approx(0.95, abs=0.05)
    best, now = got["ranking"]
    assert best["expected"]["lower"] < best["expected"]["value"] < best["expected"]["upper"]
    assert best["gain"]["lower"] > 0.1 and now["expected"]["value"] < best["expected"]["lower"]
    loss = backstay("suggest", "m@2.0.0", "--live", "live.csv", "--metric", "log_loss", "--json").json
    assert loss["suggested"] == "m@1.3.0" and loss["ranking"][0]["expected"]["value"] < loss["ranking"][1]["expected"]["value"]
    assert backstay("suggest", "m@1.3.0", "--live", "live.csv", "--metric", "log_loss", "--json").json["suggested"] is None
    told = backstay("suggest", "m@2.0.0", "--live", "live.csv", "--metric", "roc_auc", code=2).err
    assert "'roc_auc' is no mean over rows" in told and "log_loss" in told


def test_a_suite_whose_set_is_no_data_set_is_told(backstay, releases):
    release(backstay, releases, "1.3.0", "winter", "rows")
    release(backstay, releases, "2.0.0", "summer", "rows")
    suite = (backstay.folder / "suite.yaml").read_text().replace("name: held-out", "name: monday")
    (backstay.folder / "suite.yaml").write_text(suite)
    for version in ("1.3.0", "2.0.0"):
        releases.register(f"{version}-rc.1", {"model.onnx": scorer(RULES["winter"], BIAS)},
                          data=[{"name": "load", "role": "training", "slices": [{"name": "all", "file": f"../m-{version}/train.csv"}]}])
        backstay("evaluate", f"m@{version}-rc.1", "--suite", "suite.yaml", "--gate", "gate.yaml")
    table(1_000, 9, 0.95).to_csv(backstay.folder / "live.csv", index=False)
    done = backstay("suggest", "m@2.0.0-rc.1", "--live", "live.csv")
    assert "note: accuracy was measured on groups, like season=winter of 'monday'" in done.out
