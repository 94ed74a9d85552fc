"""A version while it is being described, and what it became."""

from __future__ import annotations

import os
import pathlib
import sys
import types
from typing import Any, Mapping, Optional, Sequence, Type, Union

from . import _program, _server
from ._errors import BackstayError
from ._records import Description, Registered

Paths = Union[str, "os.PathLike[str]", Sequence[Union[str, "os.PathLike[str]"]]]


def _texts(paths: Paths) -> list[str]:
    if isinstance(paths, (str, os.PathLike)):
        return [os.fspath(paths)]
    return [os.fspath(path) for path in paths]


class Version:
    """Collects what a version is made of; registers it when the `with` block ends without an exception."""

    def __init__(self, description: Description) -> None:
        self._description = description
        self._registered: Optional[Registered] = None

    def log_artifact(self, path: Union[str, "os.PathLike[str]"], name: Optional[str] = None) -> None:
        """A file or folder of the model; `name` is what it is called in the version."""
        text = os.fspath(path)
        self._description.artifacts.append({"path": text, "as": pathlib.PurePath(text).name if name is None else name})

    def log_data(self, name: str, files: Paths, *, role: str = "training", by: Optional[str] = None,
                 rows: Union[str, Sequence[str], None] = None, uri: str = "") -> None:
        """A data set: a slice per file, or per value of the column `by`, or per range of `rows` ("0-999")."""
        if by is not None and rows is not None:
            raise BackstayError("by and rows exclude each other.", "Give one of them.", "invalid_argument")
        item: dict[str, Any] = {"name": name, "role": role, "files": _texts(files)}
        if by is not None:
            item["by"] = by
        if rows is not None:
            item["rows"] = [rows] if isinstance(rows, str) else list(rows)
        if uri:
            item["uri"] = uri
        self._description.data.append(item)

    def log_config(self, values: Optional[Mapping[str, Any]] = None, *, file: Optional[Paths] = None,
                   **more: Any) -> None:
        """Hyperparameters, seeds: values, and files of them. Values win."""
        if file is not None:
            self._description.config_files.extend(_texts(file))
        self._description.config.update({**(values or {}), **more})

    def log_environment(self, *lock_files: Union[str, "os.PathLike[str]"], image: str = "") -> None:
        """Lock files, and the container image with its digest. The running interpreter is recorded anyway."""
        self._description.lock_files.extend(os.fspath(file) for file in lock_files)
        if image:
            self._description.image = image

    def log_code(self, *preprocessing: Union[str, "os.PathLike[str]"], command: str = "") -> None:
        """Preprocessing files, and the command that was run. Commit and changes are recorded anyway."""
        self._description.preprocessing.extend(os.fspath(file) for file in preprocessing)
        if command:
            self._description.command = command

    def log_metrics(self, values: Mapping[str, float], *, samples: int, dataset: str, kind: str = "quality",
                    group: str = "", evaluator: str = "") -> None:
        """A scorecard: measured metrics, on how many samples of what."""
        metrics = [{"name": name, "value": float(value), "samples": int(samples), **({"group": group} if group else {})}
                   for name, value in values.items()]
        self._description.scorecards.append({"kind": kind, "dataset": dataset, "metrics": metrics,
                                             "evaluator": evaluator or "script " + pathlib.PurePath(sys.argv[0] or "python").name})

    @property
    def registered(self) -> Registered:
        """What was registered; only after the block."""
        if self._registered is None:
            raise BackstayError("The version is not registered yet.", "It is at the end of the with block.",
                                "failed_precondition")
        return self._registered

    def register(self) -> Registered:
        """Registers now; the end of the block does it otherwise."""
        if self._registered is None:
            way = _server if os.environ.get("BACKSTAY_URL") else _program
            self._registered = way.register(self._description)
        return self._registered

    def __enter__(self) -> "Version":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[types.TracebackType]) -> None:
        if kind is None:
            self.register()


def version(model: str, version: str, *, changelog: str = "", parents: Sequence[str] = (),
            root: Union[str, "os.PathLike[str]"] = ".", actor: str = "") -> Version:
    """A version to describe in a `with` block. Paths are relative to `root`; `changelog` says why it exists."""
    actor = actor or os.environ.get("BACKSTAY_ACTOR", "")
    return Version(Description(model, version, changelog, pathlib.Path(root).absolute(), tuple(parents), actor))
