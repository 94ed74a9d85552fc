#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/drift/row_profile.hpp"

namespace backstay::live {

/// Why a body has no rows.
enum class BodyProblem : std::uint8_t {
  kNone,
  kPacked,   ///< Not by gzip, broken, or too long when it is unpacked.
  kNotJson,  ///< Nor JSON with binary tensors after it.
  kNoRows,   ///< JSON of another form, or tensors that are not what their shapes say.
};
const char* to_string(BodyProblem problem);

/// The rows that a model was asked about, from the bodies of requests (JSON, hostile):
///
///   {"inputs": [{"name": "x", "shape": [2, 3], "datatype": "FP32", "data": [...]}]}   Open Inference Protocol V2
///   ... "parameters": {"binary_data_size": 24}}]} and the tensors' bytes after it       its binary extension
///   {"instances": [{"age": 3}, ...]}, {"instances": [[3, 4], ...]}                    TensorFlow's row form
///   {"dataframe_split": {"columns": [...], "data": [[...]]}}, {"dataframe_records": [{...}]}   MLflow
///   [{...}, ...], {...}                                                               rows, a row
///
/// A tensor with one value per row is a column of its name; a wider one is the columns that `names` lists, when it has
/// as many, else name[0], name[1], ...; above kMaxWidth values, and where expect_vector() named it, it is one vector.
/// Members of a row that are objects become a.b; lists are nested values, those of numbers vectors. Not thread-safe.
class RequestRows {
 public:
  static constexpr std::size_t kMaxWidth = 256;
  /// Of all requests, beside those that expect_column() named; more are left out.
  static constexpr std::size_t kMaxColumns = 256;
  static constexpr std::size_t kMaxRows = 10'000;  ///< Of one request; more are left out.

  explicit RequestRows(std::vector<std::string> names = {});
  ~RequestRows();

  /// The column of that name is read however many others came before: whoever may ask the model may make up names. All
  /// together are drift::Profile::kMaxColumns at most.
  void expect_column(const std::string& name);
  /// As if nothing had been read: places are given anew. What is expected stays.
  void forget_columns();

  /// The tensor of that name is one vector per row, however wide.
  void expect_vector(const std::string& name) { vectors_.insert(name); }

  using OnRow = std::function<void(std::span<const drift::Value>)>;
  /// `json_bytes`: how much of the body is JSON, binary tensors after it; 0: all. Columns may have become more when
  /// `on_row` is called.
  BodyProblem read(std::string_view body, const OnRow& on_row, std::size_t json_bytes = 0);
  /// In the order in which they were first seen.
  const std::vector<std::string>& columns() const { return columns_; }
  /// Values of one row, at most, whose columns were left out.
  std::size_t left_out() const { return left_out_; }

 private:
  struct Json;
  bool read_root(const Json& root, std::string_view binary, const OnRow& on_row);
  bool read_tensors(const Json& root, std::string_view binary, const OnRow& on_row);
  bool read_split(const Json& root, const OnRow& on_row);
  void read_rows(const Json& list, const OnRow& on_row);
  void read_row(const Json& row, const OnRow& on_row);
  void add_members(const Json& object, const std::string& prefix, int depth);
  void begin_row();
  bool is_expected(std::string_view column) const;
  bool has_room(std::string_view column) const;
  void put(std::string_view column, const drift::Value& value);
  std::string place_name(std::size_t place) const;
  drift::Value value_of(const Json& json);
  drift::Value vector_of(std::span<const drift::Value> values);
  std::vector<double>& new_numbers();

  std::vector<std::string> names_;
  std::vector<std::string> columns_;
  std::map<std::string, std::size_t, std::less<>> places_;
  std::set<std::string, std::less<>> expected_;
  std::size_t unexpected_ = 0;  ///< Of columns_.
  std::set<std::string, std::less<>> vectors_;
  std::vector<drift::Value> row_;
  std::vector<std::vector<double>> numbers_;  ///< Of the row's vectors, the first `used_`.
  std::size_t used_ = 0;
  std::size_t beyond_ = 0;  ///< Of the row that is under way.
  std::size_t left_out_ = 0;
  struct Parser;
  std::unique_ptr<Parser> parser_;
};

}  // namespace backstay::live
