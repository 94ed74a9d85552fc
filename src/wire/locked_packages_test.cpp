#include "wire/locked_packages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace backstay::wire {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;

const std::string kHash(64, 'a');
const std::string kOther(64, 'b');

LockedPackages read(const std::string& name, const std::string& text) {
  const auto packages = read_locked_packages(name, text);
  EXPECT_TRUE(packages) << packages.error().message;
  return packages ? *packages : LockedPackages();
}

std::string poetry(const std::string& name, const std::string& more) {
  return "[[package]]\nname = \"" + name + "\"\nversion = \"1.0\"\n" + more;
}

std::string file(const std::string& hash) {
  return "{file = \"f\", hash = \"sha256:" + hash + "\"}";
}

TEST(PoetryPackages, KeepTheHashOfEachFile) {
  const LockedPackages got = read("poetry.lock", poetry("a", "files = [" + file(kOther) + ", " + file(kHash) + "]\n"));
  EXPECT_TRUE(got.hashed());
  EXPECT_EQ(requirements_of(got), "a==1.0 \\\n    --hash=sha256:" + kHash + " \\\n    --hash=sha256:" + kOther + "\n");
}

TEST(PoetryPackages, HaveNoHashesWhenOneLacksThem) {
  const LockedPackages got = read("poetry.lock", poetry("a", "files = [" + file(kHash) + "]\n") + poetry("b", ""));
  EXPECT_FALSE(got.hashed()) << "pip takes hashes of all or of none";
  EXPECT_EQ(requirements_of(got), "a==1.0\nb==1.0\n");
}

TEST(PoetryPackages, AreInstalledWhereTheirMarkersSay) {
  const LockedPackages got =
      read("poetry.lock", poetry("a", "markers = \"sys_platform == 'win32'\"\n") +
                              poetry("b", "groups = [\"main\", \"dev\"]\nmarkers = {main = \"os_name == 'nt'\"}\n") +
                              poetry("c", "groups = [\"main\"]\nmarkers = {main = \"os_name == 'nt'\"}\n"));
  EXPECT_EQ(requirements_of(got), "a==1.0 ; sys_platform == 'win32'\nb==1.0\nc==1.0 ; (os_name == 'nt')\n");
}

TEST(PoetryPackages, FromElsewhereAreLeftOutByName) {
  const LockedPackages got =
      read("poetry.lock", poetry("a", "[package.source]\ntype = \"git\"\nurl = \"https://x\"\n"));
  EXPECT_THAT(got.pip, IsEmpty());
  EXPECT_THAT(got.left_out, ElementsAre("a (from git)"));
  EXPECT_THAT(requirements_of(read("poetry.lock", poetry("a",
                                                         "[package.source]\ntype = \"legacy\"\nurl = "
                                                         "\"https://pypi.example.org/simple/\"\n"))),
              HasSubstr("--extra-index-url https://pypi.example.org/simple\n"));
}

TEST(LockedPackages, CanNotWriteAnythingElseIntoARequirementsFile) {
  for (const char* name : {"-r", "a b", "git+https://x/y", "a\\n--index-url https://x", "a;b", "a#", ".a"}) {
    const LockedPackages got = read("poetry.lock", poetry(name, ""));
    EXPECT_THAT(got.pip, IsEmpty()) << name;
    EXPECT_THAT(got.left_out, ElementsAre("a package with a name that is none (it has no exact version)"));
  }
  for (const char* marker : {"os_name == 'nt' --hash=x", "a # b", "a\\nb", "a \\\\", "a; b"})
    EXPECT_THAT(read("poetry.lock", poetry("a", "markers = \"" + std::string(marker) + "\"\n")).left_out,
                ElementsAre("a (its condition is not understood)"))
        << marker;
  EXPECT_THAT(read("poetry.lock", "[[package]]\nname = \"a\"\nversion = \"1 --pre\"\n").pip, IsEmpty());
}

/// A project that needs a, extra x of b, and on Windows c; d is nobody's.
const std::string kUv = R"(
[[package]]
name = "me"
source = { virtual = "." }
dependencies = [
  { name = "a" },
  { name = "b", extra = ["x"], marker = "python_version < '3.11'" },
  { name = "c", marker = "sys_platform == 'win32'" },
]
[package.dev-dependencies]
dev = [{ name = "only-dev" }]
[[package]]
name = "a"
version = "1.0"
dependencies = [{ name = "c", marker = "os_name == 'nt'" }, { name = "a" }]
[[package]]
name = "b"
version = "1.0"
[package.optional-dependencies]
x = [{ name = "of-extra" }]
y = [{ name = "d" }]
[[package]]
name = "c"
version = "1.0"
[[package]]
name = "d"
version = "1.0"
[[package]]
name = "of-extra"
version = "1.0"
[[package]]
name = "only-dev"
version = "1.0"
)";

TEST(UvPackages, AreThoseThatTheProjectReachesEachOnItsConditions) {
  EXPECT_EQ(requirements_of(read("uv.lock", kUv)),
            "a==1.0\n"
            "b==1.0 ; (python_version < '3.11')\n"
            "c==1.0 ; (os_name == 'nt') or (sys_platform == 'win32')\n"
            "of-extra==1.0 ; (python_version < '3.11')\n"
            "only-dev==1.0\n");
}

TEST(UvPackages, InSeveralVersionsAreEachWhereItIsMeant) {
  const std::string text =
      "[[package]]\nname = \"me\"\nsource = { editable = \".\" }\ndependencies = [\n"
      "{ name = \"a\", version = \"1.0\", marker = \"python_version < '3.10'\" },\n"
      "{ name = \"a\", version = \"2.0\", marker = \"python_version >= '3.10'\" } ]\n"
      "[[package]]\nname = \"a\"\nversion = \"1.0\"\n"
      "[[package]]\nname = \"a\"\nversion = \"2.0\"\nresolution-markers = [\"os_name == 'x'\", \"os_name == 'y'\"]\n";
  EXPECT_EQ(requirements_of(read("uv.lock", text)),
            "a==1.0 ; (python_version < '3.10')\n"
            "a==2.0 ; ((python_version >= '3.10')) and ((os_name == 'x') or (os_name == 'y'))\n");
}

TEST(UvPackages, OfALockWithoutAProjectAreAll) {
  EXPECT_EQ(requirements_of(read("uv.lock", "[[package]]\nname = \"a\"\nversion = \"1\"\n")), "a==1\n");
}

std::string conda(const std::string& name, const std::string& more) {
  return "- {name: " + name + ", version: 1.2.13, manager: conda, platform: linux-64" + more + "}\n";
}

std::string at(const std::string& name) {
  return ", url: 'https://c/linux-64/" + name + ".conda', hash: {md5: 0, sha256: " + kHash + "}";
}

TEST(CondaPackages, GoIntoAnExplicitSpecificationAndNeverToPip) {
  const LockedPackages got =
      read("conda-lock.yml",
           "package:\n" + conda("zlib", at("zlib") + ", dependencies: {libgcc: '>=1'}") +
               conda("libgcc", at("libgcc")) + conda("python", at("python")) +
               "- {name: Tiny, version: '1', manager: pip, platform: linux-64, hash: {sha256: " + kHash + "}}\n");
  ASSERT_EQ(got.conda.count("linux-64"), 1u);
  EXPECT_EQ(explicit_spec_of("linux-64", got.conda.at("linux-64")),
            "# platform: linux-64\n@EXPLICIT\n"
            "https://c/linux-64/libgcc.conda#sha256:" +
                kHash +  // What zlib needs is before it.
                "\nhttps://c/linux-64/zlib.conda#sha256:" + kHash +
                "\nhttps://c/linux-64/python.conda#sha256:" + kHash + "\n");
  EXPECT_THAT(got.conda_python, ElementsAre(Pair("linux-64", "1.2.13")));
  EXPECT_EQ(requirements_of(got), "Tiny==1 \\\n    --hash=sha256:" + kHash + "\n");
}

TEST(CondaPackages, ThatCanNotBeFoundAgainAreNamed) {
  const LockedPackages got =
      read("conda-lock.yml", "package:\n" + conda("zlib", "") + conda("curl", ", url: 'https://c/curl.conda'") +
                                 conda("evil", ", url: \"https://c/x\\nhttps://d/y\", hash: {sha256: " + kHash + "}"));
  EXPECT_THAT(got.conda, IsEmpty());
  EXPECT_THAT(got.pip, IsEmpty());
  EXPECT_THAT(got.conda_left_out,
              ElementsAre("zlib (without an address)", "curl (without a hash)", "evil (without an address)"));
}

TEST(CondaPackages, OfPipAreForTheirPlatform) {
  const std::string tiny = "- {name: tiny, version: '1', manager: pip, platform: ";
  EXPECT_EQ(requirements_of(read("conda-lock.yml", "package:\n" + tiny + "linux-64}\n" + tiny + "osx-arm64}\n")),
            "tiny==1 ; sys_platform == 'linux' and platform_machine == 'x86_64'\n"
            "tiny==1 ; sys_platform == 'darwin' and platform_machine == 'arm64'\n");
}

TEST(CondaPackages, InACircleAreAllThere) {
  const LockedPackages got =
      read("conda-lock.yml", "package:\n" + conda("a", at("a") + ", dependencies: {b: ''}") +
                                 conda("b", at("b") + ", dependencies: {a: '', c: ''}") + conda("c", at("c")));
  EXPECT_THAT(got.conda.at("linux-64"),
              ElementsAre(HasSubstr("/c.conda"), HasSubstr("/a.conda"), HasSubstr("/b.conda")));
}

TEST(LockedPackages, OfOtherFilesAreNone) {
  EXPECT_FALSE(is_project_lock("requirements.txt"));
  EXPECT_TRUE(is_project_lock("locks/conda-lock.prod.yml"));
  EXPECT_THAT(read("requirements.txt", "a==1").pip, IsEmpty());
  EXPECT_FALSE(read_locked_packages("uv.lock", "[[package"));
  for (const char* text : {"package = 1", "[package]\na = 1", "[[package]]\nname = 1\nsource = 1\ndependencies = 1"})
    for (const char* name : {"uv.lock", "poetry.lock"})
      EXPECT_THAT(requirements_of(read(name, text)), Not(HasSubstr("=="))) << text;
}

}  // namespace
}  // namespace backstay::wire
