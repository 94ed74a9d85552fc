"""The control API as its OpenAPI document describes it, and what the document promises of all routes: entity tags, keys that make a
request happen once, cursors."""

import base64
import hashlib
import os
import pathlib
import socket
import subprocess
import sys

import pytest

from program import DEADLINE
from released import LONG
from test_control_api import check_problem, manifest, put


@pytest.fixture
def serving(server, backend):
    return server({"endpoints": [{"name": "e", "model": "m", "backend": {"kind": "url", "url": backend("b").url}}]})


def register(serving, version: str, **more):
    put(serving, b"model")
    return serving.api("POST", "/v1/models/m/versions", {**manifest(version, b"model"), **more})


# tus wants 412 for another protocol version, HTTP 416 for a range that is none.
SCHEMATHESIS = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 415, 416, 422, "5xx"]
missing_required_header.expected-statuses = [400, 401, 403, 406, 412, 415, 422]
"""
HOOKS = """
import schemathesis
schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
"""


def test_the_server_does_what_its_document_says_to_what_strangers_send(serving):
    """schemathesis makes requests from the document, right and wrong ones, and checks the answers against it."""
    register(serving, "2.1.0", changelog="A version that examples name.")
    folder = serving.program.folder
    (folder / "schemathesis.toml").write_text(SCHEMATHESIS)
    (folder / "upload_hooks.py").write_text(HOOKS)
    command = [
        str(pathlib.Path(sys.executable).parent / "schemathesis"), "run", f"http://{serving.addresses['control']}/v1/openapi.json",
        "--header", f"Authorization: Bearer {serving.token}", "--phases", "examples,coverage,fuzzing", "--max-examples", "8",
        "--seed", "20250801", "--generation-deterministic", "--max-response-time", str(DEADLINE),
        # A version whose blobs are not stored, a rollout without a gate: right by the document, refused by the state.
        "--exclude-checks", "positive_data_acceptance", "--no-color"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE * 4, cwd=folder,
                          env={**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"), "SCHEMATHESIS_HOOKS": "upload_hooks",
                               "PYTHONPATH": str(folder)})
    assert done.returncode == 0, done.stdout[-20000:] + done.stderr[-2000:]
    assert "Operations" in done.stdout and serving.running


def test_what_was_read_is_not_sent_again_until_it_changes(serving):
    register(serving, "1.0.0")
    for path in ("/v1/models/m/versions/1.0.0", "/v1/versions", "/v1/models/m/versions", "/v1/audit", "/v1/endpoints/e"):
        first = serving.api("GET", path)
        tag = first.headers["ETag"]
        assert tag == f'"{hashlib.sha256(first.body).hexdigest()}"'
        for header in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = serving.api("GET", path, headers={"If-None-Match": header})
            assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag)
        assert serving.api("GET", path, headers={"If-None-Match": '"other"'}).status == 200
    before = serving.api("GET", "/v1/versions").headers["ETag"]
    register(serving, "1.1.0")
    assert serving.api("GET", "/v1/versions", headers={"If-None-Match": before}).status == 200


def test_a_manifests_tag_is_the_versions_identity(serving):
    version = register(serving, "1.0.0").json
    answer = serving.api("GET", "/v1/models/m/versions/1.0.0/manifest")
    assert answer.headers["ETag"] == f'"{version["manifest_sha256"]}"'
    assert hashlib.sha256(answer.body).hexdigest() == version["manifest_sha256"]


def test_a_request_with_a_key_happens_once_and_survives_a_restart(serving, server, backstay):
    put(serving, b"model")
    card = {"kind": "quality", "dataset": "d", "evaluator": "ci", "metrics": [{"name": "accuracy", "value": 0.9}]}
    register(serving, "1.0.0")
    path, key = "/v1/models/m/versions/1.0.0/scorecards", {"Idempotency-Key": "0a1b-2c3d"}
    first = serving.api("POST", path, card, headers=key)
    again = serving.api("POST", path, card, headers=key)
    assert first.status == again.status == 201 and first.body == again.body
    assert (first.headers["Idempotency-Replayed"], again.headers["Idempotency-Replayed"]) == (None, "true")
    assert len(serving.api("GET", path).json["scorecards"]) == 1
    other = {**card, "dataset": "other"}
    check_problem(serving.api("POST", path, other, headers=key), 422, "invalid_argument")
    check_problem(serving.api("POST", path, card, headers={"Idempotency-Key": "x y"}), 400, "invalid_argument")
    serving.stop()
    restarted = server({"endpoints": [{"name": "e", "model": "m"}]})
    assert restarted.api("POST", path, card, headers=key).body == first.body
    assert len(restarted.api("GET", path).json["scorecards"]) == 1


def test_what_was_refused_is_refused_again_with_the_same_key(serving):
    key = {"Idempotency-Key": "k"}
    first = serving.api("POST", "/v1/models/m/versions", manifest("1.0.0", b"model"), headers=key)
    check_problem(first, 412, "failed_precondition")
    put(serving, b"model")
    assert serving.api("POST", "/v1/models/m/versions", manifest("1.0.0", b"model"), headers=key).body == first.body
    assert serving.api("POST", "/v1/models/m/versions", manifest("1.0.0", b"model"), headers={"Idempotency-Key": "l"}).status == 201


def test_a_post_that_names_no_length_has_no_body(serving):
    host, port = serving.addresses["control"].rsplit(":", 1)
    digest = base64.b64encode(hashlib.sha256(b"model").hexdigest().encode()).decode()
    with socket.create_connection((host, int(port)), timeout=DEADLINE) as connection:
        connection.sendall(f"POST /v1/uploads HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {serving.token}\r\n"
                           f"Tus-Resumable: 1.0.0\r\nUpload-Length: 5\r\nUpload-Metadata: sha256 {digest}\r\n\r\n".encode())
        assert connection.makefile("rb").readline() == b"HTTP/1.1 201 Created\r\n"


def test_lists_are_given_in_pages(serving):
    for minor in range(5):
        register(serving, f"1.{minor}.0")
    for path, items, of in (("/v1/versions?filter=model%20%3D%20m%20ORDER%20BY%20version", "versions", "version"),
                            ("/v1/models/m/versions", "versions", "version"), ("/v1/audit", "entries", "sequence")):
        at, seen = f"{path}{'&' if '?' in path else '?'}limit=2", []
        while at:
            page = serving.api("GET", at)
            assert page.status == 200 and len(page.json[items]) <= 2
            seen += [item[of] for item in page.json[items]]
            link = page.headers["Link"]
            assert (link is None) == (page.json["next"] is None)
            at = link and link[link.index("<") + 1:link.index(">")]
        assert len(seen) == len(set(seen)) == 5, path


def test_a_search_notes_a_name_that_no_version_has(serving):
    register(serving, "1.0.0")
    page = serving.api("GET", "/v1/versions?filter=acuracy%20%3E%200.5").json
    assert page["versions"] == [] and page["notes"] == ["No version has a metric 'acuracy'."]
    assert serving.api("GET", "/v1/versions?filter=model%20%3D%20m").json["notes"] == []


@pytest.mark.parametrize("path", ["/v1/versions?limit=0", "/v1/versions?limit=501", "/v1/versions?limit=x", "/v1/versions?cursor=zz",
                                  "/v1/versions?filter=stagee%20%3D%20x", "/v1/versions?fliter=x", "/v1/audit?cursor=-1",
                                  "/v1/audit?from=1x", "/v1/endpoints/e/rollouts?cursor=nowhere", "/v1/status?x=1"])
def test_a_wrong_parameter_is_a_bad_request(serving, path):
    check_problem(serving.api("GET", path), 400, "invalid_argument")


def test_an_order_is_for_the_endpoint_as_its_sender_saw_it(released):
    one = released(rollout=LONG)
    before = one.server.api("GET", "/v1/endpoints/e")
    assert before.json["stable"] == "1.0.0" and before.json["rollout"] is None
    one.start()
    one.server.wait_for_phase("e", "stepping")
    stale = one.server.api("POST", "/v1/endpoints/e/pause", {"reason": "x"}, headers={"If-Match": before.headers["ETag"]})
    check_problem(stale, 412, "failed_precondition")
    assert one.server.status("e")["rollout"]["phase"] == "stepping"
    seen = one.server.api("GET", "/v1/endpoints/e")
    assert seen.json["rollout"]["candidate"] == "2.0.0"
    # Exactly one of two people who saw the same may act on it.
    paused = one.server.api("POST", "/v1/endpoints/e/pause", {"reason": "x"}, headers={"If-Match": seen.headers["ETag"]})
    assert paused.status == 200, paused.body
    second = one.server.api("POST", "/v1/endpoints/e/rollback", {"reason": "y"}, headers={"If-Match": seen.headers["ETag"]})
    check_problem(second, 412, "failed_precondition")
