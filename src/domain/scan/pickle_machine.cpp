#include "domain/scan/pickle_machine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace backstay::scan {

namespace {

constexpr std::size_t kLongestLine = 4096;
constexpr std::size_t kLongestTuple = 32;
constexpr int kDeepestTuple = 4;
constexpr std::size_t kLargestDict = 64;

std::int64_t signed_number(std::uint64_t number, std::size_t bytes) {
  if (bytes == 4) return static_cast<std::int32_t>(static_cast<std::uint32_t>(number));
  return static_cast<std::int64_t>(number);
}

}  // namespace

bool PickleMachine::run() {
  while (true) {
    const Step next = step();
    if (next == Step::kStop) return true;
    if (next == Step::kEnd || stop_) return false;
    // What may be no pickle at all is read only as far as every unpickler would.
    if (!options_.certain && !facts_.problem.empty()) return false;
  }
}

void PickleMachine::report(Verdict verdict, const char* kind, std::string why, std::string import) {
  if (facts_.findings.size() >= options_.limits.findings) return;
  facts_.findings.push_back({verdict, kind, options_.path, std::move(import), std::move(why), at_});
}

void PickleMachine::problem(const char* what) {
  if (!facts_.problem.empty()) return;
  facts_.problem = what;
  facts_.problem_at = at_;
}

PickleMachine::Step PickleMachine::step() {
  at_ = in_.position();
  std::uint8_t code = 0;
  if (!in_.byte(code)) {
    problem("it ends without STOP");
    return Step::kEnd;
  }
  const Opcode* opcode = find_opcode(code);
  if (opcode == nullptr) {
    problem("a byte is no opcode");
    return Step::kEnd;
  }
  if (!read_argument(*opcode)) {
    problem("it ends within an opcode");
    return Step::kEnd;
  }
  if (options_.on_opcode) options_.on_opcode(at_, *opcode);
  if (stack_.size() >= options_.limits.stack || marks_.size() >= options_.limits.stack) {
    report(Verdict::kDangerous, "limit", "The stack grows beyond what is followed; the rest wasn't looked at.");
    return Step::kEnd;
  }
  return execute(*opcode);
}

bool PickleMachine::read_argument(const Opcode& opcode) {
  const auto counted = [&](std::size_t width) {
    if (!in_.number(width, number_) || number_ > in_.left()) return false;
    const bool is_text =
        opcode.code == 'T' || opcode.code == 'U' || opcode.code == 'X' || opcode.code == 0x8c || opcode.code == 0x8d;
    whole_ = is_text && number_ <= Texts::kLongest;
    if (!whole_) return in_.skip(number_);
    return in_.take(static_cast<std::size_t>(number_), text_);
  };
  switch (opcode.argument) {
    case Argument::kNone: return true;
    case Argument::kUint1: return in_.number(1, number_);
    case Argument::kUint2: return in_.number(2, number_);
    case Argument::kUint4:
    case Argument::kInt4: return in_.number(4, number_);
    case Argument::kUint8:
    case Argument::kFloat8: return in_.number(8, number_);
    case Argument::kLine: return in_.line(kLongestLine, text_, whole_);
    case Argument::kTwoLines: {
      bool second_whole = true;
      if (!in_.line(kLongestLine, text_, whole_) || !in_.line(kLongestLine, second_, second_whole)) return false;
      whole_ = whole_ && second_whole;
      return true;
    }
    case Argument::kCounted1: return counted(1);
    case Argument::kCounted4: return counted(4);
    case Argument::kCounted8: return counted(8);
  }
  return false;
}

Value PickleMachine::pop() {
  if (stack_.size() <= floor()) {
    problem("it takes more from the stack than there is");
    return {Kind::kLost, 0, {}};
  }
  Value value = std::move(stack_.back());
  stack_.pop_back();
  return value;
}

Value PickleMachine::top() {
  if (stack_.size() > floor()) return stack_.back();
  problem("it takes more from the stack than there is");
  return {Kind::kLost, 0, {}};
}

std::vector<Value> PickleMachine::pop_mark() {
  if (marks_.empty()) {
    problem("there is no mark on the stack");
    return {};
  }
  const auto begin = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
  std::vector<Value> items(std::make_move_iterator(begin), std::make_move_iterator(stack_.end()));
  stack_.erase(begin, stack_.end());
  marks_.pop_back();
  return items;
}

Value PickleMachine::tuple(std::vector<Value> items) {
  Value value{Kind::kTuple, 0, {}};
  if (items.size() > kLongestTuple) return value;
  value.node = std::make_shared<Node>();
  for (Value& item : items) {
    if (item.kind == Kind::kDict) item = {};
    if (item.kind == Kind::kTuple && item.node) value.node->depth = std::max(value.node->depth, item.node->depth + 1);
  }
  if (value.node->depth > kDeepestTuple) return {Kind::kTuple, 0, {}};
  value.node->items = std::move(items);
  return value;
}

void PickleMachine::pop_item() {
  if (stack_.size() > floor()) {
    stack_.pop_back();
  } else if (!marks_.empty()) {
    marks_.pop_back();
  } else {
    problem("it takes more from the stack than there is");
  }
}

void PickleMachine::push_text(const Opcode& opcode) {
  if (!whole_) return push(Kind::kLost);
  if (opcode.code == 'S') text_ = unquoted(text_);
  if (opcode.code == 'V') text_ = raw_unicode(text_);
  push(facts_.texts.add(text_));
}

PickleMachine::Step PickleMachine::execute(const Opcode& opcode) {
  switch (opcode.code) {
    case '(': marks_.push_back(stack_.size()); return Step::kNext;
    case '.': pop(); return Step::kStop;
    case '0': pop_item(); return Step::kNext;
    case '1': pop_mark(); return Step::kNext;
    case '2': push(top()); return Step::kNext;
    case 'N': push(Kind::kNone); return Step::kNext;
    case 'J': push(Kind::kInt, signed_number(number_, 4)); return Step::kNext;
    case 'K':
    case 'M': push(Kind::kInt, static_cast<std::int64_t>(number_)); return Step::kNext;
    case 'I':
    case 'L': {
      std::int64_t value = 0;
      const auto end = std::from_chars(text_.data(), text_.data() + text_.size(), value);
      const bool plain = end.ec == std::errc() && end.ptr != text_.data() && text_.front() != '0';
      push(plain ? Kind::kInt : Kind::kPlain, value);  // "00", "01" are truth values; "0x10" is read by some.
      return Step::kNext;
    }
    case 'S':
    case 'T':
    case 'U':
    case 'V':
    case 'X':
    case 0x8c:
    case 0x8d: push_text(opcode); return Step::kNext;
    case 'F':
    case 'G':
    case 'B':
    case 'C':
    case 0x88:
    case 0x89:
    case 0x8a:
    case 0x8b:
    case 0x8e:
    case 0x96:
    case 0x97: push(Kind::kPlain); return Step::kNext;
    case 0x98: top(); return Step::kNext;
    case 0x80:
      if (number_ > 5) problem("its protocol is none that there is");
      return Step::kNext;
    case 0x95: frame_end_ = in_.position() + number_; return Step::kNext;
    case 'g':
    case 'h':
    case 'j':
    case 'p':
    case 'q':
    case 'r':
    case 0x94: return memo(opcode);
    case 'P':
    case 'Q':
    case 'R':
    case 'b':
    case 'c':
    case 'i':
    case 'o':
    case 0x81:
    case 0x82:
    case 0x83:
    case 0x84:
    case 0x92:
    case 0x93: return calls(opcode);
    default: return containers(opcode);
  }
}

PickleMachine::Step PickleMachine::memo(const Opcode& opcode) {
  std::uint64_t key = number_;
  if (opcode.code == 'g' || opcode.code == 'p') {
    const auto end = std::from_chars(text_.data(), text_.data() + text_.size(), key);
    if (end.ec != std::errc()) problem("a place of the memo isn't a number");
  }
  if (opcode.code == 'g' || opcode.code == 'h' || opcode.code == 'j') {
    auto value = memo_.get(key);
    if (!value) problem("it uses a place of the memo that is empty");
    push(value ? *std::move(value) : Value{Kind::kLost, 0, {}});
    return Step::kNext;
  }
  const bool counted = opcode.code == 0x94 ? memo_.memoize(top()) : memo_.put(key, top());
  if (counted) return Step::kNext;
  report(Verdict::kDangerous, "limit", "Its memo is scattered beyond what is followed; the rest wasn't looked at.");
  return Step::kEnd;
}

void PickleMachine::store(const Value& dict, const Value& key, const Value& value) {
  if (dict.kind == Kind::kDict && dict.node && !dict.node->forgotten) {
    std::vector<Value>& items = dict.node->items;
    if (items.size() >= 2 * kLargestDict) {
      items.clear();
      dict.node->forgotten = true;
      return;
    }
    items.push_back(key.kind == Kind::kDict ? Value{} : key);
    items.push_back(value.kind == Kind::kDict ? Value{} : value);
  }
}

PickleMachine::Step PickleMachine::containers(const Opcode& opcode) {
  switch (opcode.code) {
    case ')': push(tuple({})); break;
    case 0x85:
    case 0x86:
    case 0x87: {
      std::vector<Value> items(opcode.code - 0x84U);
      for (auto item = items.rbegin(); item != items.rend(); ++item) *item = pop();
      push(tuple(std::move(items)));
      break;
    }
    case 't': push(tuple(pop_mark())); break;
    case 'l':
    case 0x91:
      pop_mark();
      push(Kind::kPlain);
      break;
    case ']':
    case 0x8f: push(Kind::kPlain); break;
    case '}': push(Value{Kind::kDict, 0, std::make_shared<Node>()}); break;
    case 'd': {
      const std::vector<Value> items = pop_mark();
      const Value dict{Kind::kDict, 0, std::make_shared<Node>()};
      for (std::size_t i = 0; i + 1 < items.size(); i += 2) store(dict, items[i], items[i + 1]);
      push(dict);
      break;
    }
    case 's': {
      const Value value = pop();
      const Value key = pop();
      change(top(), opcode.name);
      store(top(), key, value);
      break;
    }
    case 'u': {
      const std::vector<Value> items = pop_mark();
      change(top(), opcode.name);
      for (std::size_t i = 0; i + 1 < items.size(); i += 2) store(top(), items[i], items[i + 1]);
      break;
    }
    case 'a':
      pop();
      change(top(), opcode.name);
      break;
    case 'e':
    case 0x90:
      pop_mark();
      change(top(), opcode.name);
      break;
    default: problem("a byte is no opcode"); return Step::kEnd;
  }
  return Step::kNext;
}

PickleMachine::Step PickleMachine::calls(const Opcode& opcode) {
  switch (opcode.code) {
    case 'c': push(whole_ ? import(text_, second_, opcode.name) : import("", "", opcode.name)); break;
    case 0x93: push(import_from_stack()); break;
    case 'i': {
      const Value callable = whole_ ? import(text_, second_, opcode.name) : import("", "", opcode.name);
      push(call(callable, tuple(pop_mark()), opcode.name, true));
      break;
    }
    case 'o': {
      std::vector<Value> items = pop_mark();
      if (items.empty()) {
        problem("OBJ has no class");
        items.push_back({Kind::kLost, 0, {}});
      }
      const Value callable = items.front();
      items.erase(items.begin());
      push(call(callable, tuple(std::move(items)), opcode.name, true));
      break;
    }
    case 0x82:
    case 0x83:
    case 0x84:
      push(import("copyreg", fmt::format("<extension {}>", signed_number(number_, opcode.code == 0x84 ? 4 : 8)),
                  opcode.name));
      break;
    case 'R': {
      const Value arguments = pop();
      const Value callable = pop();
      push(call(callable, arguments, opcode.name, true));
      break;
    }
    case 0x92: pop(); [[fallthrough]];
    case 0x81: {
      const Value arguments = pop();
      const Value callable = pop();
      push(call(callable, arguments, opcode.name, false));
      break;
    }
    case 'b': build(opcode.name); break;
    case 'P':
      persistent({Kind::kPlain, 0, {}}, opcode.name);
      push(Kind::kComputed);
      break;
    default:  // BINPERSID
      persistent(pop(), opcode.name);
      push(Kind::kComputed);
  }
  return Step::kNext;
}

Value PickleMachine::import(const std::string& module, const std::string& name, const char* opcode) {
  if (!whole_ && module.empty()) {
    report(Verdict::kDangerous, "import", "A name that is longer than any real one is imported.");
    return {Kind::kLost, 0, {}};
  }
  const std::string key = module + '\n' + name;
  const auto known = facts_.import_ids.find(key);
  if (known != facts_.import_ids.end()) return {Kind::kImport, known->second, {}};
  if (facts_.imports.size() >= options_.limits.imports) {
    report(Verdict::kDangerous, "limit", "It imports more than is followed.");
    stop_ = true;
    return {Kind::kLost, 0, {}};
  }
  const auto id = static_cast<std::int64_t>(facts_.imports.size());
  facts_.imports.push_back({module, name, at_, opcode, nullptr, 0, false});
  facts_.import_ids.emplace(key, id);
  return {Kind::kImport, id, {}};
}

Value PickleMachine::import_from_stack() {
  const Value name = pop();
  const Value module = pop();
  if (name.kind == Kind::kText && module.kind == Kind::kText) {
    whole_ = true;
    return import(facts_.texts.at(module), facts_.texts.at(name), "STACK_GLOBAL");
  }
  facts_.calls = true;
  report(Verdict::kDangerous, "import", "STACK_GLOBAL imports something whose name isn't a plain text in the stream.");
  return {Kind::kLost, 0, {}};
}

Value PickleMachine::call(const Value& callable, const Value& arguments, const char* opcode, bool constructs) {
  facts_.calls = true;
  if (callable.kind != Kind::kImport) {
    report(Verdict::kDangerous, "call", fmt::format("{} calls something that is made while loading.", opcode));
    return {Kind::kComputed, 0, {}};
  }
  Import& made = facts_.imports[static_cast<std::size_t>(callable.number)];
  if (made.called_by == nullptr) {
    made.called_by = opcode;
    made.called_at = at_;
  }
  made.constructed = made.constructed || constructs;
  const bool is_copyreg = made.module == "copyreg" || made.module == "copy_reg";
  const bool makes_instance = is_copyreg && (made.name == "_reconstructor" || made.name.starts_with("__newobj"));
  Value object{Kind::kObject, callable.number, {}};
  if (makes_instance) {
    const bool known =
        arguments.node && !arguments.node->items.empty() && arguments.node->items.front().kind == Kind::kImport;
    if (!known) {
      report(Verdict::kDangerous, "call",
             fmt::format("{} makes an instance of a class that isn't plain.", made.full()));
      return {Kind::kComputed, 0, {}};
    }
    object.number = arguments.node->items.front().number;
    Import& instanced = facts_.imports[static_cast<std::size_t>(object.number)];
    if (instanced.called_by == nullptr) {
      instanced.called_by = opcode;
      instanced.called_at = at_;
    }
  }
  object.node = std::make_shared<Node>();
  const Import& of = facts_.imports[static_cast<std::size_t>(object.number)];
  if (of.module == "numpy" && of.name == "dtype" && arguments.node) {
    object.node->items = arguments.node->items;
    const std::vector<Value>& given = object.node->items;
    const bool objects =
        !given.empty() && given[0].kind == Kind::kText && facts_.texts.at(given[0]).find('O') != std::string::npos;
    facts_.object_dtype = facts_.object_dtype || objects;
  }
  return object;
}

void PickleMachine::change(const Value& object, const char* opcode) {
  if (object.kind == Kind::kImport) {
    const Import& target = facts_.imports[static_cast<std::size_t>(object.number)];
    facts_.calls = true;
    report(Verdict::kDangerous, "call", fmt::format("{} changes {} itself.", opcode, target.full()), target.full());
  } else if (object.kind == Kind::kComputed || object.kind == Kind::kLost) {
    facts_.calls = true;
    facts_.untracked = true;
    report(Verdict::kSuspicious, "call", fmt::format("{} changes something that can't be followed.", opcode));
  }
}

void PickleMachine::build(const char* opcode) {
  const Value state = pop();
  const Value object = top();
  change(object, opcode);
  if (object.kind != Kind::kObject || !object.node) return;
  const Import& of = facts_.imports[static_cast<std::size_t>(object.number)];
  ++object.node->builds;
  if (of.module == "numpy" && of.name == "dtype") set_dtype_state(*object.node, state);
  if (of.module != "joblib.numpy_pickle" || of.name != "NumpyArrayWrapper") return;
  facts_.arrays = true;
  if (!options_.joblib) return;
  if (!read_array(object, state)) {
    stop_ = true;
    return;
  }
  pop();
  push(Kind::kPlain);
}

void PickleMachine::persistent(const Value& id, const char* opcode) {
  if (options_.torch && id.kind == Kind::kTuple && id.node && id.node->items.size() >= 2 &&
      facts_.texts.is(id.node->items[0], "storage") && id.node->items[1].kind == Kind::kImport)
    return;
  report(Verdict::kSuspicious, "call",
         fmt::format("{} stands for an object that only the loading program knows.", opcode));
}

}  // namespace backstay::scan
