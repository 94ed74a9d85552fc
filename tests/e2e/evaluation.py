"""A small model, data to evaluate it on, and what scikit-learn and Fairlearn say about the same answers."""

import csv
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from release import Releases

FEATURES = ["age", "dose", "pressure"]
WEIGHTS = np.array([1.5, -2.0, 0.75], np.float32)


def scorer(weights=WEIGHTS, bias: float = 0.1) -> bytes:
    """x [rows, 3] -> score [rows, 1] = sigmoid(x w + b)."""
    values = [numpy_helper.from_array(np.asarray(weights, np.float32)[:, None], "w"),
              numpy_helper.from_array(np.array([bias], np.float32), "b")]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("Add", ["h", "b"], ["z"]),
             helper.make_node("Sigmoid", ["z"], ["score"])]
    return built("scorer", nodes, values, ["rows", 3], ("score", ["rows", 1]))


def softmax_of(classes: int) -> bytes:
    """x [rows, 3] -> probabilities [rows, classes]."""
    weights = np.random.default_rng(3).normal(size=(3, classes)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["x", "w"], ["z"]), helper.make_node("Softmax", ["z"], ["p"])]
    return built("softmax", nodes, [numpy_helper.from_array(weights, "w")], ["rows", 3], ("p", ["rows", classes]))


def linear(weights=WEIGHTS) -> bytes:
    """x [rows, 3] -> y [rows, 1] = x w."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    values = [numpy_helper.from_array(np.asarray(weights, np.float32)[:, None], "w")]
    return built("linear", nodes, values, ["rows", 3], ("y", ["rows", 1]))


def built(name: str, nodes, values, shape, output) -> bytes:
    graph = helper.make_graph(nodes, name, [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
                              [helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return model.SerializeToString()


class Table:
    """Rows with features, a label, and two protected attributes. `x` is what a FP32 model sees."""

    def __init__(self, rows: int, seed: int = 5):
        random = np.random.default_rng(seed)
        self.x = np.round(random.normal(size=(rows, 3)), 4).astype(np.float32)
        self.logits = self.x.astype(np.float64) @ WEIGHTS + random.normal(size=rows) * 1.5
        self.label = (self.logits > 0.2).astype(int)
        self.site = random.choice(["a", "b", "c"], rows, p=[0.5, 0.3, 0.2])
        self.sex = random.choice(["f", "m"], rows)

    def write(self, path: pathlib.Path, **more) -> pathlib.Path:
        with open(path, "w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["site", *FEATURES, "sex", "label", *more])
            for i in range(len(self.x)):
                out.writerow([self.site[i], *(f"{v:.4f}" for v in self.x[i]), self.sex[i], self.label[i],
                              *(column[i] for column in more.values())])
        return path


def release(releases: Releases, version: str, model: bytes) -> None:
    releases.register(version, {"model.onnx": model})


def metrics(cards: list[dict], kind: str, dataset: str = "held-out") -> dict:
    """(name, group) -> metric"""
    return {(m["name"], m.get("group", "")): m for card in cards
            if card["kind"] == kind and card["dataset"] == dataset for m in card["metrics"]}


def promote(backstay, server, version: str) -> None:
    """Brings a version into Production through an endpoint of its own worker, and stops the server."""
    serving = server({"endpoints": [{"name": "e", "model": "m",
                                     "rollout": {"steps": [], "watch": "0s", "holdback": "0%"}}]})
    backstay("rollout", "start", "e", f"m@{version}")
    serving.wait_for_phase("e", "done")
    serving.stop()
