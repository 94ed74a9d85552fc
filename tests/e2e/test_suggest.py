"""Which stored version fits the live data: seasons, scores on slices, and reasons to stay."""

import csv
import random

import pytest

COLUMNS = ["temperature", "demand", "site"]


def season(count: int, seed: int, winter: float) -> list[list]:
    source = random.Random(seed)
    out = []
    for _ in range(count):
        cold = source.random() < winter
        out.append([f"{source.gauss(0 if cold else 15, 6):.3f}", f"{source.gauss(120 if cold else 80, 20):.3f}",
                    "north" if source.random() < (0.7 if cold else 0.4) else "south"])
    return out


def write(path, table: list[list]):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *table])
    return path


SLICES = {"winter": 1.0, "summer": 0.0}


def data(trained_on: str) -> list[dict]:
    return [{"name": "load", "role": "training", "slices": [{"name": trained_on, "file": f"{trained_on}.csv"}]},
            {"name": "held-out", "role": "test", "slices": [{"name": f"test-{name}", "file": f"test-{name}.csv"} for name in SLICES]}]


def scores(winter: float, summer: float) -> dict:
    return {"kind": "quality", "dataset": "held-out", "evaluator": "tests", "metrics": [
        {"name": "accuracy", "value": 0.97, "samples": 2000},
        {"name": "accuracy", "group": "test-winter", "value": winter, "samples": 1500},
        {"name": "accuracy", "group": "held-out/test-summer", "value": summer, "samples": 1500}]}


def release(releases, version: str, trained_on: str, card: dict) -> None:
    folder = releases.program.folder / f"m-{version}"
    write(folder / f"{trained_on}.csv", season(3_000, 1, SLICES[trained_on]))
    for name, share in SLICES.items():
        write(folder / f"test-{name}.csv", season(1_500, 2, share))
    releases.register(version, data=data(trained_on))
    releases.measure(version, card)
    releases.gate(version)


@pytest.fixture
def seasons(backstay, releases):
    """1.3.0 was trained on winter, 2.0.0 on summer; both were measured on both."""
    release(releases, "1.3.0", "winter", scores(0.94, 0.86))
    release(releases, "2.0.0", "summer", scores(0.87, 0.95))
    return backstay


def live(program, winter: float, rows: int = 1_000):
    return write(program.folder / "live.csv", season(rows, 7, winter))


def test_the_winter_version_is_suggested_in_winter_with_an_interval(seasons):
    file = live(seasons, 0.95)
    done = seasons("suggest", "m@2.0.0", "--live", file)
    assert "switch to 1.3.0: trained on load/winter, expected accuracy 0.94 [0.9" in done.out
    assert "against 0.87 now" in done.out
    got = seasons("suggest", "m@2.0.0", "--live", file, "--json").json
    assert got["suggested"] == "m@1.3.0"
    assert {s["slice"]: round(s["weight"], 1) for s in got["looks_like"]} == {"held-out/test-winter": 0.9, "held-out/test-summer": 0.1} or \
        got["looks_like"][0]["weight"] == pytest.approx(0.95, abs=0.05)
    best = got["ranking"][0]
    assert best["expected"]["lower"] < best["expected"]["value"] < best["expected"]["upper"]
    assert best["gain"]["lower"] > 0


def test_in_summer_nothing_is_suggested(seasons):
    got = seasons("suggest", "m@2.0.0", "--live", live(seasons, 0.0), "--json").json
    assert got["suggested"] is None
    assert "do best" in got["reason"]
    assert "no other version is suggested" in seasons("suggest", "m@2.0.0", "--live", live(seasons, 0.0)).out


def test_few_rows_and_strange_data_make_it_abstain(seasons):
    assert seasons("suggest", "m@2.0.0", "--live", live(seasons, 0.95, 60), "--json", code=8).json["suggested"] is None
    source = random.Random(3)
    odd = [[f"{source.gauss(60, 1):.3f}", f"{source.gauss(500, 5):.3f}", "west"] for _ in range(500)]
    got = seasons("suggest", "m@2.0.0", "--live", write(seasons.folder / "odd.csv", odd), "--json").json
    assert got["suggested"] is None
    assert "unlike every slice" in got["reason"]


def test_what_could_not_be_released_is_left_out_with_its_reason(seasons):
    seasons("impact", "m@1.3.0", "--quarantine", "--reason", "leak")
    got = seasons("suggest", "m@2.0.0", "--live", live(seasons, 0.95), "--json").json
    assert got["suggested"] is None
    assert got["excluded"][0]["version"] == "m@1.3.0"
    assert "quarantine" in got["excluded"][0]["why"]


def test_without_scores_on_slices_the_distance_decides_and_it_says_so(backstay, releases):
    plain = {"kind": "quality", "dataset": "held-out", "evaluator": "tests",
             "metrics": [{"name": "accuracy", "value": 0.97, "samples": 2000}]}
    release(releases, "1.3.0", "winter", plain)
    release(releases, "2.0.0", "summer", plain)
    got = backstay("suggest", "m@2.0.0", "--live", live(backstay, 0.95), "--json").json
    assert got["suggested"] == "m@1.3.0"
    assert "not measured" in got["reason"]
    assert got["ranking"][0]["distance"] < got["ranking"][1]["distance"]


def test_an_archived_version_is_suggested_with_what_brings_it_back(seasons):
    seasons("archive", "m@1.3.0", "--reason", "summer came")
    done = seasons("suggest", "m@2.0.0", "--live", live(seasons, 0.95))
    assert "backstay restore m@1.3.0" in done.out
    assert "(archived)" in done.out


def errors(winter: float, summer: float, name: str = "log_loss", dataset: str = "held-out") -> dict:
    return {"kind": "quality", "dataset": dataset, "evaluator": "tests", "metrics": [
        {"name": "accuracy", "value": 0.97, "samples": 2000},
        *({"name": name, "group": group, "value": value, "samples": 1500, "lower": value * 0.95, "upper": value * 1.05}
          for group, value in (("test-winter", winter), ("test-summer", summer)))]}


def test_an_error_metric_is_better_the_lower_it_is(backstay, releases):
    release(releases, "1.3.0", "winter", errors(0.9, 0.9))
    release(releases, "2.0.0", "summer", errors(0.3, 0.3))
    file = live(backstay, 0.95)
    got = backstay("suggest", "m@2.0.0", "--live", file, "--metric", "log_loss", "--json").json
    assert got["suggested"] is None and got["lower_is_better"] is True
    assert [each["version"] for each in got["ranking"]] == ["m@2.0.0", "m@1.3.0"]
    assert got["ranking"][1]["gain"]["value"] < 0
    done = backstay("suggest", "m@1.3.0", "--live", file, "--metric", "log_loss")
    assert "switch to 2.0.0" in done.out and "expected log_loss 0.3 [" in done.out
    done = backstay("suggest", "m@2.0.0", "--live", file, "--metric", "log_loss", "--higher-is-better", code=2)
    assert "Leave it out" in done.err


def test_of_a_metric_that_nobody_knows_somebody_has_to_say_which_way_is_better(backstay, releases):
    release(releases, "1.3.0", "winter", errors(0.002, 0.002, "cost_per_case"))
    release(releases, "2.0.0", "summer", errors(0.004, 0.004, "cost_per_case"))
    file = live(backstay, 0.95)
    ask = ("suggest", "m@2.0.0", "--live", file, "--metric", "cost_per_case")
    assert "--lower-is-better or --higher-is-better" in backstay(*ask, code=2).err
    assert backstay(*ask, "--lower-is-better", "--json").json["suggested"] == "m@1.3.0", "half of it is a gain"
    assert backstay(*ask, "--higher-is-better", "--json").json["suggested"] is None


def test_a_metric_that_no_scorecard_has_is_an_error_that_names_those_there_are(seasons):
    done = seasons("suggest", "m@2.0.0", "--live", live(seasons, 0.95), "--metric", "acuracy", code=3)
    assert "No scorecard of 'm' has a metric 'acuracy'" in done.err
    assert "They have: accuracy" in done.err


def test_what_was_measured_on_another_data_set_says_nothing_of_a_slice(seasons, releases):
    card = scores(0.2, 0.2) | {"dataset": "something-else"}
    card["metrics"] = [{**each, "group": each.get("group", "").removeprefix("held-out/")} for each in card["metrics"]]
    releases.measure("1.3.0", card)
    releases.gate("1.3.0")
    got = seasons("suggest", "m@2.0.0", "--live", live(seasons, 0.95), "--json").json
    assert got["suggested"] == "m@1.3.0"
    assert got["ranking"][0]["expected"]["value"] > 0.9
