#include "wire/infrastructure_file.hpp"

namespace backstay::wire {

Result<std::vector<registry::Infrastructure>> infrastructure_from(const Document& document) {
  std::vector<registry::Infrastructure> items;
  Fields fields(document);
  fields.each("infrastructure", [&](Fields& item) {
    registry::Infrastructure& out = items.emplace_back();
    item.required("name", out.name);
    item.required("kind", out.kind);
    item.optional("version", out.version);
    item.optional("schema_sha256", out.schema_sha256);
    item.optional("removed", out.removed);
  });
  TRY_DO(fields.finish());
  if (items.empty())
    return Unexpected(ErrorCode::kInvalidArgument, "The file declares no infrastructure.",
                      "Write a list: infrastructure: [{name: patients, kind: database, version: \"14.2\"}]");
  return items;
}

}  // namespace backstay::wire
