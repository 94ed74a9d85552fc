"""The store of blobs from outside: what it saves, what it finds and repairs, what it frees, and how uploads go on."""

import base64
import hashlib
import os
import pathlib
import random
import signal
import socket
import stat
import subprocess

from aim import Aim
from program import DEADLINE, SANITIZED, wait_until

MIB = 1024 * 1024
TUS = {"Tus-Resumable": "1.0.0"}


def noise(size: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(size)


def stored_bytes(backstay) -> int:
    return backstay("gc", "--dry-run", "--json").json["store"]["stored_bytes"]


def test_a_fine_tune_that_changes_a_hundredth_takes_about_that(backstay, releases):
    base = noise(32 * MIB, 1)
    releases.register("1.0.0", {"weights.bin": base})
    before = stored_bytes(backstay)
    assert len(base) <= before < 1.01 * len(base)
    at = 10 * MIB + 17
    tuned = base[:at] + noise(len(base) // 100, 2) + base[at + len(base) // 100:]
    releases.register("1.1.0", {"weights.bin": tuned})
    inserted = base[:at] + b"inserted" + base[at:-5000]
    releases.register("1.2.0", {"weights.bin": inserted})
    # A hundredth, and what is cut anew around the changes: mostly some chunks of 64 KiB, by chance more.
    assert stored_bytes(backstay) - before < 0.06 * len(base)
    for version, content in (("1.0.0", base), ("1.1.0", tuned), ("1.2.0", inserted)):
        backstay("checkout", f"m@{version}", backstay.folder / version)
        assert (backstay.folder / version / "weights.bin").read_bytes() == content


def test_a_second_checkout_shares_the_first_ones_file_and_verify_hashes(backstay, releases):
    content = noise(8 * MIB, 3)
    releases.register("1.0.0", {"weights.bin": content})
    first = backstay("checkout", "m@1.0.0", backstay.folder / "a", "--json").json
    second = backstay("checkout", "m@1.0.0", backstay.folder / "b", "--json").json
    third = backstay("checkout", "m@1.0.0", backstay.folder / "c", "--verify", "--json").json
    assert first["hashed_bytes"] == third["hashed_bytes"] == len(content)
    assert second["hashed_bytes"] == second["copied_bytes"] == 0
    for name in "abc":
        file = backstay.folder / name / "weights.bin"
        assert file.read_bytes() == content
        assert stat.S_IMODE(file.stat().st_mode) == 0o444


def test_a_checkout_on_another_file_system_is_a_copy(backstay, releases, tmp_path):
    other = pathlib.Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        return
    content = noise(6 * MIB, 4)
    releases.register("1.0.0", {"weights.bin": content, "small.txt": b"small"})
    target = other / f"backstay-{os.getpid()}"
    try:
        done = backstay("checkout", "m@1.0.0", target, "--json").json
        assert done["copied_bytes"] == done["size_bytes"]
        assert (target / "weights.bin").read_bytes() == content
    finally:
        subprocess.run(["rm", "-rf", target], check=True)


def flip(file: pathlib.Path, offset: int) -> None:
    file.chmod(0o644)
    with file.open("r+b") as handle:
        handle.seek(offset)
        byte = handle.read(1)
        handle.seek(offset)
        handle.write(bytes([byte[0] ^ 1]))
    file.chmod(0o444)


def test_fsck_finds_each_kind_of_damage_and_repairs_from_a_copy(backstay, releases):
    releases.register("1.0.0", {"small.bin": noise(5000, 5), "large.bin": noise(6 * MIB, 6), "gone.bin": b"gone"})
    assert backstay("fsck", "--json").json["problems"] == []
    subprocess.run(["cp", "-a", backstay.data_dir, backstay.folder / "backup"], check=True)
    blobs = backstay.data_dir / "blobs"

    def whole(content: bytes) -> pathlib.Path:
        name = hashlib.sha256(content).hexdigest()
        return blobs / "sha256" / name[:2] / name

    flip(whole(noise(5000, 5)), 1234)
    [pack] = (blobs / "packs").iterdir()
    flip(pack, 3 * MIB)
    whole(b"gone").unlink()
    (blobs / "stray").write_text("not ours")
    found = backstay("fsck", "--json", code=9).json
    kinds = sorted(problem["kind"] for problem in found["problems"])
    assert kinds == ["changed", "changed", "foreign", "missing"]
    by_what = {kind: [p for p in found["problems"] if p["kind"] == kind] for kind in kinds}
    assert any("m@1.0.0: artifact large.bin" in p["what"] and "chunk" in p["where"] for p in by_what["changed"])
    assert "m@1.0.0: artifact gone.bin" in by_what["missing"][0]["what"]
    text = backstay("fsck", code=9)
    assert "small.bin" in text.out

    repaired = backstay("fsck", "--repair-from", backstay.folder / "backup", "--json", code=9).json
    assert [p["kind"] for p in repaired["problems"] if not p["repaired"]] == ["foreign"]
    small = next(p for p in repaired["problems"] if "small.bin" in p["what"])
    assert "bytes 1234 to 1234 (1 differ)" in small["where"]
    (blobs / "stray").unlink()
    assert backstay("fsck", "--json").json["problems"] == []
    backstay("checkout", "m@1.0.0", backstay.folder / "out", "--verify")
    assert backstay("fsck", "--repair-from", backstay.folder / "nowhere", code=3).err


def test_gc_frees_what_no_version_refers_to_and_logs_it(backstay, releases, server):
    releases.register("1.0.0", {"large.bin": noise(6 * MIB, 7)})
    running = server({"endpoints": [{"name": "e", "model": "m", "backend": {"kind": "url", "url": "http://127.0.0.1:9"}}]})
    orphan = noise(5 * MIB, 8)
    name = hashlib.sha256(orphan).hexdigest()
    assert running.api("PUT", f"/v1/blobs/{name}", orphan).status == 200
    assert backstay("gc", "--json").json["blobs"] == 0, "its lease is a day"
    wait_until(lambda: backstay("gc", "--dry-run", "--older-than", "0s", "--json").json["blobs"] == 1, "the lease's end")
    done = backstay("gc", "--older-than", "0s", "--json").json
    assert done["blobs"] == 1 and done["freed_bytes"] >= len(orphan)
    assert running.api("GET", f"/v1/blobs/{name}").status == 404
    backstay("checkout", "m@1.0.0", backstay.folder / "out", "--verify")
    entry = backstay.audit()[-1]
    assert entry["action"] == "store.collect" and entry["actor"] == "tester"
    assert backstay("fsck", "--json").json["problems"] == []


def test_gc_beside_registrations_takes_nothing_of_them(backstay, releases):
    rounds = 3 if SANITIZED else 6
    releases.register("1.0.0", model="other")  # gc has a registry to begin with.
    for number in range(rounds):
        content = noise(5 * MIB, 50 + number % 2)
        files = [releases.describe(f"{part + 1}.{number}.0", {f"p{i}.bin": content[i * MIB:] for i in range(2)})
                 for part in range(2)]
        registrations = [backstay.start("register", file) for file in files]
        while any(process.poll() is None for process in registrations):
            backstay("gc", "--older-than", "0s")
        for process in registrations:
            out, err = process.communicate()
            assert process.returncode == 0, out + err
    found = backstay("fsck", "--json").json
    assert found["problems"] == []
    assert len(backstay("list", "m", "--json").json) == 2 * rounds


def test_a_quota_refuses_and_says_what_to_do(backstay, releases):
    backstay.data_dir.mkdir()
    (backstay.data_dir / "store.yaml").write_text(f"quota_bytes: {8 * MIB}\n")
    releases.register("1.0.0", {"a.bin": noise(5 * MIB, 9)})
    file = releases.describe("1.1.0", {"a.bin": noise(9 * MIB, 10)})
    refused = backstay("register", file, code=12)
    assert "quota" in refused.err and "backstay gc" in refused.err
    assert backstay.temporary_files() == []
    refused = backstay("register", releases.describe("1.2.0", {"a.bin": noise(5 * MIB, 11)}), code=12)
    assert backstay.temporary_files() == []
    (backstay.data_dir / "store.yaml").write_text("quota_byte: 1\n")
    assert "quota_bytes" in backstay("list", code=2).err


def test_killed_registrations_of_large_files_leave_a_whole_store(backstay, releases):
    aim = Aim(20251101, 0.1, spread=(0, 1.5), late_to_early=0.3)
    base = noise(12 * MIB, 12)
    rounds, killed = (8 if SANITIZED else 25), 0
    for number in range(rounds):
        at = number * 300_000
        content = base[:at] + noise(200_000, 100 + number) + base[at + 200_000:]
        process = backstay.start("register", releases.describe(f"1.{number}.0", {"w.bin": content}))
        try:
            process.wait(aim.draw())
        except subprocess.TimeoutExpired:
            process.kill()
            killed += 1
        process.communicate()
        aim.note(process.returncode == 0)
    assert killed > 0
    assert backstay("fsck", "--json").json["problems"] == []
    assert backstay.temporary_files() == []
    backstay("gc", "--older-than", "0s")
    assert backstay("fsck", "--json").json["problems"] == []
    for number in range(0, rounds, 5):
        at = number * 300_000
        backstay("register", backstay.folder / f"m-1.{number}.0/version.yaml")
        backstay("checkout", f"m@1.{number}.0", backstay.folder / f"out-{number}")
        expected = base[:at] + noise(200_000, 100 + number) + base[at + 200_000:]
        assert (backstay.folder / f"out-{number}/w.bin").read_bytes() == expected


# --- uploads in parts ---

CONFIG = {"endpoints": [{"name": "e", "model": "m", "backend": {"kind": "url", "url": "http://127.0.0.1:9"}}]}


def begin_upload(running, content: bytes) -> str:
    metadata = base64.b64encode(hashlib.sha256(content).hexdigest().encode()).decode()
    answer = running.api("POST", "/v1/uploads", headers={**TUS, "Upload-Length": str(len(content)),
                                                         "Upload-Metadata": f"filename dw==,sha256 {metadata}"})
    assert answer.status == 201, answer.body
    assert answer.headers["Tus-Resumable"] == "1.0.0" and answer.headers["Upload-Expires"].endswith("GMT")
    return answer.headers["Location"]


def offset_of(running, location: str) -> int:
    answer = running.api("HEAD", location, headers=TUS)
    assert answer.status == 200 and answer.headers["Cache-Control"] == "no-store"
    return int(answer.headers["Upload-Offset"])


def send_part(running, location: str, offset: int, part: bytes):
    return running.api("PATCH", location, part, headers={**TUS, "Upload-Offset": str(offset),
                                                         "Content-Type": "application/offset+octet-stream"})


def begin_to_send(running, location: str, offset: int, rest: bytes, part: int) -> socket.socket:
    """A client that has sent `part` bytes of `rest` when this returns."""
    host, port = running.addresses["control"].split(":")
    client = socket.create_connection((host, int(port)), timeout=DEADLINE)
    head = (f"PATCH {location} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {running.token}\r\n"
            f"Tus-Resumable: 1.0.0\r\nUpload-Offset: {offset}\r\nContent-Type: application/offset+octet-stream\r\n"
            f"Content-Length: {len(rest)}\r\n\r\n")
    client.sendall(head.encode() + rest[:part])
    return client


def test_an_upload_goes_on_after_its_client_was_killed(backstay, server):
    running = server(CONFIG)
    content = noise(9 * MIB, 20)
    location = begin_upload(running, content)
    assert offset_of(running, location) == 0
    client = begin_to_send(running, location, 0, content, 5 * MIB)
    client.close()
    wait_until(lambda: offset_of(running, location) == 5 * MIB, "what the client had sent")

    def try_the_rest():
        """None while the first request still has the upload: refused, perhaps before all of this one was read."""
        try:
            answer = send_part(running, location, 5 * MIB, content[5 * MIB:])
        except (BrokenPipeError, ConnectionResetError):
            return None
        return answer if answer.status != 409 else None

    done = wait_until(try_the_rest, "the end of the first request")
    assert done.status == 204 and done.headers["Upload-Offset"] == str(len(content))
    assert offset_of(running, location) == len(content)
    name = hashlib.sha256(content).hexdigest()
    assert running.api("GET", f"/v1/blobs/{name}").body == content


def test_an_upload_goes_on_after_the_server_was_killed(backstay, server):
    running = server(CONFIG)
    content = noise(9 * MIB, 21)
    location = begin_upload(running, content)
    client = begin_to_send(running, location, 0, content, 4 * MIB)
    wait_until(lambda: offset_of(running, location) > 0, "some of it")
    running.process.send_signal(signal.SIGKILL)
    running.kill()
    client.close()
    running = server(CONFIG)
    offset = offset_of(running, location)
    assert 0 < offset <= 4 * MIB
    assert send_part(running, location, offset, content[offset:]).status == 204
    assert running.api("GET", f"/v1/blobs/{hashlib.sha256(content).hexdigest()}").body == content
    assert list((backstay.data_dir / "uploads").glob("*.data")) == []


def test_uploads_refuse_what_is_wrong(backstay, server):
    running = server(CONFIG)
    content = b"0123456789"
    options = running.api("OPTIONS", "/v1/uploads")
    assert options.status == 204 and "creation" in options.headers["Tus-Extension"]
    assert running.api("POST", "/v1/uploads", headers={"Upload-Length": "10"}).status == 412
    assert running.api("POST", "/v1/uploads", headers=TUS).status == 400
    assert running.api("POST", "/v1/uploads", headers={**TUS, "Upload-Length": "10"}).status == 400
    assert running.api("POST", "/v1/uploads", headers={**TUS, "Upload-Length": "-1"}).status == 400
    location = begin_upload(running, content)
    assert send_part(running, location, 3, b"345").status == 409
    assert running.api("PATCH", location, b"x", headers={**TUS, "Upload-Offset": "0"}).status == 415
    assert send_part(running, location, 0, b"0123456789abc").status == 400
    assert send_part(running, location, 0, b"01234").status == 204
    wrong = send_part(running, location, 5, b"5678X")
    assert wrong.status == 400 and "digest" in wrong.json["detail"]
    assert running.api("HEAD", location, headers=TUS).status == 404
    location = begin_upload(running, content)
    assert running.api("DELETE", location, headers=TUS).status == 204
    assert running.api("DELETE", location, headers=TUS).status == 404
    assert running.api("HEAD", "/v1/uploads/" + "0" * 32, headers=TUS).status == 404
    assert running.api("POST", "/v1/uploads", headers=TUS, token="wrong").status == 401
    assert list((backstay.data_dir / "uploads").iterdir()) == []


def test_a_blob_is_read_in_ranges(backstay, server):
    running = server(CONFIG)
    for content in (noise(6 * MIB, 22), b"small"):
        name = hashlib.sha256(content).hexdigest()
        assert running.api("PUT", f"/v1/blobs/{name}", content).status == 200
        whole = running.api("GET", f"/v1/blobs/{name}")
        assert whole.status == 200 and whole.body == content
        assert whole.headers["ETag"] == f'"sha256:{name}"' and whole.headers["Accept-Ranges"] == "bytes"
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        assert whole.headers["Repr-Digest"] == f"sha-256=:{digest}:"
        part = running.api("GET", f"/v1/blobs/{name}", headers={"Range": "bytes=2-4"})
        assert part.status == 206 and part.body == content[2:5]
        assert part.headers["Content-Range"] == f"bytes 2-4/{len(content)}"
        tail = running.api("GET", f"/v1/blobs/{name}", headers={"Range": f"bytes={len(content) - 3}-"})
        assert tail.status == 206 and tail.body == content[-3:]
        head = running.api("HEAD", f"/v1/blobs/{name}")
        assert head.status == 200 and int(head.headers["Content-Length"]) == len(content) and head.body == b""
    assert running.api("GET", f"/v1/blobs/{'0' * 64}").status == 404
