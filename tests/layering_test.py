#!/usr/bin/env python3
"""Reads every backstay_module(... USES ...) and every #include under src/ and refuses what a module did not declare."""

import pathlib
import re
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODULE = re.compile(r"backstay_module\(\s*([^\s)]+)([^)]*)\)", re.S)
INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.M)
WORDS = ("USES", "LINKS", "TEST_USES", "TEST_LINKS")

# Library headers that only some modules may see: header prefix -> modules.
CONFINED = {
    "yaml-cpp/": {"wire"},
    "toml++/": {"wire"},
    "hwy/": {"base"},
    "simdjson.h": {"gateway", "live"},
    "zlib.h": {"scan", "tables"},
    "snappy": {"tables"},
    "lz4": {"tables"},
    "brotli/": {"tables"},
    "bzlib.h": {"scan"},
    "lzma.h": {"scan"},
    "sqlite3.h": {"storage/sqlite"},
    "openvino/": {"serving/worker"},
    "openssl/x509": {"signing"},
    "openssl/pem.h": {"signing"},
}
# What a pure domain never includes.
IMPURE = ("nlohmann/", "thread", "mutex", "fstream", "iostream", "filesystem", "sys/", "unistd.h")


def modules(src: pathlib.Path) -> dict[str, dict[str, set[str]]]:
    found = {}
    for file in sorted(src.rglob("CMakeLists.txt")):
        for name, rest in MODULE.findall(file.read_text()):
            lists: dict[str, set[str]] = {word: set() for word in WORDS}
            current = None
            for word in rest.split():
                if word in WORDS:
                    current = word
                elif current:
                    lists[current].add(word)
            found[name] = lists
    return found


def module_of(path: str, names) -> str | None:
    parts = path.split("/")
    for size in range(len(parts) - 1, 0, -1):
        name = "/".join(parts[:size])
        if name in names:
            return name
    return None


def problems(src: pathlib.Path) -> list[str]:
    known = modules(src)
    out = []
    for file in sorted([*src.rglob("*.hpp"), *src.rglob("*.cpp")]):
        path = file.relative_to(src).as_posix()
        own = module_of(path, known)
        if own is None:
            out.append(f"{path}: belongs to no module")
            continue
        allowed = known[own]["USES"] | {own}
        if path.endswith(("_test.cpp", "_test.hpp")):
            allowed |= known[own]["TEST_USES"]
        for header in INCLUDE.findall(file.read_text()):
            target = module_of(header, known)
            if target and target not in allowed:
                out.append(f"{path}: includes {header}, but {own} does not name {target} in USES")
            for prefix, only in CONFINED.items():
                if header.startswith(prefix) and own not in only:
                    out.append(f"{path}: {header} may only be included by {', '.join(sorted(only))}")
            if own.startswith("domain/") and not path.endswith(("_test.cpp", "_test.hpp")):
                if any(header == bad or (bad.endswith("/") and header.startswith(bad)) for bad in IMPURE):
                    out.append(f"{path}: the domain is pure and may not include {header}")
    for name, lists in known.items():
        if name.startswith("domain/"):
            for used in lists["USES"]:
                if used != "base" and not used.startswith("domain/"):
                    out.append(f"{name}: the domain may use base and itself only, not {used}")
    out += [f"modules use one another in a circle: {' -> '.join(c)}" for c in cycles(known)]
    return out


def cycles(known) -> list[list[str]]:
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(name: str, trail: list[str]) -> None:
        if name in trail:
            found.append([*trail[trail.index(name):], name])
        elif name not in done:
            for used in sorted(known.get(name, {"USES": ()})["USES"]):
                visit(used, [*trail, name])
            done.add(name)

    for name in known:
        visit(name, [])
    return found


class Layering(unittest.TestCase):
    def test_the_source_keeps_its_layers(self):
        self.assertEqual(problems(ROOT / "src"), [])

    def check(self, files: dict[str, str]) -> list[str]:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text)
            return problems(pathlib.Path(folder))

    def test_it_finds_an_undeclared_include(self):
        files = {
            "base/CMakeLists.txt": "backstay_module(base)",
            "a/CMakeLists.txt": "backstay_module(a USES base)",
            "b/CMakeLists.txt": "backstay_module(b USES base)",
            "b/x.cpp": '#include "a/y.hpp"\n',
        }
        self.assertEqual(len(self.check(files)), 1)
        files["b/CMakeLists.txt"] = "backstay_module(b USES base a)"
        self.assertEqual(self.check(files), [])

    def test_it_finds_impurity_confinement_and_circles(self):
        self.assertEqual(len(self.check({"domain/d/CMakeLists.txt": "backstay_module(domain/d USES base)",
                                         "domain/d/x.cpp": "#include <thread>\n"})), 1)
        self.assertEqual(len(self.check({"api/CMakeLists.txt": "backstay_module(api)",
                                         "api/x.cpp": "#include <sqlite3.h>\n"})), 1)
        self.assertEqual(len(self.check({"a/CMakeLists.txt": "backstay_module(a USES b)",
                                         "b/CMakeLists.txt": "backstay_module(b USES a)"})), 1)


if __name__ == "__main__":
    sys.exit(unittest.main())
