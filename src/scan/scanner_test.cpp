#include "scan/scanner.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <algorithm>

#include "base/temporary_folder.hpp"
#include "scan/unpack.hpp"
#include "scan/zip.hpp"

namespace backstay::scan {
namespace {

using namespace std::string_literals;

const std::string kCall = "cposix\nsystem\n(S'id'\ntR.";

Report scan(
    const std::string& bytes, const std::string& name = "model.bin", const Limits& limits = {},
    const HasFile& has_file = [](const std::string&) { return false; }) {
  return scan_artifact(MemorySource(bytes), name, has_file, limits).value();
}

bool has(const Report& report, const std::string& kind, const std::string& path = "") {
  return std::any_of(report.findings.begin(), report.findings.end(), [&](const Finding& f) {
    return f.kind == kind && f.verdict != Verdict::kSafe && (path.empty() || f.path == path);
  });
}

std::string number(std::uint64_t value, int width) {
  std::string out;
  for (int i = 0; i < width; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

struct Member {
  std::string name;
  std::string content;
  std::uint32_t attributes = 0;
};

/// Stored members, as a zip writer would.
std::string zip(const std::vector<Member>& members) {
  std::string out;
  std::string directory;
  for (const Member& m : members) {
    const auto crc = crc32(0, reinterpret_cast<const Bytef*>(m.content.data()), static_cast<uInt>(m.content.size()));
    const std::string facts = number(crc, 4) + number(m.content.size(), 4) + number(m.content.size(), 4) +
                              number(m.name.size(), 2) + number(0, 2);
    directory += "PK\x01\x02"s + number(20, 2) + number(20, 2) + number(0, 8) + facts + number(0, 6) +
                 number(m.attributes, 4) + number(out.size(), 4) + m.name;
    out += "PK\x03\x04"s + number(20, 2) + number(0, 8) + facts + m.name + m.content;
  }
  return out + directory + "PK\x05\x06"s + number(0, 4) + number(members.size(), 2) + number(members.size(), 2) +
         number(directory.size(), 4) + number(out.size(), 4) + number(0, 2);
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, MAX_WBITS + 16, 9, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

TEST(Scanner, ContentDecidesWhateverTheNameIs) {
  for (const char* name : {"model.pkl", "model.onnx", "readme.md", "x.safetensors", "noextension"})
    EXPECT_EQ(scan(kCall, name).verdict, Verdict::kDangerous) << name;
  EXPECT_EQ(scan("just text", "notes.txt").verdict, Verdict::kSafe);
  EXPECT_EQ(scan("", "empty").verdict, Verdict::kSafe);
  EXPECT_EQ(scan("just text", "model.pkl").verdict, Verdict::kSuspicious);
}

TEST(Scanner, FindingsNameTheMemberInItsContainers) {
  const Report report = scan(gzip(zip({{"a/inner.zip", zip({{"data.pkl", kCall}})}})), "m.tgz");
  EXPECT_EQ(report.verdict, Verdict::kDangerous);
  EXPECT_TRUE(has(report, "import", "m.tgz!unpacked!a/inner.zip!data.pkl"));
}

TEST(Scanner, AnHonestArchiveIsSafe) {
  EXPECT_EQ(scan(zip({{"a.txt", "words"}, {"b/c.bin", "more"}})).verdict, Verdict::kSafe);
  EXPECT_EQ(scan(zip({{"inner.zip", zip({{"a.txt", "words"}})}})).verdict, Verdict::kSafe);
}

TEST(Scanner, NamesThatLeaveTheirFolderAreDangerous) {
  for (const std::string& name : {"../x"s, "a/../../x"s, "/x"s, "C:\\x"s, "a\\..\\..\\x"s, "x\0.txt"s})
    EXPECT_TRUE(has(scan(zip({{name, "y"}})), "path")) << name;
  EXPECT_EQ(scan(zip({{"a..b/c", "y"}})).verdict, Verdict::kSafe);
  EXPECT_TRUE(has(scan(zip({{"link", "/etc/passwd", 0120777U << 16}})), "path"));
}

TEST(Scanner, MembersThatShareBytesAreABombAndAreNotFollowed) {
  std::string archive = zip({{"a", "words"}, {"b", "words"}});
  const std::size_t second = archive.rfind("PK\x01\x02");
  archive.replace(second + 42, 4, number(0, 4));
  const Report report = scan(archive);
  EXPECT_TRUE(has(report, "bomb"));
}

TEST(Scanner, WhatUnpacksToTooMuchIsABomb) {
  Limits limits;
  limits.ratio_after = 1'000'000;
  const std::string bomb = gzip("{" + std::string(3'000'000, ' '));
  EXPECT_TRUE(has(scan(bomb, "x.json.gz", limits), "bomb"));
  limits = {};
  limits.unpacked = 1'000'000;
  EXPECT_TRUE(has(scan(bomb, "x.json.gz", limits), "bomb"));
  EXPECT_EQ(scan(gzip("{" + std::string(100'000, ' '))).verdict, Verdict::kSafe);
}

TEST(Scanner, ContainersInContainersEndSomewhere) {
  std::string bytes = kCall;
  for (int i = 0; i < 20; ++i) bytes = zip({{"x", bytes}});
  EXPECT_TRUE(has(scan(bytes), "bomb"));
}

TEST(Scanner, TooManyMembersAreAFinding) {
  Limits limits;
  limits.entries = 5;
  std::vector<Member> members;
  for (int i = 0; i < 10; ++i) members.push_back({std::to_string(i), "x"});
  EXPECT_TRUE(has(scan(zip(members), "a.zip", limits), "limit"));
}

TEST(Scanner, KeepsTheWorstFindingsWhenThereAreTooMany) {
  Limits limits;
  limits.findings = 3;
  std::vector<Member> members;
  for (int i = 0; i < 10; ++i)
    members.push_back({std::to_string(i),
                       "\x80\x02"
                       "cm\nf\n)R."});
  members.push_back({"last", kCall});
  const Report report = scan(zip(members), "a.zip", limits);
  EXPECT_EQ(report.findings.size(), 3u);
  EXPECT_EQ(report.verdict, Verdict::kDangerous);
  EXPECT_TRUE(has(report, "import", "a.zip!last"));
}

TEST(Scanner, DamagedCompressionKeepsWhatWasUnpacked) {
  const std::string whole = gzip(kCall + std::string(200'000, 'x'));
  const Report report = scan(whole.substr(0, whole.size() - 12));
  EXPECT_TRUE(has(report, "import"));
  EXPECT_TRUE(has(report, "broken"));
}

TEST(Scanner, WhatCanNotBeUnpackedIsSuspicious) {
  for (const std::string& magic : {"7z\xBC\xAF\x27\x1C"s, "\x28\xB5\x2F\xFD"s, "\x04\x22\x4D\x18"s, "Rar!\x1A\x07"s})
    EXPECT_TRUE(has(scan(magic + std::string(50, '\0')), "unscannable"));
}

TEST(Scanner, ASafetensorsHeaderStaysInItsFile) {
  const auto file = [](const std::string& header, std::size_t data) {
    return number(header.size(), 8) + header + std::string(data, '\0');
  };
  const std::string good = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  EXPECT_EQ(scan(file(good, 4), "m.safetensors").verdict, Verdict::kSafe);
  EXPECT_TRUE(has(scan(file(good, 3), "m.safetensors"), "broken"));
  EXPECT_TRUE(has(scan(file(good, 9), "m.safetensors"), "broken"));
  EXPECT_TRUE(has(scan(file(good, 3)), "broken")) << "whatever its name is";
  EXPECT_TRUE(has(scan(file(R"({"a":{"data_offsets":[4,0]}})", 4), "m.safetensors"), "broken"));
  EXPECT_TRUE(has(scan(file(R"({"a":)", 4), "m.safetensors"), "broken"));
  EXPECT_TRUE(has(scan(number(1'000, 8) + "{}", "m.safetensors"), "broken"));
}

TEST(Scanner, KerasClassesAreFoundInStringsWithinStrings) {
  EXPECT_TRUE(has(scan(R"({"class_name": "Lambda"})"), "lambda"));
  EXPECT_TRUE(has(scan(R"({"x": "{\"class_name\":\"\\u004cambda\"}"})"), "lambda"));
  EXPECT_TRUE(has(scan("\x89HDF\r\n\x1A\n\0\0\"\"\""s + R"({"class_name" : "Lambda")"), "lambda"));
  EXPECT_TRUE(has(scan(R"({"class_name": "f", "module": "os"})"), "import"));
  EXPECT_EQ(scan(R"({"class_name": "Dense", "module": "keras.layers"})").verdict, Verdict::kSafe);
  EXPECT_EQ(scan(R"({"module": "os"})").verdict, Verdict::kSafe) << "some other JSON";
}

TEST(Scanner, ReadsFilesOfThisMachineButNoLinks) {
  EXPECT_EQ(FileSource::open("/dev/null").error().code, ErrorCode::kInvalidArgument);
  const TemporaryFolder empty;
  EXPECT_EQ(FileSource::open((empty.path() / "nothing").string()).error().code, ErrorCode::kNotFound);
}

TEST(Spool, HoldsTheSameBytesInMemoryAndInAFile) {
  Spool spool;
  const std::string piece(1U << 20, 'p');
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(spool.append(std::as_bytes(std::span(piece))));
  const std::string end = "the end";
  ASSERT_TRUE(spool.append(std::as_bytes(std::span(end))));
  EXPECT_EQ(spool.size(), (20U << 20) + end.size());
  std::string read(end.size() + 5, '\0');
  EXPECT_EQ(spool.read_at(spool.size() - end.size(), std::as_writable_bytes(std::span(read))).value(), end.size());
  EXPECT_EQ(read.substr(0, end.size()), end);
}

TEST(Paths, AreJoinedWithinTheirRoot) {
  std::string out;
  EXPECT_TRUE(join_path("a/b", "../c.bin", out));
  EXPECT_EQ(out, "a/c.bin");
  EXPECT_TRUE(join_path("", "./c.bin", out));
  EXPECT_EQ(out, "c.bin");
  EXPECT_FALSE(join_path("a", "../../c.bin", out));
}

}  // namespace
}  // namespace backstay::scan
