#pragma once

#include <string>

#include "domain/registry/scorecard.hpp"

namespace backstay::registry {

/// Which data a scorecard's figures are of, as its evaluator tells it: "..., data sha256:<digest>". The first
/// hexadecimal digits of the rows' SHA-256; empty: it does not tell, as when somebody wrote the scorecard by hand.
std::string data_digest(const Scorecard& scorecard);

/// What `backstay evaluate` signs its scorecards with; data_digest() reads it. Digests in hexadecimal.
struct Measurement {
  std::string program_version;
  std::string suite;
  std::string suite_sha256;
  std::string data_sha256;
};
std::string evaluator_of(const Measurement& measurement);

/// The names of the attributes that a group is one value of: "site" of "site=a", "site,sex" of "site=a,sex=f", "age" of
/// "age<50". Empty: the group names none ("large").
std::string attribute_of(const std::string& group);

}  // namespace backstay::registry
