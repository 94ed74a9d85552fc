"""Data sets as named slices: by file, column, folder, row range and row group; each digest made again by other means."""

import csv
import datetime
import decimal
import hashlib
import io
import json
import pathlib
import shutil

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

UTC = datetime.timezone.utc
DATA = pathlib.Path(__file__).parent / "data"

CSV = 'id,site,note\r\n1,a,"said ""so"""\r\n2,b,"two\nlines"\r\n3,a,\r\n\r\n4,c,é\r\n'


def rows_digest(text: str, keep) -> str:
    """How docs/registering.md tells anybody to do it."""
    rows = [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    kept = [rows[0]] + [row for index, row in enumerate(rows[1:]) if keep(index, row)]
    lines = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n" for row in kept)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


class Data:
    def __init__(self, backstay, releases):
        self.backstay, self.releases = backstay, releases
        self.folder = releases.describe("1.0.0").parent

    def write(self, name: str, content: str | bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())

    def register(self, code: int = 0, **data_set):
        file = self.releases.describe("1.0.0", data=[{"name": "d", "role": "training", **data_set}])
        return self.backstay("register", file, code=code)

    def slices(self) -> dict[str, dict]:
        manifest = self.backstay("show", "m@1.0.0", "--json").json["manifest"]
        return {s["name"]: s for s in manifest["data"][0]["slices"]}

    def profile(self, slice: dict, version: str = "1.0.0") -> dict:
        return self.backstay("slice", "profile", f"m@{version}", f"d/{slice['name']}", "--json").json

    def verify(self, code: int = 0) -> dict[str, str]:
        done = self.backstay("slice", "verify", "m@1.0.0", "--folder", self.folder, "--json", code=code)
        return {item["slice"]: item["state"] for item in done.json}


def told(column: dict) -> dict:
    """What a profile says of a column, without its sketches (docs/drift.md)."""
    return {key: value for key, value in column.items() if key in ("name", "type", "missing", "distinct", "min", "max", "mean")}


@pytest.fixture
def data(backstay, releases):
    return Data(backstay, releases)


def test_one_slice_per_file_of_a_pattern(data):
    data.write("data/a.csv", "x\n1\n2\n")
    data.write("data/b.csv", "x\n3\n")
    data.write("data/notes.txt", "no data")
    data.write("data/.hidden.csv", "x\n")
    data.register(files="data/*.csv")
    slices = data.slices()
    assert set(slices) == {"a.csv", "b.csv"}
    assert slices["a.csv"]["sha256"] == hashlib.sha256(b"x\n1\n2\n").hexdigest() and slices["a.csv"]["rows"] == 2
    assert slices["a.csv"]["sources"] == ["data/a.csv"] and "rule" not in slices["a.csv"]
    assert [told(c) for c in data.profile(slices["a.csv"])["columns"]] == [
        {"name": "x", "type": "integer", "missing": 0, "distinct": 2, "min": 1.0, "max": 2.0, "mean": 1.5}]


def test_one_slice_per_file_of_a_folder_and_of_deep_patterns(data):
    for name in ("2025/08/a.jsonl", "2025/09/b.jsonl", "2024/01/c.jsonl"):
        data.write(f"logs/{name}", '{"x": 1}\n')
    data.register(files=["logs/2025/**/*.jsonl", "logs/2024"])
    assert set(data.slices()) == {"08/a.jsonl", "09/b.jsonl", "01/c.jsonl"}


def test_one_slice_per_value_of_a_column(data):
    data.write("all.csv", CSV)
    data.register(files="all.csv", by="site")
    slices = data.slices()
    assert set(slices) == {"a", "b", "c"}
    for site in "abc":
        assert slices[site]["sha256"] == rows_digest(CSV, lambda _, row: row[1] == site), site
    assert slices["a"]["rule"] == {"kind": "rows/1", "column": "site", "value": "a"} and slices["a"]["rows"] == 2
    assert data.profile(slices["a"])["rows"] == 2
    printed = data.backstay("slice", "digest", data.folder / "all.csv", "--by", "site", "--json").json
    assert {s["name"]: s["sha256"] for s in printed} == {n: s["sha256"] for n, s in slices.items()}
    assert data.verify() == {"a": "same", "b": "same", "c": "same"}
    data.write("all.csv", CSV.replace("3,a", "3,b"))
    assert data.verify(code=9) == {"a": "changed", "b": "changed", "c": "same"}
    (data.folder / "all.csv").unlink()
    assert data.verify(code=3) == {"a": "missing", "b": "missing", "c": "missing"}


def test_a_column_over_several_files_of_one_table(data):
    data.write("p/1.csv", "id,site\n1,a\n2,b\n")
    data.write("p/2.csv", "id,site\n3,a\n")
    data.register(files="p/*.csv", by="site")
    assert data.slices()["a"]["sha256"] == rows_digest("id,site\n1,a\n3,a\n", lambda *_: True)
    assert data.slices()["a"]["sources"] == ["p/1.csv", "p/2.csv"]
    assert data.verify() == {"a": "same", "b": "same"}


def test_folders_named_by_key_and_value(data):
    for name in ("site=a/1.bin", "site=a/2.bin", "site=b/1.bin"):
        data.write(f"hive/{name}", name)
    data.register(files="hive", by="site")
    slices = data.slices()
    lines = "".join(f"{hashlib.sha256(name.encode()).hexdigest()}  hive/{name}\n"
                    for name in ("site=a/1.bin", "site=a/2.bin"))
    assert slices["a"]["sha256"] == hashlib.sha256(lines.encode()).hexdigest(), "as sha256sum | sha256sum does"
    assert slices["a"]["rule"] == {"kind": "files/1", "column": "site", "value": "a"}
    assert data.verify() == {"a": "same", "b": "same"}


def site_tables(kind: str) -> dict[str, bytes]:
    """Hive-style folders: two files for site a, one for site b."""
    parts = {"site=a/1": [1, 2], "site=a/2": [3], "site=b/1": [4]}
    out = {}
    for name, values in parts.items():
        sink = io.BytesIO()
        if kind == "parquet":
            pq.write_table(pa.table({"x": values}), sink)
        elif kind == "arrow":
            pyarrow.feather.write_feather(pa.table({"x": values}), sink)
        else:
            sink.write("".join(["x\n" if kind == "csv" else "", *(f"{v}\n" if kind == "csv" else f'{{"x": {v}}}\n'
                                                                  for v in values)]).encode())
        out[f"hive/{name}.{kind}"] = sink.getvalue()
    return out


@pytest.mark.parametrize("kind", ["parquet", "arrow", "csv", "jsonl"])
def test_folders_of_tables_are_counted_and_profiled_over_their_files(data, kind):
    files = site_tables(kind)
    for name, content in files.items():
        data.write(name, content)
    data.write("hive/site=a/_SUCCESS", "")  # What Spark leaves there is no table, and is no row.
    assert data.register(files="hive", by="site").err == ""
    slices = data.slices()
    assert {name: slice["rows"] for name, slice in slices.items()} == {"a": 3, "b": 1}
    assert [told(c) for c in data.profile(slices["a"])["columns"]] == [
        {"name": "x", "type": "integer", "missing": 0, "distinct": 3, "min": 1.0, "max": 3.0, "mean": 2.0}]
    lines = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items() if "=b" in name)
    assert slices["b"]["sha256"] == hashlib.sha256(lines.encode()).hexdigest(), "profiles are no part of the digest"
    assert "training d/a  3 rows  sha256:" in data.backstay("show", "m@1.0.0").out
    assert data.verify() == {"a": "same", "b": "same"}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_folders_table_that_is_none_is_warned_of_and_not_counted_as_zero(data, kind):
    for name, content in site_tables(kind).items():
        data.write(name, content)
    data.write(f"hive/site=a/2.{kind}", "x,y\nno table\n")
    done = data.register(files="hive", by="site")
    assert "The slice site=a has no row count and no profile." in done.err and "site=b" not in done.err
    slices = data.slices()
    assert "rows" not in slices["a"] and "profile_sha256" not in slices["a"] and slices["b"]["rows"] == 1
    assert " 0 rows" not in data.backstay("show", "m@1.0.0").out
    assert "register warned" in data.backstay("slice", "profile", "m@1.0.0", "d/a", code=3).err
    assert data.verify() == {"a": "same", "b": "same"}


def test_folders_without_profiles_and_of_other_files(data):
    for name, content in site_tables("parquet").items():
        data.write(name, content)
    data.write("hive/site=c/scan.png", "pixels")
    data.write("hive/site=d/scan.png", "pixels")
    data.write("hive/site=d/labels.csv", "x\n1\n")
    done = data.register(files="hive", by="site", profile=False)
    assert "The files of site=d are not all tables of one kind" in done.err and "site=c" not in done.err
    assert {name: slice.get("rows") for name, slice in data.slices().items()} == {"a": 3, "b": 1, "c": None, "d": None}
    assert "profile_sha256" not in data.slices()["a"]
    assert "training d/c  sha256:" in data.backstay("show", "m@1.0.0").out
    assert "Only .csv" in data.backstay("slice", "profile", "m@1.0.0", "d/c", code=3).err
    printed = data.backstay("slice", "digest", data.folder / "hive", "--by", "site", "--json").json
    assert {s["name"]: s["rows"] for s in printed} == {"a": 3, "b": 1, "c": None, "d": None}


def test_row_ranges_of_a_set_and_of_a_slice(data):
    data.write("all.csv", CSV)
    data.register(files="all.csv", rows=["0-1", "2-3"])
    assert data.slices()["2-3"]["sha256"] == rows_digest(CSV, lambda i, _: 2 <= i <= 3)
    assert data.slices()["2-3"]["rule"] == {"kind": "rows/1", "range": [2, 3]}
    assert data.verify() == {"0-1": "same", "2-3": "same"}
    one = data.releases.describe("1.0.1", data=[{"name": "d", "role": "training", "slices": [
        {"name": "first", "file": "../m-1.0.0/all.csv", "range": "0-1"}]}])
    data.backstay("register", one)
    manifest = data.backstay("show", "m@1.0.1", "--json").json["manifest"]
    assert manifest["data"][0]["slices"][0]["sha256"] == data.slices()["0-1"]["sha256"]


def test_parquet_as_a_whole_and_by_row_group(data):
    shutil.copy(DATA / "rows.parquet", data.folder)
    content = (DATA / "rows.parquet").read_bytes()
    data.register(files="rows.parquet", row_groups=True)
    slices = data.slices()
    # Offsets as pyarrow tells them of this file.
    for index, (rows, begin, end) in enumerate(PARQUET_GROUPS):
        slice = slices[f"rows.parquet#{index}"]
        assert slice["rows"] == rows and slice["sha256"] == hashlib.sha256(content[begin:end]).hexdigest()
    assert data.verify() == dict.fromkeys(slices, "same")
    columns = {c["name"]: c for c in data.profile(slices["rows.parquet#1"])["columns"]}
    assert told(columns["id"]) == {"name": "id", "type": "integer", "missing": 0, "distinct": 4, "min": 4.0, "max": 7.0,
                             "mean": 5.5}
    assert columns["at"]["type"] == "text" and told(columns["nested"]) == {"name": "nested", "type": "nested", "missing": 0}
    whole = data.releases.describe("1.0.1", data=[{"name": "d", "role": "training", "slices": [
        {"name": "all", "file": "../m-1.0.0/rows.parquet"}]}])
    data.backstay("register", whole)
    slice = data.backstay("show", "m@1.0.1", "--json").json["manifest"]["data"][0]["slices"][0]
    assert slice["sha256"] == hashlib.sha256(content).hexdigest() and slice["rows"] == 10
    assert {c["name"]: c["missing"] for c in data.profile(slice, "1.0.1")["columns"]}["x"] == 2


PARQUET_GROUPS = [(4, 4, 739), (4, 739, 1493), (2, 1493, 2222)]


def test_what_can_not_be_sliced_is_refused(data):
    shutil.copy(DATA / "rows.parquet", data.folder)
    data.write("all.csv", CSV)
    data.write("bad.csv", 'a,b\n1,2\n3\n')
    assert "has no column 'ward'" in data.register(2, files="rows.parquet", by="ward").err
    for way in ({"by": "site"}, {"by": "id"}, {"by": "at"}, {"rows": "0-4"}):
        assert "because its column 'nested' is nested" in data.register(13, files="rows.parquet", **way).err
    assert "There are 10 rows" in data.register(2, files="rows.parquet", rows="8-10").err
    assert "one kind in a data set" in data.register(13, files=["rows.parquet", "all.csv"], rows="0-3").err
    assert "has no column 'ward'" in data.register(2, files="all.csv", by="ward").err
    assert "line 3" in data.register(2, files="bad.csv", by="a").err
    assert "No file matches" in data.register(3, files="*.tsv").err
    assert "has 4 rows" in data.register(2, files="all.csv", rows="0-4").err
    assert "no range of rows" in data.register(2, files="all.csv", rows="9-4").err
    assert "goes with neither" in data.register(2, files="all.csv", rows="0-1", by="site").err
    assert "PAR1" in data.register(2, files="all.csv", row_groups=True).err
    (data.folder / "link.csv").symlink_to(data.folder / "all.csv")
    assert "symbolic link" in data.register(2, files="link*.csv").err
    assert data.backstay("list", "--json").json == []


def test_a_table_that_is_none_keeps_its_digest_and_loses_its_profile(data):
    data.write("bad.csv", 'a,b\n1,2\n3\n')
    done = data.register(files="bad.csv")
    assert "warning: bad.csv line 3" in done.err
    assert data.slices()["bad.csv"]["rows"] == 2 and "profile_sha256" not in data.slices()["bad.csv"]


def test_profile_false_keeps_none(data):
    data.write("all.csv", CSV)
    data.register(files="all.csv", profile=False)
    assert "profile_sha256" not in data.slices()["all.csv"] and data.slices()["all.csv"]["rows"] == 4


def test_a_count_of_rows_that_is_not_true_is_refused(data):
    data.write("all.csv", CSV)
    shutil.copy(DATA / "rows.parquet", data.folder)
    for file, rows in (("all.csv", 4), ("rows.parquet", 10)):
        wrong = data.register(2, slices=[{"name": "s", "file": file, "rows": rows + 1}]).err
        assert f"says that the slice 's' has {rows + 1} rows, but {file} has {rows}" in wrong
    data.register(slices=[{"name": "s", "file": "all.csv", "rows": 4}])


def test_a_profile_is_shown_as_a_table_and_a_slice_that_is_not_there_is_named(data):
    data.write("all.csv", CSV)
    data.register(files="all.csv")
    assert "COLUMN" in data.backstay("slice", "profile", "m@1.0.0", "d/all.csv").out
    assert "There are: d/all.csv" in data.backstay("slice", "profile", "m@1.0.0", "d/none", code=3).err


# (rows, begin, end, site) of the row groups of sites.parquet, as pyarrow tells them.
SITES = [(3, 4, 254, "a"), (2, 254, 499, "b"), (4, 499, 755, "a"), (2, 755, 988, "(empty)")]


def list_digest(content: bytes, groups, name: str) -> str:
    """The digest of a list of row groups, as docs/registering.md says."""
    lines = "".join(f"{hashlib.sha256(content[SITES[i][1]:SITES[i][2]]).hexdigest()}  {name}#{i}\n" for i in groups)
    return hashlib.sha256(lines.encode()).hexdigest()


def test_parquet_by_a_column_of_which_each_row_group_has_one_value(data):
    content = (DATA / "sites.parquet").read_bytes()
    data.write("sites.parquet", content)
    data.register(files="sites.parquet", by="site")
    slices = data.slices()
    assert {name: slice["rows"] for name, slice in slices.items()} == {"a": 7, "b": 2, "(empty)": 2}
    for name in slices:
        groups = [i for i, group in enumerate(SITES) if group[3] == name]
        assert slices[name]["sha256"] == list_digest(content, groups, "sites.parquet")
    assert slices["a"]["rule"] == {"kind": "row-groups/1", "column": "site", "value": "a"}
    ids = {c["name"]: c for c in data.profile(slices["a"])["columns"]}["id"]
    assert (ids["min"], ids["max"]) == (0, 8)
    assert data.verify() == dict.fromkeys(slices, "same")
    (data.folder / "sites.parquet").write_bytes((DATA / "rows.parquet").read_bytes())
    assert data.verify(code=9) == dict.fromkeys(slices, "changed")


def test_parquet_by_ranges_of_rows_that_begin_and_end_with_row_groups(data):
    content = (DATA / "sites.parquet").read_bytes()
    for name in ("p/1.parquet", "p/2.parquet"):
        data.write(name, content)
    data.register(files="p/*.parquet", rows=["0-4", "5-13"])
    slices = data.slices()
    assert slices["0-4"]["sha256"] == list_digest(content, [0, 1], "p/1.parquet")
    assert slices["5-13"]["rows"] == 9 and slices["5-13"]["rule"] == {"kind": "row-groups/1", "range": [5, 13]}
    assert data.verify() == {"0-4": "same", "5-13": "same"}
    one = data.releases.describe("1.0.1", data=[{"name": "d", "role": "training", "slices": [
        {"name": "first", "file": "../m-1.0.0/p/1.parquet", "range": "0-4"}]}])
    data.backstay("register", one)


def table_digest(table: pa.Table) -> str:
    """The digest of a table's rows, as docs/registering.md tells anybody to make it."""
    lines = [table.column_names] + [list(row.values()) for row in table.to_pylist()]

    def plain(value):
        return (value.isoformat().replace("+00:00", "Z") if hasattr(value, "isoformat")
                else format(value, "f") if isinstance(value, decimal.Decimal) else str(value))

    text = "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":"), default=plain) + "\n" for line in lines)
    return hashlib.sha256(text.encode()).hexdigest()


def wards() -> pa.Table:
    return pa.table({"id": range(9), "ward": list("abcabcab") + [None], "dose": [0.1, 1e16, 2.0, None, 0.0, 1, 2, 3, 4.5],
                     "on": [datetime.date(2026, 1, day) for day in range(1, 10)],
                     "at": [datetime.datetime(2026, 1, 1, second=s, microsecond=s, tzinfo=UTC) for s in range(9)],
                     "cost": [decimal.Decimal(n).scaleb(-2) for n in range(9)], "note": ['é "x"\n'] * 9})


@pytest.mark.parametrize("kind", ["parquet", "arrow", "feather"])
def test_typed_tables_by_a_column_and_by_ranges_of_rows(data, kind):
    def write(name, table, rows=4):
        (data.folder / name).parent.mkdir(exist_ok=True)
        if kind == "parquet":
            pq.write_table(table, data.folder / name, row_group_size=rows)
        else:
            pyarrow.feather.write_feather(table, data.folder / name, chunksize=rows)

    table = wards()
    write(f"t.{kind}", table)
    data.register(files=f"t.{kind}", by="ward")
    slices = data.slices()
    assert {name: slice["rows"] for name, slice in slices.items()} == {"a": 3, "b": 3, "c": 2, "(empty)": 1}
    for name, indexes in {"a": [0, 3, 6], "b": [1, 4, 7], "c": [2, 5], "(empty)": [8]}.items():
        assert slices[name]["sha256"] == table_digest(table.take(indexes))
    assert slices["b"]["rule"] == {"kind": "rows/1", "column": "ward", "value": "b"}
    columns = {c["name"]: c for c in data.profile(slices["b"])["columns"]}
    assert told(columns["dose"]) == {"name": "dose", "type": "number", "missing": 0, "distinct": 3, "min": 0.0, "max": 1e16,
                               "mean": 1e16 / 3 + 1}
    assert columns["on"]["type"] == "text" and columns["cost"]["max"] == 0.07
    assert data.verify() == dict.fromkeys(slices, "same")
    write(f"t.{kind}", table, 100)
    assert data.verify() == dict.fromkeys(slices, "same"), "how the table is written must not matter"
    write(f"t.{kind}", table.set_column(0, "id", pa.array([0, 1, 2, 3, 99, 5, 6, 7, 8])))
    assert {name for name, state in data.verify(code=9).items() if state == "changed"} == {"b"}

    write(f"p/1.{kind}", table.slice(0, 5))
    write(f"p/2.{kind}", table.slice(5))
    done = data.backstay("slice", "digest", data.folder / f"p/*.{kind}", "--rows", "0-2,3-7", "--json").json
    assert [slice["sha256"] for slice in done] == [table_digest(table.slice(0, 3)), table_digest(table.slice(3, 5))]
    assert "no range 7-9" in data.backstay("slice", "digest", data.folder / f"p/*.{kind}", "--rows", "7-9", code=2).err


def test_row_groups_are_digested_as_bytes_where_they_are_what_is_asked_for(data):
    pq.write_table(wards(), data.folder / "t.parquet", row_group_size=3)
    data.register(files="t.parquet", rows=["0-2", "3-8"])
    assert {slice["rule"]["kind"] for slice in data.slices().values()} == {"row-groups/1"}
    assert {c["name"]: c for c in data.profile(data.slices()["3-8"])["columns"]}["dose"]["mean"] == 2.1
    assert "other columns" in data.backstay(
        "slice", "digest", data.folder / "t.parquet", DATA / "sites.parquet", "--rows", "0-1", code=2).err


def test_an_arrow_file_as_a_whole_has_rows_and_a_profile(data):
    pyarrow.feather.write_feather(wards(), data.folder / "t.feather")
    data.register(files="t.feather")
    slice = data.slices()["t.feather"]
    assert slice["rows"] == 9 and slice["sha256"] == hashlib.sha256((data.folder / "t.feather").read_bytes()).hexdigest()
    assert {c["name"]: c for c in data.profile(slice)["columns"]}["id"]["mean"] == 4


def test_rows_that_can_not_be_read_leave_what_the_footer_tells(data):
    pq.write_table(wards(), data.folder / "t.parquet", write_page_checksum=True, compression="none")
    content = bytearray((data.folder / "t.parquet").read_bytes())
    content[60] ^= 1
    (data.folder / "t.parquet").write_bytes(content)
    assert "checksum is not that of its bytes" in data.register(files="t.parquet").err
    profile = data.profile(data.slices()["t.parquet"])
    assert profile["from"] == "parquet footer" and profile["rows"] == 9
    refused = data.backstay("slice", "digest", data.folder / "t.parquet", "--by", "ward", code=2).err
    assert "t.parquet, column 'id': a page's checksum" in refused


def test_thousands_of_values_are_slices_without_profiles(data):
    data.write("all.csv", "id\n" + "".join(f"{i}\n" for i in range(1001)))
    assert "profile: false" in data.register(2, files="all.csv", by="id").err
    data.register(files="all.csv", by="id", profile=False)
    assert len(data.slices()) == 1001 and data.slices()["7"]["rows"] == 1
    assert "profile_sha256" not in data.slices()["7"]
