#pragma once

#include <optional>
#include <string>
#include <vector>

#include "domain/search/lexer.hpp"
#include "domain/search/query.hpp"

namespace backstay::search {

/// The field that a name stands for; `part` is what was quoted after the name ("config." and then "odd key"). `at` is
/// where it stands, for the error, which names the nearest field.
Result<Field> field_named(const std::string& name, const std::optional<std::string>& part, std::size_t at);
/// As field_named reads it again; a metric with its "metrics." before it.
std::string print(const Field& field);

/// For a metric's name that people take for a field ("verdict", "artifact"): which field there is instead, a sentence.
std::optional<std::string> meant_instead(const std::string& metric);

/// The fields that have no name of their own to complete, for hints: "stage", "config.KEY", ...
std::vector<std::string> field_names();

/// `text` with backslashes before what would end or change it in quotes.
std::string escaped(const std::string& text, char close);

/// What a token says as a value of the field, for a comparison.
Result<Value> value_of(const Field& field, Comparison comparison, const Token& token);
std::string print(const Value& value);

/// A token's text, cut at its stars.
Result<Text> text_of(const Token& token);

}  // namespace backstay::search
