#include "tables/flatbuffer.hpp"

namespace backstay::tables {

FlatTable FlatTable::root(std::string_view bytes, bool& ok) {
  const FlatTable start(bytes, ok, 0);
  return {bytes, ok, start.follow(0)};
}

FlatTable::FlatTable(std::string_view bytes, bool& ok, std::size_t at) : bytes_(bytes), ok_(&ok), at_(at) {
  if (at_ == 0) return;
  // The table begins with the distance back to its list of fields, which begins with its own size.
  const std::int64_t fields = static_cast<std::int64_t>(at_) - read<std::int32_t>(at_);
  if (fields < 0 || fields > static_cast<std::int64_t>(bytes_.size())) {
    *ok_ = false;
    at_ = 0;
    return;
  }
  fields_ = static_cast<std::size_t>(fields);
  fields_size_ = read<std::uint16_t>(fields_);
}

std::size_t FlatTable::place(int field) const {
  const std::size_t entry = 4 + 2 * static_cast<std::size_t>(field);
  if (at_ == 0 || entry + 2 > fields_size_) return 0;
  const std::uint16_t offset = read<std::uint16_t>(fields_ + entry);
  return offset == 0 ? 0 : at_ + offset;
}

std::size_t FlatTable::follow(std::size_t at) const {
  const std::size_t to = at + read<std::uint32_t>(at);
  if (to == at || to >= bytes_.size()) {
    *ok_ = false;
    return 0;
  }
  return to;
}

std::string_view FlatTable::text(int field) const {
  const FlatVector bytes = vector(field, 1);
  return bytes.size() == 0 ? std::string_view() : bytes_.substr(bytes.at_, bytes.size());
}

FlatTable FlatTable::table(int field) const {
  const std::size_t at = place(field);
  return {bytes_, *ok_, at == 0 ? 0 : follow(at)};
}

FlatVector FlatTable::vector(int field, std::size_t element) const {
  FlatVector out(*this);
  const std::size_t at = place(field);
  const std::size_t begin = at == 0 ? 0 : follow(at);
  if (begin == 0) return out;
  const std::size_t size = read<std::uint32_t>(begin);
  if (!*ok_ || size > (bytes_.size() - begin - 4) / element) {
    *ok_ = false;
    return out;
  }
  out.at_ = begin + 4;
  out.size_ = size;
  out.element_ = element;
  return out;
}

FlatTable FlatVector::table(std::size_t index) const {
  return {from_.bytes_, *from_.ok_, from_.follow(at_ + index * element_)};
}

}  // namespace backstay::tables
