#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>

#include "scan/visit.hpp"

// The wire format of protocol buffers, and the few messages of ONNX (onnx/onnx.proto) and TensorFlow
// (core/protobuf/saved_model.proto, meta_graph.proto, core/framework/*.proto) that lead to operators and files.
namespace backstay::scan {

namespace {

constexpr int kDeepest = 64;
constexpr std::size_t kLongestText = 4096;

enum class Message : std::uint8_t {
  kSkip,
  kOnnxModel,
  kOnnxTraining,
  kOnnxGraph,
  kOnnxFunction,
  kOnnxNode,
  kOnnxAttribute,
  kOnnxSparse,
  kOnnxTensor,
  kOnnxPair,
  kSavedModel,
  kMetaGraph,
  kGraphDef,
  kLibrary,
  kFunctionDef,
  kNodeDef,
};

struct Child {
  Message parent;
  std::uint32_t field;
  Message message;
};

constexpr std::array kChildren{
    Child{Message::kOnnxModel, 7, Message::kOnnxGraph},
    Child{Message::kOnnxModel, 20, Message::kOnnxTraining},
    Child{Message::kOnnxModel, 25, Message::kOnnxFunction},
    Child{Message::kOnnxTraining, 1, Message::kOnnxGraph},
    Child{Message::kOnnxTraining, 2, Message::kOnnxGraph},
    Child{Message::kOnnxGraph, 1, Message::kOnnxNode},
    Child{Message::kOnnxGraph, 5, Message::kOnnxTensor},
    Child{Message::kOnnxGraph, 15, Message::kOnnxSparse},
    Child{Message::kOnnxFunction, 7, Message::kOnnxNode},
    Child{Message::kOnnxFunction, 11, Message::kOnnxAttribute},
    Child{Message::kOnnxNode, 5, Message::kOnnxAttribute},
    Child{Message::kOnnxAttribute, 5, Message::kOnnxTensor},
    Child{Message::kOnnxAttribute, 6, Message::kOnnxGraph},
    Child{Message::kOnnxAttribute, 10, Message::kOnnxTensor},
    Child{Message::kOnnxAttribute, 11, Message::kOnnxGraph},
    Child{Message::kOnnxAttribute, 22, Message::kOnnxSparse},
    Child{Message::kOnnxAttribute, 23, Message::kOnnxSparse},
    Child{Message::kOnnxSparse, 1, Message::kOnnxTensor},
    Child{Message::kOnnxSparse, 2, Message::kOnnxTensor},
    Child{Message::kOnnxTensor, 13, Message::kOnnxPair},
    Child{Message::kSavedModel, 2, Message::kMetaGraph},
    Child{Message::kMetaGraph, 2, Message::kGraphDef},
    Child{Message::kGraphDef, 1, Message::kNodeDef},
    Child{Message::kGraphDef, 2, Message::kLibrary},
    Child{Message::kLibrary, 1, Message::kFunctionDef},
    Child{Message::kFunctionDef, 3, Message::kNodeDef},
};

constexpr std::array kFileOperators{"ReadFile",
                                    "WriteFile",
                                    "MatchingFiles",
                                    "ImmutableConst",
                                    "WholeFileReader",
                                    "WholeFileReaderV2",
                                    "TextLineReader",
                                    "TextLineReaderV2",
                                    "TFRecordReader",
                                    "TFRecordReaderV2",
                                    "FixedLengthRecordReader",
                                    "FixedLengthRecordReaderV2",
                                    "TextLineDataset",
                                    "TFRecordDataset",
                                    "TFRecordDatasetV2",
                                    "FixedLengthRecordDataset",
                                    "FixedLengthRecordDatasetV2",
                                    "InitializeTableFromTextFile",
                                    "InitializeTableFromTextFileV2",
                                    "MergeV2Checkpoints",
                                    "PrintV2",
                                    "SaveDataset",
                                    "LoadDataset",
                                    "SaveDatasetV2",
                                    "CSVDataset",
                                    "CSVDatasetV2",
                                    "SqlDataset",
                                    "LMDBReader",
                                    "LMDBDataset",
                                    "DebugIdentity",
                                    "DebugIdentityV2",
                                    "DebugIdentityV3",
                                    "WriteSummary",
                                    "CreateSummaryFileWriter",
                                    "CreateSummaryDbWriter",
                                    "RpcCall",
                                    "TryRpc"};
constexpr std::array kPythonOperators{"PyFunc", "PyFuncStateless", "EagerPyFunc", "GeneratorDataset",
                                      "PyOp",   "PythonOp",        "PyCustomOp"};

template <class List>
bool contains(const List& list, const std::string& name) {
  return std::any_of(list.begin(), list.end(), [&](const char* each) { return name == each; });
}

struct Field {
  std::uint32_t number = 0;
  bool is_bytes = false;
  std::uint64_t value = 0;  ///< Of a number; where the bytes begin.
  std::uint64_t size = 0;
};

/// Reads messages as one format has them, and remembers what would be found.
class Walk {
 public:
  Walk(Visit& visit, const ByteSource& bytes, const Place& place) : visit_(visit), place_(place), in_(bytes) {}

  /// False: the bytes are no such message.
  bool message(Message kind, std::uint64_t begin, std::uint64_t end, int depth) {
    if (depth > kDeepest) {
      found(Verdict::kSuspicious, "limit", "Messages lie in messages deeper than is followed.", begin);
      return true;
    }
    Texts texts;
    in_.seek(begin);
    while (in_.position() < end) {
      Field field;
      const std::uint64_t at = in_.position();
      if (!next(end, field)) return false;
      if (depth == 0 && !known_top(kind, field)) return false;
      if (!field.is_bytes) {
        if (kind == Message::kOnnxTensor && field.number == 14) texts.external = field.value == 1;
        continue;
      }
      const std::uint64_t after = field.value + field.size;
      const Message child = child_of(kind, field.number);
      if (child != Message::kSkip) {
        ++children_;
        if (child == Message::kOnnxPair) ++texts.pairs;
        if (!message(child, field.value, after, depth + 1) && !broken(at)) return false;
      } else {
        read_text(kind, field, texts);
      }
      in_.seek(after);
    }
    conclude(kind, texts, begin);
    return in_.position() == end;
  }

  std::uint64_t children() const { return children_; }
  std::uint64_t operators() const { return operators_; }
  const Result<void>& failure() const { return in_.failure(); }
  void tell() {
    for (Finding& finding : findings_)
      visit_.add(place_, finding.verdict, finding.kind.c_str(), std::move(finding.why), finding.offset, finding.import);
  }

 private:
  struct Texts {
    std::string first;   ///< A pair's key; a TensorFlow node's name.
    std::string second;  ///< A pair's value; the operator.
    bool external = false;
    int pairs = 0;
  };

  bool varint(std::uint64_t end, std::uint64_t& out) {
    out = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      std::uint8_t byte = 0;
      if (in_.position() >= end || !in_.byte(byte)) return false;
      out |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return true;
    }
    return false;
  }

  bool next(std::uint64_t end, Field& out) {
    std::uint64_t key = 0;
    if (!varint(end, key) || key >> 3 == 0 || key >> 3 > (1U << 29)) return false;
    out.number = static_cast<std::uint32_t>(key >> 3);
    switch (key & 7) {
      case 0: return varint(end, out.value);
      case 1: return in_.position() + 8 <= end && in_.skip(8);
      case 5: return in_.position() + 4 <= end && in_.skip(4);
      case 2:
        out.is_bytes = true;
        if (!varint(end, out.size)) return false;
        out.value = in_.position();
        return out.size <= end - in_.position();
      default: return false;
    }
  }

  /// The outermost message tells the formats apart: any other field says that it is none of them.
  static bool known_top(Message kind, const Field& field) {
    const std::uint32_t n = field.number;
    if (kind == Message::kSavedModel) return (n == 1 && !field.is_bytes) || (n == 2 && field.is_bytes);
    if (kind == Message::kGraphDef) return ((n == 1 || n == 2 || n == 4 || n == 5) && field.is_bytes) || n == 3;
    if (kind == Message::kMetaGraph) return n >= 1 && n <= 8 && field.is_bytes;
    return (n == 1 || n == 5) ? !field.is_bytes
                              : (n <= 8 || n == 14 || n == 20 || n == 25 || n == 26) && field.is_bytes;
  }

  static Message child_of(Message parent, std::uint32_t field) {
    for (const Child& child : kChildren) {
      if (child.parent == parent && child.field == field) return child.message;
    }
    return Message::kSkip;
  }

  std::string text(const Field& field) {
    std::string out;
    in_.take(static_cast<std::size_t>(std::min<std::uint64_t>(field.size, kLongestText)), out);
    return out;
  }

  void read_text(Message kind, const Field& field, Texts& texts) {
    const bool is_operator =
        (kind == Message::kOnnxNode && field.number == 4) || (kind == Message::kNodeDef && field.number == 2);
    if (kind == Message::kOnnxPair && field.number == 1) texts.first = text(field);
    if ((kind == Message::kOnnxPair && field.number == 2) || is_operator) texts.second = text(field);
  }

  void conclude(Message kind, const Texts& texts, std::uint64_t at) {
    if (kind == Message::kOnnxPair && texts.first == "location") {
      located_ = true;
      check_location(texts.second, at);
    }
    if (kind == Message::kOnnxTensor) {
      if (texts.external && !located_)
        found(Verdict::kSuspicious, "external", "A tensor's data is elsewhere, and it isn't said where.", at);
      located_ = false;
    }
    if (kind != Message::kOnnxNode && kind != Message::kNodeDef) return;
    if (!texts.second.empty()) ++operators_;
    if (contains(kPythonOperators, texts.second))
      found(Verdict::kSuspicious, "operator", fmt::format("The operator {} runs Python code.", texts.second), at,
            texts.second);
    if (kind == Message::kNodeDef && contains(kFileOperators, texts.second))
      found(Verdict::kSuspicious, "operator",
            fmt::format("The operator {} reads or writes files or connections of the machine that serves it.",
                        texts.second),
            at, texts.second);
  }

  void check_location(const std::string& location, std::uint64_t at) {
    std::string shown;
    for (const char c : location.substr(0, 200)) shown += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c;
    if (const std::string why = path_danger(location); !why.empty()) {
      found(Verdict::kDangerous, "external",
            fmt::format("A tensor's data is in '{}', which {}: the model would read any file.", shown, why), at);
      return;
    }
    const std::size_t slash = place_.name.rfind('/');
    const std::string folder = slash == std::string::npos ? "" : place_.name.substr(0, slash);
    std::string path;
    if (join_path(folder, location, path) && place_.has_file != nullptr && *place_.has_file && (*place_.has_file)(path))
      return;
    found(Verdict::kSuspicious, "external",
          fmt::format("A tensor's data is in '{}', which the version doesn't have.", shown), at);
  }

  bool broken(std::uint64_t at) {
    // A damaged part of what else looks right ends that part only.
    if (children_ < 2) return false;
    found(Verdict::kSuspicious, "broken", "A part of the model can't be read.", at);
    return true;
  }

  void found(Verdict verdict, const char* kind, std::string why, std::uint64_t at, std::string import = {}) {
    const auto same = [&](const Finding& f) { return f.why == why; };
    if (findings_.size() >= visit_.limits().findings || std::any_of(findings_.begin(), findings_.end(), same)) return;
    findings_.push_back({verdict, kind, "", std::move(import), std::move(why), at});
  }

  Visit& visit_;
  const Place& place_;
  Cursor in_;
  std::vector<Finding> findings_;
  std::uint64_t children_ = 0;
  std::uint64_t operators_ = 0;
  bool located_ = false;
};

}  // namespace

Result<void> scan_protobuf(Visit& visit, const ByteSource& bytes, const Place& place) {
  bool any = false;
  for (const Message top : {Message::kOnnxModel, Message::kSavedModel, Message::kGraphDef, Message::kMetaGraph}) {
    Walk walk(visit, bytes, place);
    const bool is_one = walk.message(top, 0, bytes.size(), 0) && walk.children() > 0;
    TRY_DO(walk.failure());
    if (!is_one) continue;
    any = true;
    walk.tell();
  }
  const bool named = place.name.ends_with(".onnx") || place.name.ends_with("saved_model.pb");
  if (named && !any)
    visit.add(place, Verdict::kSuspicious, "broken", "It is named like a model and can't be read as one.");
  return {};
}

}  // namespace backstay::scan
