#include "wire/lock_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/document.hpp"
#include "wire/toml.hpp"

namespace backstay::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

const std::string kHash(64, 'a');

LockReport read(const std::string& name, const std::string& text) {
  const auto report = read_lock_file(name, text);
  EXPECT_TRUE(report) << report.error().message;
  return report ? *report : LockReport();
}

TEST(Requirements, ArePinnedWhenEveryEntryHasVersionAndHash) {
  const LockReport got =
      read("requirements.txt",
           "# made by a tool\r\n--index-url https://pypi.org/simple\n"
           "Scikit_Learn[all]==1.5.2 ; python_version > \"3\" \\\n    --hash=sha256:" +
               kHash + " \\\n    --hash=sha256:" + kHash + "  # why\n" + "wheel @ https://x/w.whl#sha256=" + kHash);
  EXPECT_EQ(got.pinning, Pinning::kPinned) << got.findings.front();
  EXPECT_THAT(got.packages, ElementsAre(Pair("scikit-learn", "1.5.2")));
}

TEST(Requirements, AreWeakWithoutHashesAsPipFreezeWritesThem) {
  const LockReport got = read("freeze.txt", "numpy==1.26.4\nzope.interface===5.0\n");
  EXPECT_EQ(got.pinning, Pinning::kWeak);
  EXPECT_THAT(got.packages, ElementsAre(Pair("numpy", "1.26.4"), Pair("zope-interface", "5.0")));
  EXPECT_THAT(got.findings, ElementsAre("numpy has no sha256 hash", "zope.interface has no sha256 hash"));
}

TEST(Requirements, AreUnpinnedWhenTheDayDecides) {
  for (const std::string& line :
       {std::string("numpy"), std::string("numpy>=1"), std::string("numpy==1.*"), std::string("numpy==1,<2"),
        std::string("numpy~=1.0 --hash=sha256:") + kHash, std::string("-e ."),
        std::string("--editable=git+https://x/y"), std::string("git+https://x/y@0123"),
        std::string("m @ git+https://x/y@" + kHash), std::string("m @ https://x/y.whl"), std::string("./local.whl"),
        std::string("../x"), std::string("https://x/y.whl"), std::string("/srv/y.whl"),
        std::string("numpy == 1.0 --hash=md5:") + kHash + "\nnumpy2", std::string("[x"), std::string("a[")})
    EXPECT_EQ(read("requirements.txt", line).pinning, Pinning::kUnpinned) << line;
}

TEST(Requirements, NameTheFilesTheyInclude) {
  EXPECT_THAT(read("requirements.txt", "-r base.txt\n--constraint=c.txt\n-rother.txt\n").includes,
              ElementsAre("base.txt", "c.txt", "other.txt"));
}

TEST(PoetryLock, NeedsAHashPerFile) {
  const std::string package = "[[package]]\nname = \"A.b\"\nversion = \"1.0\"\n";
  EXPECT_EQ(read("poetry.lock", package + "files = [{file = \"a.whl\", hash = \"sha256:" + kHash + "\"}]\n").pinning,
            Pinning::kPinned);
  EXPECT_EQ(
      read("poetry.lock", package + "[metadata.files]\n\"A.b\" = [{file = \"a\", hash = \"sha256:" + kHash + "\"}]\n")
          .pinning,
      Pinning::kPinned);
  EXPECT_EQ(read("poetry.lock", package + "files = [{file = \"a.whl\", hash = \"md5:0\"}]\n").pinning, Pinning::kWeak);
  EXPECT_EQ(read("poetry.lock", package + "[package.source]\ntype = \"git\"\n").pinning, Pinning::kUnpinned);
  EXPECT_THAT(read("poetry.lock", package).packages, ElementsAre(Pair("a-b", "1.0")));
  EXPECT_FALSE(read_lock_file("poetry.lock", "package = 1"));
  EXPECT_FALSE(read_lock_file("poetry.lock", "[[package"));
}

TEST(UvLock, LeavesOutTheProjectItself) {
  const LockReport got =
      read("uv.lock",
           "version = 1\n[[package]]\nname = \"me\"\nversion = \"0.1\"\nsource = { virtual = \".\" }\n"
           "[[package]]\nname = \"numpy\"\nversion = \"2.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n"
           "wheels = [{ url = \"https://x\", hash = \"sha256:" +
               kHash + "\" }]\n");
  EXPECT_EQ(got.pinning, Pinning::kPinned);
  EXPECT_THAT(got.packages, ElementsAre(Pair("numpy", "2.0")));
  EXPECT_EQ(read("uv.lock", "[[package]]\nname = \"x\"\nsource = { git = \"https://x\" }\n").pinning,
            Pinning::kUnpinned);
}

TEST(CondaLock, NeedsSha256PerPackage) {
  const std::string head = "version: 1\npackage:\n- {name: numpy, version: 1.26.4, manager: conda, hash: {md5: 0";
  EXPECT_EQ(read("conda-lock.yml", head + ", sha256: " + kHash + "}}\n").pinning, Pinning::kPinned);
  const LockReport weak = read("conda-lock.yml", head + "}}\n");
  EXPECT_EQ(weak.pinning, Pinning::kWeak);
  EXPECT_THAT(weak.packages, ElementsAre(Pair("numpy", "1.26.4")));
}

TEST(Dockerfile, NeedsADigestForEveryImageThatIsNoStage) {
  const std::string pinned = "python:3.11@sha256:" + kHash;
  EXPECT_EQ(read("Dockerfile", "# syntax\nFROM --platform=linux/amd64 " + pinned +
                                   " AS Build\nCOPY --from=build /a /b\n"
                                   "FROM build\nCOPY --from=0 a b\nFROM scratch\nRUN <<EOF\nfrom x import y\nEOF\n")
                .pinning,
            Pinning::kPinned);
  for (const std::string& text :
       {std::string("FROM python:3.11"), "ARG T=" + pinned + "\nFROM $T", std::string("RUN x"),
        "FROM " + pinned + "\nCOPY --from=nginx:latest a b", std::string("from \\\n python"),
        "FROM " + pinned + "\nRUN --mount=type=bind,from=alpine,target=/x ls"})
    EXPECT_EQ(read("Dockerfile.train", text).pinning, Pinning::kUnpinned) << text;
}

TEST(LockFiles, OfBrokenTomlAreAnErrorInEveryBuild) {
  for (const char* text : {"[=]", "[#", "[{", "[[=]]", "[a.=]", "a.=1", "{", "[\"\"\"a\"\"\"]"})
    EXPECT_FALSE(read_lock_file("uv.lock", text)) << text;
}

TEST(Toml, KeepsEveryCharacterAndRefusesThoseThatMeanNothing) {
  const std::string text =
      "\xef\xbb\xbf# \xc3\xa9\na = \"\xc3\xa9 Z0y Z1yc3\"\nb = '\xe2\x80\xa8'\n\"\xf0\x9f\x98\x80\" = \"\"\"x\\\n  "
      "\xc3\xa9\"\"\"\n";
  const auto document = document_from_toml("t", text);
  ASSERT_TRUE(document) << document.error().message;
  const auto flat = flatten("t", *document);
  ASSERT_TRUE(flat);
  EXPECT_THAT(*flat, ElementsAre(Pair("a", "\xc3\xa9 Z0y Z1yc3"), Pair("b", "\xe2\x80\xa8"),
                                 Pair("\xf0\x9f\x98\x80", "x\xc3\xa9")));
  for (const char* bad : {"a = \xc3\xa9", "a = 1\xc3\xa9", "[\xc3\xa9", "a = \"\xff\""})
    EXPECT_FALSE(document_from_toml("t", bad)) << bad;
}

TEST(LockFiles, RefuseUnknownNamesAndFindPasswords) {
  EXPECT_EQ(read_lock_file("Pipfile.lock", "{}").error().code, ErrorCode::kUnsupported);
  EXPECT_TRUE(holds_password("-i https://bob:s3cret@pypi.example.org/simple"));
  EXPECT_FALSE(holds_password("-i https://bob:${TOKEN}@pypi.example.org/simple\nhttps://x/a:b@c"));
  EXPECT_FALSE(holds_password("git+ssh://git@host/x"));
}

TEST(LockFiles, BoundFindings) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "p" + std::to_string(i) + "\n";
  const LockReport got = read("requirements.txt", text);
  EXPECT_EQ(got.findings.size(), 20u);
  EXPECT_EQ(got.more_findings, 80u);
}

}  // namespace
}  // namespace backstay::wire
