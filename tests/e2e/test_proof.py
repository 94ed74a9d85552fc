"""The audit log as a Merkle log: checkpoints and proofs, checked offline with the public key only."""

import base64
import hashlib
import os
import sqlite3
import stat
import subprocess

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from program import BIN


@pytest.fixture
def auditor(backstay, tmp_path_factory):
    """Runs the program where there is no registry, with the files of the one who asks."""
    elsewhere = tmp_path_factory.mktemp("auditor")

    def run(*arguments, code=0):
        done = subprocess.run([str(BIN / "backstay"), *map(str, arguments)], cwd=backstay.folder, text=True,
                              capture_output=True, env={**os.environ, "BACKSTAY_DATA_DIR": str(elsewhere / "none")})
        assert done.returncode == code, done.stdout + done.stderr
        assert not (elsewhere / "none").exists(), "a check without a registry made one"
        return done.stdout

    return run


def grow(releases, count):
    there = (releases.program.data_dir / "registry.db").exists()
    first = len(releases.program("list", "--json").json) if there else 0
    for number in range(first, first + count):
        releases.register(f"1.{number}.0")


def save(backstay, name, *arguments):
    (backstay.folder / name).write_text(backstay(*arguments).out)
    return name


def test_the_log_key_is_made_once_and_private(backstay, releases):
    grow(releases, 1)
    key = backstay("audit", "key").out
    assert backstay("audit", "key").out == key and key.startswith("backstay-audit/")
    private = backstay.data_dir / "keys/audit.pem"
    assert stat.S_IMODE(private.stat().st_mode) == 0o600 and stat.S_IMODE(private.parent.stat().st_mode) == 0o700
    serialization.load_pem_public_key(backstay("audit", "key", "--pem").out.encode())


def test_every_entry_is_proved_to_someone_with_the_public_key_only(backstay, releases, auditor):
    grow(releases, 7)
    save(backstay, "audit.pub", "audit", "key")
    save(backstay, "audit.pem.pub", "audit", "key", "--pem")
    with sqlite3.connect(backstay.data_dir / "registry.db") as connection:
        evidence = dict(connection.execute("SELECT sequence, evidence FROM audit"))
    for entry in backstay.audit():
        proof = save(backstay, "entry.tlog-proof", "audit", "prove", entry["sequence"])
        told = auditor("audit", "verify", proof, "--key", "audit.pub")
        assert f"entry {entry['sequence']} of the 7" in told and entry["subject"] in told and entry["reason"] in told
        auditor("audit", "verify", proof, "--key", "audit.pem.pub")
        assert hashlib.sha256(evidence[entry["sequence"]].encode()).hexdigest() in told
    backstay("audit", "prove", 8, code=3)
    backstay("audit", "prove", code=2)


def test_a_changed_proof_or_anothers_key_is_refused(backstay, releases, auditor):
    grow(releases, 5)
    key = backstay("audit", "key").out.strip()
    text = backstay("audit", "prove", 3).out
    file = backstay.folder / "proof"
    for old, new in (("index 2", "index 3"), ("\n5\n", "\n6\n"), (text.split("\n")[4], text.split("\n")[3])):
        assert old in text
        file.write_text(text.replace(old, new, 1))
        assert subprocess.run([BIN / "backstay", "audit", "verify", file, "--key", key]).returncode in (2, 9)
    # The entry itself, with every length right.
    lines = text.split("\n")
    entry = base64.b64decode(lines[1].removeprefix("extra "))
    lines[1] = "extra " + base64.b64encode(entry.replace(b"6:tester", b"6:nobody")).decode()
    file.write_text("\n".join(lines))
    auditor("audit", "verify", file, "--key", key, code=9)
    file.write_text(text)
    auditor("audit", "verify", file, "--key", key)
    backstay("register", releases.describe("9.0.0"), "--data-dir", "another")
    stranger = backstay("audit", "key", "--data-dir", "another").out.strip()
    auditor("audit", "verify", file, "--key", stranger, code=9)


def test_a_checkpoint_is_a_c2sp_note_that_other_programs_can_check(backstay, releases):
    grow(releases, 3)
    note = backstay("audit", "checkpoint").out
    text, signature = note.split("\n\n")
    origin, size, root = text.split("\n")
    assert size == "3" and len(base64.b64decode(root)) == 32
    dash, name, encoded = signature.strip().split(" ")
    assert dash == "\u2014" and name == origin
    key = serialization.load_pem_public_key(backstay("audit", "key", "--pem").out.encode())
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    blob = base64.b64decode(encoded)
    assert blob[:4] == hashlib.sha256(name.encode() + b"\n\x01" + raw).digest()[:4]
    key.verify(blob[4:], (text + "\n").encode())
    with pytest.raises(InvalidSignature):
        key.verify(blob[4:], (text + "\n").replace("\n3\n", "\n4\n").encode())


def test_the_root_is_that_of_rfc_6962_over_the_entries_in_the_proofs(backstay, releases):
    """Computed here anew, from nothing but the entries."""
    grow(releases, 6)

    def root(leaves):
        if len(leaves) == 1:
            return hashlib.sha256(b"\0" + leaves[0]).digest()
        split = 1
        while split * 2 < len(leaves):
            split *= 2
        return hashlib.sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()

    leaves = [base64.b64decode(backstay("audit", "prove", number).out.split("\n")[1].removeprefix("extra "))
              for number in range(1, 7)]
    assert base64.b64encode(root(leaves)).decode() == backstay("audit", "checkpoint").out.split("\n")[2]


def test_a_log_that_only_grew_is_proved_to_extend_an_older_checkpoint(backstay, releases, auditor):
    grow(releases, 3)
    key = backstay("audit", "key").out.strip()
    old = save(backstay, "old", "audit", "checkpoint")
    entry = save(backstay, "early", "audit", "prove", 2)
    grow(releases, 6)
    proof = save(backstay, "grown", "audit", "prove", "--from", old)
    assert "9 entries begins with all 3" in auditor("audit", "verify", proof, "--key", key)
    auditor("audit", "verify", old, "--key", key)
    auditor("audit", "verify", entry, "--key", key)
    assert backstay("audit", "--verify", "--checkpoint", old, "--json").json["extends"]["size"] == 3
    in_old = save(backstay, "in-old", "audit", "prove", 2, "--checkpoint", old)
    assert "of the 3" in auditor("audit", "verify", in_old, "--key", key)
    backstay("audit", "prove", 4, "--checkpoint", old, code=3)


def rewrite_history(backstay):
    """As someone would who owns the machine: a shorter log that is right in itself."""
    with sqlite3.connect(backstay.data_dir / "registry.db") as connection:
        for table in ("audit", "audit_tree", "stage_history"):
            connection.execute(f"DROP TRIGGER {table}_refuse_DELETE")
        connection.execute("DELETE FROM stage_history WHERE audit_sequence > 2")
        connection.execute("DELETE FROM audit_tree WHERE sequence > 2")
        connection.execute("DELETE FROM audit WHERE sequence > 2")


def test_a_rewritten_log_no_longer_extends_its_checkpoint(backstay, releases):
    grow(releases, 4)
    checkpoint = save(backstay, "checkpoint", "audit", "checkpoint")
    rewrite_history(backstay)
    backstay("audit", "--verify")  # Nothing in the log itself tells.
    assert "was cut" in backstay("audit", "--verify", "--checkpoint", checkpoint, code=9).err
    backstay("audit", "prove", "--from", checkpoint, code=9)
    for number in range(10, 13):
        releases.register(f"2.{number}.0")
    assert "does not extend" in backstay("audit", "--verify", "--checkpoint", checkpoint, code=9).err
    backstay("audit", "prove", "--from", checkpoint, code=9)


@pytest.mark.parametrize("sql", ["UPDATE audit_tree SET nodes = zeroblob(length(nodes)) WHERE sequence = 2",
                                 "DELETE FROM audit_tree WHERE sequence = 2",
                                 "INSERT INTO audit_tree VALUES(5, zeroblob(32))"])
def test_a_tree_that_is_not_the_logs_is_noticed(backstay, releases, sql):
    grow(releases, 4)
    with sqlite3.connect(backstay.data_dir / "registry.db") as connection:
        connection.execute("DROP TRIGGER audit_tree_refuse_UPDATE")
        connection.execute("DROP TRIGGER audit_tree_refuse_DELETE")
        connection.execute(sql)
    assert "audit tree" in backstay("audit", "--verify", code=9).err
