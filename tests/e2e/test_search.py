"""Finding versions by a filter, from the command line: what is found, in pages, and what a wrong filter is told."""

import pytest

FILTER = 'accuracy > 0.95 AND data.slice = "site-*" AND stage != Archived ORDER BY created DESC'


def found(backstay, text: str) -> list[str]:
    return [version["version"] for version in backstay("search", text, "--json").json["versions"]]


def test_versions_are_found_by_what_was_registered_measured_and_judged(backstay, releases):
    releases.release("1.0.0")
    releases.register("1.1.0", config={"seed": 8, "optimizer": {"lr": 0.001}}, changelog="Sensitivity rises at site C.")
    assert found(backstay, FILTER) == ["1.0.0"]
    assert found(backstay, "verdict.production = PASS") == ["1.0.0"]
    assert found(backstay, "config.optimizer.lr < 0.01 AND config.seed = 8") == ["1.1.0"]
    assert found(backstay, 'changelog MATCH "site c"') == ["1.1.0"]
    assert found(backstay, "version > 1.0.0 AND accuracy IS NULL") == ["1.1.0"]
    assert "m@1.1.0" in backstay("search", "model = m").out
    assert "No version" in backstay("search", "model = n").out


def test_pages_follow_each_other_until_the_end(backstay, releases):
    for minor in range(5):
        releases.register(f"1.{minor}.0")
    seen, cursor = [], None
    while True:
        page = backstay("search", "model = m ORDER BY version", "--limit", 2, "--json", *(["--cursor", cursor] if cursor else [])).json
        seen += [version["version"] for version in page["versions"]]
        cursor = page["next"]
        if cursor is None:
            break
        releases.register(f"0.0.{len(seen)}")  # Before the place where the page ended.
    assert seen == [f"1.{minor}.0" for minor in range(5)]
    first = backstay("list", "m", "--limit", 3).out
    assert first.count("m@") == 3 and "more: backstay list m --limit 3 --cursor " in first
    rest = backstay("list", "m", "--limit", 3, "--cursor", first.split("--cursor ")[1].strip(), "--json").json
    assert len(rest["versions"]) == 3 and rest["next"] is not None
    assert len(backstay("list", "--json").json) == 7


@pytest.mark.parametrize("text, told", [
    ("stagee = Staging", "stage"), ("accuracy > high", "number"), ("model = 'm", "quote"), ("model = m;", "character 10"),
    ("(" * 50 + "model = m" + ")" * 50, "nested"), ("x" * 10_000, "longer"), ("model = 'm' ORDER BY stage", "ordered")])
def test_a_wrong_filter_is_told_where_and_what_to_do(backstay, releases, text, told):
    releases.register("1.0.0")
    refused = backstay("search", text, code=2)
    assert told in refused.err


def test_a_filter_is_never_part_of_a_statement(backstay, releases):
    releases.register("1.0.0")
    for text in ["model = \"m' OR '1'='1\"", "config.\"seed') OR ('1'='1\" = 1", "metrics.\"a' --\" > 0", "changelog CONTAINS \"a\\\" OR b\""]:
        assert found(backstay, text) == []
    assert found(backstay, "") == ["1.0.0"]


def test_a_cursor_of_another_filter_or_a_wrong_limit_is_refused(backstay, releases):
    releases.register("1.0.0")
    releases.register("1.1.0")
    cursor = backstay("search", "model = m", "--limit", 1, "--json").json["next"]
    assert "cursor" in backstay("search", "model = n", "--cursor", cursor, code=2).err
    assert "cursor" in backstay("search", "model = m", "--cursor", "zz", code=2).err
    assert "500" in backstay("search", "model = m", "--limit", 0, code=2).err


def test_the_command_for_the_next_page_names_the_given_registry(backstay, releases):
    for version in ("1.0.0", "1.0.1"):
        releases.register(version)
    del backstay.environment["BACKSTAY_DATA_DIR"]
    page = backstay("search", "model = m", "--limit", 1, "--data-dir", backstay.data_dir).out
    assert f"more: backstay search 'model = m' --limit 1 --data-dir '{backstay.data_dir}' --cursor " in page


def test_a_name_that_no_version_has_is_told(backstay, releases):
    releases.register("1.0.0", config={"learning_rate": 0.1})
    releases.measure("1.0.0")
    metric = backstay("show", "m@1.0.0", "--json").json["scorecards"][0]["metrics"][0]["name"]
    slip = metric[:-2] + metric[-1] + metric[-2]
    done = backstay("search", f"{slip} > 0.5")
    assert f"note: No version has a metric '{slip}'. Did you mean '{metric}'?" in done.err
    assert backstay("search", f"{slip} > 0.5", "--json").json["notes"] == [
        f"No version has a metric '{slip}'. Did you mean '{metric}'?"]
    assert "Did you mean 'config.learning_rate'?" in backstay("search", "config.learning_rte = 0.1").err
    # A name that is no field is a metric's, which is compared with a number: an error, or nothing is found.
    for value, code in (("x", 2), ("1", 0)):
        assert "A gate's verdict is verdict.GATE." in backstay("search", f"verdict = {value}", code=code).err
        assert "'artifact.path'" in backstay("search", f"artifact = {value}", code=code).err
        assert "Did you mean 'model'?" in backstay("search", f"NOT (name = {value})", code=code).err
    # What is there is not talked about, nor is it when nothing matches.
    for fine in (f"{metric} > 5", "config.learning_rate = 7", "model = m"):
        assert backstay("search", fine).err == "" and backstay("search", fine, "--json").json["notes"] == []
