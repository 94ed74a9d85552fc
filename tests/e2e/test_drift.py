"""Live data against training data, and which version fits it better."""

import csv
import json
import random

import numpy
import pandas
import pytest

COLUMNS = ["at", "age", "site", "note", "truth", "answer"]


def rows(count: int, seed: int, *, age: float = 50, sites=("a", "b"), start: int = 0, wrong: float = 0.05) -> list[list]:
    source = random.Random(seed)
    out = []
    for i in range(count):
        day = f"2026-01-{1 + (start + i) * 28 // 20_000:02}T00:00:00Z"
        truth = source.randrange(2)
        out.append([day, f"{source.gauss(age, 10):.3f}", source.choice(sites), f"patient {source.randrange(10**6):06} came in", truth,
                    truth if source.random() > wrong else 1 - truth])
    return out


def write(path, table: list[list], columns=COLUMNS):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(table)
    return path


@pytest.fixture
def trained(backstay, releases):
    """m@1.0.0, trained on 5,000 rows, with a measured accuracy of 0.97."""
    write(backstay.folder / "m-1.0.0/train.csv", rows(5_000, 1))
    releases.release("1.0.0", data=[{"name": "wards", "role": "training", "slices": [{"name": "all", "file": "train.csv"}]}])
    return backstay


IGNORED = ("--ignore", "at,truth,answer")


def test_the_same_kind_of_data_is_no_drift(trained):
    live = write(trained.folder / "live.csv", rows(1_000, 2))
    done = trained("drift", "m@1.0.0", "--live", live, *IGNORED)
    assert "3 of 3 columns are as in training" in done.out
    report = trained("drift", "m@1.0.0", "--live", live, *IGNORED, "--json").json
    assert report["drifted"] is False
    assert report["training"] == {"rows": 5000, "columns_left_out": 0, "slices": ["wards/all"],
                                  "slices_without_profile": []}
    assert {c["column"]: c["measure"] for c in report["columns"]} == {"age": "number", "site": "category", "note": "text"}


def test_it_tells_which_column_moved_how_far_and_since_when(trained):
    live = write(trained.folder / "live.csv", rows(2_000, 2) + rows(1_500, 3, age=58, start=2_000))
    done = trained("drift", "m@1.0.0", "--live", live, *IGNORED, "--time", "at", code=6)
    assert "drifted" in done.out and "median" in done.out
    report = trained("drift", "m@1.0.0", "--live", live, *IGNORED, "--time", "at", "--json", code=6).json
    age = report["columns"][0]
    assert age["column"] == "age" and age["drifted"]
    assert 0.2 < age["shift"] < 0.5
    assert [a["column"] for a in report["alarms"]] == ["age"]
    assert abs(report["alarms"][0]["since_row"] - 2_000) < 200
    assert report["alarms"][0]["since_time"].startswith("2026-01-0")
    assert report["alarms"][0]["sure_at_row"] > report["alarms"][0]["since_row"]


@pytest.fixture
def related(backstay, releases):
    """m@1.0.0, trained on 3,000 rows in which y goes with x."""
    write(backstay.folder / "m-1.0.0/train.csv", pairs_of(3_000, 1, 0.8), ["x", "y", "z"])
    releases.release("1.0.0", data=[{"name": "wards", "role": "training", "slices": [{"name": "all", "file": "train.csv"}]}])
    return backstay


def pairs_of(count: int, seed: int, correlation: float) -> list[list]:
    """Standard normal columns; the correlation is that of the first two."""
    source = random.Random(seed)
    out = []
    for _ in range(count):
        x = source.gauss(0, 1)
        out.append([x, correlation * x + (1 - correlation**2) ** 0.5 * source.gauss(0, 1), source.gauss(0, 1)])
    return out


def test_a_relation_that_changed_is_drift_though_each_column_is_as_in_training(related):
    live = write(related.folder / "live.csv", pairs_of(600, 2, 0.1), ["x", "y", "z"])
    done = related("drift", "m@1.0.0", "--live", live, code=6)
    assert "3 of 3 columns are as in training" in done.out
    assert "x, y" in done.out and "+0.8" in done.out
    report = related("drift", "m@1.0.0", "--live", live, "--json", code=6).json
    assert report["drifted"] and not any(c["drifted"] for c in report["columns"])
    assert [p["columns"] for p in report["pairs"] if p["drifted"]] == [["x", "y"]]
    first = report["pairs"][0]
    assert first["training_correlation"] == pytest.approx(0.8, abs=0.03)
    assert first["live_correlation"] == pytest.approx(numpy.corrcoef(numpy.array(pairs_of(600, 2, 0.1)).T)[0, 1], abs=1e-9)
    assert len(report["pairs"]) == 3
    # It is a matter of size as well, and of what is looked at.
    related("drift", "m@1.0.0", "--live", live, "--min-correlation", "0.9")
    related("drift", "m@1.0.0", "--live", live, "--ignore", "y")


def test_relations_that_hold_are_no_drift(related):
    live = write(related.folder / "live.csv", pairs_of(600, 3, 0.8), ["x", "y", "z"])
    report = related("drift", "m@1.0.0", "--live", live, "--json").json
    assert not any(p["drifted"] for p in report["pairs"])


def test_rows_before_since_are_left_out(trained):
    live = write(trained.folder / "live.csv", rows(10_000, 2) + rows(10_000, 3, age=58, start=10_000))
    late = trained("drift", "m@1.0.0", "--live", live, *IGNORED, "--time", "at", "--since", "2026-01-15", "--json", code=6).json
    assert late["live"]["left_out"] == 10_000
    assert late["columns"][0]["shift"] == pytest.approx(0.8, abs=0.1)
    err = trained("drift", "m@1.0.0", "--live", live, "--since", "2026-01-15", code=2).err
    assert "--time" in err


def test_broken_data_is_told_as_such(trained):
    table = [[row[0], "" if i % 3 == 0 else "n/a" if i % 3 == 1 else row[1], "z" if i % 4 == 0 else row[2], *row[3:]]
             for i, row in enumerate(rows(600, 4))]
    report = trained("drift", "m@1.0.0", "--live", write(trained.folder / "live.csv", table), *IGNORED, "--json", code=6).json
    found = {c["column"]: [q["kind"] for q in c["quality"]] for c in report["columns"]}
    assert found["age"] == ["missing", "type"]
    assert found["site"] == ["unseen"]


def test_predictions_and_errors_are_watched(trained):
    live = write(trained.folder / "live.csv", rows(1_000, 2, wrong=0.02) + rows(1_000, 3, wrong=0.3))
    report = trained("drift", "m@1.0.0", "--live", live, "--ignore", "at", "--label", "truth", "--prediction",
                     "answer=truth", "--json", code=6).json
    assert report["errors"]["labelled"] == 2_000
    assert 0.03 < report["errors"]["expected_rate"] < 0.05, "one minus the lower limit of accuracy 0.97 of 2000"
    assert 1_000 < report["errors"]["alarm_at_row"] < 1_100
    assert report["prediction"]["measure"] == "category"
    assert report["drifted"] is True
    err = trained("drift", "m@1.0.0", "--live", live, "--label", "truth", code=2).err
    assert "--prediction" in err


def test_few_rows_give_no_verdict(trained):
    done = trained("drift", "m@1.0.0", "--live", write(trained.folder / "live.csv", rows(20, 2, age=90)), code=8)
    assert "too few" in done.out


def test_json_lines_are_read_and_other_things_refused(trained):
    live = trained.folder / "live.jsonl"
    live.write_text("".join(json.dumps(dict(zip(COLUMNS, row))) + "\n" for row in rows(500, 2)))
    trained("drift", "m@1.0.0", "--live", live, *IGNORED)
    trained("drift", "m@1.0.0", "--live", trained.folder / "none.csv", code=3)
    (trained.folder / "x.bin").write_bytes(b"\x00\x01 no table")
    trained("drift", "m@1.0.0", "--live", trained.folder / "x.bin", code=13)
    other = write(trained.folder / "other.csv", [["1"]], ["something"])
    assert "no column of the training data" in trained("drift", "m@1.0.0", "--live", other, code=2).err
    assert "no endpoint and no model" in trained("drift", "q", "--live", live, code=3).err


def test_parquet_is_read_like_the_rest(trained):
    live = trained.folder / "live.parquet"
    table = [row[:4] + [row[4], row[5]] for row in rows(800, 3, age=60)]
    pandas.DataFrame(table, columns=COLUMNS).astype({"age": float}).to_parquet(live, index=False)
    report = trained("drift", "m@1.0.0", "--live", live, *IGNORED, "--json", code=6).json
    assert report["live"]["rows"] == 800
    assert [c["column"] for c in report["columns"] if c["drifted"]] == ["age"]


def test_a_version_without_profiles_says_what_to_do(backstay, releases):
    releases.release("1.0.0")
    live = write(backstay.folder / "live.csv", rows(100, 1))
    assert "version.yaml" in backstay("drift", "m@1.0.0", "--live", live, code=10).err


def test_a_profile_discloses_no_text(trained):
    shown = trained("slice", "profile", "m@1.0.0", "wards/all", "--json").json
    assert shown["profile"] == "backstay-profile/4"
    text = json.dumps(shown)
    assert "patient" not in text and "came" not in text
    note = next(c for c in shown["columns"] if c["name"] == "note")
    assert note["categories"]["entries"] == []
    assert "DISTINCT" in trained("slice", "profile", "m@1.0.0", "wards/all").out
