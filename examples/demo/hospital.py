"""The clients of the demo: they ask for a diagnosis again and again and learn some time later what was true."""

import collections
import http.client
import json
import threading
import time

import numpy as np


class Hospital:
    """Sends the held-out rows through the gateway on `clients` connections and posts each label `label_delay` seconds later.

    Counters may be read at any time; they only grow.
    """

    def __init__(self, gateway: str, control: str, token: str, x, y, clients: int = 4, label_delay: float = 1.0):
        self.gateway, self.control, self.token = gateway, control, token
        self.x, self.y, self.label_delay = x, y, label_delay
        self.bodies = [
            json.dumps({"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, x.shape[1]],
                                    "data": [float(value) for value in row]}]}).encode() for row in x]
        self.answered = collections.Counter()  # version -> answers that clients got from it
        self.failures = []  # what clients saw go wrong
        self.joined = 0
        self._labels = collections.deque()  # (due, prediction id, label)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(seed,), daemon=True) for seed in range(clients)]
        self._threads.append(threading.Thread(target=self._tell, daemon=True))

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def requests(self) -> int:
        with self._lock:
            return sum(self.answered.values()) + len(self.failures)

    def _ask(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        connection = http.client.HTTPConnection(self.gateway, timeout=10)
        while not self._stop.is_set():
            row = int(random.integers(len(self.bodies)))
            try:
                connection.request("POST", "/v2/models/diagnosis/infer", self.bodies[row],
                                   {"Content-Type": "application/json"})
                response = connection.getresponse()
                body = response.read()
                problem = None if response.status == 200 else f"{response.status} {body[:200]!r}"
            except (OSError, http.client.HTTPException) as failure:
                problem = repr(failure)
                connection.close()
            with self._lock:
                if problem:
                    self.failures.append(problem)
                    continue
                self.answered[response.headers["Backstay-Version"]] += 1
                self._labels.append((time.monotonic() + self.label_delay, response.headers["Backstay-Prediction-Id"],
                                     int(self.y[row])))

    def _tell(self) -> None:
        connection = http.client.HTTPConnection(self.control, timeout=30)
        while not self._stop.wait(0.1):
            now = time.monotonic()
            with self._lock:
                due = []
                while self._labels and self._labels[0][0] <= now:
                    due.append(self._labels.popleft())
            if not due:
                continue
            labels = [{"prediction_id": prediction, "label": label} for _, prediction, label in due]
            connection.request("POST", "/v1/feedback", json.dumps({"labels": labels}),
                               {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status != 200:
                raise RuntimeError(f"the labels were refused: {answer}")
            self.joined += answer["joined"]
