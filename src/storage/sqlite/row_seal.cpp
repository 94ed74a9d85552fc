#include "storage/sqlite/row_seal.hpp"

#include <fmt/format.h>

#include <optional>

namespace backstay::sqlite {

namespace {

void add(Sha256& hash, char type, std::string_view bytes) {
  hash.update(fmt::format("{}{}:", type, bytes.size()));
  hash.update(bytes);
}

}  // namespace

RowSealer::RowSealer(const Database& database) {
  for (const SealedTable& table : kSealedTables)
    rows_.push_back(database.prepare(
        fmt::format("SELECT {} FROM {} WHERE audit_sequence = ? ORDER BY 1", table.columns, table.name)));
}

Result<RowSeal> RowSealer::of(std::uint64_t audit_sequence) {
  RowSeal seal;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    Statement& rows = rows_[i].reset().bind(audit_sequence);
    std::optional<Sha256> hash;
    while (true) {
      TRY(const bool more, rows.step());
      if (!more) break;
      if (!hash) add(hash.emplace(), 't', kSealedTables[i].name);
      hash->update("row:");
      for (int column = 0; column < rows.columns(); ++column) add(*hash, rows.type(column), rows.blob(column));
    }
    if (hash) seal[kSealedTables[i].name] = hash->finish();
  }
  return seal;
}

std::string with_seal(const std::string& evidence, const RowSeal& seal) {
  std::string members;
  for (const auto& [table, digest] : seal)
    members += fmt::format(R"({}"{}":"{}")", members.empty() ? "" : ",", table, digest.hex());
  const std::string member = fmt::format(R"("rows_sha256":{{{}}})", members);
  if (!evidence.starts_with('{') || !evidence.ends_with('}'))
    return fmt::format(R"({{"evidence":{},{}}})", evidence.empty() ? "null" : evidence, member);
  const std::string before = evidence.substr(0, evidence.size() - 1);
  return fmt::format("{}{}{}}}", before, before == "{" ? "" : ",", member);
}

}  // namespace backstay::sqlite
