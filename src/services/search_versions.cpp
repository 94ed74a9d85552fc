#include "services/search_versions.hpp"

#include <fmt/format.h>

namespace backstay::services {

Result<SearchPage> search_versions(const VersionSearch& versions, const std::string& filter, const std::string& cursor,
                                   std::size_t limit) {
  if (limit == 0 || limit > kMaxPage)
    return Unexpected(ErrorCode::kInvalidArgument, fmt::format("A page has 1 to {} versions, not {}.", kMaxPage, limit),
                      "Ask for less and follow the cursor.");
  TRY(const search::Query query, search::parse(filter));
  return versions.search(query, cursor, limit);
}

std::string filter_of_model(const std::string& model) {
  if (model.empty()) return "";
  search::Query query;
  query.where.kind = search::Node::Kind::kCompare;
  query.where.field.kind = search::Field::Kind::kModel;
  query.where.values.emplace_back(search::Text{{model}});
  return search::print(query);
}

}  // namespace backstay::services
