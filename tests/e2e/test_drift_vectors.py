"""Embeddings: columns whose values are lists of numbers, in every kind of table, in requests, and what is told of them."""

import base64
import json

import numpy
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

DIMENSION = 96


def doubles(level: str) -> list[float]:
    return numpy.frombuffer(base64.b64decode(level), "<f8").tolist()


def embeddings(count: int, seed: int, *, shift: float = 0, share: float = 0.5) -> numpy.ndarray:
    """Of two kinds of text, `share` of the second."""
    source = numpy.random.default_rng(seed)
    out = source.normal(size=(count, DIMENSION)) + shift
    out[source.uniform(size=count) < share] += 0.6
    return out.astype(numpy.float32)


def write_jsonl(path, vectors, **others):
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        for i, vector in enumerate(vectors):
            row = {"embedding": None if vector is None else [None if x is None else float(x) for x in vector]}
            file.write(json.dumps(row | {key: values[i] for key, values in others.items()}) + "\n")
    return path


@pytest.fixture
def trained(backstay, releases):
    """m@1.0.0, trained on 2,000 embeddings."""
    write_jsonl(backstay.folder / "m-1.0.0/train.jsonl", embeddings(2_000, 1))
    releases.release("1.0.0", data=[{"name": "texts", "role": "training", "slices": [{"name": "all", "file": "train.jsonl"}]}])
    return backstay


def test_embeddings_like_those_of_training_are_no_drift(trained):
    live = write_jsonl(trained.folder / "live.jsonl", embeddings(500, 2))
    report = trained("drift", "m@1.0.0", "--live", live, "--json").json
    (column,) = report["columns"]
    assert column["measure"] == "vector" and not column["drifted"]
    assert column["adjusted_p"] > 0.01


@pytest.mark.parametrize("change", [{"shift": 0.2}, {"share": 0.95}], ids=["shift", "mix"])
def test_embeddings_that_moved_are_drift(trained, change):
    live = write_jsonl(trained.folder / "live.jsonl", embeddings(500, 2, **change))
    done = trained("drift", "m@1.0.0", "--live", live, code=6)
    assert "vector" in done.out and "MMD" in done.out
    (column,) = trained("drift", "m@1.0.0", "--live", live, "--json", code=6).json["columns"]
    assert column["drifted"] and column["adjusted_p"] < 1e-6 and column["shift"] > 0.1


def test_vectors_of_another_model_are_told_by_their_dimension(trained):
    live = write_jsonl(trained.folder / "live.jsonl", embeddings(500, 2)[:, :48])
    (column,) = trained("drift", "m@1.0.0", "--live", live, "--json", code=6).json["columns"]
    assert [q["kind"] for q in column["quality"]] == ["type"]
    assert "96 numbers" in column["quality"][0]["text"]


def profile_of(backstay, slice_name: str) -> dict:
    shown = backstay("slice", "profile", "m@1.0.0", f"texts/{slice_name}", "--json").json
    return next(c for c in shown["columns"] if c["name"] == "embedding")


def awkward() -> list:
    """Rows that are null, empty, too long for what they say they are, or have something missing."""
    out = [list(map(float, v)) for v in embeddings(700, 3)]
    out[5], out[6], out[7], out[650] = None, [], [1.0, None, 3.0], None
    out[8] = [1.0, 2.0]
    out[300] = [0.5] * 20_000
    return out


PARQUET = {
    "v1": {}, "v2": {"data_page_version": "2.0"}, "plain": {"use_dictionary": False, "compression": "none"},
    "small-pages": {"data_page_size": 1_000, "use_dictionary": False}, "groups": {"row_group_size": 123},
    "byte-stream-split": {"use_dictionary": False, "use_byte_stream_split": True, "compression": "zstd"},
    "old-lists": {"use_compliant_nested_type": False}}


def test_every_kind_of_table_gives_the_same_profile(backstay, releases):
    folder = backstay.folder / "m-1.0.0"
    rows = awkward()
    numbers = list(range(len(rows)))
    write_jsonl(folder / "rows.jsonl", rows, id=numbers)
    files = ["rows.jsonl"]
    column = {"double": pa.array(rows, pa.list_(pa.float64())), "large": pa.array(rows, pa.large_list(pa.float64()))}
    for name, options in PARQUET.items():
        for kind, values in column.items():
            files.append(f"{name}-{kind}.parquet")
            pq.write_table(pa.table({"embedding": values, "id": numbers}), folder / files[-1], **options)
    for codec in ("uncompressed", "lz4", "zstd"):
        for kind, values in column.items():
            files.append(f"{codec}-{kind}.arrow")
            pyarrow.feather.write_feather(pa.table({"embedding": values, "id": numbers}), folder / files[-1],
                                          compression=codec, chunksize=211)
    # Numbers that are exact in every type.
    whole = [None if v is None else [None if x is None else round(x) % 128 for x in v] for v in rows]
    write_jsonl(folder / "whole.jsonl", whole, id=numbers)
    exact = ["whole.jsonl"]
    for kind in (pa.int8(), pa.uint16(), pa.int64(), pa.float16(), pa.float32()):
        values = pa.array([None if v is None else [None if x is None else numpy.float16(x) if kind == pa.float16() else x
                                                   for x in v] for v in whole], pa.list_(kind))
        for ending in ("parquet", "arrow"):
            exact.append(f"{kind}.{ending}")
            table = pa.table({"embedding": values, "id": numbers})
            pq.write_table(table, folder / exact[-1]) if ending == "parquet" else pyarrow.feather.write_feather(table, folder / exact[-1])
    releases.release("1.0.0", data=[{"name": "texts", "role": "training", "slices": [
        {"name": file.replace(".", "-"), "file": file} for file in files + exact]}])
    for group in (files, exact):
        first = profile_of(backstay, group[0].replace(".", "-"))
        assert first["missing"] == 2 and first["kinds"] == {"nested": 698}
        assert first["vectors"]["count"] == 694 and first["vectors"]["others"] == 1
        for file in group[1:]:
            assert profile_of(backstay, file.replace(".", "-")) == first, file


def test_lists_of_one_size_are_vectors_too(backstay, releases):
    folder = backstay.folder / "m-1.0.0"
    vectors = embeddings(3_000, 4)
    write_jsonl(folder / "rows.jsonl", vectors)
    values = pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), DIMENSION)
    pyarrow.feather.write_feather(pa.table({"embedding": values}), folder / "rows.arrow", compression="uncompressed")
    pq.write_table(pa.table({"embedding": values}), folder / "rows.parquet")
    # Of a part of an array, whose buffers begin before it.
    pyarrow.feather.write_feather(pa.table({"embedding": values[1_000:]}), folder / "part.arrow", compression="uncompressed")
    write_jsonl(folder / "part.jsonl", vectors[1_000:])
    names = ["rows.jsonl", "rows.arrow", "rows.parquet", "part.jsonl", "part.arrow"]
    releases.release("1.0.0", data=[{"name": "texts", "role": "training", "slices": [
        {"name": name.replace(".", "-"), "file": name} for name in names]}])
    first = profile_of(backstay, "rows-jsonl")
    assert first["type"] == "vector" and first["vectors"]["dimension"] == DIMENSION
    assert profile_of(backstay, "rows-arrow") == first == profile_of(backstay, "rows-parquet")
    assert profile_of(backstay, "part-arrow") == profile_of(backstay, "part-jsonl")
    # What it keeps: norms, a sample of at most 256 projections, moments; no vector.
    norms = sorted(x for level in first["vectors"]["norms"]["levels"] for x in doubles(level))
    assert numpy.median(norms) == pytest.approx(numpy.median(numpy.linalg.norm(vectors.astype(float), axis=1)), rel=0.01)
    assert len(base64.b64decode(first["vectors"]["sample"]["keys"])) == 256 * 8
    assert len(base64.b64decode(first["vectors"]["sample"]["points"])) == 256 * 16 * 4
    trace = sum(first["vectors"]["products"][i * (i + 1) // 2 + i] for i in range(16)) / 2_999
    assert trace == pytest.approx(numpy.trace(numpy.cov(vectors.astype(float).T)), rel=0.5), "squared lengths, on average"


def test_versions_are_ranked_by_how_near_their_embeddings_are(backstay, releases):
    for version, shift in (("1.0.0", 0.0), ("1.1.0", 1.0)):
        write_jsonl(backstay.folder / f"m-{version}/train.jsonl", embeddings(1_000, 5, shift=shift))
        releases.release(version, data=[{"name": "texts", "role": "training", "slices": [{"name": "all", "file": "train.jsonl"}]}])
    live = write_jsonl(backstay.folder / "live.jsonl", embeddings(600, 6, shift=1.0))
    advice = backstay("suggest", "m@1.0.0", "--live", live, "--json").json
    ranked = {each["version"]: each["distance"] for each in advice["ranking"]}
    assert ranked["m@1.1.0"] < 0.2 < 0.5 < ranked["m@1.0.0"]


def test_what_the_gateway_keeps_of_embeddings_is_compared(trained, server, backend):
    url = backend("1.0.0").url
    serving = server({"endpoints": [{"name": "e", "model": "m", "backend": {"kind": "url", "url": url},
                                     "rollout": {"steps": [{"canary": "50%", "for": "1h"}], "watch": "0s", "holdback": "0%"},
                                     "drift": {"sample": "100%", "window": "1h"}}]})
    trained("rollout", "start", "e", "m@1.0.0", "--reason", "first")
    serving.wait_for_phase("e", "done")
    for vectors in numpy.split(embeddings(240, 8, shift=0.5), 24):
        inputs = [{"name": "embedding", "shape": list(vectors.shape), "datatype": "FP32", "data": vectors.ravel().tolist()}]
        assert serving.infer("e", inputs).status == 200
    serving.stop()
    report = trained("drift", "e", "--json", code=6).json
    (column,) = report["columns"]
    assert column["measure"] == "vector" and column["drifted"] and report["not_in_training"] == []
    assert column["live_rows"] + 10 * report["live"]["dropped"] == 240
    assert column["since"] is not None
    (alarm,) = [entry for entry in trained.audit() if entry["action"] == "drift.alarm"]
    assert "embedding" in alarm["reason"]
