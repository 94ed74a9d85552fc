"""What the tests of process backends run: an HTTP server with a child of its own. Not a test.

usage: served_process.py PORT PIDS_FILE FILE_WITH_ITS_BEHAVIOUR
"""

import http.server
import json
import os
import pathlib
import signal
import subprocess
import sys

port, pids, behaviour = int(sys.argv[1]), pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]).read_text().split()
child = subprocess.Popen(["sleep", "1000"])
with open(pids, "a") as file:
    file.write(f"{os.getpid()} {child.pid}\n")
print(f"loading {os.environ['BACKSTAY_ENDPOINT']} {os.environ['BACKSTAY_VERSION']}", flush=True)
print("a warning on standard error", file=sys.stderr, flush=True)
if "exits" in behaviour:
    print("no such weights: ward-3.bin", flush=True)
    child.kill()
    sys.exit(7)
if "stubborn" in behaviour:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


CLASSIFIER = {"inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
              "outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]}]}


def judged(request: bytes) -> dict:
    """What a classifier of texts answers: nothing is bad."""
    texts = json.loads(request)["inputs"][0]["data"]
    return {"outputs": [{"name": "probabilities", "datatype": "FP32", "shape": [len(texts), 2], "data": [1, 0] * len(texts)}]}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        request = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        sick = "sick" in behaviour and self.path == "/healthy"
        body = f'{{"pid": {os.getpid()}, "secret": "{os.environ.get("MODEL_API_KEY", "")}"}}'.encode()
        if "classifies" in behaviour:
            body = json.dumps(judged(request) if request else CLASSIFIER).encode()
        self.send_response(503 if sick else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = answer

    def log_message(self, *arguments):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
