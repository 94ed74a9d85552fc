"""What `backstay drift` says of data that can't be compared, of times and booleans, and of labels."""

import random

import numpy as np
import pandas as pd
import pytest


def train(backstay, releases, table: pd.DataFrame, version: str = "1.0.0", form: str = "csv") -> None:
    folder = backstay.folder / f"m-{version}"
    folder.mkdir()
    write(folder / f"train.{form}", table)
    releases.register(version, data=[{"name": "d", "role": "training", "files": f"train.{form}"}])


def write(path, table: pd.DataFrame):
    table.to_parquet(path) if path.suffix == ".parquet" else table.to_csv(path, index=False)
    return path


def frame(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    return pd.DataFrame({"at": pd.date_range("2026-01-01", periods=rows, freq="h", tz="UTC").strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "x": random.normal(100, 10, rows).round(3), "flag": random.random(rows) < 0.3,
                         "grade": random.choice(["low", "high"], rows)})


@pytest.fixture
def trained(backstay, releases):
    train(backstay, releases, frame(2_000, 1))
    return backstay


def live(backstay, table: pd.DataFrame, form: str = "csv"):
    return write(backstay.folder / f"live.{form}", table)


def test_it_says_when_no_row_is_late_enough(trained):
    file = live(trained, frame(200, 2))
    err = trained("drift", "m@1.0.0", "--live", file, "--time", "at", "--since", "2026-05-01", code=2).err
    assert "None of the 200 rows" in err and "the newest in 'at' is 2026-01-09T07:00:00" in err
    err = trained("drift", "m@1.0.0", "--live", file, "--time", "x", "--since", "2d", code=2).err
    assert "the newest in 'x' is 1970-01-01T00:0" in err and "--time" in err
    assert "'low' is no time" in trained("drift", "m@1.0.0", "--live", live(trained, frame(1, 2).assign(grade="low")), "--time",
                                         "grade", "--since", "2d", code=2).err


def test_it_says_when_a_side_has_no_rows(backstay, releases, trained):
    empty = backstay.folder / "empty.csv"
    empty.write_text("at,x,flag,grade\n")
    assert "empty.csv has no rows" in trained("drift", "m@1.0.0", "--live", empty, code=2).err
    folder = backstay.folder / "m-1.1.0"
    folder.mkdir()
    (folder / "train.csv").write_text("at,x\n")
    releases.register("1.1.0", data=[{"name": "d", "role": "training", "files": "train.csv"}])
    assert "The training data of m@1.1.0 has no rows" in trained("drift", "m@1.1.0", "--live", live(backstay, frame(50, 2)), code=10).err


def test_it_says_which_columns_there_are_when_none_is_of_training(trained):
    other = live(trained, pd.DataFrame({"inputs": [1, 2], "params": ["a", "b"]}))
    err = trained("drift", "m@1.0.0", "--live", other, code=2).err
    assert "The training data has: at, x, flag, grade; the live data has: inputs, params." in err


def test_since_when_is_not_told_of_rows_that_are_not_in_order(trained):
    rows = frame(1_500, 2)
    rows.loc[900:, "x"] += 20
    moved = ("drift", "m@1.0.0", "--live", live(trained, rows), "--time", "at", "--ignore", "at")
    done = trained(*moved, code=6)
    assert "(2026-02-0" in done.out and "not in the order" not in done.out
    assert trained(*moved, "--json", code=6).json["live"]["in_order"] is True
    live(trained, rows.sample(frac=1, random_state=1))
    done = trained(*moved, code=6)
    assert "the rows are not in the order of their times" in done.out and "(2026-" not in done.out
    report = trained(*moved, "--json", code=6).json
    assert report["live"]["in_order"] is False and report["alarms"][0]["since_time"] is None


def test_what_is_ignored_must_be_there_and_thresholds_must_be_possible(trained):
    file = live(trained, frame(200, 2))
    for command in ("drift", "suggest"):
        err = trained(command, "m@1.0.0", "--live", file, "--ignore", "at,nope", code=2).err
        assert "no column 'nope' to leave out" in err and "at, x, flag, grade" in err
    assert "All columns are left out" in trained("drift", "m@1.0.0", "--live", file, "--ignore", "at,x,flag,grade", code=2).err
    for wrong in ("-1", "nan"):
        assert "--min-shift" in trained("drift", "m@1.0.0", "--live", file, "--min-shift", wrong, code=2).err


@pytest.mark.parametrize("forms", [("parquet", "csv"), ("csv", "parquet")])
def test_booleans_are_the_same_whichever_file_they_are_in(backstay, releases, forms):
    """pandas writes True and False into CSV files, and booleans into Parquet files."""
    train(backstay, releases, frame(2_000, 1), form=forms[0])
    file = live(backstay, frame(800, 2), forms[1])
    report = backstay("drift", "m@1.0.0", "--live", file, "--ignore", "at", "--json").json
    flag = next(each for each in report["columns"] if each["column"] == "flag")
    assert not flag["drifted"] and flag["quality"] == [] and flag["js"] < 0.05


def test_what_differs_of_texts_is_told_and_times_are_recognised(backstay, releases):
    """As pandas writes them: "2027-01-01 05:00:00"."""
    train(backstay, releases, frame(2_000, 1).assign(at=pd.date_range("2026-01-01", periods=2_000, freq="h")))
    later = live(backstay, frame(400, 2).assign(at=pd.date_range("2027-01-01", periods=400, freq="h")))
    done = backstay("drift", "m@1.0.0", "--live", later, code=6)
    assert "other words than in training" in done.out
    assert "leave them out with --ignore at" in done.out
    assert backstay("drift", "m@1.0.0", "--live", later, "--json", code=6).json["times"] == ["at"]
    backstay("drift", "m@1.0.0", "--live", later, "--ignore", "at")


def test_a_column_that_moves_within_the_rows_is_not_called_as_in_training(trained):
    rows = frame(1_000, 2).sort_values("x")
    done = trained("drift", "m@1.0.0", "--live", live(trained, rows), "--ignore", "at", code=6)
    assert "drifted within the rows" in done.out
    assert "2 of 3 columns are as in training" in done.out


def labelled(rows: int, seed: int, wrong: float = 0.05) -> pd.DataFrame:
    source = random.Random(seed)
    table = frame(rows, seed)
    table["truth"] = [source.choice(["yes", "no"]) for _ in range(rows)]
    table["answer"] = [t if source.random() > wrong else {"yes": "no", "no": "yes"}[t] for t in table["truth"]]
    return table


ASK = ("--prediction", "answer", "--label", "truth", "--error-rate", "5%")


def test_labels_of_quantities_need_a_tolerance(trained):
    table = labelled(400, 2)
    table["truth"] = np.random.default_rng(3).normal(10, 3, 400).round(3)
    table["answer"] = (table["truth"] + 0.01).round(3)
    file = live(trained, table)
    err = trained("drift", "m@1.0.0", "--live", file, *ASK, code=2).err
    assert "different numbers" in err and "--tolerance 0.5" in err
    errors = lambda tolerance, code: trained("drift", "m@1.0.0", "--live", file, *ASK, "--tolerance", tolerance, "--json", code=code).json["errors"]
    assert errors("0.02", 0)["wrong"] == 0
    assert errors("0", 6)["wrong"] == 400
    assert "--label" in trained("drift", "m@1.0.0", "--live", file, "--tolerance", "1", code=2).err


def test_labels_that_share_no_value_with_the_predictions_are_told(trained):
    table = labelled(300, 2)
    table["truth"] = (table["truth"] == "yes").astype(int)
    done = trained("drift", "m@1.0.0", "--live", live(trained, table), *ASK, code=6)
    assert "note: 'answer' and 'truth' have no value in common" in done.out
    # Booleans and their numbers are the same classes.
    table["answer"], table["truth"] = table["truth"] == 1, table["truth"]
    report = trained("drift", "m@1.0.0", "--live", live(trained, table), *ASK, "--json").json
    assert report["errors"]["wrong"] == 0 and report["errors"]["note"] is None


def test_the_alarm_about_errors_has_its_time(trained):
    table = labelled(3_000, 2, wrong=0.03)
    table.loc[1_500:, "answer"] = labelled(3_000, 2, wrong=0.4)["answer"][1_500:]
    file = live(trained, table)
    report = trained("drift", "m@1.0.0", "--live", file, *ASK, "--time", "at", "--json", code=6).json
    row = report["errors"]["alarm_at_row"]
    assert 1_500 < row < 1_900
    assert report["errors"]["alarm_time"] == table["at"][row - 1]
    late = trained("drift", "m@1.0.0", "--live", file, *ASK, "--time", "at", "--since", table["at"][700], "--json", code=6).json
    assert late["errors"]["alarm_time"] == table["at"][700 + late["errors"]["alarm_at_row"] - 1]
    assert late["errors"]["alarm_time"] in trained("drift", "m@1.0.0", "--live", file, *ASK, "--time", "at", "--since",
                                                   table["at"][700], code=6).out
