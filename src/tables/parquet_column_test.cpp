#include "tables/parquet_column.hpp"

#include <gtest/gtest.h>
#include <zstd.h>

#include <cstring>

namespace backstay::tables {
namespace {

// Thrift's compact protocol: a 32-bit field one after the one before, zigzag and in sevens.
std::string field(std::int64_t value, int step = 1) {
  std::string out(1, static_cast<char>(step << 4 | 5));
  auto rest = static_cast<std::uint64_t>(value) << 1;
  for (; rest > 127; rest >>= 7) out += static_cast<char>(rest | 128);
  return out + static_cast<char>(rest);
}

std::string data_page(std::int64_t values, ParquetEncoding encoding, const std::string& body, std::int64_t plain = -1) {
  return field(0) + field(plain < 0 ? static_cast<std::int64_t>(body.size()) : plain) +
         field(static_cast<std::int64_t>(body.size())) + "\x2c" + field(values) + field(static_cast<int>(encoding)) +
         field(3) + field(3) + std::string(2, '\0') + body;
}

std::string dictionary_page(std::int64_t values, const std::string& body) {
  return field(2) + field(static_cast<std::int64_t>(body.size())) + field(static_cast<std::int64_t>(body.size())) +
         "\x4c" + field(values) + field(0) + std::string(2, '\0') + body;
}

template <class Value>
std::string bytes_of(std::initializer_list<Value> values) {
  std::string out;
  for (const Value value : values) out.append(reinterpret_cast<const char*>(&value), sizeof value);
  return out;
}

std::string zstd(const std::string& text) {
  std::string out(ZSTD_compressBound(text.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
  return out;
}

struct Outcome {
  std::vector<std::int64_t> integers;
  std::vector<std::uint8_t> present;
  std::optional<Error> error;
};

/// The first values of a column of 32-bit numbers.
Outcome read(const std::string& pages, std::uint64_t values, Codec codec = Codec::kNone, bool optional = false,
             std::size_t wanted = 8) {
  ParquetLayout::Column column;
  column.info = {"x", ColumnType::kInteger, "int32"};
  column.type = ParquetType::kInt32;
  column.optional = optional;
  MemorySource source(pages);
  PageBudget budget;
  ParquetColumn reader(source, "f", column, budget);
  ParquetLayout::Chunk chunk;
  chunk.codec = codec;
  chunk.type = column.type;
  chunk.values = values;
  chunk.end = pages.size();
  Outcome out;
  const auto run = [&]() -> Result<void> {
    TRY_DO(reader.open(chunk));
    for (std::size_t left = std::min<std::uint64_t>(values, wanted); left > 0;) {
      TRY(const std::size_t available, reader.available());
      ColumnValues part;
      const std::size_t rows = std::min(available, left);
      TRY_DO(reader.read(rows, part));
      out.integers.insert(out.integers.end(), part.integers.begin(), part.integers.end());
      out.present.insert(out.present.end(), part.present.begin(), part.present.end());
      left -= rows;
    }
    return {};
  };
  if (auto done = run(); !done) out.error = done.error();
  return out;
}

std::string message(const Outcome& outcome) {
  return outcome.error ? outcome.error->message : "";
}

TEST(ParquetColumn, ReadsPagesOneAfterTheOther) {
  const std::string pages = dictionary_page(2, bytes_of<std::int32_t>({70, -1})) +
                            data_page(2, ParquetEncoding::kRleDictionary, std::string("\x01\x04\x01", 3)) +
                            data_page(1, ParquetEncoding::kPlain, bytes_of<std::int32_t>({5}));
  EXPECT_EQ(read(pages, 3).integers, (std::vector<std::int64_t>{-1, -1, 5}));
}

TEST(ParquetColumn, RefusesWhatPagesCanNotMean) {
  const std::string one = bytes_of<std::int32_t>({5});
  EXPECT_EQ(message(read(data_page(2, ParquetEncoding::kPlain, one), 2)),
            "f, column 'x': a page's values can't be read.");
  EXPECT_NE(message(read(data_page(2, ParquetEncoding::kPlain, one), 1)).find("more values than"), std::string::npos);
  EXPECT_NE(message(read(data_page(1, ParquetEncoding::kPlain, one), 2)).find("fewer values than"), std::string::npos);
  EXPECT_NE(message(read("", 1)).find("fewer values than"), std::string::npos);
  EXPECT_NE(message(read("\xff\xff\xff", 1)).find("the head of a page"), std::string::npos);
  EXPECT_NE(message(read(data_page(1, ParquetEncoding::kPlain, one).substr(0, 12), 1)), "");
  EXPECT_NE(message(read(data_page(1, ParquetEncoding::kRleDictionary, one), 1)).find("lacks a dictionary"),
            std::string::npos);
  EXPECT_NE(message(read(data_page(1, ParquetEncoding::kDeltaByteArray, one), 1)).find("does not go with int32"),
            std::string::npos);
  EXPECT_NE(message(read(dictionary_page(1000, one) + data_page(1, ParquetEncoding::kPlain, one), 1))
                .find("its dictionary can't be read"),
            std::string::npos);
  const std::string beyond =
      dictionary_page(1, one) + data_page(1, ParquetEncoding::kRleDictionary, std::string("\x08\x02\x07", 3));
  EXPECT_NE(message(read(beyond, 1)).find("values can't be read"), std::string::npos);
}

TEST(ParquetColumn, BelievesNoSizeThatIsOnlyAnnounced) {
  const std::string small = zstd("abcd");
  const Outcome much = read(data_page(1, ParquetEncoding::kPlain, small, 200 * 1024 * 1024), 1, Codec::kZstd);
  EXPECT_NE(message(much).find("not of the size that is announced"), std::string::npos);
  const Outcome more = read(data_page(1, ParquetEncoding::kPlain, small, 300 * 1024 * 1024), 1, Codec::kZstd);
  ASSERT_TRUE(more.error.has_value());
  EXPECT_EQ(more.error->code, ErrorCode::kResourceExhausted);
  const std::string bomb = zstd(std::string(50 * 1024 * 1024, '\0'));
  ASSERT_LT(bomb.size(), 10'000u);
  const Outcome less = read(data_page(1, ParquetEncoding::kPlain, bomb, 4), 1, Codec::kZstd);
  EXPECT_NE(message(less).find("not of the size that is announced"), std::string::npos);
}

TEST(ParquetColumn, GivesManyMissingValuesWithoutKeepingThem) {
  constexpr std::int64_t kMany = 2'000'000'000;
  std::string levels;  // One run of zeros.
  auto head = static_cast<std::uint64_t>(kMany) << 1;
  for (; head > 127; head >>= 7) levels += static_cast<char>(head | 128);
  levels += static_cast<char>(head);
  levels += '\0';
  const std::string body = bytes_of<std::uint32_t>({static_cast<std::uint32_t>(levels.size())}) + levels;
  const Outcome got = read(data_page(kMany, ParquetEncoding::kPlain, body), kMany, Codec::kNone, true);
  EXPECT_EQ(message(got), "");
  EXPECT_EQ(got.present, std::vector<std::uint8_t>(8, 0));
}

TEST(ParquetColumn, RefusesLevelsThatAreNeitherZeroNorOne) {
  const std::string levels = bytes_of<std::uint32_t>({2}) + "\x10\x02";
  const Outcome got = read(data_page(8, ParquetEncoding::kPlain, levels + std::string(32, 'x')), 8, Codec::kNone, true);
  EXPECT_NE(message(got).find("too few levels"), std::string::npos);
}

TEST(Decompress, TakesNoMoreMemoryThanIsUnpacked) {
  std::string out;
  for (const Codec codec : {Codec::kSnappy, Codec::kGzip, Codec::kBrotli, Codec::kZstd, Codec::kLz4Raw,
                            Codec::kLz4Hadoop, Codec::kLz4Frame}) {
    EXPECT_NE(decompress(codec, "not packed at all", 250 * 1024 * 1024, out), "") << to_string(codec);
    EXPECT_LT(out.capacity(), 1024u * 1024u) << to_string(codec);
    EXPECT_EQ(decompress(codec, "", 0, out), "") << to_string(codec);
    EXPECT_NE(decompress(codec, "", 1, out), "") << to_string(codec);
  }
}

TEST(DeltaReader, RefusesHeadsThatCanNotBe) {
  std::int64_t value = 0;
  for (const std::string& head :
       {std::string(), std::string("\x00\x04\x01\x00", 4), std::string("\x80\x01\x00\x01\x00", 5),
        std::string("\x80\x01\x03\x01\x00", 5), std::string("\xff\xff\xff\xff\x7f\x01\x05\x00", 8)})
    EXPECT_FALSE(DeltaReader(head).read(&value, 1));
  EXPECT_TRUE(DeltaReader(std::string_view("\x80\x01\x04\x01\x0a", 5)).read(&value, 1));
  EXPECT_EQ(value, 5);
}

}  // namespace
}  // namespace backstay::tables
