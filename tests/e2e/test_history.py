"""Stages, aliases and changelogs: the whole history, with who, when and why."""

import json

from released import LONG, Released


def test_log_reads_like_a_release_history(released):
    setup: Released = released()
    setup.start()
    setup.server.wait_for_phase("e", "stepping", "watching")
    setup.backstay("rollback", "e", "--reason", "worse on site A")
    versions = setup.backstay("log", "m", "--json").json
    assert [v["version"] for v in versions] == ["2.0.0", "1.0.0"]
    assert [e["action"] for e in versions[1]["events"]][:4] == [
        "scorecard.add", "gate.verdict", "rollout.start", "rollout.done"]
    newest = versions[0]["events"][-1]
    assert (newest["action"], newest["actor"], newest["reason"]) == ("rollout.rollback", "tester", "worse on site A")
    assert {c["section"] for c in versions[0]["changes"]} == {"artifacts", "changelog"}
    shown = setup.backstay("log", "m").out
    assert shown.index("2.0.0") < shown.index("worse on site A") < shown.index("Release 1.0.0.")
    setup.backstay("log", "nobody", code=3)


def test_a_version_that_was_taken_back_after_its_release_says_so_when_by_whom_and_why(released):
    setup: Released = released(rollout=LONG)
    setup.start("--blue-green")
    setup.server.wait_for_phase("e", "watching")
    setup.backstay("rollout", "promote", "e", "--reason", "held through the watch")
    setup.server.wait_for_phase("e", "done")
    assert "taken back" not in setup.backstay("log", "m").out
    setup.backstay("rollback", "e", "--reason", "site-d quarantined")
    setup.server.wait_for_phase("e", "done")
    newest, first = setup.backstay("log", "m", "--json").json
    left = newest["events"][-1]
    assert (left["text"], left["actor"], left["reason"]) == (
        "taken back from e, where 1.0.0 returns", "tester", "site-d quarantined")
    assert newest["taken_back_from"] == ["e"] and first["taken_back_from"] == []
    assert [e["text"] for e in first["events"]][-2:] == ["returns to e", "back on e"]
    assert [e["text"] for e in first["events"]][:4] == ["measured", "judged by a gate", "rollout to e began", "released to e"]
    shown = setup.backstay("log", "m").out
    newest_shown = shown[:shown.index("\n1.0.0  ")]
    assert newest_shown.startswith("2.0.0  Archived  taken back from e\n")
    assert newest_shown.index("released to e by") < newest_shown.index("taken back from e, where 1.0.0 returns by tester")
    assert "site-d quarantined" in newest_shown and "rollout." not in shown
    text = setup.backstay("changelog", "m").out
    mine = text[:text.index("\n## 1.0.0 ")]
    assert "(Archived, taken back from e)\n" in mine and "released to e by" in mine
    assert "**taken back from e, where 1.0.0 returns** by tester: site-d quarantined\n" in mine


def test_a_version_that_a_rollout_takes_back_says_so_until_it_is_tried_again(released):
    setup: Released = released(rollout=LONG)
    setup.start()
    setup.server.wait_for_phase("e", "stepping")
    setup.backstay("rollback", "e", "--reason", "worse on site A")
    newest, first = setup.backstay("log", "m", "--json").json
    assert newest["events"][-1]["text"] == "taken back from e" and newest["taken_back_from"] == ["e"]
    assert "**taken back from e** by tester: worse on site A\n" in setup.backstay("changelog", "m").out
    setup.start()
    assert setup.backstay("log", "m", "--json").json[0]["taken_back_from"] == []


def test_changelog_is_markdown_that_people_cannot_break(backstay, releases):
    releases.release("1.0.0", changelog="First <script>*one*\n# not a heading")
    releases.release("1.1.0", config={"seed": 8})
    text = backstay("changelog", "m").out
    assert text.startswith("# Changelog of m\n\n## 1.1.0 - 20")
    assert "### Changed since 1.0.0\n\n- artifacts: weights.bin" in text
    assert "- config: seed 7 → 8\n" in text
    assert "- accuracy: 0.97 (2000 samples, held-out, by tests, by hand)" in text
    assert "First &lt;script>\\*one\\* \\# not a heading" in text


def test_an_alias_names_a_version_everywhere_and_keeps_its_history(backstay, releases):
    releases.release("1.0.0")
    releases.release("1.1.0")
    backstay("alias", "set", "m@1.0.0", "champion", "--reason", "first")
    backstay("alias", "set", "m@1.1.0", "champion", "--expect", "1.0.0")
    assert backstay("show", "m@champion", "--json").json["version"] == "1.1.0"
    assert "1.0.0 and no" not in backstay("show", "m@loser", code=3).err
    refused = backstay("alias", "set", "m@1.0.0", "champion", "--expect", "1.0.0", code=5).err
    assert "points to 1.1.0" in refused
    backstay("alias", "set", "m@1.0.0", "champion", "--expect", "none", code=5)
    backstay("alias", "set", "m@1.0.0", "2.0.0", code=2)
    backstay("alias", "set", "m@1.0.0", "latest", code=2)
    assert [a["alias"] for a in backstay("alias", "list", "m", "--json").json] == ["champion"]
    backstay("alias", "remove", "m", "champion")
    backstay("alias", "remove", "m", "champion", code=3)
    backstay("show", "m@champion", code=3)
    assert [(e["action"], e["subject"]) for e in backstay.audit() if e["action"].startswith("alias")] == [
        ("alias.set", "m@1.0.0"), ("alias.set", "m@1.1.0"), ("alias.remove", "m@1.1.0")]


def test_of_many_who_move_an_alias_at_once_each_knows_where_it_came_from(backstay, releases):
    """Compare-and-set: the history is one chain, whoever was first."""
    for minor in range(5):
        releases.register(f"1.{minor}.0")
    backstay("alias", "set", "m@1.0.0", "champion")
    movers = [backstay.start("alias", "set", f"m@1.{minor}.0", "champion", "--expect", "1.0.0") for minor in range(1, 5)]
    codes = sorted(mover.wait() for mover in movers)
    for mover in movers:
        mover.communicate()
    assert codes == [0, 5, 5, 5]


def test_only_what_nobody_uses_is_archived(released):
    setup: Released = released()
    assert "serves" in setup.backstay("archive", "m@1.0.0", "--reason", "old", code=10).err
    setup.backstay("archive", "m@2.0.0", "--reason", "no good")
    setup.backstay("archive", "m@2.0.0", "--reason", "no good", code=5)
    assert setup.stages()["2.0.0"] == "Archived"
    refused = setup.backstay("rollout", "start", "e", "m@2.0.0", code=10)
    assert "m@2.0.0 is archived" in refused.err and "backstay restore m@2.0.0" in refused.err
    setup.backstay("restore", "m@2.0.0", "--reason", "it was")
    setup.backstay("restore", "m@1.0.0", "--reason", "x", code=5)
    assert setup.stages() == {"1.0.0": "Production", "2.0.0": "Staging"}
    setup.start()


def test_a_candidate_that_is_still_warming_is_in_use(backstay, releases, server):
    releases.release("1.0.0")
    server({"endpoints": [{"name": "e", "model": "m", "backend": {"kind": "url", "url": "http://127.0.0.1:1"}}]})
    backstay("rollout", "start", "e", "m@1.0.0")
    assert "candidate of rollout e-1" in backstay("archive", "m@1.0.0", "--reason", "x", code=10).err


def test_a_changed_signature_needs_a_major_version(backstay, releases):
    narrow = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 30]}]}
    wide = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 31]}]}
    releases.register("1.0.0", signature=narrow)
    refused = backstay("register", releases.describe("1.1.0", signature=wide), code=10).err
    planned = backstay("register", releases.describe("1.1.0", signature=wide), "--dry-run", code=10)
    assert planned.err.splitlines()[-len(refused.splitlines()):] == refused.splitlines(), "a dry run ends the same way"
    assert "would be refused" in planned.out and "suggested version: 2.0.0" in planned.out
    as_json = backstay("register", releases.describe("1.1.0", signature=wide), "--dry-run", "--json", code=10)
    assert "FP32[-1,31]" in json.loads(as_json.err)["error"]["message"] and as_json.out == ""
    assert "FP32[-1,30] and is FP32[-1,31]" in refused and "2.0.0" in refused
    assert [v["version"] for v in backstay("list", "m", "--json").json] == ["1.0.0"]
    releases.register("2.0.0", signature=wide)
    releases.register("1.1.0", signature=narrow)
    releases.register("1.1.0", signature=narrow)


def test_a_dry_run_refuses_other_content_as_registering_does(backstay, releases):
    releases.register("1.0.0")
    other = releases.describe("1.0.0", config={"seed": 8})
    refused = backstay("register", other, code=5).err
    planned = backstay("register", other, "--dry-run", code=5)
    assert planned.err == refused and "What differs: config seed (7 -> 8)" in refused
    assert "suggested version: 1.0.1" in planned.out or "suggested version: 1.1.0" in planned.out


def test_a_dry_run_says_which_number_fits_and_stores_nothing(backstay, releases):
    releases.register("1.0.0")
    blobs = backstay.blobs()
    plan = backstay("register", releases.describe("7.0.0", files={"weights.bin": b"new"}), "--dry-run", "--json").json
    assert plan["suggested"] == "1.1.0"
    assert plan["bump"] == "minor"
    assert "artifacts: weights.bin" in plan["reasons"]
    assert backstay.blobs() == blobs
    assert len(backstay("list", "m", "--json").json) == 1
    # What it would be is what it becomes.
    assert releases.register("7.0.0", files={"weights.bin": b"new"}).json["manifest_sha256"] == plan["manifest_sha256"]
    shown = backstay("register", releases.describe("1.1.0", files={"weights.bin": b"newer"}), "--dry-run").out
    assert "7.1.0" in shown
