#include "domain/drift/shared_categories.hpp"

#include "domain/drift/bins.hpp"

namespace backstay::drift {

SharedCategories::SharedCategories(const Profile& training) {
  for (const Profile::Named& column : training.columns) {
    const Bins bins(column.column);
    if (bins.kind() != Bins::Kind::kCategories) continue;
    compared_.emplace(column.name, bins.categories());
    for (const CategorySketch::Entry& entry : column.column.categories.entries())
      if (entry.certain() >= kLeastShared) all_.insert(entry.hash);
  }
}

const std::vector<std::uint32_t>& SharedCategories::compared(const std::string& column) const {
  static const std::vector<std::uint32_t> kNone;
  const auto found = compared_.find(column);
  return found == compared_.end() ? kNone : found->second;
}

}  // namespace backstay::drift
