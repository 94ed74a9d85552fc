#include "services/table_slices.hpp"

#include <fmt/format.h>

namespace backstay::services {

Result<OpenTables> OpenTables::open(const std::vector<FoundFile>& files, const OnBytes& on_bytes) {
  OpenTables out;
  for (const FoundFile& file : files) {
    TRY(std::unique_ptr<tables::TableReader> table, tables::open_table(file.source, {file.name, {}, on_bytes, true}));
    out.names_.push_back(file.name);
    out.tables_.push_back(std::move(table));
  }
  return out;
}

Result<std::vector<tables::RowSlice>> OpenTables::slice(const tables::Partition& partition) {
  tables::RowSlicer rows(names_.size() == 1 ? names_[0] : fmt::format("{} (and files after it)", names_[0]), partition);
  for (std::size_t i = 0; i < tables_.size(); ++i) {
    TRY_DO(rows.read(*tables_[i], names_[i]));
    tables_[i].reset();
  }
  return rows.finish();
}

}  // namespace backstay::services
