"""Registers over a server's control API (docs/api.md)."""

from __future__ import annotations

import hashlib
import http.client
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import subprocess
import urllib.parse
from typing import Any, BinaryIO, Optional, Union

from ._errors import BackstayError
from ._slices import digest_file, slices_of
from ._records import Description, Registered

_TIMEOUT_S = 600


class _Server:
    def __init__(self, url: str, token: str, actor: str) -> None:
        parts = urllib.parse.urlsplit(url if "://" in url else "http://" + url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BackstayError(f"BACKSTAY_URL is no http address: {url}", "Write it like http://127.0.0.1:8081.",
                                "invalid_argument")
        self._parts = parts
        self._headers = {"Authorization": f"Bearer {token}"}
        if actor:
            self._headers["Backstay-Actor"] = actor

    def send(self, method: str, path: str, body: Union[bytes, BinaryIO], size: int, kind: str) -> tuple[int, Any]:
        connection: http.client.HTTPConnection
        make = http.client.HTTPSConnection if self._parts.scheme == "https" else http.client.HTTPConnection
        connection = make(self._parts.hostname or "", self._parts.port, timeout=_TIMEOUT_S)
        try:
            connection.request(method, self._parts.path.rstrip("/") + path, body,
                               {**self._headers, "Content-Type": kind, "Content-Length": str(size)})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise BackstayError(f"The server {self._parts.netloc.rpartition('@')[2]} can't be reached: {error}.",
                                "Check BACKSTAY_URL and that backstay serve runs.", "unavailable") from error
        finally:
            connection.close()
        try:
            got = json.loads(text)
        except ValueError:
            got = {}
        if answer.status >= 400:
            raise BackstayError(str(got.get("detail", f"The server answered {answer.status}.")), str(got.get("hint", "")),
                                str(got.get("code", "failure")))
        return answer.status, got

    def post(self, path: str, value: Any) -> tuple[int, Any]:
        body = json.dumps(value).encode()
        return self.send("POST", path, body, len(body), "application/json")

    def put_blob(self, content: Union[bytes, pathlib.Path]) -> str:
        if isinstance(content, bytes):
            digest = hashlib.sha256(content).hexdigest()
            self.send("PUT", f"/v1/blobs/{digest}", content, len(content), "application/octet-stream")
            return digest
        digest, size = digest_file(content)
        with content.open("rb") as file:
            self.send("PUT", f"/v1/blobs/{digest}", file, size, "application/octet-stream")
        return digest


def _git(root: pathlib.Path, *arguments: str) -> Optional[bytes]:
    try:
        done = subprocess.run(["git", "-c", "core.fsmonitor=false", *arguments], cwd=root, capture_output=True,
                              timeout=120, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _without_credentials(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    if not parts.scheme or not parts.netloc:
        return url
    user, _, host = parts.netloc.rpartition("@")
    keep = user.split(":", 1)[0] if user and not parts.scheme.startswith("http") else ""
    return urllib.parse.urlunsplit((parts.scheme, f"{keep}@{host}" if keep else host, parts.path, "", ""))


def _code(server: _Server, description: Description) -> dict[str, Any]:
    code: dict[str, Any] = {}
    commit = _git(description.root, "rev-parse", "--verify", "HEAD")
    if commit is not None:
        code["commit"] = commit.decode().strip()
        url = _git(description.root, "config", "--get", "remote.origin.url")
        if url:
            code["repository"] = _without_credentials(url.decode().strip())
        diff = _git(description.root, "diff", "--binary", "--full-index", "--no-ext-diff", "--no-textconv", "--no-color",
                    "--no-renames", "--src-prefix=a/", "--dst-prefix=b/", "HEAD", "--")
        if diff:
            code["dirty_diff_sha256"] = server.put_blob(diff)
    if description.preprocessing:
        code["preprocessing"] = [{"path": name, "sha256": server.put_blob(description.root / name)}
                                 for name in sorted(description.preprocessing)]
    if description.command:
        code["command"] = description.command
    return code


def _files(root: pathlib.Path, artifact: dict[str, str]) -> list[tuple[pathlib.Path, str]]:
    source, name = root / artifact["path"], artifact["as"]
    if not source.is_dir():
        return [(source, name)]
    prefix = f"{name}/" if name not in ("", ".") else ""
    return [(path, prefix + path.relative_to(source).as_posix()) for path in sorted(source.rglob("*"))
            if not path.is_dir()]


def _artifacts(server: _Server, description: Description) -> list[dict[str, Any]]:
    out = []
    for artifact in description.artifacts:
        for path, name in _files(description.root, artifact):
            digest = server.put_blob(path)
            out.append({"path": name, "sha256": digest, "size_bytes": path.stat().st_size})
    return sorted(out, key=lambda item: str(item["path"]).encode())


def _flatten(value: Any, name: str, out: dict[str, str]) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _flatten(inner, f"{name}.{key}" if name else str(key), out)
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            _flatten(inner, f"{name}[{index}]", out)
    else:
        out[name] = value if isinstance(value, str) else json.dumps(value, default=str)


def _config(description: Description) -> dict[str, str]:
    out: dict[str, str] = {}
    for name in description.config_files:
        text = (description.root / name).read_text(encoding="utf-8")
        if name.endswith(".json"):
            _flatten(json.loads(text), "", out)
        elif name.endswith(".toml"):
            try:
                import tomllib
            except ImportError:
                raise BackstayError("TOML is read from Python 3.11 on.", "Use JSON.", "unsupported") from None
            _flatten(tomllib.loads(text), "", out)
        else:
            raise BackstayError(f"A server's client does not read {name}.", "Use JSON or TOML, or unset BACKSTAY_URL.",
                                "unsupported")
    _flatten(description.config, "", out)
    return out


def _environment(server: _Server, description: Description) -> dict[str, Any]:
    packages = {re.sub(r"[-_.]+", "-", item.metadata["Name"]).lower(): item.version
                for item in importlib.metadata.distributions() if item.metadata["Name"]}
    version = platform.python_version()
    text = f"# Python {version}\n" + "".join(f"{name}=={packages[name]}\n" for name in sorted(packages))
    locks = [{"path": name, "sha256": server.put_blob(description.root / name)} for name in sorted(description.lock_files)]
    locks.append({"path": "installed-packages.txt", "sha256": server.put_blob(text.encode())})
    out: dict[str, Any] = {"python": version, "frameworks": packages, "lock_files": locks}
    if description.image:
        out["image"] = description.image
    return out


def register(description: Description) -> Registered:
    server = _Server(os.environ["BACKSTAY_URL"], os.environ.get("BACKSTAY_TOKEN", ""), description.actor)
    # What can be refused is refused before anything is sent.
    config = _config(description)
    data = [{key: item[key] for key in ("name", "role", "uri") if key in item}
            | {"slices": slices_of(description.root, item)} for item in description.data]
    manifest: dict[str, Any] = {
        "model": description.model, "version": description.version, "changelog": description.changelog,
        "artifacts": _artifacts(server, description), "code": _code(server, description), "data": data, "config": config,
        "environment": _environment(server, description), "parents": list(description.parents)}
    model = urllib.parse.quote(description.model, safe="")
    status, got = server.post(f"/v1/models/{model}/versions", manifest)
    for scorecard in description.scorecards:
        server.post(f"/v1/models/{model}/versions/{urllib.parse.quote(description.version, safe='')}/scorecards", scorecard)
    return Registered(str(got["model"]), str(got["version"]), str(got["manifest_sha256"]), int(got["ordinal"]),
                      status == 201, list(got["missing"]), list(got.get("warnings", [])))
