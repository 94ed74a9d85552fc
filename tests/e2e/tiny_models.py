"""Models small enough to check by hand, in each format that is served: softmax(x W), x of shape [rows, 3].

TensorFlow is not installed: its GraphDef and SavedModel are protocol buffers, and the few messages needed are encoded here
(field numbers from tensorflow/core/framework/*.proto and core/protobuf/*.proto).
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTS = np.array([[0.5, -1.0], [2.0, 0.25], [-0.75, 1.5]], np.float32)


def expected(x: np.ndarray) -> np.ndarray:
    logits = x @ WEIGHTS
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


def rows(count: int) -> np.ndarray:
    return np.linspace(-2, 2, count * 3, dtype=np.float32).reshape(count, 3)


def onnx_model(operator: str = "Softmax", domain: str = "") -> bytes:
    nodes = [helper.make_node("MatMul", ["x", "w"], ["logits"]),
             helper.make_node(operator, ["logits"], ["y"], domain=domain)]
    graph = helper.make_graph(nodes, "tiny", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["rows", 3])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["rows", 2])],
                              [numpy_helper.from_array(WEIGHTS, "w")])
    opsets = [helper.make_opsetid("", 17)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


# --- protocol buffers ---


def varint(number: int) -> bytes:
    number &= (1 << 64) - 1  # Negative numbers are sent as 64 bits.
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


FLOAT = 1  # DT_FLOAT


def shape(*sizes: int) -> bytes:
    return b"".join(field(2, field(1, size)) for size in sizes)


def entry(key: str, value: bytes) -> bytes:
    """One entry of a map field."""
    return field(1, key) + field(2, value)


def attribute(name: str, value: bytes) -> bytes:
    return field(5, entry(name, value))


def node(name: str, operator: str, *inputs: str, **attributes: bytes) -> bytes:
    content = field(1, name) + field(2, operator) + b"".join(field(3, each) for each in inputs)
    return field(1, content + b"".join(attribute(key, value) for key, value in attributes.items()))


def graph_def(operator: str = "Softmax") -> bytes:
    a_type = field(6, FLOAT)
    tensor = field(1, FLOAT) + field(2, shape(*WEIGHTS.shape)) + field(4, WEIGHTS.tobytes())
    return b"".join([
        node("x", "Placeholder", dtype=a_type, shape=field(7, shape(-1, 3))),
        node("w", "Const", dtype=a_type, value=field(8, tensor)),
        node("logits", "MatMul", "x", "w", T=a_type),
        node("y", operator, "logits", T=a_type),
        field(4, field(1, 1087)),  # versions.producer
    ])


def saved_model() -> bytes:
    def tensor_info(name: str, *sizes: int) -> bytes:
        return field(1, name) + field(2, FLOAT) + field(3, shape(*sizes))

    signature = (field(1, entry("x", tensor_info("x:0", -1, 3))) + field(2, entry("y", tensor_info("y:0", -1, 2)))
                 + field(3, "tensorflow/serving/predict"))
    meta_graph = field(1, field(4, "serve")) + field(2, graph_def()) + field(5, entry("serving_default", signature))
    return field(1, 1) + field(2, meta_graph)
