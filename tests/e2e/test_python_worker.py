"""Models that only Python can serve, in the environment their lock file describes: pickles, joblib, ai.onnx.ml."""

import io
import pathlib
import pickle

import joblib
import numpy as np
import pytest
from skl2onnx import to_onnx
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from program import Program, Server
from release import Releases

PINNED = (pathlib.Path(__file__).parents[2] / "tools/requirements.txt").read_text().splitlines()
# What scikit-learn and onnxruntime need to run, in the versions the tests themselves use.
NEEDED = {"numpy", "scipy", "scikit-learn", "joblib", "threadpoolctl", "narwhals", "onnxruntime", "flatbuffers", "packaging",
          "protobuf"}
LOCK = "\n".join(line for line in PINNED if line.split("==")[0] in NEEDED) + "\n"


def trained():
    random = np.random.default_rng(5)
    x = random.normal(size=(200, 4))
    return LogisticRegression().fit(x, (x @ [1, -2, 0.5, 0] > 0).astype(np.int64))


MODEL = trained()


def joblib_bytes() -> bytes:
    file = io.BytesIO()
    joblib.dump(MODEL, file)
    return file.getvalue()


def ml_onnx() -> bytes:
    proto = to_onnx(MODEL, np.zeros((1, 4), np.float32), options={"zipmap": False}, target_opset=17)
    assert any(node.domain == "ai.onnx.ml" for node in proto.graph.node)
    return proto.SerializeToString()


TEXTS = ["have a nice day", "you are an idiot", "thank you", "shut up"] * 20
TEXT_MODEL = make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(TEXTS, ["kind", "unkind"] * 40)

MODELS = {"pickled": {"model.pkl": pickle.dumps(MODEL)}, "dumped": {"model.joblib": joblib_bytes()},
          "trees": {"model.onnx": ml_onnx()}}


@pytest.fixture(scope="module")
def serving(tmp_path_factory):
    """One server for all of these models: making the environment is what takes time."""
    program = Program(tmp_path_factory.mktemp("python"))
    releases = Releases(program)
    lock = program.folder / "requirements.txt"
    lock.write_text(LOCK)
    served = {**MODELS, "texts": {"model.pkl": pickle.dumps(TEXT_MODEL)}}
    for name, files in served.items():
        releases.release("1.0.0", files, model=name, serving={"runtime": "python"},
                         environment={"lock_files": [{"path": str(lock), "as": "requirements.txt"}]})
    endpoints = [{"name": name, "model": name, "rollout": {"watch": "0s", "ready_timeout": "10m"}} for name in served]
    server = Server(program, {"endpoints": endpoints})
    for name in served:
        program("rollout", "start", name, f"{name}@1.0.0")
    for name in served:
        server.wait_for_phase(name, "done", "rolled_back", deadline=300)
    yield server
    server.stop()


@pytest.mark.parametrize("name", MODELS)
def test_a_model_answers_in_its_own_environment_as_it_does_here(serving, name):
    assert serving.status(name)["rollout"]["phase"] == "done", serving.status(name)["rollout"]
    metadata = serving.ask("GET", f"/v2/models/{name}").json
    (x,) = metadata["inputs"]
    label, probabilities = (output["name"] for output in metadata["outputs"])
    assert x["shape"][1] == 4
    for count in (1, 3, 64):
        rows = np.linspace(-2, 2, count * 4).reshape(count, 4)
        answer = serving.infer(name, [{"name": x["name"], "shape": [count, 4], "datatype": x["datatype"],
                                       "data": rows.ravel().tolist()}])
        assert answer.status == 200, answer.body
        outputs = {output["name"]: output for output in answer.json["outputs"]}
        assert outputs[label]["data"] == MODEL.predict(rows.astype(np.float32)).tolist()
        assert outputs[probabilities]["shape"] == [count, 2]
        np.testing.assert_allclose(np.reshape(outputs[probabilities]["data"], (count, 2)), MODEL.predict_proba(rows), atol=1e-5)


def test_a_pipeline_that_begins_with_a_text_vectorizer_takes_texts(serving):
    metadata = serving.ask("GET", "/v2/models/texts").json
    assert metadata["inputs"] == [{"name": "text", "datatype": "BYTES", "shape": [-1]}]
    texts = ["what an idiot", "nice", "日本語", ""]
    answer = serving.infer("texts", [{"name": "text", "shape": [4], "datatype": "BYTES", "data": texts}])
    assert answer.status == 200, answer.body
    outputs = {output["name"]: output for output in answer.json["outputs"]}
    assert outputs["label"]["datatype"] == "BYTES" and outputs["label"]["data"] == TEXT_MODEL.predict(texts).tolist()
    np.testing.assert_allclose(np.reshape(outputs["probabilities"]["data"], (4, 2)), TEXT_MODEL.predict_proba(texts), atol=1e-5)
    refused = serving.infer("texts", [{"name": "text", "shape": [1], "datatype": "FP32", "data": [1]}])
    assert refused.status == 400 and "takes BYTES" in refused.json["error"]


def test_one_lock_file_is_one_environment_for_every_model_that_names_it(serving):
    environments = [path for path in (serving.program.data_dir / "environments").iterdir() if path.is_dir()]
    assert len(environments) == 1 and (environments[0] / ".complete").exists()


def check_refused(backstay, releases, server, said: str, files: dict, **spec) -> None:
    releases.release("1.0.0", files, **spec)
    serving = server({"endpoints": [{"name": "e", "model": "m"}]})
    backstay("rollout", "start", "e", "m@1.0.0")
    cause = serving.wait_for_phase("e", "rolled_back")["rollout"]["cause"]
    assert cause["trigger"] == "not_ready" and said in cause["reason"], cause


def test_a_pickle_is_loaded_only_where_the_manifest_says_python(backstay, releases, server):
    check_refused(backstay, releases, server, "'model.pkl', a pickle", MODELS["pickled"])


def test_python_without_a_lock_file_is_refused(backstay, releases, server):
    check_refused(backstay, releases, server, "names 0 lock files", MODELS["pickled"], serving={"runtime": "python"})


def test_a_lock_file_that_pins_nothing_is_refused(backstay, releases, server):
    lock = backstay.folder / "requirements.txt"
    lock.write_text("numpy>=1.0\n")
    check_refused(backstay, releases, server, "requirements.txt line 1 is not pinned: 'numpy>=1.0'", MODELS["pickled"],
                  serving={"runtime": "python"}, environment={"lock_files": [{"path": str(lock), "as": "requirements.txt"}]})


def test_an_unknown_runtime_is_refused_when_it_is_registered(backstay, releases):
    file = releases.describe("1.0.0", serving={"runtime": "rust"})
    assert "openvino or python" in backstay("register", file, code=2).err
