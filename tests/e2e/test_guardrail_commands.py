"""Guardrails before a release: templates, checks, and what a policy would find with the traffic there is."""

import json

import pytest

KINDS = ["classification", "regression", "ranking", "llm", "imaging"]
POLICY = """\
guardrails:
  - {name: errors, signal: {kind: error}, objective: {relative_to: stable}}
  - {name: latency, signal: {kind: latency}, objective: {relative_to: stable, tolerance: 1.5}}
  - name: score
    signal: {kind: response_value, json_pointer: /score}
    objective: {relative_to: stable, margin: 0.02}
"""


@pytest.fixture
def policy(backstay):
    file = backstay.folder / "policy.yaml"
    file.write_text(POLICY)
    return file


@pytest.mark.parametrize("kind", KINDS)
def test_a_template_is_a_policy(backstay, kind):
    text = backstay("guardrail", "template", kind).out
    assert text.count("#") >= 4
    checked = backstay("guardrail", "check", "-", "--json", input=text).json["guardrails"]
    assert len(checked) >= 4 and all(g["restart_every"] == 1000 for g in checked)
    assert sum(g["alpha"] for g in checked) == pytest.approx(0.01)
    assert backstay("guardrail", "template", kind, "--json").json["policy"] == text


def test_an_unknown_template_names_the_nearest(backstay):
    assert "imaging" in backstay("guardrail", "template", "imagin", code=3).err
    assert "classification" in backstay("guardrail", "template", "tabular", code=3).err


COVARIATE = """\
guardrails:
  - name: basket
    signal: {kind: response_value, json_pointer: /total}
    test: value_vs_stable
    covariate: {json_pointer: /price}
    objective: {relative_to: stable, better: higher}
"""


def test_a_covariate_is_checked(backstay):
    checked = backstay("guardrail", "check", "-", "--json", input=COVARIATE).json["guardrails"]
    assert checked[0]["covariate"] == "/price of the request"
    assert "/price of the request" in backstay("guardrail", "check", "-", input=COVARIATE).out
    for change, said in [(("test: value_vs_stable", "test: paired_mean"), "covariate, which the test paired_mean doesn't take"),
                         (("{relative_to: stable, better: higher}", "{at_least: 0.5}"), "doesn't fit"),
                         (("better: higher", "sigma: 2"), "sigma and a covariate"),
                         (("{json_pointer: /price}", "{}"), "in the request"),
                         (("{json_pointer: /price}", "{json_pointer: price}"), "doesn't start with '/'"),
                         (("{json_pointer: /price}", "{pointer: /price}"), "json_pointer")]:
        assert said in backstay("guardrail", "check", "-", input=COVARIATE.replace(*change), code=2).err, change


def test_simulate_takes_what_a_covariate_explains(backstay, policy):
    ask = ["guardrail", "simulate", "-", "--guardrail", "basket", "--baseline", 10, "--effect", 9, "--weight", "20%",
           "--runs", 100]
    assert "say with --covariate-r2" in backstay(*ask, input=COVARIATE).out
    (plain,) = backstay(*ask, "--json", input=COVARIATE).json["guardrails"]
    (helped,) = backstay(*ask, "--covariate-r2", "90%", "--json", input=COVARIATE).json["guardrails"]
    assert plain["covariate"] == {"explained_ratio": None} and helped["covariate"] == {"explained_ratio": 0.9}
    assert helped["outcomes_to_detect"]["p50"] < plain["outcomes_to_detect"]["p50"] / 2
    assert helped["seconds_to_detect"]["p50"] < plain["seconds_to_detect"]["p50"] / 2
    assert helped["false_alarms"] <= 0.05 and helped["verdict"] == "enough"
    text = backstay(*ask, "--covariate-r2", "0.9", input=COVARIATE).out
    assert "explains 90% of the variance on stable" in text and "not simulated" not in text
    for share in ["100%", "-1", "nan", "much"]:
        assert "--covariate-r2" in backstay(*ask, f"--covariate-r2={share}", input=COVARIATE, code=2).err, share
    without = backstay("guardrail", "simulate", policy, "--baseline", 0.98, "--effect", 0.93, "--covariate-r2", 0.9,
                       code=2).err
    assert "has a covariate" in without


def test_simulate_tells_time_exposure_and_false_alarms(backstay, policy):
    ask = ["guardrail", "simulate", policy, "--baseline", "0.98", "--effect", "0.93", "--rate", 200, "--runs", 200]
    (errors,) = backstay(*ask, "--json").json["guardrails"]
    assert errors["guardrail"] == "errors" and errors["test"] == "rate_vs_stable" and errors["verdict"] == "enough"
    assert errors["detected"] == 1.0 and errors["false_alarms"] <= 0.05
    assert errors["bound_outcomes"] < errors["outcomes_to_detect"]["p90"]
    assert 0 < errors["seconds_to_detect"]["p50"] <= errors["seconds_to_detect"]["p90"] < 600
    assert errors["bad_outcomes_until_detected"]["p50"] < errors["outcomes_to_detect"]["p50"]
    assert backstay(*ask, "--json").json == {
        "policy": str(policy), "seed": 1, "guardrails": [errors],
        "not_simulated": [
            {"guardrail": "latency", "how": "It measures latency: give --baseline and --effect like 20ms."},
            {"guardrail": "score", "how": "It measures a value with levels of its own: name it with --guardrail score."}]}
    text = backstay(*ask).out
    assert "Not simulated: latency." in text and "Not simulated: score." in text
    assert "in time: 100% of such releases" in text
    assert "100%" in text and "#" in text and "enough traffic to find this" in text and "\x1b" not in text


def test_simulate_takes_percents_and_wants_nine_in_ten(backstay, policy):
    ask = ["guardrail", "simulate", policy, "--effect", "93%", "--weight", "5%", "--runs", 200, "--seed", 1]
    shares = backstay(*ask, "--baseline", "98%", "--for", "10m", "--json").json
    assert shares == backstay(*ask, "--baseline", "0.98", "--for", "10m", "--json").json
    found = {}
    for seconds in range(30, 200, 10):
        asked = backstay.start(*ask, "--baseline", "98%", "--for", f"{seconds}s", "--json")
        out, err = asked.communicate()
        found[seconds] = json.loads(out)["guardrails"][0]["detected"]
        assert asked.returncode == (0 if found[seconds] >= 0.9 else 8), err
    assert any(0.8 <= share < 0.9 for share in found.values()) and max(found.values()) >= 0.9


def test_simulate_says_when_there_is_never_enough_traffic(backstay, policy):
    done = backstay("guardrail", "simulate", policy, "--baseline", "0.98", "--effect", "0.93", "--rate", "0.2", "--for",
                    "10m", "--runs", 50, code=8)
    assert "never be enough traffic" in done.out
    late = backstay("guardrail", "simulate", policy, "--baseline", "0.98", "--effect", "0.5", "--delay", "1h", "--runs",
                    20, "--json", code=8).json
    assert late["guardrails"][0]["verdict"] == "never" and late["guardrails"][0]["seconds_to_detect"]["p50"] is None


def test_simulate_takes_latencies_and_scores(backstay, policy):
    (latency,) = backstay("guardrail", "simulate", policy, "--baseline", "20ms", "--effect", "60ms", "--runs", 30,
                          "--json").json["guardrails"]
    assert latency["guardrail"] == "latency" and latency["verdict"] == "enough"
    (score,) = backstay("guardrail", "simulate", policy, "--baseline", "0.8", "--effect", "0.6", "--guardrail", "score",
                        "--weight", "0.2", "--runs", 30, "--json").json["guardrails"]
    assert score["test"] == "mean_vs_stable" and score["verdict"] == "enough"


@pytest.mark.parametrize("words, code, part", [
    (["--baseline", "0.98", "--effect", "20ms"], 2, "both"),
    (["--baseline", "98", "--effect", "93"], 2, "[0, 1]"),
    (["--baseline", "93%", "--effect", "98%"], 2, "better than the baseline"),
    (["--baseline", "20ms", "--effect", "10ms"], 2, "better than the baseline"),
    (["--baseline", "x", "--effect", "0.9"], 2, "0.98"),
    (["--baseline", "0.9", "--effect", "0.8", "--weight", "5 percent"], 2, "5%"),
    (["--baseline", "0.9", "--effect", "0.8", "--rate", "0"], 2, "rate"),
    (["--baseline", "0.9", "--effect", "0.8", "--for", "ever"], 2, "ever"),
    (["--baseline", "0.9", "--effect", "0.8", "--runs", "0"], 2, "--runs"),
    (["--baseline", "0.9", "--effect", "0.8", "--guardrail", "latency"], 2, "20ms"),
    (["--baseline", "0.9", "--effect", "0.8", "--guardrail", "nothing"], 3, "errors, latency, score"),
])
def test_simulate_says_what_is_wrong(backstay, policy, words, code, part):
    assert part in backstay("guardrail", "simulate", policy, *words, code=code).err


def test_check_names_the_tests_that_would_fit(backstay):
    text = POLICY.replace("margin: 0.02}", "margin: 0.02}\n    test: rate")
    err = backstay("guardrail", "check", "-", code=2, input=text).err
    assert "mean_vs_stable, value_vs_stable, paired_mean" in err


def test_a_policy_without_guardrails_is_refused(backstay):
    assert "never taken back" in backstay("guardrail", "check", "-", code=2, input="guardrails: []").err


def test_check_takes_json(backstay):
    text = json.dumps({"family": {"control": "bonferroni", "alpha": 0.02}})
    rows = backstay("guardrail", "check", "-", "--json", input=text).json["guardrails"]
    assert [(g["guardrail"], g["alpha"]) for g in rows] == [("errors", 0.02 / 3), ("latency", 0.02 / 3), ("refused", 0.02 / 3)]
