#include "domain/scan/pickle.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "domain/scan/imports.hpp"
#include "domain/scan/pickle_values.hpp"

namespace backstay::scan {
namespace {

using namespace std::string_literals;

PickleResult walk(const std::string& bytes, PickleOptions options = {}) {
  options.path = "f";
  return scan_pickle(MemorySource(bytes), 0, options).value();
}

const Finding* about(const PickleResult& found, const std::string& import) {
  for (const Finding& finding : found.findings) {
    if (finding.import == import) return &finding;
  }
  return nullptr;
}

bool has(const PickleResult& found, const std::string& kind) {
  return std::any_of(found.findings.begin(), found.findings.end(), [&](const Finding& f) { return f.kind == kind; });
}

/// The opcode that reaches os.system, or what else is said of it.
std::string reached_by(const std::string& bytes) {
  const PickleResult found = walk(bytes);
  const Finding* finding = about(found, "os.system");
  return finding == nullptr ? "" : finding->why;
}

// Every opcode but those with their own tests: what it is, before something harmless, and what it must leave on the
// stack so that the TUPLE behind it has that many items.
struct Case {
  std::string name;
  std::string bytes;  ///< Runs after MARK; then TUPLE, STOP.
};

const Case kEach[] = {
    {"MARK", "(1"},
    {"EMPTY_TUPLE", ")"},
    {"POP", "N0"},
    {"POP_MARK", "(NN1"},
    {"DUP", "N2"},
    {"BINBYTES", "B\x02\0\0\0ab"s},
    {"SHORT_BINBYTES",
     "C\x02"
     "ab"},
    {"FLOAT", "F1.5\n"},
    {"BINFLOAT", "G\0\0\0\0\0\0\0\0"s},
    {"INT", "I7\n"},
    {"BININT", "J\x01\0\0\0"s},
    {"BININT1", "K\x01"},
    {"LONG", "L7L\n"},
    {"BININT2", "M\x01\x01"},
    {"NONE", "N"},
    {"PERSID", "Pid\n"},
    {"BINPERSID", "NQ"},
    {"REDUCE", "cos\nsystem\n)R"},
    {"STRING", "S'a'\n"},
    {"BINSTRING", "T\x01\0\0\0a"s},
    {"SHORT_BINSTRING",
     "U\x01"
     "a"},
    {"UNICODE", "Va\n"},
    {"BINUNICODE", "X\x01\0\0\0a"s},
    {"EMPTY_LIST", "]"},
    {"APPEND", "]Na"},
    {"BUILD", "cos\nsystem\n)\x81}b"},
    {"GLOBAL", "cos\nsystem\n"},
    {"DICT", "(NNd"},
    {"APPENDS", "](NNe"},
    {"GET", "Np1\n0g1\n"},
    {"BINGET", "Nq\x01h\x01"},
    {"INST", "(ios\nsystem\n"},
    {"LONG_BINGET", "Nr\x01\0\0\0j\x01\0\0\0"s},
    {"LIST", "(NNl"},
    {"OBJ", "(cos\nsystem\no"},
    {"PUT", "Np1\n"},
    {"BINPUT", "Nq\x01"},
    {"LONG_BINPUT", "Nr\x01\0\0\0"s},
    {"SETITEM", "}NNs"},
    {"TUPLE", "(NNt"},
    {"SETITEMS", "}(NNu"},
    {"EMPTY_DICT", "}"},
    {"PROTO", "\x80\x05"},
    {"NEWOBJ", "cos\nsystem\n)\x81"},
    {"EXT1", "\x82\x01"},
    {"EXT2", "\x83\x01\x01"},
    {"EXT4", "\x84\x01\0\0\0"s},
    {"TUPLE1", "N\x85"},
    {"TUPLE2", "NN\x86"},
    {"TUPLE3", "NNN\x87"},
    {"NEWTRUE", "\x88"},
    {"NEWFALSE", "\x89"},
    {"LONG1", "\x8a\x01\x07"},
    {"LONG4", "\x8b\x01\0\0\0\x07"s},
    {"SHORT_BINUNICODE",
     "\x8c\x01"
     "a"},
    {"BINUNICODE8", "\x8d\x01\0\0\0\0\0\0\0a"s},
    {"BINBYTES8", "\x8e\x01\0\0\0\0\0\0\0a"s},
    {"EMPTY_SET", "\x8f"},
    {"ADDITEMS", "\x8f(NN\x90"},
    {"FROZENSET", "(NN\x91"},
    {"NEWOBJ_EX", "cos\nsystem\n)}\x92"},
    {"STACK_GLOBAL", "\x8c\x02os\x8c\x06system\x93"},
    {"MEMOIZE", "N\x94"},
    {"FRAME", "\x95\x01\0\0\0\0\0\0\0N"s},
    {"BYTEARRAY8", "\x96\x01\0\0\0\0\0\0\0a"s},
    {"NEXT_BUFFER", "\x97"},
    {"READONLY_BUFFER", "\x97\x98"},
};

TEST(Pickle, KnowsEveryOpcodeAndKeepsTheStackAsPythonDoes) {
  int seen = 0;
  for (int code = 0; code < 256; ++code) seen += find_opcode(static_cast<std::uint8_t>(code)) != nullptr ? 1 : 0;
  EXPECT_EQ(seen, kOpcodeCount);
  EXPECT_EQ(std::size(kEach) + 1, static_cast<std::size_t>(kOpcodeCount));  // STOP ends each.
  for (const Case& each : kEach) {
    std::vector<std::string> names;
    PickleOptions options;
    options.on_opcode = [&](std::uint64_t, const Opcode& opcode) { names.emplace_back(opcode.name); };
    const std::string bytes = "(" + each.bytes + "t.";
    const PickleResult found = walk(bytes, options);
    EXPECT_TRUE(std::find(names.begin(), names.end(), each.name) != names.end()) << each.name;
    EXPECT_EQ(found.pickles, 1u) << each.name;
    EXPECT_EQ(found.end, bytes.size()) << each.name;
    EXPECT_FALSE(has(found, "broken")) << each.name;
    // One more TUPLE finds no mark: nothing was left over, nothing was lacking.
    EXPECT_TRUE(has(walk("(" + each.bytes + "tt."), "broken")) << each.name;
  }
}

TEST(Pickle, FindsTheCallableThatEachCallingOpcodeReaches) {
  EXPECT_NE(reached_by("cos\nsystem\n(S'id'\ntR.").find("REDUCE at byte 19"), std::string::npos);
  EXPECT_NE(reached_by("(S'id'\nios\nsystem\n.").find("INST"), std::string::npos);
  EXPECT_NE(reached_by("(cos\nsystem\nS'id'\no.").find("OBJ"), std::string::npos);
  EXPECT_NE(reached_by("\x80\x02"
                       "cos\nsystem\n)\x81.")
                .find("NEWOBJ"),
            std::string::npos);
  EXPECT_NE(reached_by("\x80\x04"
                       "cos\nsystem\n)}\x92.")
                .find("NEWOBJ_EX"),
            std::string::npos);
  EXPECT_NE(reached_by("\x80\x04\x8c\x02os\x8c\x06system\x93).").find("STACK_GLOBAL imports it"), std::string::npos);
}

TEST(Pickle, FollowsNamesThroughMemoMarksAndEscapes) {
  for (const std::string& bytes : {
           "\x80\x04\x8c\x06system\x94\x30\x8c\x02os\x94\x30h\x01h\x00\x93)R."s,
           "\x80\x04\x8c\x01x\x94\x30\x8c\x02osq\x00\x30h\x00\x8c\x06system\x93)R."s,
           "\x80\x04\x8c\x02os(\x8c\x01x1\x8c\x06system\x93)R."s,
           "\x80\x04\x8c\x02os\x32\x94\x30\x30h\x00\x8c\x06system\x93)R."s,
           "\x80\x04S'\\x6fs'\n\x8c\x06system\x93)R."s,
           "\x80\x04S'\\157s'\n\x8c\x06system\x93)R."s,
           "\x80\x04V\\u006fs\n\x8c\x06system\x93)R."s,
           "\x80\x04r\xff\xff\xff\xff"s.substr(0, 2) +
               "\x8c\x02osr\xff\xff\xff\xff\x30j\xff\xff\xff\xff\x8c\x06system\x93)R.",
       })
    EXPECT_NE(reached_by(bytes), "") << bytes;
}

TEST(Pickle, ANameThatIsNotAPlainTextIsDangerous) {
  const PickleResult found = walk("\x80\x04N\x8c\x06system\x93)R.");
  ASSERT_FALSE(found.findings.empty());
  EXPECT_EQ(found.findings[0].verdict, Verdict::kDangerous);
  const std::string lengthy = "\x80\x04X\xe8\x03\0\0"s + std::string(1000, 'a') + "\x8c\x01x\x93.";
  EXPECT_EQ(walk(lengthy).findings.at(0).verdict, Verdict::kDangerous);
}

TEST(Pickle, CallingWhatIsMadeWhileLoadingIsDangerous) {
  const PickleResult found = walk(
      "\x80\x02"
      "ccollections\nOrderedDict\n)R)R.");
  EXPECT_TRUE(std::any_of(found.findings.begin(), found.findings.end(),
                          [](const Finding& f) { return f.kind == "call" && f.verdict == Verdict::kDangerous; }));
}

TEST(Pickle, ChangingAnImportedThingItselfIsDangerous) {
  for (const char* change : {"}b", "NNs", "(NNu", "Na", "(Ne"}) {
    const PickleResult found = walk(std::string("\x80\x02"
                                                "cmodels\nModel\n") +
                                    change + ".");
    const bool dangerous = std::any_of(found.findings.begin(), found.findings.end(), [](const Finding& f) {
      return f.kind == "call" && f.verdict == Verdict::kDangerous;
    });
    EXPECT_TRUE(dangerous) << change;
  }
}

TEST(Pickle, KeepsWhatWasFoundBeforeItBreaks) {
  for (const std::string& tail : {""s, "\xff"s, "\xff."s, "X\xff\xff\xff\x7f"s}) {
    const PickleResult found = walk(
        "\x80\x02"
        "cos\nsystem\n)R" +
        tail);
    EXPECT_NE(about(found, "os.system"), nullptr);
    EXPECT_TRUE(has(found, "broken"));
  }
}

TEST(Pickle, GoesOnWhereSomeUnpicklersWould) {
  // C's unpickler reads numbers in any base; others stop. Both are followed.
  EXPECT_NE(about(walk("I0x10\n0cos\nsystem\n)R."), "os.system"), nullptr);
  // More is popped than there is: broken, and looked at to the end.
  EXPECT_NE(about(walk("\x80\x02"
                       "00cos\nsystem\n)R."),
                  "os.system"),
            nullptr);
}

TEST(Pickle, LooksIntoEveryPickleThatFollows) {
  const PickleResult found = walk(
      "\x80\x02N.\x80\x04N."
      "cos\nsystem\n)R.");
  EXPECT_EQ(found.pickles, 3u);
  EXPECT_NE(about(found, "os.system"), nullptr);
  EXPECT_TRUE(has(walk("\x80\x02N.\xff\xff"), "broken"));
}

TEST(Pickle, TextThatLooksLikeOpcodesIsNoPickle) {
  PickleOptions maybe;
  maybe.certain = false;
  EXPECT_FALSE(walk("cat\ndog\nfish\n", maybe).is_pickle);
  EXPECT_FALSE(walk("weights", maybe).is_pickle);
  EXPECT_FALSE(walk("I am a text", maybe).is_pickle);
  EXPECT_TRUE(walk("cos\nsystem\n(S'id'\ntR\xff", maybe).is_pickle);
  EXPECT_TRUE(walk("(lp0\nI1\na.", maybe).is_pickle);
}

TEST(Pickle, OnlyTorchArchivesMayNameStorages) {
  const std::string storage =
      "\x80\x02(U\x07storagectorch\nFloatStorage\nU\x01\x30U\x03"
      "cpuK\x04tQ.";
  PickleOptions torch;
  torch.torch = true;
  EXPECT_FALSE(has(walk(storage, torch), "call"));
  EXPECT_TRUE(has(walk(storage), "call"));
  EXPECT_TRUE(has(walk("\x80\x02U\x04"
                       "evilQ.",
                       torch),
                  "call"));
}

TEST(Pickle, WhatExceedsALimitIsDangerous) {
  PickleOptions options;
  options.limits.stack = 100;
  const PickleResult deep = walk("\x80\x02" + std::string(200, 'N') + ".", options);
  EXPECT_TRUE(has(deep, "limit"));
  options = {};
  options.limits.imports = 3;
  std::string many = "\x80\x02";
  for (char c = 'a'; c < 'h'; ++c) many += std::string("cm\n") + c + "\n0";
  EXPECT_TRUE(has(walk(many + "N.", options), "limit"));
  options = {};
  options.limits.pickles = 2;
  EXPECT_TRUE(has(walk("N.N.N.N.", options), "limit"));
}

TEST(Pickle, AMemoThatIsTooLargeForgetsAndThenTrustsNothing) {
  PickleOptions options;
  options.limits.memo = 1;
  const PickleResult found = walk("\x80\x04\x8c\x01x\x94\x8c\x02os\x94h\x01\x8c\x06system\x93)R.", options);
  EXPECT_TRUE(std::any_of(found.findings.begin(), found.findings.end(),
                          [](const Finding& f) { return f.verdict == Verdict::kDangerous; }));
}

TEST(Imports, WhatIsNotKnownIsSuspicious) {
  EXPECT_EQ(judge_import("collections", "OrderedDict").verdict, Verdict::kSafe);
  EXPECT_EQ(judge_import("numpy._core.multiarray", "_reconstruct").verdict, Verdict::kSafe);
  EXPECT_EQ(judge_import("torch", "FloatStorage").verdict, Verdict::kSafe);
  EXPECT_EQ(judge_import("__builtin__", "set").verdict, Verdict::kSafe);
  EXPECT_EQ(judge_import("my_models", "Net").verdict, Verdict::kSuspicious);
  EXPECT_EQ(judge_import("sklearn.tree._tree", "Tree").verdict, Verdict::kSuspicious);
  EXPECT_EQ(judge_import("builtins", "KeyError").verdict, Verdict::kSuspicious);
}

TEST(Imports, WhatRunsReachesOrLoadsIsDangerous) {
  for (const auto& [module, name] : {std::pair{"posix", "system"},
                                     {"nt", "system"},
                                     {"os.path", "exists"},
                                     {"builtins", "eval"},
                                     {"__builtin__", "getattr"},
                                     {"builtins", "anything_else"},
                                     {"operator", "attrgetter"},
                                     {"torch", "load"},
                                     {"numpy", "load"},
                                     {"pickle", "loads"},
                                     {"torch.storage", "_load_from_bytes"},
                                     {"my_models", "os.system"},
                                     {"my_models", "Net.__init__.__globals__"},
                                     {"numpy", "memmap.x"},
                                     {"concurrent.futures.process", "x"}})
    EXPECT_EQ(judge_import(module, name).verdict, Verdict::kDangerous) << module << " " << name;
}

TEST(Imports, AnEstimatorIsHarmlessAsAnInstanceOnly) {
  const std::string cls = "csklearn.linear_model._logistic\nLogisticRegression\n";
  const auto verdict = [&](const std::string& rest) {
    const PickleResult found = walk("\x80\x02" + cls + rest);
    return about(found, "sklearn.linear_model._logistic.LogisticRegression")->verdict;
  };
  EXPECT_EQ(verdict(")\x81}b."), Verdict::kSafe);
  EXPECT_EQ(verdict(")R."), Verdict::kSuspicious);
}

TEST(Values, DecodesWhatProtocol0Writes) {
  EXPECT_EQ(unquoted("'a\\n\\x41\\101\\\\'"), "a\nAA\\");
  EXPECT_EQ(unquoted("\"it's\""), "it's");
  EXPECT_EQ(raw_unicode("\\u0041\\U0001F600\\\\u0041"), "A\xF0\x9F\x98\x80\\\\u0041");
}

}  // namespace
}  // namespace backstay::scan
