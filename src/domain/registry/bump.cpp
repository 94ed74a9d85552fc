#include "domain/registry/bump.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace backstay::registry {

namespace {

const TensorSpec* find(const std::vector<TensorSpec>& tensors, const std::string& name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(), [&](const auto& t) { return t.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

/// Whether every shape that fits `before` fits `after`.
bool widens(const TensorSpec& before, const TensorSpec& after) {
  return std::equal(before.shape.begin(), before.shape.end(), after.shape.begin(), after.shape.end(),
                    [](std::int64_t was, std::int64_t is) { return is == was || is == -1; });
}

std::string spelled(const TensorSpec& tensor) {
  return fmt::format("{}[{}]", tensor.datatype, fmt::join(tensor.shape, ","));
}

/// What a changed signature means for its callers, in words.
struct SignatureChange {
  std::vector<std::string> breaking;
  std::vector<std::string> compatible;
};

void compare_inputs(const Signature& before, const Signature& after, SignatureChange& out) {
  for (const TensorSpec& was : before.inputs) {
    const TensorSpec* is = find(after.inputs, was.name);
    if (is == nullptr) {
      out.breaking.push_back(fmt::format("the input '{}' is gone", was.name));
    } else if (is->datatype != was.datatype || !widens(was, *is)) {
      out.breaking.push_back(fmt::format("the input '{}' was {} and is {}", was.name, spelled(was), spelled(*is)));
    } else if (is->shape != was.shape) {
      out.compatible.push_back(fmt::format("the input '{}' takes more shapes", was.name));
    }
  }
  for (const TensorSpec& is : after.inputs)
    if (find(before.inputs, is.name) == nullptr) out.breaking.push_back(fmt::format("the input '{}' is new", is.name));
}

void compare_outputs(const Signature& before, const Signature& after, SignatureChange& out) {
  for (const TensorSpec& was : before.outputs) {
    const TensorSpec* is = find(after.outputs, was.name);
    if (is == nullptr) {
      out.breaking.push_back(fmt::format("the output '{}' is gone", was.name));
    } else if (is->datatype != was.datatype || !widens(*is, was)) {
      out.breaking.push_back(fmt::format("the output '{}' was {} and is {}", was.name, spelled(was), spelled(*is)));
    }
  }
  for (const TensorSpec& is : after.outputs)
    if (find(before.outputs, is.name) == nullptr)
      out.compatible.push_back(fmt::format("the output '{}' is new", is.name));
}

bool declared(const Signature& signature) {
  return !signature.inputs.empty() || !signature.outputs.empty();
}

SignatureChange compare(const Signature& before, const Signature& after) {
  SignatureChange change;
  if (declared(before) && declared(after)) {
    compare_inputs(before, after, change);
    compare_outputs(before, after, change);
  } else if (declared(before)) {
    change.breaking.emplace_back("the signature is not declared any more");
  } else if (declared(after)) {
    change.compatible.emplace_back("the signature is declared");
  }
  return change;
}

/// Before 1.0.0 anything may change with the minor number (SemVer 4).
Bump breaking_bump(const SemanticVersion& before) {
  return before.major == 0 ? Bump::kMinor : Bump::kMajor;
}

SemanticVersion moved(const SemanticVersion& from, Bump bump) {
  SemanticVersion next = from;
  next.pre_release.clear();
  switch (bump) {
    case Bump::kMajor: return {from.major + 1, 0, 0, ""};
    case Bump::kMinor: return {from.major, from.minor + 1, 0, ""};
    case Bump::kPatch: ++next.patch; return next;
    case Bump::kNone: return from;
  }
  return next;
}

Bump distance(const SemanticVersion& from, const SemanticVersion& to) {
  if (to.major != from.major) return Bump::kMajor;
  if (to.minor != from.minor) return Bump::kMinor;
  return to == from ? Bump::kNone : Bump::kPatch;
}

}  // namespace

const char* to_string(Bump bump) {
  switch (bump) {
    case Bump::kNone: return "none";
    case Bump::kPatch: return "patch";
    case Bump::kMinor: return "minor";
    case Bump::kMajor: return "major";
  }
  return "none";
}

BumpAdvice advise_bump(const Manifest& before, const Manifest& after) {
  SignatureChange signature = compare(before.signature, after.signature);
  std::vector<std::string>& compatible = signature.compatible;
  std::vector<std::string> other;
  for (const std::string_view section :
       {"artifacts", "data", "code", "config", "environment", "dependencies", "parents", "changelog"}) {
    std::vector<std::string> names;
    for (const Difference& difference : diff(before, after))
      if (difference.section == section) names.push_back(difference.what);
    if (names.empty()) continue;
    const std::string text = names.size() > 3 ? fmt::format("{} changed in {} places", section, names.size())
                                              : fmt::format("{}: {}", section, fmt::join(names, ", "));
    (section == "artifacts" ? compatible : other).push_back(text);
  }
  if (before.serving != after.serving) other.emplace_back("serving");

  BumpAdvice advice;
  advice.bump = !signature.breaking.empty() ? breaking_bump(before.ref.version)
                : !compatible.empty()       ? Bump::kMinor
                : !other.empty()            ? Bump::kPatch
                                            : Bump::kNone;
  for (const auto* reasons : {&signature.breaking, &compatible, &other})
    advice.reasons.insert(advice.reasons.end(), reasons->begin(), reasons->end());
  advice.next = moved(before.ref.version, advice.bump);
  return advice;
}

Result<void> check_bump(const Manifest& before, const Manifest& after) {
  const SignatureChange change = compare(before.signature, after.signature);
  const Bump needed = breaking_bump(before.ref.version);
  if (change.breaking.empty() || distance(before.ref.version, after.ref.version) >= needed) return {};
  return Unexpected(ErrorCode::kFailedPrecondition,
                    fmt::format("{} breaks those who call {}: {}.", after.ref.str(), before.ref.str(),
                                fmt::join(change.breaking, ", ")),
                    fmt::format("A changed signature needs a {} version: register it as {}.", to_string(needed),
                                moved(before.ref.version, needed).str()));
}

}  // namespace backstay::registry
