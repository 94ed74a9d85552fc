#include "domain/search/fields.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/text.hpp"

namespace backstay::search {

namespace {

using Kind = Field::Kind;

constexpr std::size_t kMaxNameBytes = 512;

struct Named {
  const char* name;
  Kind kind;
};
constexpr std::array kFields = {
    Named{"model", Kind::kModel},
    Named{"version", Kind::kVersion},
    Named{"ordinal", Kind::kOrdinal},
    Named{"stage", Kind::kStage},
    Named{"alias", Kind::kAlias},
    Named{"created", Kind::kCreated},
    Named{"registered_by", Kind::kRegisteredBy},
    Named{"complete", Kind::kComplete},
    Named{"identity", Kind::kIdentity},
    Named{"changelog", Kind::kChangelog},
    Named{"parent", Kind::kText},
    Named{"dependency", Kind::kText},
    Named{"code.commit", Kind::kText},
    Named{"code.repository", Kind::kText},
    Named{"code.preprocessing", Kind::kText},
    Named{"code.dirty", Kind::kText},
    Named{"code.command", Kind::kText},
    Named{"data.set", Kind::kText},
    Named{"data.slice", Kind::kText},
    Named{"data.role", Kind::kText},
    Named{"data.uri", Kind::kText},
    Named{"data.sha256", Kind::kText},
    Named{"artifact.path", Kind::kText},
    Named{"artifact.sha256", Kind::kText},
    Named{"signature.input", Kind::kText},
    Named{"signature.output", Kind::kText},
    Named{"serving.runtime", Kind::kText},
    Named{"serving.entry", Kind::kText},
    Named{"artifact.size", Kind::kScalar},
    Named{"data.rows", Kind::kScalar},
    Named{"data.note", Kind::kText},
    Named{"data.profile_sha256", Kind::kText},
    Named{"scan", Kind::kText},
    Named{"scorecard.kind", Kind::kText},
    Named{"scorecard.dataset", Kind::kText},
    Named{"scorecard.evaluator", Kind::kText},
};
/// Fields whose name goes on after the prefix.
constexpr std::array kPrefixes = {
    Named{"config.", Kind::kScalar},   Named{"environment.", Kind::kRelease}, Named{"dependency.", Kind::kRelease},
    Named{"verdict.", Kind::kVerdict}, Named{"metrics.", Kind::kMetric},
};

struct Meant {
  const char* name;
  const char* hint;
};
/// Names that people take for fields; the language takes them for metrics.
constexpr std::array kMeant = {
    Meant{"verdict", "A gate's verdict is verdict.GATE."},
    Meant{"gate", "A gate's verdict is verdict.GATE."},
    Meant{"artifact", "Did you mean 'artifact.path' or 'artifact.sha256'?"},
    Meant{"name", "Did you mean 'model'?"},
    Meant{"dirty", "Did you mean 'code.dirty'?"},
    Meant{"commit", "Did you mean 'code.commit'?"},
    Meant{"repository", "Did you mean 'code.repository'?"},
    Meant{"slice", "Did you mean 'data.slice'?"},
    Meant{"config", "A parameter is config.KEY."},
    Meant{"environment", "A package is environment.NAME."},
    Meant{"runtime", "Did you mean 'serving.runtime'?"},
    Meant{"actor", "Did you mean 'registered_by'?"},
};

bool plain(const std::string& name) {
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && std::strchr("_.-/:@+", c) != nullptr);
  });
}

std::optional<std::string> meant(const std::string& name) {
  std::vector<std::string> names;
  for (const Named& field : kFields) names.emplace_back(field.name);
  for (const Named& prefix : kPrefixes) {
    // "confg.lr" is a mistake in the part before the dot.
    const std::size_t dot = name.find('.');
    if (dot != std::string::npos) names.push_back(prefix.name + name.substr(dot + 1));
  }
  return nearest(name, names);
}

/// A bare name that is one slip away from a field's is taken for the slip, not for a metric.
std::optional<std::string> slip(const std::string& name) {
  for (const Named& field : kFields) {
    if (name.size() >= 4 && edit_distance(name, field.name) == 1) return field.name;
  }
  return {};
}

}  // namespace

std::optional<std::string> meant_instead(const std::string& metric) {
  for (const Meant& meant : kMeant)
    if (metric == meant.name) return meant.hint;
  return {};
}

std::vector<std::string> field_names() {
  std::vector<std::string> names;
  for (const Named& field : kFields) names.emplace_back(field.name);
  for (const Named& prefix : kPrefixes) names.push_back(prefix.name + std::string("NAME"));
  return names;
}

Result<Field> field_named(const std::string& name, const std::optional<std::string>& part, std::size_t at) {
  if (name.size() + part.value_or("").size() > kMaxNameBytes)
    return not_understood(at, fmt::format("a field's name is longer than {} bytes.", kMaxNameBytes),
                          "See docs/search.md for the fields there are.");
  if (name.find('*') != std::string::npos)
    return not_understood(at, fmt::format("'{}' is no field.", name), "A star can only stand in a value.");
  if (!part) {
    for (const Named& field : kFields) {
      const bool is_fact = field.kind == Kind::kText || field.kind == Kind::kScalar;
      if (name == field.name) return Field{field.kind, is_fact ? name : std::string(), {}};
    }
  }
  for (const Named& prefix : kPrefixes) {
    if (!name.starts_with(prefix.name)) continue;
    const std::string rest = name.substr(std::strlen(prefix.name)) + part.value_or("");
    if (rest.empty())
      return not_understood(
          at, fmt::format("'{}' needs a name after the dot.", prefix.name),
          fmt::format("Write it like {}NAME, or {}\"a name with other characters\".", prefix.name, prefix.name));
    const bool is_fact = prefix.kind == Kind::kScalar || prefix.kind == Kind::kRelease;
    return Field{prefix.kind, is_fact ? prefix.name + rest : rest, {}};
  }
  const bool letter = (name[0] >= 'a' && name[0] <= 'z') || (name[0] >= 'A' && name[0] <= 'Z') || name[0] == '_';
  const bool metric = letter && !part && std::all_of(name.begin(), name.end(), [](char c) {
                        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
                      });
  const std::optional<std::string> close = metric ? slip(name) : meant(name);
  if (metric && !close) return Field{Kind::kMetric, name, {}};
  return not_understood(
      at, fmt::format("'{}' is no field.", name),
      close ? fmt::format("Did you mean '{}'? A metric of that name is written metrics.{}.", *close, name)
            : fmt::format("Fields are: {}. Metrics are written accuracy or metrics.accuracy.",
                          fmt::join(field_names(), ", ")));
}

std::string escaped(const std::string& text, char close) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == close || (close == '"' && c == '*')) out += '\\';
    out += c;
  }
  return out;
}

std::string print(const Field& field) {
  const auto whole = [](const std::string& name) {
    for (const Named& prefix : kPrefixes) {
      if (!name.starts_with(prefix.name)) continue;
      const std::string rest = name.substr(std::strlen(prefix.name));
      return plain(rest) ? name : fmt::format("{}\"{}\"", prefix.name, escaped(rest, '"'));
    }
    return name;
  };
  switch (field.kind) {
    case Kind::kText: return field.name;
    case Kind::kScalar:
    case Kind::kRelease: return whole(field.name);
    case Kind::kVerdict: return whole("verdict." + field.name);
    case Kind::kMetric:
      return whole("metrics." + field.name) + (field.group.empty() ? "" : "{" + escaped(field.group, '}') + "}");
    default: break;
  }
  const auto* known =
      std::find_if(kFields.begin(), kFields.end(), [&](const Named& n) { return n.kind == field.kind; });
  return known->name;
}

}  // namespace backstay::search
