#include "domain/audit/entry.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace backstay::audit {
namespace {

std::vector<Entry> chain(int size) {
  std::vector<Entry> entries;
  for (int i = 0; i < size; ++i) {
    const Entry* last = entries.empty() ? nullptr : &entries.back();
    entries.push_back(
        link(last, Timestamp(seconds(i)), {"alice", "version.register", "m@1.0.0", "why " + std::to_string(i), "{}"}));
  }
  return entries;
}

TEST(AuditChain, VerifiesWhatWasLinked) {
  EXPECT_TRUE(verify(chain(5)));
  EXPECT_TRUE(verify({}));
  const auto entries = chain(5);
  EXPECT_TRUE(verify({entries[3], entries[4]}, &entries[2]));
}

TEST(AuditChain, FindsEveryKindOfChange) {
  const std::vector<std::pair<const char*, std::function<void(std::vector<Entry>&)>>> changes = {
      {"actor", [](auto& e) { e[2].draft.actor = "mallory"; }},
      {"action", [](auto& e) { e[2].draft.action += "x"; }},
      {"subject", [](auto& e) { e[2].draft.subject = "m@2.0.0"; }},
      {"reason", [](auto& e) { e[2].draft.reason.clear(); }},
      {"evidence", [](auto& e) { e[2].draft.evidence = "[]"; }},
      {"time", [](auto& e) { e[2].at += microseconds(1); }},
      {"removed", [](auto& e) { e.erase(e.begin() + 2); }},
      {"first removed", [](auto& e) { e.erase(e.begin()); }},
      {"swapped", [](auto& e) { std::swap(e[1], e[2]); }},
      {"field boundary moved", [](auto& e) { e[2].draft.actor = "alic", e[2].draft.action = "eversion.register"; }},
      {"relinked alone",
       [](auto& e) {
         e[2] = link(&e[1], e[2].at, {"mallory", "", "", "", ""});
       }},
  };
  for (const auto& [name, change] : changes) {
    auto entries = chain(5);
    change(entries);
    const auto result = verify(entries);
    ASSERT_FALSE(result) << name;
    EXPECT_EQ(result.error().code, ErrorCode::kIntegrity);
  }
}

}  // namespace
}  // namespace backstay::audit
