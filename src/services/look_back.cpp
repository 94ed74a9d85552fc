#include "services/look_back.hpp"

#include <algorithm>

namespace backstay::services {

Result<bool> look_back(const AuditLog& audit, const std::function<Look(const audit::Entry&)>& look) {
  constexpr std::uint64_t kPage = 1'000;
  TRY(std::uint64_t last, audit.size());
  while (last > 0) {
    const std::uint64_t first = last > kPage ? last - kPage + 1 : 1;
    TRY(const std::vector<audit::Entry> entries, audit.read(first, last - first + 1));
    for (auto entry = entries.rbegin(); entry != entries.rend(); ++entry) {
      const Look seen = look(*entry);
      if (seen != Look::kGoOn) return seen == Look::kFound;
    }
    last = first - 1;
  }
  return false;
}

}  // namespace backstay::services
