#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/text.hpp"
#include "base/time.hpp"

/// Strict reading of YAML and JSON that people and programs write: unknown keys are refused with the nearest valid one,
/// wrong types, duplicate keys and oversized or bomb-like documents with what and where.
namespace backstay::wire {

/// A parsed document. Scalars of YAML are kept as the text that was written, and typed when they are read.
class Document {
 public:
  /// `name` is what errors call it: a path, or "the request body".
  static Result<Document> from_yaml(std::string name, const std::string& text);
  static Result<Document> from_json(std::string name, std::string_view text);
  ~Document();
  Document(Document&&) noexcept;
  Document& operator=(Document&&) noexcept;
  /// All of it, for readers that let pass what they do not know. YAML's scalars are texts.
  const nlohmann::json& tree() const;

 private:
  friend class Fields;
  struct State;
  explicit Document(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// The members of one object, read by name:
///
///     Fields fields(document);
///     fields.required("name", gate.name);
///     fields.optional("confidence", gate.confidence);
///     fields.each("rules", [&](Fields& rule) { ... });
///     TRY_DO(fields.finish());
///
/// The first problem is kept and finish() returns it; until then reading goes on with what is there. Must not outlive
/// the document.
class Fields {
 public:
  explicit Fields(const Document& document);

  void required(const char* key, std::string& out);
  void optional(const char* key, std::string& out);
  void required(const char* key, double& out);
  void optional(const char* key, double& out);
  /// A number, also one that is written as a text, or else a text; left alone is what it isn't.
  void optional_number_or_text(const char* key, double& number, std::string& text);
  void optional(const char* key, std::uint64_t& out);
  void optional(const char* key, bool& out);
  void optional(const char* key, milliseconds& out);  ///< "90s", "10m"
  /// What need not be given, and is told apart from any value.
  template <class T>
  void optional(const char* key, std::optional<T>& out) {
    T value{};
    optional(key, value);
    if (has(key)) out = std::move(value);
  }
  void optional(const char* key, std::vector<std::string>& out);
  void optional(const char* key, std::vector<std::int64_t>& out);
  /// One text, or a list of them.
  void optional_texts(const char* key, std::vector<std::string>& out);
  /// A share of traffic: "5%" or 0.05, into parts per million.
  void optional_share(const char* key, std::uint32_t& out);
  /// Any scalars, nested by dots: {"optimizer": {"lr": 0.1}} gives "optimizer.lr" -> "0.1".
  void flattened(const char* key, std::map<std::string, std::string>& out);
  void object(const char* key, const std::function<void(Fields&)>& read);
  void each(const char* key, const std::function<void(Fields&)>& read);
  /// A list whose items are texts or objects.
  void each_text_or_object(const char* key, const std::function<void(const std::string&)>& text,
                           const std::function<void(Fields&)>& object);

  bool has(const char* key) const;
  /// Records a problem with a member's value, unless there is one already.
  void fail(const char* key, const std::string& what, const std::string& hint);
  /// The first problem, or an unknown key.
  Result<void> finish();

 private:
  struct Problems;
  Fields(const Document& document, const nlohmann::json& object, std::string path, std::shared_ptr<Problems> problems);
  const nlohmann::json* find(const char* key);
  void report(const std::string& path, const std::string& what, const std::string& hint);
  Error problem(const std::string& path, const std::string& what, const std::string& hint) const;
  void check_unknown();
  std::string member(const char* key) const;
  void read_text(const char* key, const nlohmann::json& value, std::string& out);
  std::optional<double> read_number(const char* key, const nlohmann::json& value);

  const Document* document_;
  const nlohmann::json* object_;
  std::string path_;
  std::shared_ptr<Problems> problems_;
  std::vector<std::string> known_;
};

using backstay::nearest;

/// All scalars of a document, as Fields::flattened gives those of a member. The document must be a map.
Result<std::map<std::string, std::string>> flatten(const std::string& name, const Document& document);

}  // namespace backstay::wire
