"""A rollback by hand takes traffic away at once, whatever the database does."""

import sqlite3

from program import wait_until
from released import INFER, LONG, Released


def test_a_rollback_does_not_wait_for_a_database_that_someone_else_holds(released):
    setup: Released = released(rollout=LONG)
    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    wait_until(lambda: setup.server.ask("POST", INFER, b"{}").version == "2.0.0", "the candidate answers")
    other = sqlite3.connect(setup.backstay.data_dir / "registry.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        order = setup.backstay.start("rollback", "e", "--reason", "worse")
        # While nothing can be read or written: longer than the database is waited for would be too late.
        wait_until(lambda: setup.shares() == {"1.0.0": 1.0}, "no traffic to the candidate", 5)
        assert {setup.server.ask("POST", INFER, b"{}").version for _ in range(40)} == {"1.0.0"}
    finally:
        other.execute("ROLLBACK")
    out, err = order.communicate()
    assert order.returncode == 0, err
    assert setup.server.status("e")["rollout"]["phase"] == "rolled_back"
