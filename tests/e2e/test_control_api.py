"""The control API and the server as a process: what it refuses, and that refusing changes nothing."""

import hashlib
import json
import pathlib
import re
import socket
import threading

import pytest

from program import DEADLINE, SANITIZED, Server, wait_until


@pytest.fixture
def serving(server, backend):
    """A server with the endpoint e of model m on a url backend."""
    return server({"endpoints": [{"name": "e", "model": "m", "backend": {"kind": "url", "url": backend("b").url}}]})


def check_problem(answer, status: int, code: str) -> dict:
    assert answer.status == status, answer.body
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json
    assert problem["status"] == status and problem["code"] == code, problem
    assert problem["detail"].endswith(".") and problem["hint"], problem
    return problem


def manifest(version: str, content: bytes, path: str = "model.onnx") -> dict:
    return {"model": "m", "version": version, "artifacts": [
        {"path": path, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}]}


def put(server: Server, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    answer = server.api("PUT", f"/v1/blobs/{digest}", content)
    assert answer.status == 200 and answer.json == {"sha256": digest, "size_bytes": len(content)}


def test_a_version_is_uploaded_and_registered_once(serving, backstay):
    put(serving, b"model")
    first = serving.api("POST", "/v1/models/m/versions", manifest("1.0.0", b"model"))
    again = serving.api("POST", "/v1/models/m/versions", manifest("1.0.0", b"model"))
    assert (first.status, again.status) == (201, 200)
    assert first.json == again.json and first.json["missing"]
    assert serving.api("GET", "/v1/models/m/versions").json["versions"][0]["version"] == "1.0.0"
    assert serving.api("GET", "/v1/models/m/versions/1.0.0").json["manifest"]["version"] == "1.0.0"
    backstay("checkout", "m@1.0.0", "out")
    assert (backstay.folder / "out/model.onnx").read_bytes() == b"model"


def test_an_upload_that_is_not_what_its_digest_says_is_not_stored(serving, backstay):
    digest = hashlib.sha256(b"the whole artifact").hexdigest()
    check_problem(serving.api("PUT", f"/v1/blobs/{digest}", b"the whole art"), 400, "invalid_argument")
    assert backstay.blobs() == set() and backstay.temporary_files() == []


def test_an_upload_that_breaks_off_is_not_stored(serving, backstay):
    digest = hashlib.sha256(bytes(1_000_000)).hexdigest()
    host, port = serving.addresses["control"].split(":")
    with socket.create_connection((host, int(port))) as client:
        client.sendall(f"PUT /v1/blobs/{digest} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {serving.token}\r\n"
                       "Content-Length: 1000000\r\n\r\n".encode() + bytes(300_000))
        wait_until(backstay.temporary_files, "the upload to begin")
    wait_until(lambda: not backstay.temporary_files(), "the upload to be dropped")
    assert backstay.blobs() == set()


@pytest.mark.skipif(SANITIZED, reason="a sanitizer keeps freed memory")
def test_a_large_upload_takes_little_memory(serving, backstay):
    content = bytes(200 * 1024 * 1024)
    put(serving, content)
    status = pathlib.Path(f"/proc/{serving.process.pid}/status").read_text()
    peak_kib = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    assert peak_kib < 100 * 1024


def test_content_must_be_uploaded_before_it_is_registered(serving):
    problem = check_problem(serving.api("POST", "/v1/models/m/versions", manifest("1.0.0", b"x")), 412, "failed_precondition")
    assert "model.onnx" in problem["detail"] and "/v1/blobs/" in problem["hint"]


def test_other_content_under_a_used_version_is_a_conflict(serving, backstay):
    put(serving, b"first")
    put(serving, b"second")
    assert serving.api("POST", "/v1/models/m/versions", manifest("1.0.0", b"first")).status == 201
    before = serving.api("GET", "/v1/models/m/versions/1.0.0").json
    problem = check_problem(serving.api("POST", "/v1/models/m/versions", manifest("1.0.0", b"second")), 409, "conflict")
    assert "m@1.0.0" in problem["detail"]
    assert serving.api("GET", "/v1/models/m/versions/1.0.0").json == before
    assert len(backstay.audit()) == 1


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", "a//x", ".", "", "a\\x", "a\x00x", "x" * 2000])
def test_a_manifest_cannot_name_a_path_outside_of_its_version(serving, backstay, path):
    put(serving, b"x")
    check_problem(serving.api("POST", "/v1/models/m/versions", manifest("1.0.0", b"x", path)), 400, "invalid_argument")
    assert backstay("list", "--json").json == []


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '{"model": "m"', '{"model":"m","model":"n"}', "\x00", "[" * 100_000,
                                  json.dumps({**manifest("1.0.0", b"x"), "artefacts": []}),
                                  json.dumps(manifest("one", b"x")), json.dumps(manifest("1.0.0+build", b"x")),
                                  json.dumps({**manifest("1.0.0", b"x"), "config": "seed"}),
                                  json.dumps({**manifest("1.0.0", b"x"), "model": 7})])
def test_a_broken_manifest_is_a_bad_request(serving, backstay, body):
    check_problem(serving.api("POST", "/v1/models/m/versions", body), 400, "invalid_argument")
    assert backstay("list", "--json").json == []


@pytest.mark.parametrize("method, path, body", [
    ("POST", "/v1/endpoints/e/rollout", "{"), ("POST", "/v1/endpoints/e/rollout", "{}"),
    ("POST", "/v1/endpoints/e/rollout", '{"version": "1.0.0", "plann": "x"}'),
    ("POST", "/v1/endpoints/e/rollout", '{"version": "other@1.0.0"}'),
    ("POST", "/v1/endpoints/e/rollback", '{"reson": "typo"}'), ("POST", "/v1/feedback", '{"labels": [{}]}'),
    ("POST", "/v1/feedback", '{"labels": [{"prediction_id": "zz", "label": 1}]}'), ("POST", "/v1/feedback", "no JSON")])
def test_a_wrong_order_is_a_bad_request_and_changes_nothing(serving, backstay, method, path, body):
    check_problem(serving.api(method, path, body), 400, "invalid_argument")
    assert backstay.audit() == [] and serving.status("e")["rollout"] is None


@pytest.mark.parametrize("method, path", [
    ("GET", "/v1/nothing"), ("GET", "/"), ("PUT", "/v1/blobs/short"),
    ("GET", "/v1/models/m/versions/1.0.0"), ("POST", "/v1/endpoints/nowhere/rollback"), ("POST", "/v1/endpoints/nowhere/pause")])
def test_what_is_not_there_is_not_found(serving, method, path):
    body = b'{"reason": "x"}' if method in ("POST", "PUT") else None
    check_problem(serving.api(method, path, body), 404, "not_found")


@pytest.mark.parametrize("method, path, allowed", [
    ("DELETE", "/v1/models/m/versions/1.0.0", "GET"), ("PATCH", "/v1/models/m/versions", "GET, POST"), ("GET", "/v1/feedback", "POST"),
    ("POST", "/v1/versions", "GET"), ("OPTIONS", "/v1/status", "GET"), ("POST", "/v1/blobs/" + "0" * 64, "GET, PUT")])
def test_what_a_path_does_not_do_is_told_with_what_it_does(serving, method, path, allowed):
    answer = serving.api(method, path, b"{}" if method == "POST" else None)
    check_problem(answer, 405, "unsupported")
    assert answer.headers["Allow"] == allowed


def test_a_body_that_is_no_json_by_its_type_is_not_read(serving, backstay):
    answer = serving.api("POST", "/v1/models/m/versions", manifest("1.0.0", b"x"), headers={"Content-Type": "text/yaml"})
    check_problem(answer, 415, "invalid_argument")
    assert backstay("list", "--json").json == []


@pytest.mark.parametrize("token", ["", "wrong", "x" * 64])
def test_without_the_token_nothing_is_answered_or_done(serving, backstay, token):
    for method, path in [("GET", "/v1/status"), ("POST", "/v1/models/m/versions"), ("PUT", "/v1/blobs/" + "0" * 64),
                         ("POST", "/v1/endpoints/e/rollback"), ("GET", "/v1/audit")]:
        answer = serving.api(method, path, b"x" if method != "GET" else None, token=token)
        check_problem(answer, 401, "permission_denied")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert backstay.audit() == [] and backstay.blobs() == set()


def test_the_token_is_the_owners_only(serving, backstay):
    assert (backstay.data_dir / "control").stat().st_mode & 0o777 == 0o700
    assert (backstay.data_dir / "control/token").stat().st_mode & 0o777 == 0o600
    assert serving.token not in "".join(serving.output)


def test_a_request_that_is_too_large_is_refused(serving):
    answer = serving.api("POST", "/v1/models/m/versions", None, headers={"Content-Length": str(17 * 1024 * 1024)})
    check_problem(answer, 413, "invalid_argument")


def connect(server: Server) -> socket.socket:
    host, port = server.addresses["control"].split(":")
    return socket.create_connection((host, int(port)), timeout=DEADLINE)


def read_to_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(4096), b""))


def test_half_sent_requests_without_a_token_hold_up_no_order(serving, backstay, releases):
    releases.release("1.0.0")
    slow = [connect(serving) for _ in range(200)]
    for i, connection in enumerate(slow):
        connection.sendall([b"POST /v1/endpoints/e/rollback HTTP/1.1\r\nHost:", b"GET", b"GET /livez HTTP/1.1\r\n\r"][i % 3])
    for _ in range(3):
        assert serving.api("GET", "/v1/models/m/versions").status == 200
        backstay("rollback", "e", "--reason", "worse", code=10)  # Nothing was released yet: an answer all the same.
    slow[2].sendall(b"\n")  # The end of the head of one of them.
    assert slow[2].recv(4096).startswith(b"HTTP/1.1 200")
    for connection in slow:
        connection.close()


def test_uploads_that_take_their_time_hold_up_neither_an_order_nor_the_end_of_the_server(serving, backstay, releases):
    releases.release("1.0.0")
    uploads = [connect(serving) for _ in range(40)]
    goes_on = threading.Event()

    def drip() -> None:
        while not goes_on.wait(0.2):
            for upload in uploads:
                try:
                    upload.sendall(b"x" * 100)
                except OSError:
                    return  # The server has ended.

    for i, upload in enumerate(uploads):
        upload.sendall(f"PUT /v1/blobs/{i:064x} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {serving.token}\r\n"
                       f"Content-Length: {1 << 30}\r\n\r\n".encode())
    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        assert serving.api("GET", "/livez").status == 200
        backstay("rollback", "e", "--reason", "worse", code=10)
        serving.stop()
    finally:
        goes_on.set()
        dripping.join()
        for upload in uploads:
            upload.close()


def test_a_head_that_does_not_come_or_does_not_end_is_told_so(serving):
    with connect(serving) as slow, connect(serving) as endless:
        slow.sendall(b"GET /v1/endpoints HTTP/1.1\r\n")
        endless.sendall(b"GET /livez HTTP/1.1\r\n" + b"A: b\r\n" * 11_000)
        assert read_to_end(endless).startswith(b"HTTP/1.1 431 ")
        head, body = read_to_end(slow).split(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 408 ") and b"application/problem+json" in head
        assert json.loads(body)["code"] == "timeout"


def test_requests_on_one_connection_are_answered_in_order(serving):
    def get(path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {serving.token}\r\n\r\n".encode()
    with connect(serving) as connection:
        connection.sendall(get("/livez") + get("/v1/nothing") + get("/livez")[:30])
        connection.sendall(get("/livez")[30:])
        connection.shutdown(socket.SHUT_WR)
        answers = read_to_end(connection)
    assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [b"200", b"404", b"200"]


INNER = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.mark.parametrize("head, status", [
    (b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: %d" % len(INNER), b"200"),
    (b"GET /livez HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked", b"413"),
    (b"POST /v1/rollouts HTTP/1.1\r\nHost: x\r\nContent-Length: %d" % len(INNER), b"401"),
    (b"GET /livez\0 HTTP/1.1\r\nHost: x\r\nA\0: b", b"400"),
])
def test_no_body_is_taken_for_a_request(serving, head, status):
    with connect(serving) as connection:
        connection.sendall(head + b"\r\n\r\n" + INNER * 2)
        answers = read_to_end(connection)
    assert re.findall(rb"HTTP/1.1 (\d+) ", answers) == [status]
    assert b"Connection: close" in answers


def test_a_connection_ends_after_as_many_requests_as_it_says_and_every_answer_arrives(serving):
    with connect(serving) as connection:
        connection.sendall(INNER * 150)
        answers = read_to_end(connection)
    assert answers.count(b"HTTP/1.1 200 ") == 100
    assert b"max=100" in answers and answers.count(b"Connection: close") == 1


@pytest.mark.parametrize("which", ["gateway", "control"])
def test_a_port_that_is_taken_is_named(backstay, which):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        listen = {"gateway": "127.0.0.1:0", "control": "127.0.0.1:0", which: address}
        config = {"endpoints": [{"name": "e", "model": "m"}], **{key: {"listen": at} for key, at in listen.items()}}
        refused = backstay("serve", "--config", backstay_config(backstay, config), code=11)
    assert address in refused.err and refused.out == ""
    assert not (backstay.data_dir / "control/address").exists()


def backstay_config(backstay, config: dict):
    file = backstay.folder / "taken.yaml"
    file.write_text(json.dumps({"data_dir": str(backstay.data_dir), **config}))
    return file


def test_a_second_server_on_the_same_data_is_refused_and_the_first_goes_on(serving, backstay):
    refused = backstay("serve", "--config", serving.config_file, code=5)
    assert str(backstay.data_dir) in refused.err
    assert backstay("status", "--json").json["endpoints"][0]["endpoint"] == "e"


def test_a_command_without_a_server_says_that_none_runs(backstay, server, backend):
    assert "backstay serve" in backstay("status", code=11).err
    killed = server({"endpoints": [{"name": "e", "model": "m", "backend": {"kind": "url", "url": backend("b").url}}]})
    killed.kill()  # Its address is still there.
    assert "does not answer" in backstay("rollback", "e", "--reason", "x", code=11).err


def test_the_gateway_says_what_it_does_not_serve(serving):
    unknown = serving.ask("GET", "/v2/models/nowhere")
    assert unknown.status == 404 and "nowhere" in unknown.json["error"]
    empty = serving.infer("e", [])
    assert empty.status == 503 and "No version is deployed on endpoint 'e' yet." in empty.json["error"]
