"""Slices of data and their digests, by the rules of docs/registering.md."""

from __future__ import annotations

import csv
import glob
import hashlib
import json
import os
import pathlib
from typing import Any, Iterator

from ._errors import BackstayError

_PIECE_BYTES = 1 << 20
_MAX_SLICES = 10_000


def digest_file(path: pathlib.Path) -> tuple[str, int]:
    """SHA-256 and size of a regular file."""
    if path.is_symlink() or not path.is_file():
        raise BackstayError(f"{path} is no regular file.", "Give the file itself.", "invalid_argument")
    total = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            total.update(piece)
            size += len(piece)
    return total.hexdigest(), size


def find(root: pathlib.Path, pattern: str) -> list[tuple[str, str]]:
    """(path as written, name of its slice) of the files that a file, folder or pattern stands for."""
    if any(mark in pattern for mark in "*?["):
        parts = pathlib.PurePath(pattern).parts
        fixed = 0
        while not any(mark in parts[fixed] for mark in "*?["):
            fixed += 1
        start = os.path.join(*parts[:fixed]) if fixed else ""
        names = sorted(name for name in glob.glob(pattern, root_dir=root, recursive=True) if (root / name).is_file())
        found = [(name, os.path.relpath(name, start) if start else name) for name in names]
    elif (root / pattern).is_dir():
        base = root / pattern
        files = sorted(path.relative_to(base).as_posix() for path in base.rglob("*") if path.is_file())
        found = [(f"{pattern.rstrip('/')}/{name}", name) for name in files]
    else:
        found = [(pattern, pathlib.PurePath(pattern).name)] if (root / pattern).is_file() else []
    if not found:
        raise BackstayError(f"No file matches {pattern}.", "Paths are relative to the version's root.", "not_found")
    return found


def _rows(root: pathlib.Path, files: list[str]) -> Iterator[list[str]]:
    head: list[str] = []
    for name in files:
        options: dict[str, Any] = {"strict": True}
        if name.endswith(".tsv"):
            options.update(delimiter="\t", quoting=csv.QUOTE_NONE)
        with (root / name).open(newline="", encoding="utf-8-sig") as file:
            for index, row in enumerate(row for row in csv.reader(file, **options) if row):
                if index == 0 and head:
                    if row != head:
                        raise BackstayError(f"{name}: the head differs from that of the file before.", "",
                                            "invalid_argument")
                    continue
                head = head or row
                if len(row) != len(head):
                    raise BackstayError(f"{name}: a row has {len(row)} cells, the head has {len(head)}.", "",
                                        "invalid_argument")
                yield row


class _Rows:
    """The digest of some rows of a table."""

    def __init__(self, head: list[str]) -> None:
        self.rows = 0
        self._hash = hashlib.sha256()
        self._update(head)

    def _update(self, row: list[str]) -> None:
        self._hash.update((json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n").encode())

    def add(self, row: list[str]) -> None:
        self._update(row)
        self.rows += 1

    def slice(self, name: str, rule: dict[str, Any], sources: list[str]) -> dict[str, Any]:
        return {"name": name, "sha256": self._hash.hexdigest(), "rows": self.rows, "rule": rule, "sources": sources}


def slices_of(root: pathlib.Path, data: dict[str, Any]) -> list[dict[str, Any]]:
    """The slices of one data set, as they stand in a manifest."""
    found = [item for pattern in data["files"] for item in find(root, pattern)]
    files = [name for name, _ in found]
    by, ranges = data.get("by"), data.get("rows")
    if by is None and ranges is None:
        return [{"name": slice, "sha256": digest_file(root / name)[0], "sources": [name]} for name, slice in found]
    if not all(name.endswith(".csv") for name in files) and not all(name.endswith(".tsv") for name in files):
        raise BackstayError("A server's client partitions .csv and .tsv only.", "Use the program: unset BACKSTAY_URL.",
                            "unsupported")
    rows = _rows(root, files)
    head = next(rows, [])
    if by is not None:
        return _by_column(rows, head, by, files)
    return _by_range(rows, head, [tuple(map(int, text.split("-", 1))) for text in ranges or []], files)


def _by_column(rows: Iterator[list[str]], head: list[str], by: str, files: list[str]) -> list[dict[str, Any]]:
    if by not in head:
        raise BackstayError(f"{files[0]} has no column '{by}'.", "", "invalid_argument")
    column = head.index(by)
    parts: dict[str, _Rows] = {}
    for row in rows:
        if row[column] not in parts and len(parts) >= _MAX_SLICES:
            raise BackstayError(f"{files[0]} has more than {_MAX_SLICES} values in '{by}'.", "", "invalid_argument")
        parts.setdefault(row[column], _Rows(head)).add(row)
    return [part.slice(value or "(empty)", {"kind": "rows/1", "column": by, **({"value": value} if value else {})}, files)
            for value, part in sorted(parts.items(), key=lambda item: item[0].encode())]


def _by_range(rows: Iterator[list[str]], head: list[str], ranges: list[Any], files: list[str]) -> list[dict[str, Any]]:
    parts = [_Rows(head) for _ in ranges]
    count = 0
    for count, row in enumerate(rows, 1):
        for part, (first, last) in zip(parts, ranges):
            if first <= count - 1 <= last:
                part.add(row)
    for first, last in ranges:
        if last >= count:
            raise BackstayError(f"{files[0]} has {count} rows, so there is no range {first}-{last}.", "",
                                "invalid_argument")
    return [part.slice(f"{first}-{last}", {"kind": "rows/1", "range": [first, last]}, files)
            for part, (first, last) in zip(parts, ranges)]
