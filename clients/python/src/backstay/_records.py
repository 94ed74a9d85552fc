"""What is told of a version, and what the registry says of it."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any, Sequence


@dataclasses.dataclass(frozen=True)
class Registered:
    """What the registry says of a version."""

    model: str
    version: str
    identity: str
    number: int
    created: bool
    missing: Sequence[str]
    warnings: Sequence[str]


@dataclasses.dataclass
class Description:
    """Everything that was logged; what the two ways of registering work from."""

    model: str
    version: str
    changelog: str
    root: pathlib.Path
    parents: Sequence[str]
    actor: str
    artifacts: list[dict[str, str]] = dataclasses.field(default_factory=list)
    data: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    config_files: list[str] = dataclasses.field(default_factory=list)
    lock_files: list[str] = dataclasses.field(default_factory=list)
    image: str = ""
    preprocessing: list[str] = dataclasses.field(default_factory=list)
    command: str = ""
    scorecards: list[dict[str, Any]] = dataclasses.field(default_factory=list)
