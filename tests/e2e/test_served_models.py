"""Models served by a worker of Backstay's own: .onnx, a frozen .pb and a SavedModel, through the gateway."""

import os
import pathlib
import signal

import numpy as np
import pytest

from tiny_models import expected, graph_def, onnx_model, rows, saved_model

FORMATS = {"onnx": {"model.onnx": onnx_model()}, "frozen": {"model.pb": graph_def()},
           "saved": {"model/saved_model.pb": saved_model()}}


@pytest.fixture
def serve_model(backstay, releases, server):
    """serve_model({name: files}): an endpoint for each, with its model as version 1.0.0, when its rollout has ended."""

    # OpenVINO leaks some bytes when it refuses a model, and asks for 2^63 bytes when it guesses at a SavedModel's kind.
    backstay.environment["ASAN_OPTIONS"] = "detect_leaks=0:allocator_may_return_null=1"
    backstay.environment["TSAN_OPTIONS"] = "allocator_may_return_null=1"

    def start(models: dict, **spec):
        endpoints = [{"name": name, "model": name, "rollout": {"watch": "0s"}} for name in models]
        for name, files in models.items():
            releases.release("1.0.0", files, model=name, **spec)
        serving = server({"endpoints": endpoints})
        for name in models:
            backstay("rollout", "start", name, f"{name}@1.0.0")
        for name in models:
            serving.wait_for_phase(name, "done", "rolled_back")
        return serving

    return start


def tensor(x: np.ndarray, **changes) -> dict:
    return {"name": "x", "shape": list(x.shape), "datatype": "FP32", "data": x.ravel().tolist(), **changes}


def test_every_format_answers_batches_of_any_size_like_the_formula(serve_model):
    serving = serve_model(FORMATS)
    for name in FORMATS:
        assert serving.status(name)["rollout"]["phase"] == "done", serving.status(name)
        metadata = serving.ask("GET", f"/v2/models/{name}").json
        assert metadata["name"] == name and metadata["versions"] == ["1.0.0"]
        (x,), (y,) = metadata["inputs"], metadata["outputs"]
        assert (x["datatype"], x["shape"]) == ("FP32", [-1, 3])
        assert x["name"] == ("x:0" if name == "frozen" else "x")
        assert (y["datatype"], y["shape"]) == ("FP32", [-1, 2])
        assert serving.ask("GET", f"/v2/models/{name}/ready").json["ready"] is True
        for count in (1, 3, 64):
            answer = serving.infer(name, [tensor(rows(count), name=x["name"])], id=f"request-{count}")
            assert answer.status == 200, answer.body
            assert answer.version == "1.0.0" and len(answer.headers["Backstay-Prediction-Id"]) == 32
            assert answer.json["id"] == f"request-{count}" and answer.json["model_name"] == name
            (output,) = answer.json["outputs"]
            assert (output["name"], output["shape"]) == (y["name"], [count, 2])
            np.testing.assert_allclose(np.array(output["data"]).reshape(count, 2), expected(rows(count)), rtol=1e-4)


@pytest.mark.parametrize("inputs, said", [
    ([tensor(rows(2), shape=[2, 4])], "x"), ([tensor(rows(2), name="z")], "z"), ([tensor(rows(2), datatype="FP99")], "x"),
    ([tensor(rows(2), data=[1, 2])], "x"), ([], "x"), ([tensor(rows(2), data=["a"] * 6)], "x")])
def test_a_wrong_tensor_is_the_clients_mistake(serve_model, inputs, said):
    serving = serve_model({"onnx": FORMATS["onnx"]})
    answer = serving.infer("onnx", inputs)
    assert answer.status == 400 and f"'{said}'" in answer.json["error"]
    assert serving.infer("onnx", [tensor(rows(1))]).status == 200


def cause(serving, name: str) -> dict:
    status = serving.status(name)
    assert status["rollout"]["phase"] == "rolled_back", status
    return status["rollout"]["cause"]


def test_what_cannot_be_served_ends_its_rollout_with_the_reason(serve_model):
    cut = onnx_model()[:-20]
    serving = serve_model({
        "lacking-onnx": {"model.onnx": onnx_model("NoSuchOperator", "org.example")},
        "lacking-pb": {"model.pb": graph_def("NoSuchOperator")},
        "cut": {"model.onnx": cut},
        "empty": {"model.onnx": b""},
        "pickled": {"model.pkl": b"cmodel_helpers\nload\n)R."},
        "two": {"a.onnx": onnx_model(), "b.onnx": onnx_model()},
        "none": {"weights.bin": b"x"},
    })
    said = {"lacking-onnx": "NoSuchOperator", "lacking-pb": "NoSuchOperator", "cut": "can't be read as a model",
            "empty": "can't be read as a model", "pickled": "serving.runtime: python", "two": "serving.entry",
            "none": "serving.entry"}
    for name, words in said.items():
        assert cause(serving, name)["trigger"] == "not_ready"
        assert words in cause(serving, name)["reason"], (name, cause(serving, name)["reason"])
        answer = serving.infer(name, [tensor(rows(1))])
        assert answer.status == 503 and "No version is deployed" in answer.json["error"]


def test_serving_entry_chooses_among_several_models(serve_model):
    files = {"a.onnx": onnx_model("Identity"), "deep/b.onnx": onnx_model()}
    serving = serve_model({"m": files}, serving={"entry": "deep/b.onnx"})
    answer = serving.infer("m", [tensor(rows(3))])
    np.testing.assert_allclose(np.array(answer.json["outputs"][0]["data"]).reshape(3, 2), expected(rows(3)), rtol=1e-4)


def test_a_good_version_goes_on_serving_when_the_next_one_cannot_be_loaded(backstay, releases, serve_model):
    serving = serve_model({"onnx": FORMATS["onnx"]})
    releases.release("2.0.0", {"model.onnx": onnx_model()[:100]}, model="onnx")
    backstay("rollout", "start", "onnx", "onnx@2.0.0")
    serving.wait_for_phase("onnx", "rolled_back")
    assert "can't be read as a model" in cause(serving, "onnx")["reason"]
    assert serving.infer("onnx", [tensor(rows(1))]).version == "1.0.0"


def test_a_worker_that_is_killed_is_started_again(serve_model):
    serving = serve_model({"onnx": FORMATS["onnx"]})
    children = pathlib.Path(f"/proc/{serving.process.pid}/task").glob("*/children")
    (worker,) = [pid for task in children for pid in task.read_text().split()]
    os.kill(int(worker), signal.SIGKILL)
    serving.wait_for("onnx", lambda s: s["backends"][0]["restarts"] == 1 and s["backends"][0]["state"] == "ready", "restart")
    assert serving.infer("onnx", [tensor(rows(1))]).status == 200


def test_what_a_killed_server_had_half_checked_out_is_removed(backstay, serve_model):
    half = backstay.data_dir / "serving/.0123.4567"
    half.mkdir(parents=True)
    (half / "model.onnx").write_bytes(onnx_model()[:50])
    serving = serve_model({"onnx": FORMATS["onnx"]})
    assert not half.exists()
    assert serving.infer("onnx", [tensor(rows(1))]).status == 200
