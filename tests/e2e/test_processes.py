"""Process backends: started, watched, restarted, stopped with their children, their output kept. And url backends."""

import os
import pathlib
import signal
import sys
import time

import pytest

from program import wait_until
from released import INFER
from traffic import Traffic

SCRIPT = pathlib.Path(__file__).parent / "served_process.py"


def alive(pid: int) -> bool:
    try:
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class Processes:
    def __init__(self, backstay, releases, server, backend: dict):
        self.backstay, self.releases = backstay, releases
        self.pids = backstay.folder / "pids"
        command = [sys.executable, str(SCRIPT), "{port}", str(self.pids), "{artifacts}/behaviour"]
        self.server = server({"endpoints": [
            {"name": "e", "model": "m", "rollout": {"watch": "0s", "steps": [{"canary": "50%", "for": "1h"}]},
             "backend": {"kind": "process", "command": command, "health_path": "/healthy", **backend}}]})

    def roll_out(self, version: str, behaviour: str = "", wait_for: str | None = "done") -> None:
        self.releases.release(version, {"behaviour": behaviour.encode()})
        self.backstay("rollout", "start", "e", f"m@{version}")
        if wait_for:
            self.server.wait_for_phase("e", wait_for)

    def started(self) -> list[tuple[int, int]]:
        """(process, its child) of each start so far."""
        lines = self.pids.read_text().splitlines() if self.pids.exists() else []
        return [tuple(map(int, line.split())) for line in lines]

    def log(self, version: str = "1.0.0") -> str:
        return (self.backstay.data_dir / f"logs/e-{version}.log").read_text()


@pytest.fixture
def processes(backstay, releases, server):
    """processes(**backend): the keys go into the endpoint's backend."""
    return lambda **backend: Processes(backstay, releases, server, backend)


def test_a_process_serves_and_its_output_is_kept(processes):
    run = processes()
    run.roll_out("1.0.0")
    answer = run.server.ask("POST", INFER, b"{}")
    assert answer.status == 200 and answer.json["pid"] == run.started()[0][0]
    assert run.log().splitlines() == ["loading e 1.0.0", "a warning on standard error"]


def test_a_process_is_not_given_secrets_from_the_environment(processes, backstay):
    backstay.environment["MODEL_API_KEY"] = "hunter2"
    run = processes()
    run.roll_out("1.0.0")
    assert run.server.ask("POST", INFER, b"{}").json["secret"] == ""


def test_a_process_that_is_killed_comes_back_and_its_child_does_not_stay(processes):
    run = processes()
    run.roll_out("1.0.0")
    began = time.monotonic()
    (first,) = run.started()
    os.kill(first[0], signal.SIGKILL)
    run.server.wait_for("e", lambda s: s["backends"][0]["restarts"] == 1 and s["backends"][0]["state"] == "ready", "restart")
    assert time.monotonic() - began >= 0.5  # The first back-off.
    assert len(run.started()) == 2
    wait_until(lambda: not alive(first[1]), "the child to be gone")
    answer = run.server.ask("POST", INFER, b"{}")
    assert answer.status == 200 and answer.json["pid"] == run.started()[1][0]


def test_a_candidate_process_that_is_killed_hurts_no_client(processes):
    run = processes()
    run.roll_out("1.0.0")
    run.roll_out("2.0.0", wait_for="stepping")
    with Traffic(run.server.addresses["gateway"], INFER) as traffic:
        wait_until(lambda: traffic.versions["2.0.0"] > 20, "the candidate to serve")
        os.kill(run.started()[1][0], signal.SIGKILL)
        run.server.wait_for_phase("e", "rolled_back")
    assert traffic.failures == []
    wait_until(lambda: not alive(run.started()[-1][0]), "the candidate to be stopped")
    assert alive(run.started()[0][0])


@pytest.mark.parametrize("behaviour", ["", "stubborn"])
def test_stopping_the_server_stops_processes_and_their_children(processes, behaviour):
    run = processes(stop_grace="300ms")
    run.roll_out("1.0.0", behaviour)
    run.server.stop()
    wait_until(lambda: not any(alive(pid) for pid in run.started()[0]), "both to be gone")


def test_killing_the_server_leaves_no_process_behind(processes):
    run = processes()
    run.roll_out("1.0.0")
    (pids,) = run.started()
    run.server.kill()
    wait_until(lambda: not alive(pids[0]), "the process to end with its server")
    os.kill(pids[1], signal.SIGKILL)  # Only the process itself is told of the server's death.


def test_a_process_that_exits_is_tried_again_and_then_given_up_with_its_last_words(processes):
    run = processes()
    run.roll_out("1.0.0")
    run.roll_out("2.0.0", "exits", wait_for="rolled_back")
    cause = run.server.status("e")["rollout"]["cause"]
    assert cause["trigger"] == "not_ready"
    assert "exited with status 7" in cause["reason"] and "no such weights: ward-3.bin" in cause["reason"]
    assert "logs/e-2.0.0.log" in cause["reason"]
    assert len(run.started()) > 2
    assert run.server.ask("POST", INFER, b"{}").version == "1.0.0"


def test_a_process_that_is_never_healthy_is_given_up_and_stable_serves_on(processes):
    run = processes(start_timeout="1s")
    run.roll_out("1.0.0")
    run.roll_out("2.0.0", "sick", wait_for="rolled_back")
    cause = run.server.status("e")["rollout"]["cause"]
    assert "not healthy within 1s" in cause["reason"]
    assert run.server.ask("POST", INFER, b"{}").version == "1.0.0"
    wait_until(lambda: not any(alive(pid) for pid in run.started()[1]), "the candidate to be stopped")


def test_a_command_that_cannot_be_run_is_named(backstay, releases, server):
    releases.release("1.0.0")
    serving = server({"endpoints": [{"name": "e", "model": "m",
                                     "backend": {"kind": "process", "command": ["/no/such/program", "{port}"]}}]})
    backstay("rollout", "start", "e", "m@1.0.0")
    cause = serving.wait_for_phase("e", "rolled_back")["rollout"]["cause"]
    assert "/no/such/program" in cause["reason"]


def test_a_url_backend_is_watched_and_comes_back(released):
    setup = released()
    assert setup.server.ask("POST", INFER, b"{}").json["from"] == "stable"
    setup.stable.healthy = False
    setup.server.wait_for("e", lambda s: s["backends"][0]["state"] == "unhealthy", "the trouble to be seen")
    assert setup.server.ask("POST", INFER, b"{}").status == 503
    setup.stable.healthy = True
    setup.server.wait_for("e", lambda s: s["backends"][0]["state"] == "ready", "the recovery to be seen")
    assert setup.server.ask("POST", INFER, b"{}").status == 200
