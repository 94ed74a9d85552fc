#include "domain/drift/whole_profile.hpp"

#include <algorithm>

namespace backstay::drift {

void WholeProfile::add(const Profile& part) {
  ++parts_;
  whole_.merge(part, Profile::Absent::kUnknown);
  for (const Profile::Named& column : part.columns) {
    Counts& told = told_[column.name];
    for (const CategorySketch::Entry& entry : column.column.categories.entries())
      if (entry.certain() >= kLeastShared) told[entry.hash] += entry.certain();
  }
  // Of what the whole no longer has nothing is subtracted: when it comes again, it begins anew.
  for (const Profile::Named& column : whole_.columns) {
    const auto& entries = column.column.categories.entries();
    std::erase_if(told_[column.name], [&](const auto& each) {
      const auto place = std::lower_bound(entries.begin(), entries.end(), each.first,
                                          [](const auto& entry, std::uint32_t hash) { return entry.hash < hash; });
      return place == entries.end() || place->hash != each.first;
    });
  }
}

Profile WholeProfile::profile() const {
  Profile out = whole_;
  for (Profile::Named& column : out.columns) {
    const Counts& told = told_.at(column.name);
    std::vector<CategorySketch::Entry> entries = column.column.categories.entries();
    for (CategorySketch::Entry& entry : entries) {
      const auto found = told.find(entry.hash);
      const std::uint64_t in_parts = found == told.end() ? 0 : found->second;
      const std::uint64_t elsewhere = entry.certain() - std::min(in_parts, entry.certain());
      if (in_parts == 0 || elsewhere == 0 || elsewhere >= kLeastShared) continue;
      entry.error += kLeastShared - 1;
      entry.count = in_parts + entry.error;
    }
    auto sketch = CategorySketch::from_entries(std::move(entries), column.column.categories.floor());
    if (sketch) column.column.categories = *std::move(sketch);
  }
  return out;
}

}  // namespace backstay::drift
