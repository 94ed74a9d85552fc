#include "domain/drift/row_block.hpp"

#include <cmath>

#include "domain/drift/number_batch.hpp"
#include "domain/drift/value_hash.hpp"

namespace backstay::drift {

bool RowBlock::widen(std::size_t column) {
  if (column >= max_columns_) return false;
  columns_.resize(column + 1);
  return true;
}

void RowBlock::put_boolean(std::size_t column, bool value, std::size_t ahead) {
  Column* into = column_for(column);
  if (into == nullptr) return;
  into->values[rows_ + ahead] = value ? 1 : 0;
  into->hashes[rows_ + ahead] = hash_of_boolean(value);
  into->booleans |= bit(ahead);
}

// Most texts are categories, which come again: each is copied once.
void RowBlock::put_text(std::size_t column, std::string_view utf8, std::size_t ahead) {
  Column* into = column_for(column);
  if (into == nullptr) return;
  const std::size_t row = rows_ + ahead;
  const std::uint64_t hash = hash_of_text(utf8);
  into->hashes[row] = hash;
  into->texts |= bit(ahead);
  std::uint8_t* place = &into->seen[hash % into->seen.size()];
  if (*place != 0 && into->hashes[*place - 1U] != hash) place = &into->seen[(hash % into->seen.size()) ^ 1U];
  if (*place != 0 && into->hashes[*place - 1U] == hash) {
    const std::size_t before = *place - 1U;
    into->same[row] = static_cast<std::uint8_t>(before);
    into->begins[row] = into->begins[before];
    into->lengths[row] = into->lengths[before];
    return;
  }
  *place = static_cast<std::uint8_t>(row + 1);
  into->same[row] = static_cast<std::uint8_t>(row);
  into->begins[row] = static_cast<std::uint32_t>(texts_.size());
  into->lengths[row] = static_cast<std::uint32_t>(utf8.size());
  texts_ += utf8;
}

void RowBlock::put_nested(std::size_t column, std::span<const double> vector, std::size_t ahead) {
  Column* into = column_for(column);
  if (into == nullptr) return;
  into->begins[rows_ + ahead] = static_cast<std::uint32_t>(vectors_.size());
  into->lengths[rows_ + ahead] = static_cast<std::uint32_t>(vector.size());
  vectors_.insert(vectors_.end(), vector.begin(), vector.end());
  into->nested |= bit(ahead);
}

void RowBlock::put_numbers(std::size_t column, std::span<const double> numbers, bool integers) {
  Column* into = column_for(column);
  if (into == nullptr) return;
  double* const to = into->values.data() + rows_;
  std::uint64_t present = first_rows(numbers.size());
  if (!copy_finite(numbers, to)) {
    for (std::size_t i = 0; i < numbers.size(); ++i) {
      if (std::isfinite(numbers[i])) continue;
      to[i] = 0;
      present &= ~(1ULL << i);
    }
  }
  into->numbers |= present << rows_;
  if (integers) into->integers |= present << rows_;
}

void RowBlock::put(std::size_t column, const Value& value, std::size_t ahead) {
  switch (value.kind) {
    case Value::Kind::kMissing: column_for(column); return;
    case Value::Kind::kNumber: return put_number(column, value.number, value.integer, ahead);
    case Value::Kind::kBoolean: return put_boolean(column, value.number != 0, ahead);
    case Value::Kind::kText: return put_text(column, value.text, ahead);
    case Value::Kind::kNested: return put_nested(column, value.vector, ahead);
  }
}

void RowBlock::add(std::span<const Value> row) {
  for (std::size_t i = 0; i < row.size(); ++i) put(i, row[i]);
  end_row();
}

void RowBlock::clear() {
  for (Column& column : columns_) {
    if (column.texts != 0) column.seen.fill(0);
    column.numbers = column.integers = column.booleans = column.texts = column.nested = 0;
  }
  rows_ = 0;
  texts_.clear();
  vectors_.clear();
}

}  // namespace backstay::drift
