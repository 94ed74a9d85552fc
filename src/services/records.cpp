#include "services/records.hpp"

#include <fmt/format.h>

namespace backstay::services {

Result<registry::VersionRef> resolve_version(const Records& records, const std::string& text) {
  const std::size_t at = text.find('@');
  const bool may_be_alias = at != std::string::npos && at + 1 < text.size() &&
                            registry::check_name("alias", text.substr(at + 1)) &&
                            !registry::SemanticVersion::parse(text.substr(at + 1));
  if (!may_be_alias) return registry::VersionRef::parse(text);
  const std::string model = text.substr(0, at);
  TRY_DO(registry::check_name("model", model));
  TRY(const std::vector<Alias> aliases, records.releases.aliases(model));
  std::string names;
  for (const Alias& alias : aliases) {
    if (alias.name == text.substr(at + 1)) return alias.ref;
    names += (names.empty() ? "" : ", ") + alias.name;
  }
  return Unexpected(ErrorCode::kNotFound,
                    fmt::format("{} has no version and no alias '{}'.", model, text.substr(at + 1)),
                    names.empty() ? "Write a version like model@2.1.0; the model has no alias."
                                  : fmt::format("Write a version like model@2.1.0, or one of its aliases: {}.", names));
}

}  // namespace backstay::services
