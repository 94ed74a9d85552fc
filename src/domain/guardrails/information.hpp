#pragma once

/// How fast evidence can be had at all: the lower bounds that no anytime-valid test beats on average (Wald):
/// E[N] >= ln(1/alpha) / KL. In nats per outcome.
namespace backstay::guardrails {

/// KL(p || q) of two coins.
double coin_divergence(double p, double q);

/// Per candidate outcome, of a bad rate `p1` against the objective "at most p0"; 0 when it keeps the objective.
double rate_information(double p1, double p0);

/// Per candidate outcome, when a share `pi` of the requests goes to the candidate: its bad rate `p1` against stable's
/// `p0` when up to `tolerance` times as much is allowed. The divergence from the nearest pair of rates that is allowed,
/// since stable's rate isn't known.
double relative_information(double p1, double p0, double pi, double tolerance);

}  // namespace backstay::guardrails
