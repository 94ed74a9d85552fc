#include "wire/policy_templates.hpp"

namespace backstay::wire {

namespace {

constexpr std::string_view kClassification =
    R"yaml(# Guardrails of a classifier. Give an endpoint `policy: THIS FILE`, or copy the list under it.
# What each would find with your traffic: backstay guardrail simulate THIS FILE --baseline 0.98 --effect 0.93 --rate 100
guardrails:
  - name: errors                      # 5xx, time-outs, broken answers: no more often than the stable version
    signal: {kind: error}
    objective: {relative_to: stable}
    action: rollback
  - name: latency                     # slower than stable's p90, p95 and p99 by more than the slack
    signal: {kind: latency}
    objective: {relative_to: stable, tolerance: 1.5, slack: 5ms}
    action: rollback
  - name: accuracy                    # labels that arrive later (backstay feedback); they may come in any order
    signal:
      kind: feedback
      json_pointer: /outputs/0/data/0 # where the predicted score is in the answer
      positive_at: 0.5                # from here on it says "positive"
    objective: {relative_to: stable}  # or at_least: 0.95, when there is a figure that must hold
    action: rollback
  - name: confidence                  # known at once, unlike labels: the model became unsure of itself
    signal: {kind: response_value, json_pointer: /outputs/0/data/0}
    objective: {relative_to: stable, margin: 0.05}
    test: mean_vs_stable              # a score in [0, 1]
    action: flag                      # only note it in the audit log
# Together they take back a good version at most once in 100 releases. Without this line each has its own alpha.
family: {control: e_bh, alpha: 0.01}
)yaml";

constexpr std::string_view kRegression = R"yaml(# Guardrails of a regression model.
guardrails:
  - name: errors
    signal: {kind: error}
    objective: {relative_to: stable}
  - name: latency
    signal: {kind: latency}
    objective: {relative_to: stable, tolerance: 1.5, slack: 5ms}
  - name: range                       # answers that can't be: anything below zero, and answers without a number
    signal: {kind: response_value, json_pointer: /outputs/0/data/0, ok_when: {at_least: 0}}
    objective: {at_least: 0.999}
    test: rate
    action: rollback
  - name: level-up                    # the mean of the predictions has moved: not wrong by itself, so a person looks
    signal: {kind: response_value, json_pointer: /outputs/0/data/0}
    objective: {relative_to: stable, better: lower, margin: 1.0}  # margin: in the unit of the prediction
    test: value_vs_stable             # any finite variance; sigma: 25 if you know a bound makes it exact
    action: pause
  - name: level-down
    signal: {kind: response_value, json_pointer: /outputs/0/data/0}
    objective: {relative_to: stable, better: higher, margin: 1.0}
    test: value_vs_stable
    action: pause
family: {control: e_bh, alpha: 0.01}
)yaml";

constexpr std::string_view kRanking = R"yaml(# Guardrails of a ranking or recommendation model.
guardrails:
  - name: errors
    signal: {kind: error}
    objective: {relative_to: stable}
  - name: latency
    signal: {kind: latency}
    objective: {relative_to: stable, tolerance: 1.2, slack: 2ms}
  - name: conversion                  # a click or a purchase within half an hour: backstay feedback, or POST /v1/feedback
    signal: {kind: conversion, within: 30m}
    objective: {relative_to: stable, tolerance: 1.05}  # at least 1/1.05 times as often as stable's
    action: rollback
  - name: unsuitable                  # share of unsuitable items in the list, from your filter: sum over sum
    signal: {kind: response_value, json_pointer: /unsuitable_items, per: {json_pointer: /items}}
    objective: {relative_to: stable, better: lower, tolerance: 1.1}
    test: ratio_vs_stable             # delta method: lists differ in length
    min_samples: 200                  # its variance is estimated
    action: rollback
family: {control: e_bh, alpha: 0.01}
)yaml";

constexpr std::string_view kLlm = R"yaml(# Guardrails of a language model behind an API.
guardrails:
  - name: errors
    signal: {kind: error}
    objective: {relative_to: stable}
  - name: latency                     # of the whole answer
    signal: {kind: latency}
    objective: {relative_to: stable, tolerance: 1.5, slack: 200ms}
  - name: safety                      # a classifier's score that the server puts into the answer
    signal: {kind: response_value, header: X-Safety-Score, ok_when: {at_least: 0.5}}
    objective: {at_least: 0.95}       # 95% safe, in the first hour
    test: rate
    window: 1h
    action: rollback
  - name: tokens                      # what an answer costs: tokens per answer
    signal: {kind: response_value, json_pointer: /usage/completion_tokens}
    objective: {relative_to: stable, better: lower, margin: 50}
    test: value_vs_stable
    min_samples: 200
    action: pause
  - name: complaints                  # what users report within an hour of the answer
    signal: {kind: report, within: 1h}
    objective: {relative_to: stable, tolerance: 1.2}
    action: rollback
family: {control: bonferroni, alpha: 0.01}
)yaml";

constexpr std::string_view kImaging =
    R"yaml(# Guardrails of a diagnostic imaging model: sensitivity and specificity, also for each group of patients.
# /group must be an echo of the request (1, 2, ...): something that the version can't change.
guardrails:
  - name: errors
    signal: {kind: error}
    objective: {relative_to: stable}
  - name: latency
    signal: {kind: latency}
    objective: {at_most: 5s, quantile: 0.99}
  - name: sensitivity                 # of the cases with a finding, how many were found
    signal: {kind: feedback, json_pointer: /score, positive_at: 0.3, among: positives}
    objective: {at_least: 0.95}
    action: rollback
  - name: specificity                 # of the cases without one, how many were left alone
    signal: {kind: feedback, json_pointer: /score, positive_at: 0.3, among: negatives}
    objective: {at_least: 0.80}
    action: rollback
  - name: sensitivity-group-1
    signal:
      {kind: feedback, json_pointer: /score, positive_at: 0.3, among: positives, segment: {json_pointer: /group, is: 1}}
    objective: {at_least: 0.93}
    action: rollback
  - name: sensitivity-group-2
    signal:
      {kind: feedback, json_pointer: /score, positive_at: 0.3, among: positives, segment: {json_pointer: /group, is: 2}}
    objective: {at_least: 0.93}
    action: rollback
  - name: specificity-group-1
    signal:
      {kind: feedback, json_pointer: /score, positive_at: 0.3, among: negatives, segment: {json_pointer: /group, is: 1}}
    objective: {at_least: 0.75}
    action: rollback
  - name: specificity-group-2
    signal:
      {kind: feedback, json_pointer: /score, positive_at: 0.3, among: negatives, segment: {json_pointer: /group, is: 2}}
    objective: {at_least: 0.75}
    action: rollback
  - name: agreement                   # in a shadow step: flagged by both versions or by neither, case by case
    signal: {kind: agreement, json_pointer: /score, ok_when: {below: 0.3}}
    objective: {at_least: 0.97}
    action: pause
# Groups that are all somewhat worse are enough together.
family: {control: e_bh, alpha: 0.01}
)yaml";

}  // namespace

const std::vector<PolicyTemplate>& policy_templates() {
  static const std::vector<PolicyTemplate> all{
      {"classification", "labels, confidence", kClassification},
      {"regression", "impossible values, level of the predictions", kRegression},
      {"ranking", "conversions, share of unsuitable items", kRanking},
      {"llm", "safety score, tokens, complaints", kLlm},
      {"imaging", "sensitivity and specificity per group, shadow agreement", kImaging},
  };
  return all;
}

}  // namespace backstay::wire
