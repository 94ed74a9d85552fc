"""A model server in this process. A test sets how it behaves and reads what it was asked."""

import collections
import dataclasses
import http.client
import json
import socket
import socketserver
import threading
from http.server import BaseHTTPRequestHandler


@dataclasses.dataclass
class Reply:
    """What an inference is answered with. `cut`: the connection closes before the end of the body. `hang`: no answer
    until the backend stops or behaves otherwise. `events`: in place of a body, as server-sent events, a chunk for each."""

    status: int = 200
    body: dict | bytes = dataclasses.field(default_factory=dict)  # Bytes are sent as they are.
    headers: dict = dataclasses.field(default_factory=dict)
    cut: bool = False
    hang: bool = False
    events: list = dataclasses.field(default_factory=list)  # Each is sent as JSON, but for texts.


class Backend:
    def __init__(self, name: str):
        self.name = name
        self.reply = lambda request: Reply(body={"outputs": [], "from": name})  # Or what a test puts here.
        self.healthy = True
        self.metadata: dict = {}  # What GET /v2/models/NAME tells beside being ready.
        self.asked = collections.Counter()  # path -> how often
        self.seen: list[dict] = []  # The headers and body of each inference.
        self._stopped = threading.Event()
        self._connections: set[socket.socket] = set()
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def setup(self):
                super().setup()
                backend._connections.add(self.connection)

            def finish(self):
                backend._connections.discard(self.connection)
                super().finish()

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    pass  # The gateway hung up, or stop() did.

            def do_GET(self):
                backend.asked[self.path] += 1
                self.answer(Reply(200 if backend.healthy else 503, {"ready": backend.healthy, **backend.metadata}))

            def do_POST(self):
                backend.asked[self.path] += 1
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = {"headers": self.headers, "body": body}
                backend.seen.append(request)
                self.answer(backend.reply(request))

            def answer(self, reply: Reply) -> None:
                if reply.hang:
                    backend._stopped.wait()
                    self.close_connection = True
                    return
                if reply.events:
                    return self.stream(reply)
                body = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
                head = [f"HTTP/1.1 {reply.status} {http.client.responses[reply.status]}", f"Content-Length: {len(body)}",
                        "Content-Type: application/json", *(f"{key}: {value}" for key, value in reply.headers.items())]
                self.wfile.write("\r\n".join(head).encode() + b"\r\n\r\n" + (body[: len(body) // 2] if reply.cut else body))
                self.close_connection = reply.cut

            def stream(self, reply: Reply) -> None:
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
                for event in reply.events:
                    data = f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n".encode()
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
                    self.wfile.flush()
                self.wfile.write(b"0\r\n\r\n")

            def log_message(self, *arguments):
                pass

        class HttpServer(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True
            request_queue_size = 128

        self._server = HttpServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """For a reply that takes its time."""
        self._stopped.wait(seconds)

    def stop(self) -> None:
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self._thread.join()


def answers(**reply):
    """A behaviour that answers everything with Reply(**reply)."""
    return lambda request: Reply(**reply)
