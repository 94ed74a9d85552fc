"""The demo's data and models: scikit-learn's breast cancer data, spread over four hospitals ("sites").

A model here is a multi-layer perceptron with its scaling folded into the first layer, exported to ONNX with plain operators.
"""

import csv
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier

SEED = 11
THRESHOLD = 0.3  # A score from here on means "malignant": missing a cancer is worse than a second look.
WORST_RADIUS, MEAN_CONCAVITY = 20, 6


class Data:
    """x, y: training rows (y = 1: malignant). sites: name -> row numbers. held_out_x, held_out_y: never trained on."""

    def __init__(self):
        raw = load_breast_cancer()
        self.features = [name.replace(" ", "_") for name in raw.feature_names]
        x = raw.data.astype(np.float32)
        y = 1 - raw.target
        self.x, self.held_out_x, self.y, self.held_out_y = train_test_split(
            x, y, test_size=0.4, random_state=SEED, stratify=y)
        random = np.random.default_rng(SEED)
        order = random.permutation(len(self.x))
        # Site D sees small tumours: most of those there are.
        small = [i for i in order if self.x[i, WORST_RADIUS] < 18.5]
        site_d = small[: int(0.7 * len(small))]
        rest = random.permutation([i for i in order if i not in set(site_d)])
        self.sites = {"site-a": rest[:80], "site-b": rest[80:130], "site-c": rest[130:], "site-d": np.array(site_d)}

    def rows(self, sites):
        return np.concatenate([self.sites[site] for site in sites])


def contaminate(data: Data) -> tuple[np.ndarray, int]:
    """Site D's export had its label column wrong: what was malignant arrives as benign."""
    y = data.y.copy()
    flipped = [i for i in data.sites["site-d"] if y[i] == 1]
    y[flipped] = 0
    return y, len(flipped)


class Model:
    def __init__(self, x, y, hidden: int, alpha: float):
        self.mean, self.scale = x.mean(0), x.std(0) + 1e-9
        self.mlp = MLPClassifier((hidden,), alpha=alpha, random_state=1, max_iter=3000, tol=1e-4)
        self.mlp.fit((x - self.mean) / self.scale, y)

    def score(self, x):
        return self.mlp.predict_proba((x - self.mean) / self.scale)[:, 1]

    def to_onnx(self, crash_on_zero_concavity: bool = False) -> bytes:
        """x [rows, 30] -> score [rows, 1]. Scaling is folded: W((x - m) / s) + b = (W / s) x + (b - W (m / s))."""
        (w1, w2), (b1, b2) = self.mlp.coefs_, self.mlp.intercepts_
        folded = w1 / self.scale[:, None]
        weights = {"w1": folded, "b1": b1 - self.mean @ folded, "w2": w2, "b2": b2}
        initializers = [numpy_helper.from_array(np.asarray(v, np.float32), k) for k, v in weights.items()]
        nodes = [helper.make_node("MatMul", ["x", "w1"], ["h0"]), helper.make_node("Add", ["h0", "b1"], ["h1"]),
                 helper.make_node("Relu", ["h1"], ["h2"]), helper.make_node("MatMul", ["h2", "w2"], ["z0"]),
                 helper.make_node("Add", ["z0", "b2"], ["z1"])]
        if crash_on_zero_concavity:
            # A correction looked up by 1/concavity. Nobody thought of a tumour without any: its place in the table is
            # infinity, and the lookup takes the process down.
            initializers += [numpy_helper.from_array(np.array([MEAN_CONCAVITY], np.int64), "column"),
                             numpy_helper.from_array(np.array([0.02], np.float32), "unit"),
                             numpy_helper.from_array(np.array([1], np.int64), "axis"),
                             numpy_helper.from_array(np.linspace(0, 1e-3, 64, dtype=np.float32), "table")]
            nodes += [helper.make_node("Gather", ["x", "column"], ["concavity"], axis=1),
                      helper.make_node("Div", ["unit", "concavity"], ["ratio"]),
                      helper.make_node("Cast", ["ratio"], ["place"], to=TensorProto.INT64),
                      helper.make_node("GatherND", ["table", "place"], ["found"]),
                      helper.make_node("Unsqueeze", ["found", "axis"], ["correction"]),
                      helper.make_node("Add", ["z1", "correction"], ["z2"])]
        nodes.append(helper.make_node("Sigmoid", ["z2" if crash_on_zero_concavity else "z1"], ["score"]))
        graph = helper.make_graph(nodes, "breast-cancer",
                                  [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 30])],
                                  [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["rows", 1])], initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        return model.SerializeToString()


def cross_validated(x, y, hidden, alpha) -> dict:
    """What a team measures before a release, on the data it has: 5-fold cross-validation."""
    scores = np.empty(len(x))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=SEED).split(x, y):
        scores[test] = Model(x[train], y[train], hidden, alpha).score(x[test])
    return measure(x, y, scores)


def measure(x, y, scores) -> dict:
    """Metric name -> (value, samples); accuracy also by group."""
    right = (scores >= THRESHOLD) == (y == 1)
    large = x[:, WORST_RADIUS] >= 16
    return {
        "accuracy": (right.mean(), len(y)),
        "sensitivity": (right[y == 1].mean(), int((y == 1).sum())),
        "specificity": (right[y == 0].mean(), int((y == 0).sum())),
        "accuracy{large}": (right[large].mean(), int(large.sum())),
        "accuracy{small}": (right[~large].mean(), int((~large).sum())),
    }


def write_slice(path: pathlib.Path, data: Data, rows, y) -> None:
    with open(path, "w", newline="") as file:
        out = csv.writer(file)
        out.writerow([*data.features, "malignant"])
        for row in rows:
            out.writerow([*(f"{value:.6g}" for value in data.x[row]), int(y[row])])
