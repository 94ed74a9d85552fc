#pragma once

#include <string>

#include "domain/gates/figures.hpp"
#include "domain/gates/intervals.hpp"

/// How much a figure says: its limits, and why it may say nothing.
namespace backstay::gates {

/// Seconds, and all that a latency scorecard has: compared as they are when they have no limits.
bool is_time(const Measured& measured);
bool has_limits(const Measured& measured);
/// A share of samples, of which Wilson's limits hold when no others are given.
bool is_rate(const Measured& measured);
/// Limits without any width are those of samples that were all alike, which a few of them often are: fewer than
/// kFewestAlike.
bool all_alike(const Measured& measured);

/// Why it may not pass a rule whatever its value says; empty: it may. Nothing tells how far chance moves a mean of
/// samples that is no rate.
std::string lacks(const Measured& measured, const Rule& rule);
/// Limits that hold less often than the gate asks for say nothing to it. Empty: they hold often enough.
std::string too_weak(const Measured& measured, double confidence);

/// Those of the scorecard, or Wilson's; infinite: of an error nothing is known without limits.
Interval limits_of(const Measured& measured, double confidence);
/// Of the difference of two groups. Limits that were given are combined as Newcombe's method 10 combines Wilson's.
Interval gap_limits(const Measured& high, const Measured& low, double confidence);

/// "12 samples cannot tell: ...", with how many it takes at least where that can be known.
std::string cannot_tell(const Rule& rule, const Measured& measured, double confidence);

}  // namespace backstay::gates
