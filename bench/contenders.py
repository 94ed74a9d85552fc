"""The programs that bench/gateway.py compares: how each is configured, started, pinned and stopped."""

import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parent.parent
BIN = ROOT / "build" / "release" / "bin"
PATH = "/v2/models/bench/infer"
CONTENDER_CORE = 0
LOAD_CORE = 1


def need(names):
    """Where programs are; says what to run when one is missing."""
    for name in names:
        if not shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin"):
            sys.exit(f"error: {name} is not installed; tools/bench-apt-packages.txt names its Debian package")
    for program in ("backstay", "bench-backend", "bench-relay", "bench-rollback"):
        if not (BIN / program).exists():
            sys.exit(f"error: {BIN / program} is not there; run ./dev build first")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Program:
    """A child process on one core, with its output in a file."""

    def __init__(self, name, command, core, folder):
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, command)], stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def wait_ready(self, port, path=PATH):
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", data=b"{}", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)
        self.stop()
        sys.exit(f"error: {self.name} did not answer; its output is:\n{self.log.read_text()[-2000:]}")

    def cpu_ns(self):
        """Time on the CPU of all threads of the process and its children, so far."""
        total, processes = 0, [self.process.pid]
        while processes:
            task_folder = pathlib.Path(f"/proc/{processes.pop()}/task")
            for task in task_folder.iterdir():
                total += int((task / "schedstat").read_text().split()[0])
                processes += map(int, (task / "children").read_text().split())
        return total

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def start_floor(folder, stable, _canary):
    port = free_port()
    relay = Program("floor", [BIN / "bench-relay", f"127.0.0.1:{port}", f"127.0.0.1:{stable}"], CONTENDER_CORE, folder)
    return relay, port


# Fields and limits are left as a person would write them for this job; what costs and says nothing here is off (access
# log) or out of the way (the number of requests after which a connection is closed).
NGINX = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  keepalive_requests 1000000000;
  split_clients $request_id $arm {{ 5% canary; * stable; }}
  upstream stable {{ server 127.0.0.1:{stable}; keepalive 512; keepalive_requests 1000000000; }}
  upstream canary {{ server 127.0.0.1:{canary}; keepalive 512; keepalive_requests 1000000000; }}
  server {{
    listen 127.0.0.1:{port};
    location / {{ proxy_pass http://$arm; proxy_http_version 1.1; proxy_set_header Connection ""; }}
  }}
}}
"""


def start_nginx(folder, stable, canary):
    port = free_port()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, port=port, stable=stable, canary=canary))
    return Program("nginx", ["/usr/sbin/nginx", "-p", folder, "-c", config], CONTENDER_CORE, folder), port


HAPROXY = """
global
  nbthread 1
  maxconn 8192
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend gateway
  bind 127.0.0.1:{port}
  default_backend versions
backend versions
  balance roundrobin
  server stable 127.0.0.1:{stable} weight 95
  server canary 127.0.0.1:{canary} weight 5
"""


def start_haproxy(folder, stable, canary):
    port = free_port()
    config = folder / "haproxy.cfg"
    config.write_text(HAPROXY.format(port=port, stable=stable, canary=canary))
    return Program("haproxy", ["/usr/sbin/haproxy", "-db", "-f", config], CONTENDER_CORE, folder), port
