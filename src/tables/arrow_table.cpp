#include "tables/arrow_table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "tables/arrow_lists.hpp"
#include "tables/choose_columns.hpp"

namespace backstay::tables {

namespace {

constexpr std::uint64_t kMaxMetadataBytes = 64 * 1024 * 1024;
constexpr std::uint64_t kMaxRows = (std::uint64_t{1} << 31) - 1;  ///< Of a record batch, as the format recommends.
constexpr std::uint64_t kMaxDictionaryBytes = std::uint64_t{1} << 30;
constexpr std::string_view kMagic = "ARROW1";

// Message.fbs: union MessageHeader.
enum MessageKind { kSchemaMessage = 1, kDictionaryMessage = 2, kRecordsMessage = 3 };

Unexpected broken(const std::string& name, const std::string& what) {
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("{} is not a sound Arrow file: {}.", name, what),
                    "Write it again.");
}

/// A message's metadata, and where its body is in the file.
struct Message {
  std::string metadata;
  std::uint64_t body = 0;
  std::uint64_t body_size = 0;
  std::uint64_t end = 0;
};

/// What a RecordBatch says, with its buffers' places.
struct Records {
  std::uint64_t rows = 0;
  std::vector<std::uint64_t> sizes;    ///< By node: how many values, and
  std::vector<std::uint64_t> missing;  ///< how many are missing.
  std::vector<ArrowBuffer::Place> buffers;
  std::vector<std::uint64_t> view_buffers;
};

class ArrowTable : public TableReader {
 public:
  ArrowTable(std::unique_ptr<ByteSource> source, const TableOptions& options)
      : source_(std::move(source)), options_(options) {}

  Result<void> open_file();
  Result<void> open_stream();
  const std::vector<ColumnInfo>& columns() const override { return infos_; }
  Result<const ColumnBatch*> next() override;

 private:
  Result<void> take_schema(const FlatTable& schema, const bool& ok, int version);
  /// The message at `at`; nothing at the end of a stream.
  Result<std::optional<Message>> message_at(std::uint64_t at);
  Result<std::optional<Message>> next_message();
  Result<Records> read_records(const FlatTable& batch, const bool& ok, const Message& message) const;
  Result<void> take_dictionary(const FlatTable& dictionary, const bool& ok, const Message& message);
  Result<void> take_records(const FlatTable& batch, const bool& ok, const Message& message);
  Result<bool> next_records();

  std::unique_ptr<ByteSource> source_;
  TableOptions options_;
  std::vector<ArrowField> fields_;
  std::vector<std::size_t> chosen_;
  std::vector<ColumnInfo> infos_;
  bool is_file_ = false;
  std::vector<std::uint64_t> blocks_;  ///< Where a file's messages begin: dictionaries first.
  std::size_t block_ = 0;
  std::uint64_t at_ = 0;  ///< Of a stream: where the next one begins.
  ArrowDictionaries dictionaries_;
  std::uint64_t dictionary_bytes_ = 0;
  std::vector<std::unique_ptr<ArrowColumn>> columns_;
  std::vector<std::unique_ptr<ArrowLists>> lists_;  ///< Null for what is no list, or not asked for.
  std::uint64_t left_ = 0;                          ///< Rows of the record batch.
  std::size_t most_rows_ = 0;
  ColumnBatch batch_;
};

Result<std::optional<Message>> ArrowTable::message_at(std::uint64_t at) {
  const std::uint64_t end = source_->size();
  if (at == end) return std::optional<Message>();  // A stream may end without saying so.
  std::uint32_t head[2] = {0, 0};
  if (at > end || end - at < sizeof head[0]) return broken(options_.name, "a message begins after its end");
  const auto bytes = std::min<std::uint64_t>(sizeof head, end - at);
  TRY_DO(source_->read(at, std::span(reinterpret_cast<char*>(head), static_cast<std::size_t>(bytes))));
  // Before version 0.15 there was no mark in front of the size.
  const bool marked = head[0] == 0xffffffff;
  const std::uint64_t size = marked ? head[1] : head[0];
  const std::uint64_t begin = at + (marked ? 8 : 4);
  if (size == 0) return std::optional<Message>();
  if (begin > end || size > kMaxMetadataBytes || size > end - begin)
    return broken(options_.name, "a message's metadata go beyond its end, or are larger than 64 MiB");
  Message out;
  out.metadata.resize(static_cast<std::size_t>(size));
  TRY_DO(source_->read(begin, out.metadata));
  bool ok = true;
  const auto body = FlatTable::root(out.metadata, ok).scalar<std::int64_t>(3, 0);
  out.body = begin + size;
  if (!ok || body < 0 || static_cast<std::uint64_t>(body) > end - out.body)
    return broken(options_.name, "a message goes beyond its end");
  out.body_size = static_cast<std::uint64_t>(body);
  out.end = out.body + out.body_size;
  return std::optional(std::move(out));
}

Result<void> ArrowTable::take_schema(const FlatTable& schema, const bool& ok, int version) {
  TRY(fields_, read_arrow_schema(options_.name, schema, ok, version));
  // Columns may share a dictionary, which is read once.
  std::map<std::int64_t, const ArrowField*> users;
  for (const ArrowField& field : fields_) {
    if (!field.dictionary) continue;
    const ArrowField& first = *users.try_emplace(*field.dictionary, &field).first->second;
    if (first.layout != field.layout || first.form != field.form || first.bytes != field.bytes ||
        first.is_signed != field.is_signed || first.uuid != field.uuid || first.info.type != field.info.type)
      return broken(options_.name, "columns of different types share a dictionary");
  }
  std::vector<ColumnInfo> all;
  for (const ArrowField& field : fields_) all.push_back(field.info);
  TRY(chosen_, choose_columns(all, options_));
  for (const std::size_t index : chosen_) {
    infos_.push_back(all[index]);
    columns_.push_back(std::make_unique<ArrowColumn>(*source_, options_.name, fields_[index], dictionaries_));
    const bool is_list = options_.lists && fields_[index].layout == ArrowLayout::kLists;
    lists_.push_back(is_list ? std::make_unique<ArrowLists>(*source_, options_.name, fields_[index], dictionaries_)
                             : nullptr);
  }
  most_rows_ = rows_of_a_batch(infos_.size());
  batch_.columns.resize(infos_.size());
  return {};
}

Result<void> ArrowTable::open_file() {
  is_file_ = true;
  const std::uint64_t size = source_->size();
  constexpr std::uint64_t kTailBytes = 10;
  std::string tail(kTailBytes, '\0');
  if (size < kTailBytes + 8) return broken(options_.name, "it is too short");
  TRY_DO(source_->read(size - kTailBytes, tail));
  if (!tail.ends_with(kMagic)) return broken(options_.name, "it does not end with ARROW1");
  std::uint32_t footer_size = 0;
  std::memcpy(&footer_size, tail.data(), sizeof footer_size);
  if (footer_size > kMaxMetadataBytes || footer_size > size - kTailBytes - 8)
    return broken(options_.name, "its footer is larger than 64 MiB or than the file");
  std::string footer(footer_size, '\0');
  TRY_DO(source_->read(size - kTailBytes - footer_size, footer));
  bool ok = true;
  const FlatTable root = FlatTable::root(footer, ok);
  TRY_DO(take_schema(root.table(1), ok, root.scalar<std::int16_t>(0, 0)));
  constexpr std::size_t kBlockBytes = 24;
  for (const int list : {2, 3}) {
    const FlatVector blocks = root.vector(list, kBlockBytes);
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      const auto at = blocks.read<std::int64_t>(i);
      if (at < 0) return broken(options_.name, "a message begins before its begin");
      blocks_.push_back(static_cast<std::uint64_t>(at));
    }
  }
  return ok ? Result<void>() : broken(options_.name, "its footer can't be read");
}

Result<void> ArrowTable::open_stream() {
  TRY(const std::optional<Message> message, message_at(0));
  if (!message) return broken(options_.name, "it is empty");
  bool ok = true;
  const FlatTable root = FlatTable::root(message->metadata, ok);
  if (root.scalar<std::uint8_t>(1, 0) != kSchemaMessage)
    return broken(options_.name, "it does not begin with a schema");
  at_ = message->end;
  return take_schema(root.table(2), ok, root.scalar<std::int16_t>(0, 0));
}

Result<std::optional<Message>> ArrowTable::next_message() {
  if (!is_file_) {
    TRY(std::optional<Message> message, message_at(at_));
    if (message) at_ = message->end;
    return message;
  }
  if (block_ == blocks_.size()) return std::optional<Message>();
  TRY(std::optional<Message> message, message_at(blocks_[block_++]));
  if (!message) return broken(options_.name, "a message that its footer names is not there");
  return message;
}

Result<Records> ArrowTable::read_records(const FlatTable& batch, const bool& ok, const Message& message) const {
  Records out;
  const auto rows = batch.scalar<std::int64_t>(0, 0);
  if (rows < 0 || static_cast<std::uint64_t>(rows) > kMaxRows)
    return broken(options_.name, "a record batch has more than 2^31 - 1 rows");
  out.rows = static_cast<std::uint64_t>(rows);
  Codec codec = Codec::kNone;
  if (batch.has(3)) {
    const FlatTable compression = batch.table(3);
    const auto kind = compression.scalar<std::int8_t>(0, 0);
    const auto method = compression.scalar<std::int8_t>(1, 0);
    if ((kind != 0 && kind != 1) || method != 0)
      return Unexpected(ErrorCode::kUnsupported, fmt::format("{} is compressed in an unknown way.", options_.name),
                        "Write it with lz4, zstd or without compression.");
    codec = kind == 0 ? Codec::kLz4Frame : Codec::kZstd;
  }
  const FlatVector nodes = batch.vector(1, 16);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto size = nodes.read<std::int64_t>(i, 0);
    const auto missing = nodes.read<std::int64_t>(i, 8);
    if (size < 0 || missing < 0) return broken(options_.name, "a record batch counts fewer than no values");
    out.sizes.push_back(static_cast<std::uint64_t>(size));
    out.missing.push_back(static_cast<std::uint64_t>(missing));
  }
  const FlatVector buffers = batch.vector(2, 16);
  for (std::size_t i = 0; i < buffers.size(); ++i) {
    const auto begin = buffers.read<std::int64_t>(i, 0);
    const auto size = buffers.read<std::int64_t>(i, 8);
    if (begin < 0 || size < 0 || static_cast<std::uint64_t>(begin) > message.body_size ||
        static_cast<std::uint64_t>(size) > message.body_size - static_cast<std::uint64_t>(begin))
      return broken(options_.name, "a buffer lies outside of its record batch");
    out.buffers.push_back({message.body + static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(size), codec});
  }
  const FlatVector views = batch.vector(4, 8);
  for (std::size_t i = 0; i < views.size(); ++i) {
    const auto count = views.read<std::int64_t>(i);
    if (count < 0 || static_cast<std::uint64_t>(count) > out.buffers.size())
      return broken(options_.name, "a column has more buffers than there are");
    out.view_buffers.push_back(static_cast<std::uint64_t>(count));
  }
  if (!ok) return broken(options_.name, "a record batch can't be read");
  return out;
}

/// What one field takes of a record batch.
struct Cursor {
  std::size_t node = 0;
  std::size_t buffer = 0;
  std::size_t view = 0;

  /// Goes past the field; its buffers. False when there are too few.
  bool take(const ArrowField& field, const Records& records, std::vector<ArrowBuffer::Place>& out) {
    std::uint64_t count = field.buffers;
    if (field.views > records.view_buffers.size() - view) return false;
    for (std::size_t i = 0; i < field.views; ++i) count += records.view_buffers[view++];
    if (field.nodes > records.missing.size() - node || count > records.buffers.size() - buffer) return false;
    const auto begin = records.buffers.begin() + static_cast<std::ptrdiff_t>(buffer);
    out.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
    buffer += count;
    node += field.nodes;
    return true;
  }
};

Result<void> ArrowTable::take_records(const FlatTable& batch, const bool& ok, const Message& message) {
  TRY(const Records records, read_records(batch, ok, message));
  std::vector<std::vector<ArrowBuffer::Place>> places(fields_.size());
  std::vector<std::size_t> nodes(fields_.size());
  Cursor cursor;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    nodes[i] = cursor.node;
    if (!cursor.take(fields_[i], records, places[i])) return broken(options_.name, "a record batch lacks columns");
  }
  std::uint64_t held = 0;
  for (std::size_t i = 0; i < chosen_.size(); ++i) {
    const std::size_t node = nodes[chosen_[i]];
    const std::vector<ArrowBuffer::Place>& own = places[chosen_[i]];
    if (fields_[chosen_[i]].info.type != ColumnType::kNested)
      TRY_DO(columns_[i]->open(records.rows, records.missing[node], own, held));
    if (lists_[i])  // Its items are the node after it.
      TRY_DO(lists_[i]->open(records.rows, records.missing[node], records.sizes[node + 1], records.missing[node + 1],
                             own, held));
  }
  left_ = records.rows;
  return {};
}

Result<void> ArrowTable::take_dictionary(const FlatTable& dictionary, const bool& ok, const Message& message) {
  const auto id = dictionary.scalar<std::int64_t>(0, 0);
  const bool adds = dictionary.scalar<std::uint8_t>(2, 0) != 0;
  const auto user = std::find_if(chosen_.begin(), chosen_.end(), [&](std::size_t index) {
    return fields_[index].dictionary == id && fields_[index].info.type != ColumnType::kNested;
  });
  if (user == chosen_.end()) return {};
  ArrowField field = fields_[*user];
  field.dictionary.reset();
  field.nodes = 1;
  field.buffers = field.layout == ArrowLayout::kTexts ? 3 : 2;
  field.views = field.layout == ArrowLayout::kViews ? 1 : 0;
  TRY(const Records records, read_records(dictionary.table(1), ok, message));
  std::vector<ArrowBuffer::Place> places;
  if (!Cursor().take(field, records, places)) return broken(options_.name, "a dictionary lacks its values");
  std::uint64_t held = 0;
  ArrowColumn column(*source_, options_.name, field, dictionaries_);
  TRY_DO(column.open(records.rows, records.missing[0], places, held));

  ArrowDictionary& into = dictionaries_[id];
  if (!adds) {
    dictionary_bytes_ -= into.bytes;
    into = {};
  }
  ColumnValues piece;
  for (std::uint64_t at = 0; at < records.rows;) {
    const auto rows = static_cast<std::size_t>(std::min<std::uint64_t>(records.rows - at, 8192));
    TRY_DO(column.read(rows, piece));
    std::uint64_t bytes = rows * 16;
    for (const std::string_view text : piece.texts) bytes += text.size();
    into.bytes += bytes;
    dictionary_bytes_ += bytes;
    if (dictionary_bytes_ > kMaxDictionaryBytes)
      return Unexpected(ErrorCode::kResourceExhausted,
                        fmt::format("The dictionaries of {} take more than 1 GiB.", options_.name),
                        "Write these columns as texts.");
    ColumnValues& all = into.values;
    if (!all.present.empty() || !piece.present.empty()) {
      all.present.resize(all.rows, 1);
      piece.present.resize(rows, 1);
      all.present.insert(all.present.end(), piece.present.begin(), piece.present.end());
    }
    all.kept = piece.kept;
    all.integers.insert(all.integers.end(), piece.integers.begin(), piece.integers.end());
    all.doubles.insert(all.doubles.end(), piece.doubles.begin(), piece.doubles.end());
    // The texts of a piece go with the next one.
    auto& own = *into.texts.emplace_back(std::make_unique<std::string>());
    for (const std::string_view text : piece.texts) own += text;
    std::size_t begin = 0;
    for (const std::string_view text : piece.texts) {
      all.texts.push_back(std::string_view(own).substr(begin, text.size()));
      begin += text.size();
    }
    all.rows += rows;
    at += rows;
  }
  if (into.values.rows == 0) into.values.kept = ColumnValues::Kept::kTexts;
  return {};
}

/// Goes to the next record batch; false when there is none.
Result<bool> ArrowTable::next_records() {
  while (true) {
    TRY(const std::optional<Message> message, next_message());
    if (!message) return false;
    bool ok = true;
    const FlatTable root = FlatTable::root(message->metadata, ok);
    const int kind = root.scalar<std::uint8_t>(1, 0);
    if (kind == kDictionaryMessage) {
      TRY_DO(take_dictionary(root.table(2), ok, *message));
    } else if (kind == kRecordsMessage) {
      TRY_DO(take_records(root.table(2), ok, *message));
      return true;
    } else {
      return broken(options_.name, "a message is neither a record batch nor a dictionary");
    }
  }
}

Result<const ColumnBatch*> ArrowTable::next() {
  while (left_ == 0) {
    TRY(const bool more, next_records());
    if (!more) return nullptr;
  }
  auto rows = static_cast<std::size_t>(std::min<std::uint64_t>(left_, most_rows_));
  for (const auto& list : lists_) {
    if (!list) continue;
    TRY(const std::size_t available, list->available(rows));
    rows = std::min(rows, available);
  }
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    ColumnValues& values = batch_.columns[i];
    if (lists_[i]) {
      TRY_DO(lists_[i]->read(rows, values));
    } else if (infos_[i].type == ColumnType::kNested) {
      values.kept = ColumnValues::Kept::kNested;
      values.rows = rows;
    } else {
      TRY_DO(columns_[i]->read(rows, values));
    }
  }
  left_ -= rows;
  batch_.rows = rows;
  return &batch_;
}

}  // namespace

Result<std::unique_ptr<TableReader>> open_arrow_file(std::unique_ptr<ByteSource> source, const TableOptions& options) {
  auto out = std::make_unique<ArrowTable>(std::move(source), options);
  TRY_DO(out->open_file());
  return std::unique_ptr<TableReader>(std::move(out));
}

Result<std::unique_ptr<TableReader>> open_arrow_stream(std::unique_ptr<ByteSource> source,
                                                       const TableOptions& options) {
  auto out = std::make_unique<ArrowTable>(std::move(source), options);
  TRY_DO(out->open_stream());
  return std::unique_ptr<TableReader>(std::move(out));
}

}  // namespace backstay::tables
