#pragma once

#include <set>
#include <string>
#include <vector>

#include "sim/scenario.hpp"

namespace backstay::sim {

/// Everything in a scenario that could be left out: faults, and orders after the first deployment. In words, in order:
/// "crash at 3.2s", "order 4: rollback at 12s".
std::vector<std::string> faults_of(const Scenario& scenario);
/// The scenario with only these of its faults (numbers in faults_of).
Scenario with_faults(const Scenario& scenario, const std::set<std::size_t>& kept);

/// The faults that a broken promise needs: leaves out one after another as long as the same promise breaks without it.
/// What is left is minimal: without any one of them it holds, or another one breaks. Empty when nothing breaks.
std::set<std::size_t> shrink(const Scenario& scenario);

}  // namespace backstay::sim
