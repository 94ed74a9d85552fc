"""Runs the backstay program as people do: commands with exit codes, and a server that is started and stopped."""

import dataclasses
import http.client
import json
import os
import pathlib
import signal
import subprocess
import threading
import time
import urllib.parse

import yaml

BIN = pathlib.Path(os.environ.get("BACKSTAY_BIN", pathlib.Path(__file__).parents[2] / "build/release/bin"))
SANITIZED = os.environ.get("BACKSTAY_SANITIZE", "") != ""
DEADLINE = 180 if SANITIZED else 60


def wait_until(condition, what: str, deadline: float = DEADLINE):
    """The first true value of `condition`; looked at often, so that nothing waits longer than it must."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        assert time.monotonic() < end, f"waited {deadline} s in vain for: {what}"
        time.sleep(0.005)


@dataclasses.dataclass
class Done:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def check_error_text(err: str) -> None:
    """Every failure is told in full sentences, with what to do about it."""
    lines = [line for line in err.strip().splitlines() if not line.startswith("warning: ")]
    assert lines and lines[0].startswith("error: "), err
    assert lines[0].endswith((".", "!", "?")), f"not a sentence: {err}"
    hints = [line for line in lines if line.startswith("hint: ")]
    assert hints, f"says nothing of what to do: {err}"


GATE_EXITS = (6, 8)


class Program:
    """The backstay command with a data directory of its own."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.data_dir = folder / "data"
        self.environment = {**os.environ, "BACKSTAY_DATA_DIR": str(self.data_dir), "BACKSTAY_ACTOR": "tester"}

    def __call__(self, *arguments, code: int = 0, input: str | None = None, **popen) -> Done:
        done = subprocess.run([str(BIN / "backstay"), *map(str, arguments)], env=self.environment, cwd=self.folder,
                              input=input, text=True, capture_output=True, timeout=DEADLINE * 2, **popen)
        shown = f"backstay {' '.join(map(str, arguments))}\nexit {done.returncode}\n{done.stdout}{done.stderr}"
        assert done.returncode == code, shown
        if code != 0 and code not in GATE_EXITS and "--json" not in arguments:
            check_error_text(done.stderr)
        return Done(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments, **popen) -> subprocess.Popen:
        return subprocess.Popen([str(BIN / "backstay"), *map(str, arguments)], env=self.environment, cwd=self.folder,
                                **{"text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen})

    def blobs(self) -> set[str]:
        return {file.name for file in (self.data_dir / "blobs/sha256").glob("*/*")}

    def temporary_files(self) -> list[pathlib.Path]:
        return list((self.data_dir / "blobs/tmp").glob("*"))

    def audit(self) -> list[dict]:
        return self("audit", "--json", "--limit", 100000).json


@dataclasses.dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def version(self) -> str | None:
        return self.headers["Backstay-Version"]


def request(address: str, method: str, path: str, body: bytes | str | None = None, headers: dict | None = None,
            timeout: float = DEADLINE) -> Answer:
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())
    finally:
        connection.close()


class Server:
    """`backstay serve`, from when it has printed its addresses."""

    def __init__(self, program: Program, config: dict, **popen):
        self.program = program
        self.config_file = program.folder / "backstay.yaml"
        listen = {"gateway": {"listen": "127.0.0.1:0", "threads": 2}, "control": {"listen": "127.0.0.1:0"}}
        self.config_file.write_text(yaml.safe_dump({"data_dir": str(program.data_dir), **listen, **config}))
        self.process = program.start("serve", "--config", self.config_file, **popen)
        self.addresses: dict[str, str] = {}
        self.output: list[str] = []
        self.errors: list[str] = []
        self._ready = threading.Event()
        self._readers = [threading.Thread(target=self._read_output, daemon=True),
                         threading.Thread(target=self._read_errors, daemon=True)]
        for reader in self._readers:
            reader.start()
        assert self._ready.wait(DEADLINE), "the server printed no addresses"
        if "control" not in self.addresses:
            code = self.process.wait(DEADLINE)
            self._join()
            raise AssertionError(f"the server ended with {code}: {''.join(self.errors)}")
        self.token = (program.data_dir / "control/token").read_text().strip()

    def _read_output(self) -> None:
        for line in self.process.stdout:
            self.output.append(line)
            words = line.split()
            if words and words[0] in ("gateway", "control"):
                self.addresses[words[0]] = urllib.parse.urlsplit(words[1]).netloc
            if "control" in self.addresses:
                self._ready.set()
        self._ready.set()

    def _read_errors(self) -> None:
        self.errors.extend(self.process.stderr or [])

    def _join(self) -> None:
        for reader in self._readers:
            reader.join(DEADLINE)
        self.process.stdout.close()
        if self.process.stderr:
            self.process.stderr.close()

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(DEADLINE)
        self._join()
        assert code == 0, f"the server ended with {code}: {''.join(self.output)}{''.join(self.errors)}"

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE)
        self._join()

    # --- through the gateway ---

    def ask(self, method: str, path: str, body=None, headers=None) -> Answer:
        return request(self.addresses["gateway"], method, path, body, headers)

    def infer(self, endpoint: str, inputs: list[dict], **more) -> Answer:
        body = json.dumps({"inputs": inputs, **more})
        return self.ask("POST", f"/v2/models/{endpoint}/infer", body, {"Content-Type": "application/json"})

    # --- the control API ---

    def api(self, method: str, path: str, body=None, token: str | None = None, headers: dict | None = None) -> Answer:
        sent = body if body is None or isinstance(body, (bytes, str)) else json.dumps(body)
        fields = {"Authorization": f"Bearer {self.token if token is None else token}", **(headers or {})}
        return request(self.addresses["control"], method, path, sent, fields)

    def status(self, endpoint: str) -> dict:
        endpoints = self.api("GET", "/v1/status").json["endpoints"]
        return next(item for item in endpoints if item["endpoint"] == endpoint)

    def wait_for(self, endpoint: str, condition, what: str, deadline: float = DEADLINE) -> dict:
        def look():
            status = self.status(endpoint)
            return status if condition(status) else None

        try:
            return wait_until(look, what, deadline)
        except AssertionError as late:
            raise AssertionError(f"{late}; the last status was {self.status(endpoint)}") from None

    def wait_for_phase(self, endpoint: str, *phases: str, deadline: float = DEADLINE) -> dict:
        return self.wait_for(endpoint, lambda s: (s["rollout"] or {}).get("phase") in phases, f"phase {phases}", deadline)
