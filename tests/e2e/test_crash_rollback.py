"""kill -9 of the server around rollbacks: what was acknowledged or recorded holds after the restart, and clients of the
restarted server see no error."""

import http.client
import threading

import pytest

from aim import Aim
from backend import answers
from program import Server, wait_until
from released import INFER
from traffic import Traffic

ROUNDS = 30
SEED = 20240611
HALF = {"steps": [{"canary": "50%", "for": "1h"}], "watch": "1h"}


class Rounds:
    """A server that is killed and started again over the same data."""

    def __init__(self, setup):
        self.setup, self.backstay = setup, setup.backstay
        self.server: Server = setup.server

    def traffic(self) -> Traffic:
        return Traffic(self.server.addresses["gateway"], INFER, clients=2)

    def recorded(self) -> set[str]:
        """Actions of the endpoint's newest rollout in the audit log."""
        actions = [e["action"] for e in self.backstay.audit() if e["subject"] == "endpoint e"]
        newest = max(i for i, action in enumerate(actions) if action == "rollout.start")
        return set(actions[newest:])

    def restart(self) -> None:
        self.backstay("audit", "--verify")
        self.server = self.setup.server = Server(self.backstay, self.setup.config)

    def check_stable_serves_alone(self) -> None:
        with self.traffic() as traffic:
            wait_until(lambda: traffic.sent > 100, "requests")
        assert traffic.failures == [] and set(traffic.versions) == {"1.0.0"}
        assert self.setup.shares() == {"1.0.0": 1.0}
        assert self.server.status("e")["rollout"]["phase"] == "rolled_back"


@pytest.fixture
def rounds(released):
    made = []

    def make(**endpoint):
        made.append(Rounds(released(rollout=HALF, **endpoint)))
        return made[-1]

    yield make
    for each in made:
        if each.server.running:
            each.server.stop()


def in_background(action) -> tuple[threading.Thread, list]:
    results: list = []

    def run() -> None:
        try:
            results.append(action())
        except (OSError, http.client.HTTPException):
            results.append(None)  # Killed before it answered.

    thread = threading.Thread(target=run)
    thread.start()
    return thread, results


def test_an_acknowledged_rollback_survives_kill_9(rounds):
    aim = Aim(SEED, 0.005)
    run = rounds()
    order = {"actor": "tester", "reason": "stop"}
    outcomes = []
    for number in range(ROUNDS):
        where = f"seed {SEED}, round {number}"
        run.backstay("rollout", "start", "e", "m@2.0.0", "--force", "--reason", where)
        run.server.wait_for("e", lambda s: len(s["split"]["arms"]) == 2, "the candidate to get its share")
        server = run.server
        thread, results = in_background(lambda: server.api("POST", "/v1/endpoints/e/rollback", order))
        threading.Event().wait(aim.draw())
        server.kill()
        thread.join()
        acknowledged = results[0] is not None and results[0].status == 200
        durable = "rollout.rollback" in run.recorded()
        assert durable or not acknowledged, f"{where}: acknowledged and not recorded"
        outcomes.append((acknowledged, durable))
        aim.note(acknowledged)
        run.restart()
        if not durable:
            run.backstay("rollback", "e", "--reason", f"{where}, again")
        run.check_stable_serves_alone()
        run.backstay("rollback", "e", "--reason", f"{where}, to be sure")  # Repeating it goes no further back.
        assert run.setup.shares() == {"1.0.0": 1.0}
    assert len(set(outcomes)) > 1, f"every round ended alike, the kills miss the rollback: {outcomes}"
    run.backstay("audit", "--verify")


def test_a_guardrails_rollback_survives_kill_9(rounds, releases):
    aim = Aim(SEED, 0.03)
    run = rounds()
    run.setup.candidate.reply = answers(status=500)
    outcomes = []
    for number in range(ROUNDS):
        releases.measure("2.0.0")
        releases.gate("2.0.0")  # What a guardrail took back needs a new verdict.
        with run.traffic():
            # Not by the command: until its process has ended, a slow machine is past the moment that is aimed at.
            started = run.server.api("POST", "/v1/endpoints/e/rollout", {"version": "2.0.0", "force": True, "reason": f"round {number}"})
            assert started.status == 200, started.body
            threading.Event().wait(aim.draw())
            run.server.kill()
        durable = "rollout.rollback" in run.recorded()
        outcomes.append(durable)
        aim.note(durable)
        run.restart()
        with run.traffic() as traffic:
            run.server.wait_for_phase("e", "rolled_back")
        assert traffic.failures == [], f"seed {SEED}, round {number}: {traffic.failures[:3]}"
        assert set(traffic.versions) == {"1.0.0"}
        run.check_stable_serves_alone()
        wait_until(lambda: "rollout.rollback" in run.recorded(), "the rollback to be recorded")
        assert [e["action"] for e in run.backstay.audit()].count("rollout.rollback") == number + 1
    assert len(set(outcomes)) > 1, f"every round ended alike, the kills miss the rollback: {outcomes}"
    run.backstay("audit", "--verify")
