#!/usr/bin/env python3
"""Serves one model version by the Open Inference Protocol: scikit-learn models (.pkl, .pickle, .joblib) and any ONNX;
numbers and texts.

Run by Backstay for versions whose manifest says `serving: {runtime: python}`. With --lock it first makes the virtual
environment the lock file describes (once per lock file) and goes on in there, so that a pickle meets the packages it was
made with. Unpickling runs code: only what the manifest names as python is ever given to this worker.

Prints {"port": N} when it is ready. Exit codes: 2 usage, 3 an operator or package is lacking, 4 the model can't be read.
"""

import argparse
import fcntl
import hashlib
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OIP_TYPES = {
    "BOOL": "bool", "UINT8": "uint8", "UINT16": "uint16", "UINT32": "uint32", "UINT64": "uint64", "INT8": "int8",
    "INT16": "int16", "INT32": "int32", "INT64": "int64", "FP16": "float16", "FP32": "float32", "FP64": "float64",
}
NUMPY_TYPES = {numpy_name: name for name, numpy_name in OIP_TYPES.items()}
TEXT = "BYTES"  # The protocol's name for texts; in JSON they are strings.
PINNED = re.compile(r"^[A-Za-z0-9._\[\]-]+==[^\s;]+")


class Lacking(Exception):
    """An operator or a package that the model needs is not there."""


class BadRequest(Exception):
    """The request is wrong; the message says how."""


# --- the locked environment ---


def check_lock(lock: pathlib.Path) -> None:
    for number, line in enumerate(lock.read_text().splitlines(), 1):
        entry = line.split("#")[0].strip().rstrip("\\").strip()
        if entry and not entry.startswith("--hash") and not PINNED.match(entry):
            sys.exit(f"error: {lock.name} line {number} is not pinned: '{entry}'. Write NAME==VERSION for every package.")


def enter_environment(lock: pathlib.Path, folder: pathlib.Path) -> None:
    """Goes on in the environment of `lock`; returns when this process is in it already."""
    name = hashlib.sha256(lock.read_bytes()).hexdigest()
    environment = folder / name
    if pathlib.Path(sys.prefix).resolve() == environment.resolve():
        return
    check_lock(lock)
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.lock", "w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        done = environment / ".complete"
        if not done.exists():  # Not there, or its making was cut short.
            print(f"making the environment of {lock.name}", flush=True)
            subprocess.run(["/usr/bin/python3", "-m", "venv", "--clear", str(environment)], check=True)
            pip = [str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
            if subprocess.run([*pip, "--only-binary", ":all:", "-r", str(lock)]).returncode != 0:
                sys.exit(f"error: the packages of {lock.name} could not be installed; pip's reason is above.")
            done.touch()
    python = str(environment / "bin/python")
    os.execv(python, [python, *sys.argv])


# --- models ---


def takes_texts(model) -> bool:
    """Whether rows are texts: the model, or a pipeline's first step, says so by scikit-learn's tags."""
    first = model.steps[0][1] if getattr(model, "steps", None) else model
    try:
        if hasattr(first, "__sklearn_tags__"):
            return bool(first.__sklearn_tags__().input_tags.string)
        return "string" in first._get_tags().get("X_types", [])  # scikit-learn before 1.6
    except Exception:  # No estimator of scikit-learn's.
        return False


class SklearnModel:
    def __init__(self, path: pathlib.Path):
        import numpy

        try:
            if path.suffix == ".joblib":
                import joblib

                self.model = joblib.load(path)
            else:
                import pickle

                with open(path, "rb") as file:
                    self.model = pickle.load(file)
        except ModuleNotFoundError as missing:
            raise Lacking(f"{path.name} needs the package '{missing.name}', which its lock file does not name.")
        self.numpy = numpy
        if takes_texts(self.model):
            self.inputs = [("text", TEXT, [-1])]
        else:
            self.inputs = [("x", "FP64", [-1, int(getattr(self.model, "n_features_in_", -1))])]
        self.outputs = [("label", None, [-1])]
        if hasattr(self.model, "predict_proba"):
            self.outputs.append(("probabilities", "FP64", [-1, len(self.model.classes_)]))

    def run(self, tensors: dict) -> dict:
        rows = tensors[self.inputs[0][0]]
        results = {"label": self.numpy.asarray(self.model.predict(rows))}
        if len(self.outputs) > 1:
            results["probabilities"] = self.numpy.asarray(self.model.predict_proba(rows))
        return results


class OnnxModel:
    def __init__(self, path: pathlib.Path):
        try:
            import onnxruntime
        except ModuleNotFoundError:
            raise Lacking("An ONNX model needs the package 'onnxruntime' in the version's lock file.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        try:
            self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except onnxruntime.capi.onnxruntime_pybind11_state.NotImplemented as lacking:
            raise Lacking(str(lacking))
        except Exception as failure:
            if "locale" in str(failure):
                raise Lacking(f"{path.name} wants a locale that this machine does not have. With skl2onnx convert it with "
                              "options={TfidfVectorizer: {'locale': 'C.UTF-8'}}. " + str(failure))
            raise
        self.inputs = [self.describe(node) for node in self.session.get_inputs()]
        self.outputs = [self.describe(node) for node in self.session.get_outputs()]

    @staticmethod
    def describe(node):
        types = {"tensor(float)": "FP32", "tensor(double)": "FP64", "tensor(float16)": "FP16", "tensor(bool)": "BOOL",
                 "tensor(string)": TEXT}
        inner = node.type.removeprefix("tensor(").removesuffix(")")
        kind = types.get(node.type) or inner.upper()
        if kind not in OIP_TYPES and kind != TEXT:
            hint = " With skl2onnx convert it with options={'zipmap': False}." if "map(" in node.type else ""
            raise Lacking(f"'{node.name}' has the type {node.type}, which is not served.{hint}")
        return node.name, kind, [size if isinstance(size, int) else -1 for size in node.shape]

    def run(self, tensors: dict) -> dict:
        names = [name for name, _, _ in self.outputs]
        return dict(zip(names, self.session.run(names, tensors)))


def find_model(path: pathlib.Path) -> pathlib.Path:
    if path.is_file():
        return path
    kinds = {".onnx", ".pkl", ".pickle", ".joblib"}
    found = [file for file in sorted(path.rglob("*")) if file.suffix in kinds and ".backstay" not in file.parts]
    if len(found) != 1:
        sys.exit(f"error: {path} has {len(found)} models; name one as serving.entry in the version's manifest.")
    return found[0]


def load(path: pathlib.Path):
    file = find_model(path)
    return OnnxModel(file) if file.suffix == ".onnx" else SklearnModel(file)


# --- the protocol ---


def read_tensors(model, request: dict) -> dict:
    import numpy

    tensors = {}
    known = {name: (kind, shape) for name, kind, shape in model.inputs}
    for item in request.get("inputs") or []:
        name = item.get("name")
        if name not in known:
            raise BadRequest(f"The model has no input '{name}'; it has: {', '.join(known)}.")
        kind, expected = known[name]
        datatype = item.get("datatype")
        if datatype not in OIP_TYPES and datatype != TEXT:
            raise BadRequest(f"Input '{name}' has no known datatype.")
        if (datatype == TEXT) != (kind == TEXT):
            raise BadRequest(f"Input '{name}' has the datatype {datatype}; the model takes {kind}.")
        shape = item.get("shape")
        if not isinstance(shape, list) or len(shape) != len(expected) or any(
                e not in (-1, s) for e, s in zip(expected, shape)):
            raise BadRequest(f"Input '{name}' has shape {shape}; the model takes {expected}.")
        if kind == TEXT:
            tensors[name] = read_texts(name, item.get("data"), shape)
            continue
        try:
            array = numpy.asarray(item.get("data"), dtype=OIP_TYPES[datatype]).reshape(shape)
        except (TypeError, ValueError, OverflowError) as wrong:
            raise BadRequest(f"The data of input '{name}' does not fit: {wrong}.")
        tensors[name] = array.astype(OIP_TYPES[kind], copy=False)
    missing = [name for name in known if name not in tensors]
    if missing:
        raise BadRequest(f"Input '{missing[0]}' is missing.")
    return tensors


def read_texts(name: str, data, shape: list):
    """A tensor of strings, whose data is flat or nested as the shape says."""
    import numpy

    texts = data if isinstance(data, list) else [data]
    for _ in shape[1:]:
        if any(isinstance(item, list) for item in texts):
            texts = [text for item in texts for text in (item if isinstance(item, list) else [item])]
    if not all(isinstance(text, str) for text in texts):
        raise BadRequest(f"The data of input '{name}' has something that is no string.")
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        raise BadRequest(f"The data of input '{name}' is not valid Unicode.")
    array = numpy.empty(len(texts), dtype=object)
    array[:] = texts
    try:
        return array.reshape(shape)
    except (TypeError, ValueError, OverflowError) as wrong:
        raise BadRequest(f"The data of input '{name}' does not fit: {wrong}.")


def describe_output(name, array) -> dict:
    kind = NUMPY_TYPES.get(array.dtype.name)
    data = array.ravel().tolist()
    if kind is None:
        kind, data = TEXT, [str(value) for value in data]
    return {"name": name, "datatype": kind, "shape": list(array.shape), "data": data}


def infer(model, name: str, version: str, body: bytes) -> dict:
    try:
        request = json.loads(body)
    except ValueError:
        raise BadRequest("The request's body is not JSON.")
    if not isinstance(request, dict):
        raise BadRequest("The request's body is not a JSON object.")
    results = model.run(read_tensors(model, request))
    wanted = [output.get("name") for output in request.get("outputs") or []] or list(results)
    for output in wanted:
        if output not in results:
            raise BadRequest(f"The model has no output '{output}'.")
    answer = {"model_name": name, "model_version": version,
              "outputs": [describe_output(output, results[output]) for output in wanted]}
    if isinstance(request.get("id"), str):
        answer["id"] = request["id"]
    return answer


def make_handler(model, options):
    path = re.compile(r"^/v2/models/([^/]+)(?:/versions/([^/]+))?(/ready|/infer)?$")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def reply(self, status: int, value: dict) -> None:
            body = json.dumps(value, allow_nan=False).encode()
            head = f"HTTP/1.1 {status} {self.responses.get(status, ('',))[0]}\r\n" \
                   f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
            self.wfile.write(head.encode() + body)

        def ours(self):
            found = path.match(self.path)
            if not found or found[1] != options.name or found[2] not in (None, options.version):
                self.reply(404, {"error": f"This worker serves {options.name} {options.version}."})
                return None
            return found[3] or ""

        def do_GET(self):
            if self.path == "/v2":
                return self.reply(200, {"name": "backstay-worker-python", "version": "0.1.0", "extensions": []})
            if self.path in ("/v2/health/live", "/v2/health/ready"):
                return self.reply(200, {self.path.rsplit("/", 1)[1]: True})
            what = self.ours()
            if what == "/ready":
                self.reply(200, {"name": options.name, "ready": True})
            elif what is not None:
                tensors = [[{"name": n, "datatype": k or TEXT, "shape": s} for n, k, s in side]
                           for side in (model.inputs, model.outputs)]
                self.reply(200, {"name": options.name, "versions": [options.version], "platform": "python",
                                 "inputs": tensors[0], "outputs": tensors[1]})

        def do_POST(self):
            length = self.headers.get("Content-Length", "")
            if not length.isdigit() or int(length) > options.max_body_bytes:
                self.close_connection = True
                return self.reply(413 if length.isdigit() else 411, {"error": "The request is too large or has no length."})
            body = self.rfile.read(int(length))
            if self.ours() is None:
                return None
            try:
                self.reply(200, infer(model, options.name, options.version, body))
            except BadRequest as wrong:
                self.reply(400, {"error": str(wrong)})
            except Exception as failure:  # The model's own code: whatever it raises is its failure.
                self.reply(500, {"error": f"The model failed: {failure}"})

        def log_message(self, *args):
            pass

    return Handler


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def main() -> None:
    parser = argparse.ArgumentParser(prog="backstay_worker.py", description=__doc__.splitlines()[0])
    parser.add_argument("--model", required=True, type=pathlib.Path)
    parser.add_argument("--name", required=True)
    parser.add_argument("--version", required=True)
    parser.add_argument("--listen", default="127.0.0.1:0")
    parser.add_argument("--lock", type=pathlib.Path, help="requirements file with every package pinned")
    parser.add_argument("--environments", type=pathlib.Path, help="folder for the environments of lock files")
    parser.add_argument("--max-body-bytes", type=int, default=64 * 1024 * 1024)
    options = parser.parse_args()
    if options.lock:
        enter_environment(options.lock, options.environments)
    try:
        model = load(options.model)
    except Lacking as lacking:
        print(f"error: {lacking}", file=sys.stderr)
        sys.exit(3)
    except Exception as broken:
        print(f"error: {options.model} can't be read as a model: {broken}", file=sys.stderr)
        sys.exit(4)
    host, port = options.listen.rsplit(":", 1)
    server = Server((host, int(port)), make_handler(model, options))
    server.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(json.dumps({"port": server.server_port}, separators=(",", ":")), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
