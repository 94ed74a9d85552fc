"""Clients that send requests through the gateway without a pause and remember what came back."""

import collections
import http.client
import json
import threading


class Traffic:
    """`with Traffic(address, path) as traffic:` sends until the end of the block; `failures` holds what was not 200."""

    def __init__(self, address: str, path: str, clients: int = 4, headers=lambda number: {},
                 bodies=lambda number: b'{"inputs": []}'):
        self.statuses = collections.Counter()
        self.versions = collections.Counter()
        self.failures: list[str] = []
        self.predictions: list[tuple[str, str]] = []  # (id, version)
        self._address, self._path, self._headers, self._bodies = address, path, headers, bodies
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._count = 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(clients)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def sent(self) -> int:
        return self._count

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=30)
        while not self._stop.is_set():
            with self._lock:
                self._count += 1
                number = self._count
            try:
                connection.request("POST", self._path, self._bodies(number), self._headers(number))
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as broken:
                self.failures.append(f"{type(broken).__name__}: {broken}")
                connection.close()
                continue
            self._note(answer, body)

    def _note(self, answer, body: bytes) -> None:
        version = answer.headers["Backstay-Version"]
        with self._lock:
            self.statuses[answer.status] += 1
            self.versions[version] += 1
            self.predictions.append((answer.headers["Backstay-Prediction-Id"], version))
            if answer.status != 200:
                self.failures.append(f"{answer.status}: {body.decode(errors='replace')}")
            elif answer.headers["Content-Type"] == "text/event-stream":
                if not body.endswith(b"\n\n"):
                    self.failures.append(f"A stream ended with {body[-40:]!r}.")
            elif not (answer.headers["Content-Encoding"] or answer.headers["Inference-Header-Content-Length"]):
                json.loads(body)
