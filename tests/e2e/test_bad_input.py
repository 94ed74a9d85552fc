"""What is wrong with the input is refused: the right exit code, a sentence, and nothing half done left behind."""

import errno
import os
import pathlib
import resource
import sqlite3
import subprocess

import pytest

from release import GATE, QUALITY


def check_nothing_was_kept(backstay) -> None:
    if (backstay.data_dir / "registry.db").exists():
        assert backstay("list", "--json").json == []
        assert backstay.audit() == []
    else:  # Refused before a registry was made.
        assert backstay.blobs() == set()
    assert backstay.temporary_files() == []


def only_blob(backstay) -> pathlib.Path:
    (blob,) = (backstay.data_dir / "blobs/sha256").glob("*/*")
    return blob


@pytest.mark.parametrize("name", ["../out.bin", "/etc/out.bin", "a/../../out.bin", "a//b", "./a", "a\\b", "x\ny"])
def test_an_artifact_cannot_leave_its_version(backstay, releases, name):
    file = releases.describe("1.0.0", artifacts=[{"path": "files/weights.bin", "as": name}])
    assert "artifact path" in backstay("register", file, code=2).err
    check_nothing_was_kept(backstay)
    assert backstay.blobs() == set()


@pytest.mark.parametrize("make", [lambda path: path.symlink_to("/etc/passwd"), os.mkfifo], ids=["link", "pipe"])
def test_links_and_devices_are_no_artifacts(backstay, releases, make):
    file = releases.describe("1.0.0")
    make(file.parent / "files/odd")
    assert str(file.parent / "files/odd") in backstay("register", file, code=2).err
    check_nothing_was_kept(backstay)


def test_a_missing_artifact_is_named(backstay, releases):
    file = releases.describe("1.0.0", artifacts=["no-such-file.onnx"])
    assert "no-such-file.onnx" in backstay("register", file, code=3).err
    check_nothing_was_kept(backstay)


@pytest.mark.parametrize("key, meant", [("artefacts", "artifacts"), ("changlog", "changelog"), ("confg", "config")])
def test_an_unknown_key_of_a_version_is_named_with_the_nearest(backstay, releases, key, meant):
    file = releases.describe("1.0.0", **{key: ["x"]})
    refused = backstay("register", file, code=2).err
    assert f"'{key}' is not a known key" in refused and f"Did you mean '{meant}'?" in refused
    assert "version.yaml line " in refused
    check_nothing_was_kept(backstay)


def test_an_unknown_key_of_a_gate_or_scorecard_is_named_with_the_nearest(backstay, releases):
    releases.register("1.0.0")
    gate = releases.write("gate.yaml", {**GATE, "rules": [{"metric": "accuracy", "at_lest": 0.9}]})
    assert "Did you mean 'at_least'?" in backstay("gate", "m@1.0.0", "--file", gate, code=2).err
    card = releases.write("card.yaml", {**QUALITY, "metricks": []})
    assert "Did you mean 'metrics'?" in backstay("scorecard", "add", "m@1.0.0", "--file", card, code=2).err
    assert len(backstay.audit()) == 1


@pytest.mark.parametrize("text, said", [
    ("gatway: {listen: 127.0.0.1:0}\nendpoints: [{name: e, model: m}]", "Did you mean 'gateway'?"),
    ("endpoints: [{name: e, model: m, deadlin: 1s}]", "Did you mean 'deadline'?"),
    ("endpoints: [{name: e, model: m, deadline: soon}]", "not a duration"),
    ("endpoints: [{name: e, model: m, backend: {kind: remote}}]", "url, process, model"),
    ("endpoints: [{name: e, model: m}, {name: e, model: m}]", "is 'e' a second time"),
    ("gateway: {listen: nowhere}\nendpoints: [{name: e, model: m}]", "127.0.0.1:8080"),
    ("endpoints: [{name: e, model: m, rollout: {steps: [{canary: 50%}, {canary: 5%}]}}]", "does not raise"),
    ("endpoints: [{name: e, model: m, guardrails: [{name: g, signal: {kind: eror}, objective: {at_most: 0.1}}]}]", "error"),
    ("endpoints: []", "endpoints"),
    ("endpoints: [\n", "not valid YAML"),
    ("", "is empty"),
])
def test_a_wrong_configuration_is_refused_before_anything_starts(backstay, text, said):
    (backstay.folder / "backstay.yaml").write_text(text)
    refused = backstay("serve", "--config", "backstay.yaml", code=2)
    assert said in refused.err and refused.out == ""


@pytest.mark.parametrize("text", ["model: [", "a: &a [*a]", "just words", "model: m\nmodel: n\n", "\x00", "- 1\n- 2\n"])
def test_a_version_file_that_is_no_map_of_keys_is_refused(backstay, text):
    (backstay.folder / "version.yaml").write_text(text)
    backstay("register", "version.yaml", code=2)
    assert not (backstay.data_dir / "registry.db").exists()


@pytest.mark.parametrize("arguments", [["show"], ["show", "m"], ["show", "m@1"], ["show", "M@1.0.0"], ["nonsense"], [],
                                       ["gate", "m@1.0.0"], ["rollback", "e"], ["list", "--no-such-option"]])
def test_wrong_arguments_are_told_how_it_is_written(backstay, releases, arguments):
    releases.register("1.0.0")
    backstay(*arguments, code=2)


def test_a_file_that_is_not_there_is_named(backstay):
    assert "nowhere.yaml" in backstay("register", "nowhere.yaml", code=3).err
    assert "nowhere.yaml" in backstay("serve", "--config", "nowhere.yaml", code=3).err


def spoil(blob: pathlib.Path, change) -> None:
    blob.chmod(0o600)
    blob.write_bytes(change(blob.read_bytes()))


@pytest.mark.parametrize("change", [lambda b: b[:100] + bytes([b[100] ^ 1]) + b[101:], lambda b: b[:-1], lambda b: b + b"x",
                                    lambda b: b""], ids=["flipped", "cut", "longer", "emptied"])
def test_a_damaged_blob_is_noticed_and_nothing_is_checked_out(backstay, releases, change):
    releases.register("1.0.0", {"weights.bin": os.urandom(5000)})
    spoil(only_blob(backstay), change)
    before = set(backstay.folder.iterdir())
    refused = backstay("checkout", "m@1.0.0", "out", code=9)
    assert "weights.bin" in refused.err
    assert set(backstay.folder.iterdir()) == before


def test_a_lost_blob_is_named_and_nothing_is_checked_out(backstay, releases):
    releases.register("1.0.0")
    only_blob(backstay).unlink()
    backstay("checkout", "m@1.0.0", "out", code=9)
    assert not (backstay.folder / "out").exists()


def test_registering_over_a_damaged_blob_does_not_pass_it_off_as_stored(backstay, releases):
    content = os.urandom(5000)
    releases.register("1.0.0", {"weights.bin": content})
    spoil(only_blob(backstay), lambda b: b[:-1])
    # Whether it is repaired or refused: never acknowledged while what is stored is wrong.
    releases.register("1.1.0", {"weights.bin": content})
    backstay("checkout", "m@1.1.0", "out")
    assert (backstay.folder / "out/weights.bin").read_bytes() == content


def test_a_registry_of_a_newer_program_is_left_alone(backstay, releases):
    releases.register("1.0.0")
    database = backstay.data_dir / "registry.db"
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = database.read_bytes()
    refused = backstay("list", code=13)
    assert "newer Backstay" in refused.err and "schema 99" in refused.err
    backstay("register", releases.describe("1.1.0"), code=13)
    assert database.read_bytes() == before


def test_a_file_that_is_no_registry_is_left_alone(backstay):
    content = b"not a database at all, but long enough to be read as a header" * 20
    backstay.data_dir.mkdir()
    (backstay.data_dir / "registry.db").write_bytes(content)
    backstay("list", code=9)
    assert (backstay.data_dir / "registry.db").read_bytes() == content


def test_a_damaged_audit_log_is_noticed(backstay, releases):
    releases.release("1.0.0")
    with sqlite3.connect(backstay.data_dir / "registry.db") as connection:
        connection.execute("DROP TRIGGER audit_refuse_UPDATE")
        connection.execute("UPDATE audit SET actor = 'nobody' WHERE sequence = 2")
    assert "2" in backstay("audit", "--verify", code=9).err


def limited_to(size: int):
    """For preexec_fn: files of this process end at `size` bytes, as on a full disk."""
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return limit


def test_a_file_that_does_not_fit_is_refused_and_the_space_given_back(backstay, releases):
    file = releases.describe("1.0.0", {"weights.bin": os.urandom(4_000_000)})
    refused = backstay("register", file, code=12, preexec_fn=limited_to(1_000_000))
    assert "space" in refused.err
    check_nothing_was_kept(backstay)
    assert backstay.blobs() == set()
    backstay("register", file)


def test_a_registry_that_cannot_grow_loses_nothing(backstay, releases):
    releases.register("1.0.0")
    size = (backstay.data_dir / "registry.db").stat().st_size
    config = {f"key{i}": "x" * 100 for i in range(2000)}
    file = releases.describe("1.1.0", config=config)
    backstay("register", file, code=12, preexec_fn=limited_to(size))
    assert [v["version"] for v in backstay("list", "--json").json] == ["1.0.0"]
    backstay("audit", "--verify")
    backstay("register", file)


@pytest.fixture
def small_disk(backstay):
    """The data directory on a disk of 1 MiB."""
    backstay.data_dir.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(backstay.data_dir)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("only root may mount a small disk")
    yield backstay.data_dir
    subprocess.run(["umount", str(backstay.data_dir)], check=True)


def fill(ballast: pathlib.Path) -> None:
    file = os.open(ballast, os.O_WRONLY | os.O_CREAT)
    try:
        while os.write(file, bytes(4096)) == 4096:
            pass
    except OSError as full:
        assert full.errno == errno.ENOSPC
    finally:
        os.close(file)


def test_a_full_disk_refuses_a_version_and_keeps_those_there_are(small_disk, backstay, releases):
    releases.register("1.0.0")
    file = releases.describe("1.1.0", {"weights.bin": os.urandom(2_000_000)})
    assert "space" in backstay("register", file, code=12).err
    fill(small_disk / "ballast")  # Now not even the database can grow.
    backstay("register", releases.describe("1.2.0", {"weights.bin": b""}), code=12)
    os.truncate(small_disk / "ballast", 0)
    assert backstay.temporary_files() == []
    assert [v["version"] for v in backstay("list", "--json").json] == ["1.0.0"]
    backstay("audit", "--verify")
    backstay("register", releases.describe("1.2.0", {"weights.bin": b""}))


def test_a_full_disk_leaves_no_half_a_checkout(small_disk, backstay, releases):
    elsewhere = ("--data-dir", backstay.folder / "elsewhere")  # On the same disk it would be a link, which takes no space.
    backstay("register", releases.describe("1.0.0", {"weights.bin": os.urandom(2_000_000)}), *elsewhere)
    backstay("checkout", "m@1.0.0", small_disk / "out", *elsewhere, code=12)
    assert not list(small_disk.glob("*out*"))


def test_a_data_directory_that_cannot_be_made_is_named(backstay, releases):
    (backstay.folder / "file").write_text("")
    for command in (["list"], ["register", releases.describe("1.0.0")]):
        assert str(backstay.folder / "file") in backstay(*command, "--data-dir", "file/data", code=3).err


def test_a_parent_that_is_not_registered_is_refused_and_one_from_elsewhere_is_kept(backstay, releases):
    for dry_run in ([], ["--dry-run"]):
        refused = backstay("register", releases.describe("1.0.0", parents=["base@1.0.0"]), *dry_run, code=10).err
        assert "The parent base@1.0.0 of m@1.0.0 is not registered" in refused and "external_parents" in refused
    check_nothing_was_kept(backstay)
    assert "its own parent" in backstay("register", releases.describe("1.0.0", parents=["m@1.0.0"]), code=2).err
    origin = "hf://google-bert/bert-base-uncased@86b5e09"
    releases.register("1.0.0", external_parents=[origin])
    releases.register("1.1.0", parents=["m@1.0.0"])
    assert backstay("show", "m@1.0.0", "--json").json["manifest"]["external_parents"] == [origin]
    assert f"{origin} (elsewhere)" in backstay("trace", "m@1.1.0").out


@pytest.mark.parametrize("tensor,says", [
    ({"name": "x", "datatype": "float32", "shape": [1]}, "the datatype 'float32', which there is not"),
    ({"name": "x", "datatype": "FP32", "shape": [-2]}, "a length below -1"),
    ({"name": "y", "datatype": "FP32", "shape": [1]}, "two named 'y'")])
def test_a_signature_that_no_request_can_have_is_refused(backstay, releases, tensor, says):
    refused = backstay("register", releases.describe("1.0.0", signature={"outputs": [{"name": "y", "datatype": "FP32"}, tensor]}), code=2).err
    assert says in refused and "signature.outputs" in refused
