"""The scanner's walk over pickles against Python's own (pickletools.genops): the same opcodes, the same end."""

import collections
import datetime
import decimal
import pickle
import pickletools
import random
import subprocess

import numpy as np
import pytest

from program import BIN


class Point:
    def __init__(self, x):
        self.x = x


class Reduced:
    def __reduce_ex__(self, protocol):
        return Point, (1,), {"y": 2}, iter([3]), iter([("k", 4)])


class WithNew:
    def __getnewargs_ex__(self):
        return (1,), {"b": 2}

    def __new__(cls, a, b=0):
        return object.__new__(cls)


def value(rng: random.Random, depth: int = 0):
    leaves = [lambda: None, lambda: rng.random() < 0.5, lambda: rng.getrandbits(rng.choice([7, 15, 31, 63, 200, 3000])),
              lambda: -rng.getrandbits(40), lambda: rng.random() * 1e9, lambda: "x" * rng.choice([0, 3, 255, 256, 70000]),
              lambda: "é\n\\u0041😀", lambda: bytes(rng.choice([0, 255, 256, 70000])), lambda: bytearray(b"ab"),
              lambda: decimal.Decimal("1.5"), lambda: datetime.datetime(2026, 1, 2), lambda: Point(3), lambda: Reduced(),
              lambda: WithNew(1, b=2), lambda: collections.OrderedDict(a=1), lambda: np.arange(rng.randrange(5)),
              lambda: np.float32(1), lambda: len, lambda: Point, lambda: complex(1, 2)]
    if depth > 3 or rng.random() < 0.4:
        return rng.choice(leaves)()
    items = [value(rng, depth + 1) for _ in range(rng.choice([0, 1, 2, 3, 4, 9]))]
    kind = rng.randrange(5)
    if kind == 0:
        return items
    if kind == 1:
        return tuple(items)
    if kind == 2:
        return {str(i): item for i, item in enumerate(items)}
    if kind == 3:
        return {str(rng.random()) for _ in items}
    shared = list(items)
    return [shared, shared, frozenset(range(len(items)))]


def by_python(data: bytes) -> tuple[list[str], int]:
    lines, end = [], 0
    try:
        for opcode, _, position in pickletools.genops(data):
            lines.append(f"{position} {opcode.name}")
            end = position + 1 if opcode.name == "STOP" else 0
    except Exception:
        end = 0
    return lines, end


def by_scanner(pickles: list[bytes]) -> list[tuple[list[str], int]]:
    frames = b"".join(b"%d\n%s" % (len(data), data) for data in pickles)
    done = subprocess.run([str(BIN / "backstay-pickle-ops")], input=frames, capture_output=True, check=True)
    out, lines = [], []
    for line in done.stdout.decode().splitlines():
        if line.startswith("end "):
            out.append((lines, int(line[4:])))
            lines = []
        else:
            lines.append(line)
    assert len(out) == len(pickles)
    return out


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_generated_pickles_are_walked_as_python_walks_them(protocol):
    rng = random.Random(protocol)
    pickles = [pickle.dumps(value(rng), protocol) for _ in range(300)]
    for data, walked in zip(pickles, by_scanner(pickles)):
        assert walked == by_python(data)
    assert {name for lines, _ in map(by_python, pickles) for name in (line.split()[1] for line in lines)} >= {"STOP", "REDUCE"}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_cut_anywhere_ends_where_python_ends(protocol):
    rng = random.Random(100 + protocol)
    whole = next(data for data in iter(lambda: pickle.dumps(value(rng), protocol), None) if 200 < len(data) < 2000)
    pickles = [whole[:size] for size in range(1, len(whole))]
    for data, walked in zip(pickles, by_scanner(pickles)):
        assert walked == by_python(data)


def test_all_opcodes_are_walked(tmp_path):
    """Those that no pickler writes any more, too."""
    arguments = {"uint1": b"\1", "uint2": b"\1\0", "uint4": b"\1\0\0\0", "int4": b"\1\0\0\0", "uint8": b"\1" + bytes(7),
                 "float8": bytes(8), "decimalnl_short": b"7\n", "decimalnl_long": b"7L\n", "floatnl": b"1.5\n",
                 "stringnl": b"'a'\n", "unicodestringnl": b"a\n", "stringnl_noescape": b"a\n",
                 "stringnl_noescape_pair": b"a\nb\n"}
    counted = {"1": b"\2ab", "4": b"\2\0\0\0ab", "8": b"\2" + bytes(7) + b"ab"}
    pickles = []
    for opcode in pickletools.opcodes:
        name = opcode.arg.name if opcode.arg else None
        body = b"" if name is None else arguments.get(name) or counted[name[-1]]
        pickles.append(b"\x80\x05" + opcode.code.encode("latin-1") + body)
    for opcode, (lines, _) in zip(pickletools.opcodes, by_scanner(pickles)):
        assert f"2 {opcode.name}" in lines
    assert len(pickles) == 68
