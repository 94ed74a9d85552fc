"""Rows of Parquet and Arrow files, compared value by value with what pyarrow, the reference implementation, reads."""

import decimal
import itertools
import json
import random

import pyarrow as pa
import pyarrow.feather
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest

from table_cases import columns_of, expected


@pytest.fixture
def rows_of(backstay):
    """rows_of(path, *options): (columns by name, information on them) as `backstay table head` tells."""

    def read(path, *options, code=0):
        done = backstay("table", "head", path, "--rows", 1 << 40, "--json", *options, code=code)
        if code != 0:
            return done.err
        found = json.loads(done.out, parse_float=decimal.Decimal, parse_int=decimal.Decimal)
        names = [column["name"] for column in found["columns"]]
        return {name: [row[i] for row in found["rows"]] for i, name in enumerate(names)}, found

    return read


def compare(rows_of, path, table: pa.Table):
    found, _ = rows_of(path)
    assert list(found) == table.column_names
    for name in table.column_names:
        want = expected(table[name])
        if found[name] != want:
            different = [i for i, (a, b) in enumerate(itertools.zip_longest(found[name], want)) if a != b]
            i = different[0]
            raise AssertionError(f"{path.name}, {name} ({table[name].type}): {len(different)} of {len(want)} differ, "
                                 f"row {i}: {found[name][i:i + 1]} for {want[i:i + 1]}")


def table_of(rows=500, nulls=0.2, seed=1) -> pa.Table:
    return pa.table(columns_of(rows, nulls, seed))


CODECS = ["none", "snappy", "gzip", "zstd", "brotli", "lz4"]


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_parquet_of_every_type_codec_and_page_version(rows_of, tmp_path, codec, version):
    for case, (nulls, dictionary, rows_in_group, page) in enumerate([
            (0.2, True, 200, 1 << 20), (0.0, False, 1000, 512), (1.0, True, 1000, 1 << 20), (0.5, False, 77, 1 << 20),
            (0.01, True, 1000, 256)]):
        table = table_of(nulls=nulls, seed=case)
        path = tmp_path / f"{case}.parquet"
        pq.write_table(table, path, compression=codec, data_page_version=version, use_dictionary=dictionary,
                       row_group_size=rows_in_group, data_page_size=page, write_page_checksum=case % 2 == 0)
        compare(rows_of, path, table)


ENCODINGS = {
    "DELTA_BINARY_PACKED": ["int8", "int16", "int32", "int64", "uint32", "uint64", "date", "time_us", "at_us", "one"],
    "DELTA_LENGTH_BYTE_ARRAY": ["string", "unique", "bytes", "large"],
    "DELTA_BYTE_ARRAY": ["string", "unique", "bytes", "large", "fixed", "decimal_38", "uuid"],
    "BYTE_STREAM_SPLIT": ["float", "double", "nan", "int32", "int64", "fixed", "half", "decimal_38", "uuid"],
    "RLE": ["bool"],
    "PLAIN": ["bool", "int32", "string", "half"],
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_parquet_of_every_encoding(rows_of, tmp_path, encoding):
    for case, (nulls, version, page, rows) in enumerate(itertools.product(
            (0.0, 0.3), ("1.0", "2.0"), (128, 1 << 20), (1, 700))):
        table = table_of(rows, nulls, case).select(ENCODINGS[encoding])
        path = tmp_path / f"{case}.parquet"
        pq.write_table(table, path, use_dictionary=False, data_page_version=version, data_page_size=page,
                       column_encoding={name: encoding for name in table.column_names}, row_group_size=300)
        compare(rows_of, path, table)


def test_parquet_of_many_rows_and_of_timestamps_of_96_bits(rows_of, tmp_path):
    rng = random.Random(3)
    table = pa.table({"id": range(60_000), "word": [f"w{rng.randrange(3000)}" for _ in range(60_000)]})
    path = tmp_path / "many.parquet"
    pq.write_table(table, path, row_group_size=25_000, data_page_size=10_000)
    compare(rows_of, path, table)
    table = table_of().select(["at_ns", "at_us"])
    path = tmp_path / "int96.parquet"
    pq.write_table(table, path, use_deprecated_int96_timestamps=True)
    compare(rows_of, path, table)


def test_tables_without_rows_or_columns(rows_of, tmp_path):
    for index, table in enumerate([table_of(0), pa.table({}), pa.table({"x": pa.array([], pa.int32())})]):
        path = tmp_path / f"{index}.parquet"
        pq.write_table(table, path)
        assert all(values == [] for values in rows_of(path)[0].values())
        path = tmp_path / f"{index}.arrow"
        pyarrow.feather.write_feather(table, path, compression="uncompressed")
        assert all(values == [] for values in rows_of(path)[0].values())


def test_a_nested_column_is_told_and_not_looked_into(rows_of, tmp_path):
    table = pa.table({
        "id": [1, 2], "list": [[1, 2], None], "struct": [{"a": 1, "b": [{"c": 1}]}, None],
        "map": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())), "end": ["x", "y"]})
    pq.write_table(table, tmp_path / "n.parquet")
    pyarrow.feather.write_feather(table, tmp_path / "n.arrow")
    for name in ("n.parquet", "n.arrow"):
        found, told = rows_of(tmp_path / name)
        assert found["id"] == [1, 2] and found["end"] == ["x", "y"] and found["struct"] == [None, None]
        assert [column["type"] for column in told["columns"]] == ["integer", "nested", "nested", "nested", "text"]
        assert list(rows_of(tmp_path / name, "--columns", "end,id")[0]) == ["end", "id"]
        assert "has no column 'ward'" in rows_of(tmp_path / name, "--columns", "ward", code=2)


def arrow_table(rows, nulls, seed):
    table = table_of(rows, nulls, seed)
    rng = random.Random(seed)
    words = table["string"].to_pylist()
    return table.append_column("view", pa.array(words, pa.string_view())).append_column(
        "bytes_view", pa.array([w and w.encode() for w in words], pa.binary_view())).append_column(
        "duration", pa.array([rng.randrange(10**9) for _ in words], pa.duration("ms"))).append_column(
        "date64", table["date"].cast(pa.date64())).append_column(
        "numbers", pa.array([rng.randrange(5) for _ in words]).dictionary_encode()).append_column(
        "seconds", table["at_ms"].cast(pa.timestamp("s"), safe=False)).append_column(
        "decimal_9", table["decimal_5"].cast(pa.decimal32(9, 2)))


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("stream", [False, True])
def test_arrow_of_every_type(rows_of, tmp_path, compression, stream):
    for case, (rows, nulls, chunk) in enumerate([(500, 0.2, 100), (20_000, 0.0, 20_000), (333, 1.0, 50), (9, 0.5, 1)]):
        table = arrow_table(rows, nulls, case)
        path = tmp_path / (f"{case}.arrows" if stream else f"{case}.arrow")
        options = pa.ipc.IpcWriteOptions(compression=compression, unify_dictionaries=not stream)
        make = pa.ipc.new_stream if stream else pa.ipc.new_file
        with make(path, table.schema, options=options) as writer:
            writer.write_table(table, max_chunksize=chunk)
        compare(rows_of, path, table)


def test_arrow_dictionaries_that_grow_and_are_replaced(rows_of, tmp_path):
    schema = pa.schema({"word": pa.dictionary(pa.int8(), pa.string())})
    for deltas in (False, True):
        path = tmp_path / f"{deltas}.arrows"
        batches = [pa.record_batch([pa.DictionaryArray.from_arrays(pa.array(indexes, pa.int8()), words)], schema=schema)
                   for indexes, words in (([0, 1], ["a", "b"]), ([2, 0, None], ["a", "b", "c"]),
                                          ([0], ["z"] if not deltas else ["a", "b", "c", "d"]))]
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=deltas)
        with pa.ipc.new_stream(path, schema, options=options) as writer:
            for batch in batches:
                writer.write_batch(batch)
        assert rows_of(path)[0]["word"] == ["a", "b", "c", "a", None, "a" if deltas else "z"]


def test_sliced_arrow_arrays(rows_of, tmp_path):
    """Their bits and offsets do not begin at zero."""
    table = pa.table({"b": [True, None, False, True] * 9, "s": ["a", "bb", None, "dddd"] * 9}).slice(3, 30)
    pyarrow.feather.write_feather(table, tmp_path / "s.feather", compression="uncompressed")
    compare(rows_of, tmp_path / "s.feather", table)


def test_text_tables_have_the_same_door(rows_of, tmp_path):
    (tmp_path / "t.csv").write_text("id,word\n1,a\n2,\n")
    assert rows_of(tmp_path / "t.csv")[0] == {"id": ["1", "2"], "word": ["a", None]}
    assert rows_of(tmp_path / "t.csv", "--columns", "word")[0] == {"word": ["a", None]}
    (tmp_path / "t.jsonl").write_text('{"a": 1.50}\n{"b": true, "a": null}\n')
    found, told = rows_of(tmp_path / "t.jsonl", "--columns", "b,a")
    assert found == {"b": [None, True], "a": [decimal.Decimal("1.5"), None]}
    assert "has no column 'c'" in rows_of(tmp_path / "t.jsonl", "--columns", "c", code=2)


def test_what_is_damaged_is_refused_with_file_and_column(rows_of, tmp_path):
    table = pa.table({"id": range(1000), "word": [f"word {i}" for i in range(1000)]})
    whole = tmp_path / "w.parquet"
    pq.write_table(table, whole, write_page_checksum=True)
    content = whole.read_bytes()
    damaged = tmp_path / "d.parquet"
    damaged.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    assert "column 'id': a page's checksum" in rows_of(damaged, code=2)
    damaged.write_bytes(content[:-20])
    assert "PAR1" in rows_of(damaged, code=2)
    damaged.write_bytes(b"nothing at all")
    assert "does not begin as" in rows_of(damaged, code=2)
    assert "There is no file" in rows_of(tmp_path / "none.parquet", code=3)
    assert "no table that can be read" in rows_of(__file__, code=13)
    assert "not a regular file" in rows_of(tmp_path, code=2)
    (tmp_path / "v1.feather").write_bytes(b"FEA1" + content)
    assert "Feather file of version 1" in rows_of(tmp_path / "v1.feather", code=13)


def test_people_see_a_table(backstay, tmp_path):
    pq.write_table(pa.table({"id": range(100), "word": ["a\033[31m"] * 100}), tmp_path / "t.parquet")
    out = backstay("table", "head", tmp_path / "t.parquet", "--rows", 2).out
    assert "--rows" in backstay("table", "head", tmp_path / "t.parquet", "--rows", "-1", code=2).err
    assert out.splitlines()[0].split() == ["id", "(int64)", "word", "(string)"] and "2 of 100 rows" in out
    assert "\033[31m" not in out
