#include "domain/scan/pickle.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "domain/scan/imports.hpp"
#include "domain/scan/pickle_machine.hpp"

namespace backstay::scan {

namespace {

bool is_identifier(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
           static_cast<unsigned char>(c) >= 0x80;
  });
}

/// Names are shown as they are, but for what could draw on a terminal.
std::string printable(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

Finding finding_of(const Import& import, const std::string& path) {
  const Judgement judged = judge_import(import.module, import.name);
  const std::string name = printable(import.full());
  Verdict verdict = judged.verdict;
  std::string why = fmt::format("{} {}", name, judged.why);
  if (judged.only_instances && import.constructed) {
    verdict = Verdict::kSuspicious;
    why = fmt::format("{} is called as a constructor, which no pickle of an estimator does", name);
  }
  why += import.called_by != nullptr ? fmt::format("; {} at byte {} reaches it.", import.called_by, import.called_at)
                                     : fmt::format("; {} imports it.", import.opcode);
  return {verdict, "import", path, name, std::move(why), import.offset};
}

/// Whether bytes that need not be a pickle are one.
bool looks_like_pickle(const PickleFacts& facts, bool stopped) {
  const bool names = std::all_of(facts.imports.begin(), facts.imports.end(), [](const Import& import) {
    return is_identifier(import.module) && (is_identifier(import.name) || import.module == "copyreg");
  });
  return names && ((stopped && facts.problem.empty()) || facts.calls);
}

void conclude(const PickleFacts& facts, const PickleOptions& options, PickleResult& out) {
  for (const Import& import : facts.imports) {
    if (out.findings.size() < options.limits.imports) out.findings.push_back(finding_of(import, options.path));
  }
  out.findings.insert(out.findings.end(), facts.findings.begin(), facts.findings.end());
  if (facts.object_dtype && facts.plain_records) {
    out.findings.push_back({Verdict::kSuspicious, "call", options.path, "",
                            "There are records that say they hold no pointers beside types that do: crafted ones could "
                            "make NumPy read any memory.",
                            0});
  }
  out.arrays = out.arrays || facts.arrays;
}

}  // namespace

Result<PickleResult> scan_pickle(const ByteSource& bytes, std::uint64_t begin, const PickleOptions& options) {
  PickleResult out;
  out.is_pickle = options.certain;
  Cursor in(bytes, begin);
  for (std::uint64_t count = 0; in.left() > 0 && count < options.pickles; ++count) {
    const std::uint64_t start = in.position();
    if (count >= options.limits.pickles) {
      out.findings.push_back({Verdict::kDangerous, "limit", options.path, "",
                              "More pickles follow one another than are looked at.", start});
      break;
    }
    PickleOptions one = options;
    const std::string head = in.peek(2);
    const bool marked = head.size() == 2 && head[0] == '\x80' && static_cast<std::uint8_t>(head[1]) <= 5;
    one.certain = marked || (count == 0 && options.certain);
    PickleFacts facts(options.limits);
    PickleMachine machine(in, one, facts);
    const bool stopped = machine.run();
    TRY_DO(in.failure());
    if (!one.certain && !looks_like_pickle(facts, stopped)) {
      if (count > 0)
        out.findings.push_back({Verdict::kSuspicious, "broken", options.path, "",
                                fmt::format("{} bytes follow the last pickle.", bytes.size() - start), start});
      break;
    }
    out.is_pickle = true;
    out.end = in.position();
    conclude(facts, options, out);
    if (!facts.problem.empty())
      out.findings.push_back(
          {Verdict::kSuspicious, "broken", options.path, "",
           fmt::format("The pickle is broken: {}. What was found before that is listed.", facts.problem),
           facts.problem_at});
    if (!stopped) break;
    ++out.pickles;
  }
  return out;
}

}  // namespace backstay::scan
