"""fsck and the registry's records, from outside: what another program changed is named, and restored from a backup."""

import pathlib
import shutil
import sqlite3
import threading

import pytest

FIRST_RELEASE = pathlib.Path(__file__).parent / "first_release.sql"


def problems(backstay, code: int = 9, *more) -> list[dict]:
    return [p for p in backstay("fsck", "--json", *more, code=code).json["problems"] if p["kind"] == "record"]


def tamper(backstay, table: str, sql: str) -> None:
    """With the triggers out of the way, and back afterwards."""
    with sqlite3.connect(backstay.data_dir / "registry.db", isolation_level=None) as db:
        triggers = db.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = ?", (table,)).fetchall()
        for name, _ in triggers:
            db.execute(f"DROP TRIGGER {name}")
        assert db.execute(sql).rowcount > 0
        for _, definition in triggers:
            db.execute(definition)
    db.close()


def test_a_verdict_that_someone_changed_is_named_and_restored_from_a_backup(backstay, releases):
    releases.register("1.0.0")
    releases.measure("1.0.0", {"kind": "quality", "dataset": "d", "evaluator": "e",
                               "metrics": [{"name": "accuracy", "value": 0.5, "samples": 2000}]})
    releases.gate("1.0.0", code=6)
    backstay("fsck")
    backup = backstay.folder / "backup"
    shutil.copytree(backstay.data_dir, backup)
    releases.register("1.1.0")  # What came after the backup stays.
    tamper(backstay, "verdicts", "UPDATE verdicts SET verdict = 'PASS'")
    assert [p["what"].split()[0] for p in problems(backstay)] == ["verdicts", "search"]
    assert backstay("show", "m@1.0.0", "--json").json["verdicts"][0]["verdict"] == "PASS"
    assert all(p["repaired"] for p in problems(backstay, 0, "--repair-from", backup))
    assert backstay("show", "m@1.0.0", "--json").json["verdicts"][0]["verdict"] == "FAIL"
    assert {v["version"] for v in backstay("list", "m", "--json").json} == {"1.0.0", "1.1.0"}
    backstay("fsck")
    assert backstay.audit()[-1]["action"] == "registry.repair"


def test_a_backup_is_only_read(backstay, releases):
    releases.register("1.0.0")
    backup = backstay.folder / "backup"
    shutil.copytree(backstay.data_dir, backup)
    before = (backup / "registry.db").read_bytes()
    tamper(backstay, "versions", "UPDATE versions SET registered_by = 'mallory'")
    assert all(p["repaired"] for p in problems(backstay, 0, "--repair-from", backup))
    assert (backup / "registry.db").read_bytes() == before
    backstay("fsck", "--data-dir", backup)


def test_a_lost_registry_is_restored_from_a_backup(backstay, releases):
    releases.register("1.0.0")
    releases.measure("1.0.0")
    releases.gate("1.0.0")
    backup = backstay.folder / "backup"
    shutil.copytree(backstay.data_dir, backup)
    (backstay.data_dir / "registry.db").unlink()
    empty = backstay.folder / "empty"
    empty.mkdir()
    backstay("fsck", "--repair-from", empty, code=3)
    assert not (backstay.data_dir / "registry.db").exists()
    (found,) = problems(backstay, 0, "--repair-from", backup)
    assert found["repaired"] and "more of its entries" in found["where"]
    assert backstay("show", "m@1.0.0", "--json").json["verdicts"][0]["verdict"] == "PASS"
    backstay("fsck")


def test_a_verdict_cannot_be_replaced_while_the_triggers_are_there(backstay, releases):
    releases.register("1.0.0")
    releases.measure("1.0.0")
    releases.gate("1.0.0")
    with sqlite3.connect(backstay.data_dir / "registry.db") as db:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            db.execute("REPLACE INTO verdicts SELECT id, version_id, gate, gate_digest, 'FAIL', evidence, at, decided_by, "
                       "audit_sequence FROM verdicts")
    db.close()


def test_a_scan_cannot_be_made_safe_behind_the_program(backstay, releases):
    releases.register("1.0.0", {"model.pkl": b"cposix\nsystem\n(S'id'\ntR."})
    tamper(backstay, "scans", "UPDATE scans SET verdict = 'safe', findings = '{}'")
    assert problems(backstay)[0]["what"].startswith("scans m@1.0.0")


def test_a_registry_of_the_first_release_is_brought_up_to_date_and_still_checked(backstay):
    backstay.data_dir.mkdir()
    db = sqlite3.connect(backstay.data_dir / "registry.db")
    db.executescript(FIRST_RELEASE.read_text())
    db.close()
    assert problems(backstay) == []  # Its blobs are not here; its records are right.
    assert backstay("impact", "m@1.0.0", "--json").json["versions"][1]["through"] == "m@1.0.0"
    tamper(backstay, "scorecards", "UPDATE scorecards SET scorecard = replace(scorecard, '0.97', '0.99') WHERE id = 1")
    assert problems(backstay)[0]["what"] == "scorecards m@1.0.0"


def test_a_server_stores_its_decisions_while_its_registry_is_checked(released):
    setup = released()
    done = threading.Event()

    def check() -> None:
        while not done.is_set():
            setup.backstay("fsck")

    checker = threading.Thread(target=check)
    checker.start()
    try:
        for version in ("2.0.0", "1.0.0", "2.0.0"):
            if setup.stages()[version] == "Archived":
                setup.backstay("restore", f"m@{version}", "--reason", "once more")
            setup.backstay("rollout", "start", "e", f"m@{version}", "--blue-green")
            setup.server.wait_for_phase("e", "watching")
            setup.backstay("rollout", "promote", "e")
            setup.server.wait_for("e", lambda s: s["stable"] == version, f"{version} serves")
    finally:
        done.set()
        checker.join()
    assert setup.server.status("e")["trouble"] == ""
