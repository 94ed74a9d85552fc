"""The figures of `backstay drift` next to scipy's of the same rows; wide tables, names that are there twice."""

import numpy as np
import pandas as pd
import pytest
import scipy.spatial.distance
import scipy.stats

TOLERANCE = 1e-6


def train(backstay, releases, version: str, table: pd.DataFrame, **slices) -> str:
    folder = backstay.folder / f"m-{version}"
    folder.mkdir()
    table.to_csv(folder / "train.csv", index=False)
    return register(backstay, releases, version, **(slices or {"files": "train.csv"}))


def register(backstay, releases, version: str, **slices) -> str:
    done = backstay("register", releases.describe(version, data=[{"name": "d", "role": "training", **slices}]))
    return done.out + done.err


def columns_of(backstay, version: str, live: pd.DataFrame, *options) -> dict:
    live.to_csv(backstay.folder / "live.csv", index=False)
    done = backstay("drift", f"m@{version}", "--live", "live.csv", "--json", *options, code=6)
    return {each["column"]: each for each in done.json["columns"]}


def samples(rows: int, live_rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(rows)
    return tuple(pd.DataFrame({"plain": random.normal(shift, 1, count), "ties": random.normal(shift, 1, count).round(1),
                               "skewed": random.lognormal(shift, 1, count), "tiny": random.normal(shift, 1, count) * 1e-9,
                               "kind": random.choice(list("abc"), count, p=[0.4 - shift, 0.3, 0.3 + shift]),
                               "moved": random.normal(10 * shift, 1, count)})
                 for count, shift in ((rows, 0.0), (live_rows, 0.1)))


@pytest.mark.parametrize("rows, live_rows", [(100, 100), (500, 400), (1_500, 2_000), (4_096, 8_192)])
def test_figures_of_thousands_of_rows_are_those_of_scipy(backstay, releases, rows, live_rows):
    before, now = samples(rows, live_rows)
    # In slices, whose profiles are put together again.
    before["part"] = np.arange(rows) % 3
    train(backstay, releases, "1.0.0", before, files="train.csv", by="part")
    found = columns_of(backstay, "1.0.0", now, "--ignore", "part")
    for name in ("plain", "ties", "skewed", "tiny", "moved"):
        theirs = scipy.stats.ks_2samp(before[name], now[name], method="exact")
        assert found[name]["ks"] == pytest.approx(theirs.statistic, abs=TOLERANCE)
        assert found[name]["p_value"] == pytest.approx(theirs.pvalue, abs=TOLERANCE)
        wasserstein = scipy.stats.wasserstein_distance(before[name], now[name])
        assert found[name]["wasserstein"] == pytest.approx(wasserstein, rel=TOLERANCE, abs=TOLERANCE)
        if name != "tiny":
            assert found[name]["shift"] == pytest.approx(wasserstein / before[name].std(ddof=0), rel=TOLERANCE)
    counts = [table["kind"].value_counts().reindex(list("abc")).to_numpy() for table in (before, now)]
    chi2 = scipy.stats.chi2_contingency(counts, correction=False)
    assert found["kind"]["statistic"] == pytest.approx(chi2.statistic, rel=TOLERANCE)
    assert found["kind"]["p_value"] == pytest.approx(chi2.pvalue, abs=TOLERANCE)
    assert found["kind"]["js"] == pytest.approx(scipy.spatial.distance.jensenshannon(*counts), abs=TOLERANCE)


@pytest.mark.parametrize("how", ["by", "files", "row_groups"])
def test_categories_of_many_small_slices_are_compared_as_those_of_one(backstay, releases, how):
    """Of 160 rows a category of 40 has 4: no slice tells it, and all of them together do."""
    random = np.random.default_rng(5)
    before, now = (pd.DataFrame({"kind": random.choice([f"k{i}" for i in range(40)], rows), "moved": random.normal(shift, 1, rows),
                                 "part": np.arange(rows) % 25}) for rows, shift in ((4_000, 0), (6_000, 1)))
    slices = {"by": {"files": "train.csv", "by": "part"}, "row_groups": {"files": "train.parquet", "row_groups": True},
              "files": {"slices": [{"name": f"p{i}", "file": f"p{i}.csv"} for i in range(25)]}}[how]
    folder = backstay.folder / "m-1.0.0"
    folder.mkdir()
    before.to_csv(folder / "train.csv", index=False)
    before.to_parquet(folder / "train.parquet", row_group_size=160)
    for part, rows in before.groupby("part"):
        rows.to_csv(folder / f"p{part}.csv", index=False)
    register(backstay, releases, "1.0.0", **slices)
    found = columns_of(backstay, "1.0.0", now, "--ignore", "part")["kind"]
    names = sorted(set(before["kind"]))
    counts = [table["kind"].value_counts().reindex(names).to_numpy() for table in (before, now)]
    assert found["p_value"] == pytest.approx(scipy.stats.chi2_contingency(counts, correction=False).pvalue, abs=TOLERANCE)
    assert found["js"] == pytest.approx(scipy.spatial.distance.jensenshannon(*counts), abs=TOLERANCE)
    assert not found["drifted"] and not found["quality"]
    backstay("fsck")
    whole = next(each for each in backstay("show", "m@1.0.0", "--json").json["manifest"]["data"])["profile_sha256"]
    assert whole in backstay.blobs()


def test_a_shift_has_the_same_size_in_any_unit(backstay, releases):
    random = np.random.default_rng(4)
    z, moved = random.normal(size=4_000), random.normal(size=5_000) + 0.24
    units = {"z": (0, 1), "pascal": (101_325, 20), "latitude": (47.3769, 0.01), "farad": (5e-12, 1e-12), "epoch_ns": (1.7e18, 8.64e13)}
    before, now = (pd.DataFrame({name: zero + one * values for name, (zero, one) in units.items()}) for values in (z, moved))
    train(backstay, releases, "1.0.0", before)
    found = columns_of(backstay, "1.0.0", now)
    theirs = scipy.stats.wasserstein_distance(z, moved) / z.std()
    for name in units:
        assert found[name]["shift"] == pytest.approx(theirs, rel=1e-5), name
        assert found[name]["drifted"], name


def test_columns_of_tiny_numbers_are_compared(backstay, releases):
    random = np.random.default_rng(6)
    before, now = (pd.DataFrame({"a": random.normal(size=500), "likelihood": random.normal(shift, 1, size=500) * 1e-200})
                   for shift in (0, 1))
    train(backstay, releases, "1.0.0", before)
    assert columns_of(backstay, "1.0.0", now)["likelihood"]["drifted"]


def test_figures_of_many_rows_are_within_the_bounds_that_the_documentation_gives(backstay, releases):
    before, now = samples(60_000, 20_000)
    train(backstay, releases, "1.0.0", before)
    found = columns_of(backstay, "1.0.0", now)
    for name in ("plain", "skewed", "moved"):
        theirs = scipy.stats.ks_2samp(before[name], now[name])
        assert found[name]["ks"] == pytest.approx(theirs.statistic, abs=0.006)
        shift = scipy.stats.wasserstein_distance(before[name], now[name]) / before[name].std(ddof=0)
        assert found[name]["shift"] == pytest.approx(shift, abs=0.02)
        assert found[name]["p_value"] >= theirs.pvalue, "an approximation is less sure"


def wide(rows: int, columns: int, seed: int) -> pd.DataFrame:
    return pd.DataFrame(np.random.default_rng(seed).normal(size=(rows, columns)).round(3), columns=[f"c{i}" for i in range(columns)])


def test_a_shift_in_the_thousandth_column_is_found(backstay, releases):
    assert "profiled" not in train(backstay, releases, "1.0.0", wide(300, 1_024, 1))
    now = wide(300, 1_024, 2)
    now["c1000"] += 1
    assert columns_of(backstay, "1.0.0", now)["c1000"]["drifted"]


def test_columns_beyond_those_that_are_profiled_are_told(backstay, releases):
    told = train(backstay, releases, "1.0.0", wide(100, 1_100, 1))
    assert "train.csv has 1100 columns, and the first 1024 are profiled" in told
    live = wide(100, 1_100, 2)
    live["brand_new"] = 1
    live.to_csv(backstay.folder / "live.csv", index=False)
    done = backstay("drift", "m@1.0.0", "--live", "live.csv")
    assert "not compared: 76 columns of the training data, beyond the 1024 that are profiled; 77 columns of the live data" in done.out
    assert "not in the" not in done.out
    report = backstay("drift", "m@1.0.0", "--live", "live.csv", "--json").json
    assert report["training"]["columns_left_out"] == 76 and report["live"]["columns_left_out"] == 77
    assert report["not_in_training"] == [] and report["absent"] == []
    live[["c1050", "c3"]].to_csv(backstay.folder / "live.csv", index=False)
    done = backstay("drift", "m@1.0.0", "--live", "live.csv")
    assert "beyond the 1024 that are profiled (c1050)" in done.out
    assert "not in the training data" not in done.out


def test_two_columns_of_one_name_are_told(backstay, releases):
    folder = backstay.folder / "m-1.0.0"
    folder.mkdir()
    (folder / "train.csv").write_text("a,b,a\n" + "1,2,3\n" * 50)
    told = register(backstay, releases, "1.0.0", files="train.csv")
    assert "train.csv has two columns 'a': profiles tell the first" in told
