"""Webhooks, mail and the rest: told of releases, with real receivers, and never in a rollback's way."""

import email
import email.utils
import http.server
import json
import os
import socket
import threading
import time

import pytest
from aiosmtpd.controller import Controller
from standardwebhooks.webhooks import Webhook

from backend import answers
from program import wait_until
from released import QUICK

HALF = {"steps": [{"canary": "50%", "for": "1h"}], "watch": "1h"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver:
    """An HTTP server that remembers what it was sent and when, and answers `next`, one after the other, then `status`."""

    def __init__(self):
        self.got: list[tuple[str, str, dict, bytes]] = []
        self.times: list[float] = []
        self.next: list[tuple[int, dict]] = []
        self.status = 200
        self.goes_on = threading.Event()  # An answer waits for it.
        self.goes_on.set()
        self.answer = b"{}"
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def take(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.times.append(time.monotonic())
                receiver.got.append((self.command, self.path, dict(self.headers), body))
                receiver.goes_on.wait()
                status, headers = receiver.next.pop(0) if receiver.next else (receiver.status, {})
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value() if callable(value) else value)
                self.send_header("Content-Length", str(len(receiver.answer)))
                self.end_headers()
                self.wfile.write(receiver.answer)

            do_GET = do_POST = take

            def log_message(self, *arguments):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def events(self) -> list[str]:
        return [json.loads(body)["type"] for _, path, _, body in self.got if path == "/hook"]


@pytest.fixture
def receiver():
    made = Receiver()
    yield made
    made.goes_on.set()
    made.server.shutdown()


def secret(folder, name: str, text: str) -> str:
    file = folder / name
    file.write_text(text + "\n")
    os.chmod(file, 0o600)
    return str(file)


@pytest.fixture
def told(backstay, releases, server, backend, receiver):
    """A released version whose server tells `notifications(folder)` of what happens."""
    from released import Released

    class Told(Released):
        def restart(self, notifications: list) -> None:
            self.server.stop()
            self.config["notifications"] = notifications
            self.server = server(self.config)

    def make(notifications: list, **endpoint) -> Told:
        setup = Told(backstay, releases, server, backend, endpoint)
        setup.restart(notifications)
        return setup

    return make


def test_a_rollback_is_told_by_a_webhook_whose_signature_holds(told, receiver, backstay):
    setup = told([{"name": "ops", "kind": "webhook", "url": receiver.url + "/hook",
                   "secret_file": secret(backstay.folder, "ops.secret", SECRET)}], rollout=HALF)
    setup.candidate.reply = answers(status=500)
    with setup.traffic() as traffic:
        setup.start()
        setup.server.wait_for_phase("e", "rolled_back")
        wait_until(lambda: "rollout.rollback" in receiver.events(), "the webhook")
    assert traffic.failures == [] and receiver.events() == ["rollout.start", "rollout.rollback"]
    _, _, headers, body = receiver.got[-1]
    lower = {name.lower(): value for name, value in headers.items()}
    data = Webhook(SECRET).verify(body, lower)["data"]
    assert (data["stable"], data["candidate"], data["rollout"], data["severity"]) == ("1.0.0", "2.0.0", "e-2", "error")
    assert data["serves"] == "1.0.0"
    (entry,) = [e for e in backstay.audit() if e["action"] == "rollout.rollback"]
    assert lower["webhook-id"].endswith(f"-{entry['sequence']}") and data["reason"] == entry["reason"]
    wait_until(lambda: "everything was delivered" in backstay("notify", "list").out, "the webhook to be noted")


def test_a_receiver_that_is_down_or_refuses_holds_up_no_rollback_and_loses_nothing(told, receiver, backstay):
    receiver.status = 400
    setup = told([{"name": "ops", "kind": "webhook", "url": receiver.url + "/hook"},
                  {"name": "away", "kind": "slack", "url": "http://127.0.0.1:9/"}], rollout=HALF)
    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    setup.backstay("rollback", "e", "--reason", "worse")
    assert setup.shares() == {"1.0.0": 1.0}
    letters = lambda: backstay("notify", "list", "ops", "--json").json["dead_letters"]
    wait_until(lambda: len(letters()) == 2, "the dead letters")
    assert "It answered 400." in backstay("notify", "list").out
    receiver.status = 200
    assert backstay("notify", "retry", "ops", "--json").json == {
        "due": 2, "waiting": 0, "not_served": [], "server_runs": True}
    wait_until(lambda: letters() == [], "the letters to be sent again")
    assert receiver.events()[-2:] == ["rollout.start", "rollout.rollback"]
    assert "away is being tried again: audit entry" in backstay("notify", "list").out
    assert "There are: away, ops." in backstay("notify", "list", "nobody", code=3).err
    setup.server.stop()  # Although the other target is still being tried.


def rolled_back(setup) -> None:
    """A release that starts and is taken back by hand."""
    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    setup.backstay("rollback", "e", "--reason", "worse")


def test_a_receiver_that_is_away_for_a_while_hears_of_everything_when_it_is_back(told, receiver, backstay):
    receiver.status = 503
    setup = told([{"name": "ops", "kind": "webhook", "url": receiver.url + "/hook"}], rollout=HALF)
    rolled_back(setup)
    state = lambda: backstay("notify", "list", "ops", "--json").json
    (trouble,) = wait_until(lambda: [t for t in state()["being_tried"] if t["tries"] >= 3], "three tries")
    assert trouble["why"] == "It answered 503." and trouble["since"] < trouble["next_try"]
    now = state()
    assert [w["event"] for w in now["waiting"]] == ["rollout.start", "rollout.rollback"] and now["dead_letters"] == []
    assert now["waiting"][0]["audit_sequence"] == trouble["audit_sequence"] and now["server_runs"]
    out = backstay("notify", "list").out
    assert "ops is being tried again: audit entry" in out and "next try" in out
    assert "e: 2.0.0 was rolled back to 1.0.0" in out
    down = lambda: [line for line in setup.server.errors if "ops can't be told" in line]
    wait_until(down, "the operator to be told")
    seen = len(receiver.got)
    receiver.status = 200
    wait_until(lambda: receiver.events()[seen:][-2:] == ["rollout.start", "rollout.rollback"], "what waited")
    wait_until(lambda: [line for line in setup.server.errors if "ops can be told again" in line], "the line")
    assert len(down()) == 1
    wait_until(lambda: "everything was delivered" in backstay("notify", "list").out, "nothing to wait")


def test_a_retry_by_hand_is_sent_at_once_and_what_nobody_sends_is_told(told, receiver, backstay):
    receiver.next = [(503, {"Retry-After": "3000"})]
    hook = {"name": "ops", "kind": "webhook", "url": receiver.url + "/hook"}
    setup = told([hook], rollout=HALF)
    rolled_back(setup)
    tried = lambda: backstay("notify", "list", "--json").json["being_tried"]
    (trouble,) = wait_until(tried, "the target to be down")
    receiver.next = [(200, {}), (307, {"Location": receiver.url + "/other"})]
    assert "0 to be sent again, 2 that wait: the server tries it within seconds" in backstay("notify", "retry", "ops").out
    letters = lambda: backstay("notify", "list", "--json").json["dead_letters"]
    (letter,) = wait_until(letters, "the refused message")
    assert letter["why"] == "It answered 307; redirects are not followed." and tried() == []
    assert receiver.events() == ["rollout.start", "rollout.start", "rollout.rollback"]

    setup.restart([{**hook, "name": "other"}])
    assert "the running server does not have ops" in backstay("notify", "retry", "ops").out
    assert backstay("notify", "retry", "ops", "--json").json["not_served"] == ["ops"]
    setup.server.stop()
    assert "no server runs on this registry" in backstay("notify", "retry", "ops").out
    assert backstay("notify", "retry", "--json").json["server_runs"] is False


def test_a_target_that_was_taken_out_hears_of_what_comes_since_it_is_back(told, receiver, backstay):
    hook = {"name": "ops", "kind": "webhook", "url": receiver.url + "/hook"}
    setup = told([{**hook, "name": "other", "url": receiver.url + "/other"}], rollout=HALF)
    setup.restart([hook])
    setup.restart([])
    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    setup.restart([hook])
    setup.server.wait_for_phase("e", "stepping")
    setup.backstay("rollback", "e", "--reason", "worse")
    wait_until(lambda: "rollout.rollback" in receiver.events(), "the rollback")
    assert "rollout.start" not in receiver.events()


def test_a_receiver_is_left_alone_for_as_long_as_it_asks(told, receiver, backstay):
    in_six = lambda: email.utils.formatdate(time.time() + 6, usegmt=True)
    receiver.next = [(503, {"Retry-After": "3"}), (429, {"Retry-After": in_six})]
    setup = told([{"name": "ops", "kind": "webhook", "url": receiver.url + "/hook"}], rollout=HALF)
    setup.start()
    wait_until(lambda: len(receiver.got) == 3, "the third try")
    first, second, third = receiver.times
    assert second - first >= 3 and third - second >= 4.9  # A date has whole seconds; of themselves pauses are 1 and 2 s.
    assert receiver.events() == ["rollout.start"] * 3


def test_a_rate_limit_of_github_is_waited_for(told, receiver, backstay):
    receiver.answer = b'[{"id": 7}]'
    in_four = lambda: str(int(time.time()) + 4)
    receiver.next = [(403, {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": in_four}), (403, {"Retry-After": "3"})]
    setup = told([{"name": "ci", "kind": "github", "url": receiver.url + "/gh", "repository": "acme/m",
                   "secret_file": secret(backstay.folder, "gh.token", "T0KEN")}], rollout=HALF)
    setup.start()
    wait_until(lambda: len(receiver.got) >= 4, "the status of the deployment")
    assert [method for method, *_ in receiver.got[:4]] == ["GET", "GET", "GET", "POST"]
    first, second, third, _ = receiver.times[:4]
    assert second - first >= 2.9 and third - second >= 3
    assert backstay("notify", "list", "--json").json["dead_letters"] == []


def test_the_server_stops_while_a_receiver_does_not_answer(told, receiver, backstay):
    receiver.goes_on.clear()
    setup = told([{"name": "ops", "kind": "webhook", "url": receiver.url + "/hook"}], rollout=HALF)
    setup.start()
    wait_until(lambda: receiver.got, "a message to be under way")
    began = time.monotonic()
    setup.server.stop()
    assert time.monotonic() - began < 5  # And not the ten seconds of a try.
    (waits,) = backstay("notify", "list", "--json").json["waiting"]
    assert waits["event"] == "rollout.start"
    assert "no server runs" in backstay("notify", "list").out


def test_slack_pagerduty_and_github_get_what_they_read(told, receiver, backstay):
    folder = backstay.folder
    receiver.answer = b'[{"id": 7}]'
    setup = told([{"name": "chat", "kind": "slack", "url_file": secret(folder, "slack.url", receiver.url + "/slack")},
                  {"name": "pager", "kind": "pagerduty", "url": receiver.url + "/pager",
                   "secret_file": secret(folder, "pager.key", "R0UT1NG")},
                  {"name": "ci", "kind": "github", "url": receiver.url + "/gh", "repository": "acme/m",
                   "secret_file": secret(folder, "gh.token", "T0KEN")}], rollout=HALF)
    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    setup.backstay("rollback", "e", "--reason", "worse")
    sent = lambda path: [(m, p, h, b) for m, p, h, b in receiver.got if p.startswith(path)]
    wait_until(lambda: len(sent("/slack")) == 2 and len(sent("/pager")) == 1 and len(sent("/gh")) == 6, "all messages")
    assert "2.0.0 was rolled back to 1.0.0" in json.loads(sent("/slack")[-1][3])["text"]
    page = json.loads(sent("/pager")[0][3])
    assert page["routing_key"] == "R0UT1NG" and page["event_action"] == "trigger" and page["payload"]["severity"] == "error"
    method, path, headers, body = sent("/gh")[-1]
    assert (method, path) == ("POST", "/gh/repos/acme/m/deployments/7/statuses")
    assert headers["Authorization"] == "Bearer T0KEN" and json.loads(body)["state"] == "failure"
    assert "sha=0a1b2c3&environment=e" in sent("/gh")[0][1]


def test_mail_is_sent_by_smtp(told, backstay):
    got = []

    class Inbox:
        async def handle_DATA(self, server, session, envelope):
            got.append(envelope)
            return "250 OK"

    bound = socket.create_server(("127.0.0.1", 0))
    port = bound.getsockname()[1]

    class Smtp(Controller):
        def _create_server(self):
            return self.loop.create_server(self._factory_invoker, sock=bound)

    smtp = Smtp(Inbox(), hostname="127.0.0.1", port=port)
    smtp.start()
    try:
        setup = told([{"name": "mail", "kind": "email", "url": f"smtp://127.0.0.1:{port}",
                       "from": "backstay@example.org", "to": ["ops@example.org"]}], rollout=QUICK)
        with setup.traffic():
            setup.start()
            setup.server.wait_for_phase("e", "done")
        wait_until(lambda: len(got) == 2, "both mails")
        assert got[1].mail_from == "backstay@example.org" and got[1].rcpt_tos == ["ops@example.org"]
        mail = email.message_from_bytes(got[1].content)
        assert mail["Subject"] == "e: 2.0.0 is the stable version" and "audit entry" in mail.get_payload()
        config = backstay.folder / "mail.yaml"
        config.write_text(json.dumps(setup.config))
        assert "delivered to mail" in backstay("notify", "test", "--config", config, "mail").out
        assert "This is a test" in got[2].content.decode()
        assert "The configuration has: mail." in backstay("notify", "test", "--config", config, "other", code=3).err
    finally:
        smtp.stop()


@pytest.mark.parametrize("target, part, code", [
    ({"kind": "webhook"}, "url_file must be given", 2),
    ({"kind": "fax", "url": "http://x/"}, "Use one of: webhook, slack", 2),
    ({"kind": "webhook", "url": "ftp://x/"}, "is no address", 2),
    ({"kind": "webhook", "url": "http://x/", "events": ["rollout.fun"]}, "rollout.rollback", 2),
    ({"kind": "github", "repository": "m", "secret_file": "s"}, "OWNER/NAME", 2),
    ({"kind": "email", "url": "smtp://x"}, "from: backstay@example.org", 2),
    ({"kind": "pagerduty"}, "routing key", 2),
    ({"kind": "webhook", "url": "http://x/", "secret_file": "missing"}, "can't be read", 3),
    ({"kind": "webhook", "url": "http://x/", "secret_file": "open"}, "Others may read", 4),
])
def test_a_wrong_target_is_told_before_anything_is_served(backstay, target, part, code):
    (backstay.folder / "open").write_text("x")
    os.chmod(backstay.folder / "open", 0o644)
    config = backstay.folder / "config.yaml"
    config.write_text(json.dumps({"endpoints": [{"name": "e", "model": "m"}], "notifications": [{"name": "t", **target}]}))
    assert part in backstay("notify", "test", "--config", config, "t", code=code).err
