#include "services/records.hpp"

#include <fmt/format.h>

namespace backstay::services {

Result<void> check_alias_name(const std::string& name) {
  TRY_DO(registry::check_name("alias", name));
  if (name.front() >= 'a' && name.front() <= 'z' && name != "latest") return {};
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' can't be an alias.", name),
                    "It would read as a version; choose a name that begins with a letter, and not 'latest'.");
}

Result<registry::VersionRef> resolve_version(const Records& records, const std::string& text) {
  const std::size_t at = text.find('@');
  const std::string name = at == std::string::npos ? "" : text.substr(at + 1);
  const bool may_be_alias = check_alias_name(name).has_value();
  if (!may_be_alias) return registry::VersionRef::parse(text);
  const std::string model = text.substr(0, at);
  TRY_DO(registry::check_name("model", model));
  TRY(const std::vector<Alias> aliases, records.releases.aliases(model));
  std::string names;
  for (const Alias& alias : aliases) {
    if (alias.name == name) return alias.ref;
    names += (names.empty() ? "" : ", ") + alias.name;
  }
  return Unexpected(ErrorCode::kNotFound, fmt::format("{} has no version and no alias '{}'.", model, name),
                    names.empty() ? "Write a version like model@2.1.0; the model has no alias."
                                  : fmt::format("Write a version like model@2.1.0, or one of its aliases: {}.", names));
}

}  // namespace backstay::services
