#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "domain/scan/pickle.hpp"
#include "domain/scan/pickle_values.hpp"

namespace backstay::scan {

/// What is found in one pickle, and in those that lie in its arrays.
struct PickleFacts {
  explicit PickleFacts(const Limits& limits) : texts(limits.text_bytes) {}
  Texts texts;
  std::vector<Import> imports;
  std::unordered_map<std::string, std::int64_t> import_ids;
  std::vector<Finding> findings;
  bool calls = false;  ///< Something is called.
  bool arrays = false;
  bool untracked = false;      ///< Something was changed of which it isn't known what it is.
  bool object_dtype = false;   ///< A dtype of pointers to objects.
  bool plain_records = false;  ///< A dtype with fields that says it holds no pointers.
  std::string problem;         ///< The first thing an unpickler would stop at.
  std::uint64_t problem_at = 0;
};

/// Runs one pickle symbolically.
class PickleMachine {
 public:
  PickleMachine(Cursor& in, const PickleOptions& options, PickleFacts& facts, int depth = 0)
      : in_(in), options_(options), facts_(facts), depth_(depth), memo_(options.limits.memo) {}

  /// Until STOP (true), or until nothing more can be understood.
  bool run();

 private:
  enum class Step : std::uint8_t { kNext, kStop, kEnd };
  using Kind = Value::Kind;

  Step step();
  bool read_argument(const Opcode& opcode);
  Step execute(const Opcode& opcode);
  void push_text(const Opcode& opcode);
  Step containers(const Opcode& opcode);
  Step calls(const Opcode& opcode);
  Step memo(const Opcode& opcode);

  void push(Value value) { stack_.push_back(std::move(value)); }
  void push(Kind kind, std::int64_t number = 0) { stack_.push_back({kind, number, {}}); }
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  Value pop();
  Value top();
  std::vector<Value> pop_mark();
  Value tuple(std::vector<Value> items);
  void pop_item();

  Value import(const std::string& module, const std::string& name, const char* opcode);
  Value import_from_stack();
  Value call(const Value& callable, const Value& arguments, const char* opcode, bool constructs);
  void change(const Value& object, const char* opcode);
  void build(const char* opcode);
  void store(const Value& dict, const Value& key, const Value& value);
  void persistent(const Value& id, const char* opcode);

  /// Joblib's arrays (pickle_arrays.cpp).
  void set_dtype_state(Node& dtype, const Value& state);
  bool read_array(const Value& wrapper, const Value& state);
  bool array_bytes(const Node& state, std::uint64_t& bytes, bool& objects, bool& padded);

  void report(Verdict verdict, const char* kind, std::string why, std::string import = {});
  void problem(const char* what);

  Cursor& in_;
  const PickleOptions& options_;
  PickleFacts& facts_;
  const int depth_;
  Memo memo_;
  std::vector<Value> stack_;
  std::vector<std::size_t> marks_;
  std::uint64_t at_ = 0;      ///< Of the opcode that is executed.
  std::uint64_t number_ = 0;  ///< Its argument.
  std::string text_;
  std::string second_;
  bool whole_ = true;  ///< Whether text_ is all of it.
  std::uint64_t frame_end_ = 0;
  bool stop_ = false;  ///< What follows can't be understood.
};

}  // namespace backstay::scan
