"""Artifacts that were made to get past scanners: each would run something in what loads it, or leave its folder.

Every payload is a call of os.system (or another command runner) that no test ever loads.
"""

import bz2
import gzip
import io
import json
import lzma
import pickle
import struct
import tarfile
import zipfile
import zlib

import numpy as np
import onnx
from onnx import TensorProto, helper

COMMAND = b"echo pwned"
REDUCE = b"cposix\nsystem\n(S'" + COMMAND + b"'\ntR."
PROTO4 = (b"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x0aecho pwned\x85R.")


def text(value: str) -> bytes:
    return b"\x8c" + bytes([len(value)]) + value.encode()


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def torch_zip(payload: bytes, prefix: str = "archive") -> bytes:
    return zipped({f"{prefix}/data.pkl": payload, f"{prefix}/version": b"3\n", f"{prefix}/data/0": bytes(64)})


def patched(archive: bytes, signature: bytes, offset: int, value: bytes) -> bytes:
    """Changes bytes of the first header with this signature."""
    at = archive.index(signature) + offset
    return archive[:at] + value + archive[at + len(value):]


LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"


def streams() -> dict[str, bytes]:
    """Pickles: how the callable is named and reached, and what breaks a parser before or after it."""
    calls = b"(S'echo pwned'\ntR."
    return {
        "plain-protocol-0.pkl": REDUCE,
        "plain-protocol-4.pkl": PROTO4,
        "inst.pkl": b"(S'echo pwned'\niposix\nsystem\n.",
        "obj.pkl": b"(cposix\nsystem\nS'echo pwned'\no.",
        "newobj.pkl": b"\x80\x02csubprocess\nPopen\nU\x0aecho pwned\x85\x81.",
        "newobj-ex.pkl": b"\x80\x04csubprocess\nPopen\n\x8c\x0aecho pwned\x85}\x92.",
        "build-setstate.pkl": b"\x80\x02ccollections\nCounter\n)\x81}U\x0c__setstate__cposix\nsystem\nsbU\x02idb.",
        "broken-after.pkl": REDUCE[:-1] + b"\xff\xff\xff",
        "broken-without-stop.pkl": PROTO4[:-1],
        "broken-marked-then-unknown.pkl": PROTO4[:-1] + b"\x00",
        "hex-int-first.pkl": b"I0x10\n0" + REDUCE,  # C's unpickler reads it, pickletools doesn't.
        "hex-int-first-marked.pkl": b"\x80\x02I0x10\n0" + REDUCE,
        "octal-int-first.pkl": b"\x80\x02I0o17\n0" + REDUCE,
        "memo-names.pkl": b"\x80\x04" + text("system") + b"\x940" + text("posix") + b"\x940" + b"h\x01h\x00\x93"
                          + text("echo pwned") + b"\x85R.",
        "memo-overwritten.pkl": b"\x80\x04" + text("collections") + b"q\x000" + text("posix") + b"q\x000h\x00"
                                + text("system") + b"\x93" + text("echo pwned") + b"\x85R.",
        "memo-dup.pkl": b"\x80\x04" + text("posix") + b"2\x940" + b"h\x00" + text("system") + b"\x93"
                        + text("echo pwned") + b"\x85R0.",
        "names-behind-pop-mark.pkl": b"\x80\x04" + text("posix") + b"(" + text("collections") + b"1" + text("system")
                                     + b"\x93" + text("echo pwned") + b"\x85R.",
        "escaped-string-name.pkl": b"\x80\x04S'po\\x73ix'\n" + text("system") + b"\x93" + text("echo pwned") + b"\x85R.",
        "raw-unicode-name.pkl": b"\x80\x04V\\u0070osix\n" + text("system") + b"\x93" + text("echo pwned") + b"\x85R.",
        "computed-name.pkl": b"\x80\x04cbuiltins\nstr\n" + text("posix") + b"\x85R" + text("system") + b"\x93"
                             + text("echo pwned") + b"\x85R.",
        "dotted-name.pkl": b"\x80\x04" + text("shelve") + text("os.system") + b"\x93" + text("echo pwned") + b"\x85R.",
        "dotted-through-unlisted.pkl": b"\x80\x04" + text("sklearn.base") + text("os.system") + b"\x93"
                                       + text("echo pwned") + b"\x85R.",
        "extension-registry.pkl": b"\x80\x02\x82\x01U\x0aecho pwned\x85R.",
        "extension-registry-4.pkl": b"\x80\x02\x84\x01\x00\x00\x00U\x0aecho pwned\x85R.",
        "concatenated.pkl": pickle.dumps([1, 2]) + PROTO4,
        "second-after-padding.pkl": pickle.dumps({}) + REDUCE,
        "unlisted-runner.pkl": b"\x80\x02cdistutils.spawn\nspawn\n]U\x02ida\x85R.",
        "unlisted-module.pkl": b"\x80\x02cmodel_helpers\nload_everything\n)R.",
        "unlisted-numpy.pkl": b"\x80\x02cnumpy\nload\nU\x08evil.npy\x85R.",
        "unlisted-joblib.pkl": b"\x80\x02cjoblib\nload\nU\x08evil.pkl\x85R.",
        "unlisted-pandas.pkl": b"\x80\x02cpandas\nread_pickle\nU\x08evil.pkl\x85R.",
        "unlisted-importlib.pkl": b"\x80\x02cimportlib\nimport_module\nU\x04evil\x85R.",
        "unlisted-code.pkl": b"\x80\x02ccode\nInteractiveInterpreter\n)R.",
        "unlisted-multiprocessing.pkl": b"\x80\x02cmultiprocessing.util\nspawnv_passfds\n)R.",
        "unlisted-linecache.pkl": b"\x80\x02clinecache\ngetlines\nU\x0b/etc/passwd\x85R.",
        "unlisted-import.pkl": b"\x80\x02c__builtin__\n__import__\nU\x04evil\x85R.",
        "monkey-patch.pkl": b"\x80\x02csklearn.base\nBaseEstimator\n}U\x07predictcsklearn.base\nclone\nsb.",
        "call-of-a-result.pkl": b"\x80\x02ccollections\ndefaultdict\n)R)R.",
        "persistent-id.pkl": b"\x80\x02U\x04evilQ.",
        "nested-in-storage.pkl": b"\x80\x02ctorch.storage\n_load_from_bytes\nU\x04evil\x85R.",
    }


def renamed() -> dict[str, bytes]:
    """The content is what counts."""
    return {"weights.onnx": PROTO4, "config.json": REDUCE, "model.safetensors": PROTO4, "image.png": REDUCE,
            "no-extension": PROTO4, "tensors.gguf": REDUCE, "model.h5": PROTO4, "torch-zip.txt": torch_zip(PROTO4),
            "pickle-named.npy": PROTO4, "pickle-named.npz": PROTO4, "member-renamed.zip": zipped({"readme.txt": PROTO4})}


def archives() -> dict[str, bytes]:
    inner = torch_zip(PROTO4)
    plain = torch_zip(PROTO4)
    duplicate = io.BytesIO()
    with zipfile.ZipFile(duplicate, "w") as archive:
        archive.writestr("archive/data.pkl", PROTO4)
        archive.writestr("archive/data.pkl", pickle.dumps({}))
        archive.writestr("archive/version", "3\n")
    packed = zipped({"archive/data.pkl": PROTO4}, zipfile.ZIP_DEFLATED)
    hidden = zipped({"archive/data.pkl": pickle.dumps({})})
    end = hidden.index(CENTRAL)
    evil_local = zipped({"archive/data.pkl": PROTO4})
    evil_local = evil_local[:evil_local.index(CENTRAL)]
    shifted = hidden[:end] + evil_local + hidden[end:]
    eocd = shifted.rindex(b"PK\x05\x06")
    shifted = shifted[:eocd + 16] + struct.pack("<I", end + len(evil_local)) + shifted[eocd + 20:]
    return {
        "torch.pt": plain,
        "nested.zip": zipped({"inner.zip": inner}),
        "nested-deflated.zip": zipped({"a/b.bin": zipped({"c.zip": inner}, zipfile.ZIP_DEFLATED)}, zipfile.ZIP_DEFLATED),
        "duplicate-member.pt": duplicate.getvalue(),
        "wrong-crc.pt": patched(patched(plain, LOCAL, 14, b"\0\0\0\0"), CENTRAL, 16, b"\0\0\0\0"),
        "encrypted-flag.pt": patched(patched(plain, LOCAL, 6, b"\1\0"), CENTRAL, 8, b"\1\0"),
        "encrypted-flag-central-only.pt": patched(plain, CENTRAL, 8, b"\1\0"),
        "method-differs.pt": patched(packed, CENTRAL, 10, b"\0\0"),
        "local-name-differs.pt": patched(plain, LOCAL, 30, b"archive/data.txt"),
        "unknown-method.pt": patched(patched(plain, LOCAL, 8, b"\x63\0"), CENTRAL, 10, b"\x63\0"),
        "size-zero-in-directory.pt": patched(plain, CENTRAL, 20, bytes(8)),
        "version-needed.pt": patched(plain, CENTRAL, 6, b"\xff\xff"),
        "hidden-from-directory.pt": shifted,
        "no-directory.pt": plain[:plain.index(CENTRAL)],
        "behind-other-bytes.bin": b"\x00" * 100 + plain,
        "bad-magic.pt": b"XX" + plain[2:],
        "truncated-end.pt": plain[:-10],
        "zip-slip.zip": zipped({"../../home/user/.bashrc": b"echo pwned"}),
        "absolute.zip": zipped({"/etc/cron.d/x": b"* * * * * root id"}),
        "tar.tar": tar({"model/data.pkl": PROTO4}),
        "tar-slip.tar": tar({"../evil": b"x"}),
        "model.tar.gz": gzip.compress(tar({"model/weights.bin": PROTO4})),
        "7z.7z": b"7z\xbc\xaf\x27\x1c" + bytes(100),
        "bomb.zip": zipped({"model.json": b"{" + b" " * (100 << 20)}, zipfile.ZIP_DEFLATED),
    }


def tar(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def joblib_array(shape: int, data: bytes, extra: bytes = b"") -> bytes:
    """A wrapper of `shape` bytes, then `data`, as joblib writes it."""
    head = (b"\x80\x04" + text("joblib.numpy_pickle") + text("NumpyArrayWrapper") + b"\x93)\x81}(" + text("subclass")
            + text("numpy") + text("ndarray") + b"\x93" + text("shape") + b"K" + bytes([shape]) + b"\x85"
            + text("order") + text("C") + text("dtype") + text("numpy") + text("dtype") + b"\x93" + text("u1")
            + b"\x89\x88\x87R" + text("allow_mmap") + b"\x88" + extra + b"ub")
    return head + data


def containers() -> dict[str, bytes]:
    objects = io.BytesIO()
    np.save(objects, np.zeros(1))
    header = objects.getvalue()[:128].replace(b"'<f8'", b"'|O' ")
    squeezed = {"gzip": gzip.compress, "zlib": zlib.compress, "bz2": bz2.compress, "xz": lzma.compress,
                "lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE)}
    magic, protocol, facts = 0x1950A86A20F9469CFC6C, 1001, {"little_endian": True}
    legacy = b"".join(pickle.dumps(each, 2) for each in (magic, protocol, facts)) + b"\x80\x02" + REDUCE
    skipped = b"\x80\x04" + text("posix") + text("system") + b"\x93" + text("echo pwned") + b"\x85R."
    return {
        **{f"joblib-{name}.joblib": squeeze(PROTO4) for name, squeeze in squeezed.items()},
        "joblib-lz4.joblib": b"\x04\x22\x4d\x18" + PROTO4,
        "joblib-old.joblib": b"ZF" + hex(len(PROTO4)).ljust(19).encode() + zlib.compress(PROTO4),
        "joblib-after-array.joblib": joblib_array(16, bytes(16) + b"0" + PROTO4[2:]),
        "joblib-array-is-code.pkl": joblib_array(len(skipped) - 2, skipped[2:] + b"."),
        "joblib-shape-lies.joblib": joblib_array(200, skipped[2:], text("shape") + b"K\x00\x85"),
        "objects.npy": header + PROTO4,
        "objects.npz": zipped({"a.npy": header + PROTO4}, zipfile.ZIP_DEFLATED),
        "torch-legacy.pt": legacy,
        "lambda.keras": zipped({"metadata.json": b"{}", "config.json": json.dumps(
            {"class_name": "Sequential", "config": {"layers": [{"module": "keras.layers", "class_name": "Lambda"}]}}
        ).encode()}, zipfile.ZIP_DEFLATED),
        "lambda-escaped.keras": zipped({"config.json": b'{"class_name": "\\u004cambda"}'}),
        "module-os.keras": zipped({"config.json": b'{"module": "os", "class_name": "function", "config": "system"}'}),
        "lambda.h5": b"\x89HDF\r\n\x1a\n" + bytes(500) + b'"' + json.dumps(
            {"class_name": "Model", "config": json.dumps({"class_name": "Lambda"})}).encode() + bytes(50),
        "slip.keras": zipped({"config.json": b"{}", "assets/../../x": b"x"}),
        "external.onnx": external("../../../etc/passwd"),
        "external-absolute.onnx": external("/etc/passwd"),
        "external-missing.onnx": external("weights.data"),
        "saved_model.pb": saved_model("ReadFile"),
    }


def external(location: str) -> bytes:
    tensor = TensorProto(name="w", data_type=1, dims=[1], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value=location)
    node = helper.make_node("Add", ["x", "w"], ["y"])
    value = [helper.make_tensor_value_info(name, 1, [1]) for name in ("x", "y")]
    graph = helper.make_graph([node], "g", value[:1], value[1:])
    graph.initializer.append(tensor)
    return helper.make_model(graph).SerializeToString()


def saved_model(operator: str) -> bytes:
    def field(number: int, content: bytes) -> bytes:
        assert len(content) < 128
        return bytes([number << 3 | 2, len(content)]) + content

    node = field(1, field(1, b"x") + field(2, operator.encode()))
    return b"\x08\x01" + field(2, field(2, node))


def everything() -> dict[str, bytes]:
    return {**streams(), **renamed(), **archives(), **containers()}
