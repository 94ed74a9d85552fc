#include "wire/document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "wire/strict_json.hpp"

namespace backstay::wire {

namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;
constexpr std::size_t kMaxNodes = 1'000'000;
constexpr int kMaxDepth = 32;

constexpr const char* kWriteMap = "Write it as lines of KEY: VALUE, or as {KEY: VALUE}.";
constexpr const char* kWriteList = "Write it as [A, B], or one item per line after a dash.";
constexpr const char* kTooLarge = "Name large data by its file or digest instead of writing it out.";
constexpr const char* kBadYaml = "Correct that line: brackets and quotes must close, indentation must agree.";
constexpr const char* kBadJson = "Correct it there: brackets and quotes must close, and no comma may be left over.";
constexpr const char* kKeyTwice = "Give each key once.";

Unexpected invalid(std::string message, std::string hint) {
  return Unexpected(ErrorCode::kInvalidArgument, std::move(message), std::move(hint));
}

std::string child(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

/// What conversion found wrong; thrown out of the recursion and caught in from_yaml.
struct Malformed {
  std::string what;
  std::string hint;
  int line = 0;
};

struct YamlConverter {
  std::map<std::string, int>& lines;
  std::size_t nodes = 0;

  json convert(const YAML::Node& node, const std::string& path, int depth) {
    const int line = node.Mark().line + 1;
    if (++nodes > kMaxNodes || depth > kMaxDepth)
      throw Malformed{"is nested too deeply or has too many parts", kTooLarge, line};
    lines.emplace(path, line);
    if (node.IsMap()) return convert_map(node, path, depth);
    if (node.IsSequence()) {
      json list = json::array();
      for (const auto& item : node) list.push_back(convert(item, fmt::format("{}[{}]", path, list.size()), depth + 1));
      return list;
    }
    if (node.IsScalar()) return node.Scalar();
    return nullptr;
  }

  json convert_map(const YAML::Node& node, const std::string& path, int depth) {
    json object = json::object();
    for (const auto& entry : node) {
      const YAML::Node& key = entry.first;
      if (!key.IsScalar()) throw Malformed{"has a key that is not a text", kWriteMap, key.Mark().line + 1};
      const std::string& name = key.Scalar();
      if (object.contains(name))
        throw Malformed{fmt::format("has the key '{}' twice", name), kKeyTwice, key.Mark().line + 1};
      lines[child(path, name)] = key.Mark().line + 1;
      object[name] = convert(entry.second, child(path, name), depth + 1);
    }
    return object;
  }
};

bool is_scalar(const json& value) {
  return value.is_string() || value.is_number() || value.is_boolean();
}

std::string scalar_text(const json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

/// Documents are at most kMaxDepth deep.
void flatten_into(const json& node, const std::string& name, std::map<std::string, std::string>& out) {
  if (node.is_object()) {
    for (const auto& [part, inner] : node.items()) flatten_into(inner, child(name, part), out);
  } else if (node.is_array()) {
    for (std::size_t i = 0; i < node.size(); ++i) flatten_into(node[i], fmt::format("{}[{}]", name, i), out);
  } else {
    out[name] = node.is_null() ? "null" : scalar_text(node);
  }
}

}  // namespace

struct Document::State {
  std::string name;
  json root;
  std::map<std::string, int> lines;  ///< YAML only: path -> line.
  bool yaml = false;
};

Document::Document(std::unique_ptr<State> state) : state_(std::move(state)) {}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;
const json& Document::tree() const {
  return state_->root;
}

Result<Document> Document::from_yaml(std::string name, const std::string& text) {
  if (text.size() > kMaxBytes) return invalid(fmt::format("{} is larger than 16 MiB.", name), kTooLarge);
  auto state = std::make_unique<State>();
  state->yaml = true;
  try {
    YamlConverter converter{state->lines};
    state->root = converter.convert(YAML::Load(text), "", 0);
  } catch (const Malformed& problem) {
    return invalid(fmt::format("{} line {}: the document {}.", name, problem.line, problem.what), problem.hint);
  } catch (const YAML::Exception& problem) {
    return invalid(fmt::format("{} line {}: not valid YAML: {}.", name, problem.mark.line + 1, problem.msg), kBadYaml);
  }
  if (state->root.is_null()) return invalid(fmt::format("{} is empty.", name), kWriteMap);
  state->name = std::move(name);
  return Document(std::move(state));
}

Result<json> parse_strict_json(const std::string& name, std::string_view text) {
  if (text.size() > kMaxBytes) return invalid(fmt::format("{} is larger than 16 MiB.", name), kTooLarge);
  json root;
  std::vector<std::set<std::string>> keys;
  std::string twice;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    if (depth > kMaxDepth) throw Malformed{"is nested too deeply", kTooLarge, 0};
    if (event == json::parse_event_t::object_start) keys.emplace_back();
    if (event == json::parse_event_t::object_end) keys.pop_back();
    if (event == json::parse_event_t::key && !keys.back().insert(parsed.get<std::string>()).second)
      twice = parsed.get<std::string>();
    return true;
  };
  try {
    root = json::parse(text, watch);
  } catch (const Malformed& problem) {
    return invalid(fmt::format("{} {}.", name, problem.what), problem.hint);
  } catch (const json::parse_error& problem) {
    return invalid(fmt::format("{} is not valid JSON: the problem is at byte {}.", name, problem.byte), kBadJson);
  } catch (const json::exception&) {
    return invalid(fmt::format("{} is not valid JSON.", name), kBadJson);
  }
  if (!twice.empty()) return invalid(fmt::format("{} has the key '{}' twice.", name, twice), kKeyTwice);
  return root;
}

Result<Document> Document::from_json(std::string name, std::string_view text) {
  auto state = std::make_unique<State>();
  TRY(state->root, parse_strict_json(name, text));
  state->name = std::move(name);
  return Document(std::move(state));
}

struct Fields::Problems {
  std::optional<Error> first;
  std::optional<Error> unknown_key;  ///< Told before the first: a misspelt key is why something else seems missing.
};

Fields::Fields(const Document& document)
    : document_(&document), object_(&document.state_->root), problems_(std::make_shared<Problems>()) {
  if (!object_->is_object()) report("", "is not a map of keys and values", kWriteMap);
}

Fields::Fields(const Document& document, const json& object, std::string path, std::shared_ptr<Problems> problems)
    : document_(&document), object_(&object), path_(std::move(path)), problems_(std::move(problems)) {}

std::string Fields::member(const char* key) const {
  return child(path_, key);
}

void Fields::report(const std::string& path, const std::string& what, const std::string& hint) {
  if (!problems_->first) problems_->first = problem(path, what, hint);
}

Error Fields::problem(const std::string& path, const std::string& what, const std::string& hint) const {
  const auto line = document_->state_->lines.find(path);
  const std::string where = line == document_->state_->lines.end() ? "" : fmt::format(" line {}", line->second);
  const std::string subject = path.empty() ? "the document" : fmt::format("'{}'", path);
  // A whole sentence stands for itself after the place; anything else goes on from the place's name.
  const bool sentence = !what.empty() && what.front() >= 'A' && what.front() <= 'Z';
  return {ErrorCode::kInvalidArgument,
          fmt::format("{}{}: {}{} {}{}", document_->state_->name, where, subject, sentence ? ":" : "", what,
                      what.ends_with('.') ? "" : "."),
          hint};
}

void Fields::fail(const char* key, const std::string& what, const std::string& hint) {
  report(member(key), what, hint);
}

const json* Fields::find(const char* key) {
  known_.emplace_back(key);
  if (!object_->is_object()) return nullptr;
  const auto found = object_->find(key);
  return found == object_->end() || found->is_null() ? nullptr : &*found;
}

bool Fields::has(const char* key) const {
  return object_->is_object() && object_->contains(key) && !(*object_)[key].is_null();
}

void Fields::read_text(const char* key, const json& value, std::string& out) {
  const bool good = value.is_string() || (document_->state_->yaml && is_scalar(value));
  if (!good) return fail(key, "is not a text", "Write one text, in quotes when it is JSON.");
  out = scalar_text(value);
}

void Fields::required(const char* key, std::string& out) {
  const json* value = find(key);
  if (value == nullptr) return fail(key, "is missing", fmt::format("Add {}.", key));
  read_text(key, *value, out);
  if (out.empty()) fail(key, "is empty", "Give it a value.");
}

void Fields::optional(const char* key, std::string& out) {
  if (const json* value = find(key)) read_text(key, *value, out);
}

std::optional<double> Fields::read_number(const char* key, const json& value) {
  if (value.is_number()) return value.get<double>();
  if (document_->state_->yaml && value.is_string()) {
    const std::string& text = value.get_ref<const std::string&>();
    double number = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
    const bool percent = !text.empty() && end == text.data() + text.size() - 1 && *end == '%';
    if (problem == std::errc{} && std::isfinite(number) && (percent || end == text.data() + text.size()))
      return percent ? number / 100 : number;
  }
  fail(key, "is not a number", "Write it like 0.95, 95% or 100.");
  return std::nullopt;
}

void Fields::required(const char* key, double& out) {
  const json* value = find(key);
  if (value == nullptr) return fail(key, "is missing", fmt::format("Add {}.", key));
  if (const auto number = read_number(key, *value)) out = *number;
}

void Fields::optional(const char* key, double& out) {
  if (const json* value = find(key))
    if (const auto number = read_number(key, *value)) out = *number;
}

void Fields::optional_number_or_text(const char* key, double& number, std::string& text) {
  const json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_string()) return optional(key, number);
  const std::string& written = value->get_ref<const std::string&>();
  double parsed = 0;
  const auto [end, problem] = std::from_chars(written.data(), written.data() + written.size(), parsed);
  if (problem == std::errc{} && end == written.data() + written.size() && std::isfinite(parsed)) {
    number = parsed;
  } else {
    text = written;
    if (text.empty()) fail(key, "is empty", "Give it a value.");
  }
}

void Fields::optional(const char* key, std::uint64_t& out) {
  const json* value = find(key);
  if (value == nullptr) return;
  const auto number = read_number(key, *value);
  if (!number) return;
  if (*number < 0 || *number > 9e15 || *number != std::floor(*number))
    return fail(key, "is not a whole number of 0 or more", "Write it like 100.");
  out = static_cast<std::uint64_t>(*number);
}

void Fields::optional(const char* key, bool& out) {
  const json* value = find(key);
  if (value == nullptr) return;
  const bool yes = value->is_boolean() ? value->get<bool>() : *value == "true";
  const bool no = value->is_boolean() ? !value->get<bool>() : *value == "false";
  if (!yes && !no) return fail(key, "is neither true nor false", "Write true or false.");
  out = yes;
}

void Fields::optional(const char* key, milliseconds& out) {
  const json* value = find(key);
  if (value == nullptr) return;
  std::string text;
  read_text(key, *value, text);
  auto duration = parse_duration(text);
  if (!duration)
    return fail(key, fmt::format("is '{}', not a duration", text), "Write it with its unit: 500ms, 90s, 10m, 1h.");
  out = *duration;
}

void Fields::optional(const char* key, std::vector<std::string>& out) {
  const json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_array()) return fail(key, "is not a list", kWriteList);
  for (const json& item : *value) {
    std::string text;
    read_text(key, item, text);
    out.push_back(std::move(text));
  }
}

void Fields::optional_texts(const char* key, std::vector<std::string>& out) {
  const json* value = find(key);
  if (value == nullptr) return;
  if (value->is_array()) return optional(key, out);
  std::string text;
  read_text(key, *value, text);
  if (!text.empty()) out.push_back(std::move(text));
}

void Fields::optional(const char* key, std::vector<std::int64_t>& out) {
  const json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_array()) return fail(key, "is not a list", kWriteList);
  for (const json& item : *value) {
    const auto number = read_number(key, item);
    if (!number) return;
    if (!(std::abs(*number) <= 9e15) || *number != std::floor(*number))
      return fail(key, "holds what is no whole number", "Write it like [-1, 30].");
    out.push_back(static_cast<std::int64_t>(*number));
  }
}

void Fields::optional_share(const char* key, std::uint32_t& out) {
  const json* value = find(key);
  if (value == nullptr) return;
  std::string text = is_scalar(*value) ? scalar_text(*value) : "";
  const bool percent = !text.empty() && text.back() == '%';
  if (percent) text.pop_back();
  double number = -1;
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), number);
  const double share = percent ? number / 100 : number;
  if (problem != std::errc{} || end != text.data() + text.size() || !(share >= 0 && share <= 1))
    return fail(key, "is not a share of traffic", "Write it like 5% or 0.05.");
  out = static_cast<std::uint32_t>(std::lround(share * 1e6));
}

void Fields::flattened(const char* key, std::map<std::string, std::string>& out) {
  const json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_object()) return fail(key, "is not a map of keys and values", kWriteMap);
  flatten_into(*value, "", out);
}

void Fields::object(const char* key, const std::function<void(Fields&)>& read) {
  const json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_object()) return fail(key, "is not a map of keys and values", kWriteMap);
  Fields inner(*document_, *value, member(key), problems_);
  read(inner);
  inner.check_unknown();
}

void Fields::each(const char* key, const std::function<void(Fields&)>& read) {
  each_text_or_object(key, nullptr, read);
}

void Fields::each_text_or_object(const char* key, const std::function<void(const std::string&)>& text,
                                 const std::function<void(Fields&)>& read) {
  const json* value = find(key);
  if (value == nullptr) return;
  if (!value->is_array()) return fail(key, "is not a list", kWriteList);
  for (std::size_t i = 0; i < value->size(); ++i) {
    const json& item = (*value)[i];
    const std::string path = fmt::format("{}[{}]", member(key), i);
    if (item.is_object()) {
      Fields inner(*document_, item, path, problems_);
      read(inner);
      inner.check_unknown();
    } else if (text && item.is_string()) {
      text(item.get<std::string>());
    } else {
      report(path, "is not a map of keys and values", kWriteMap);
    }
  }
}

void Fields::check_unknown() {
  if (!object_->is_object() || problems_->unknown_key) return;
  for (const auto& [key, value] : object_->items()) {
    if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
    const auto close = nearest(key, known_);
    problems_->unknown_key = problem(
        member(key.c_str()), "is not a known key",
        close ? fmt::format("Did you mean '{}'?", *close) : fmt::format("Known here: {}.", fmt::join(known_, ", ")));
    return;
  }
}

Result<void> Fields::finish() {
  check_unknown();
  if (problems_->unknown_key) return Unexpected(*problems_->unknown_key);
  if (problems_->first) return Unexpected(*problems_->first);
  return {};
}

Result<std::map<std::string, std::string>> flatten(const std::string& name, const Document& document) {
  if (!document.tree().is_object()) return invalid(fmt::format("{} is not a map of keys and values.", name), kWriteMap);
  std::map<std::string, std::string> out;
  flatten_into(document.tree(), "", out);
  return out;
}

}  // namespace backstay::wire
