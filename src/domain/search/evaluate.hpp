#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "domain/search/facts.hpp"
#include "domain/search/query.hpp"

namespace backstay::search {

/// All that a filter can ask about one version.
struct Row {
  std::uint64_t id = 0;  ///< In the order of registering, over all models.
  registry::VersionRef ref;
  std::uint64_t ordinal = 0;
  std::string stage;
  std::vector<std::string> aliases;
  Timestamp created;
  std::string registered_by;
  bool complete = false;
  Digest identity;
  std::vector<Fact> facts;
  std::string changelog;
  std::map<std::pair<std::string, std::string>, double> metrics;  ///< By name and group, newest.
  std::map<std::string, std::string> verdicts;                    ///< By gate, newest.
};

/// Whether the version fulfils the condition: the meaning of the language, which every store must agree with.
bool matches(const Node& node, const Row& row, Timestamp now);

/// Whether a text has the parts in this order, from its first byte to its last.
bool matches(const Text& pattern, std::string_view text, bool any_case);

/// The span of time that a value of `created` stands for.
Period period_of(const Value& value, Timestamp now);

}  // namespace backstay::search
