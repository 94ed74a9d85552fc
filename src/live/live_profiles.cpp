#include "live/live_profiles.hpp"

#include <fmt/format.h>

#include <atomic>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "domain/drift/shared_categories.hpp"
#include "domain/drift/window_watch.hpp"
#include "gateway/body_form.hpp"
#include "live/request_rows.hpp"
#include "wire/profile_json.hpp"

namespace backstay::live {

using nlohmann::json;

namespace {

constexpr milliseconds kRound{50};
constexpr milliseconds kSaveEvery{60'000};  // An open window is kept as it is, so that a crash loses a minute at most.
constexpr std::size_t kMaxSegments = 16;    // By version; values that come later are only in the whole.
constexpr std::size_t kMaxSegmentBytes = 64;
constexpr std::size_t kMaxVersions = 8;  // On one endpoint at a time.

}  // namespace

class LiveProfiles::Endpoint {
 public:
  Endpoint(const EndpointConfig& config, Ports& ports) : config_(config), ports_(ports), rows_(config.columns) {}

  std::uint32_t number() const { return config_.number; }
  const std::string& name() const { return config_.name; }
  LiveCounts counts() const { return {counts_.sampled, counts_.unreadable}; }

  /// Keeps the version's windows as they are now: what it is told of is there to look at.
  void show(const std::string& version) {
    const auto found = versions_.find(version);
    if (found == versions_.end()) return;
    for (auto& [segment, window] : found->second.open) keep(version, segment, window, ports_.dropped());
  }

  void take(const gateway::RequestSample& sample) {
    auto found = versions_.find(sample.version);
    if (found == versions_.end()) {
      if (versions_.size() >= kMaxVersions) forget_oldest();
      found = versions_.emplace(sample.version, Version()).first;
      begin_watch(found->first, found->second);
    }
    Version& version = found->second;
    version.last = ports_.clock.monotonic();
    Open& whole = open(version, "");
    ++whole.requests;
    const BodyProblem problem =
        read(rows_, sample.request, sample.request_form, [&](std::span<const drift::Value> row) {
          whole.rows.add(row);
          if (version.watch) {
            if (version.columns != rows_.columns().size()) {
              version.columns = rows_.columns().size();
              version.watch->set_columns(rows_.columns());
            }
            one_.clear();
            one_.add(row);
            version.watch->observe(one_);
          }
          add_to_segment(version, row);
        });
    ++counts_.sampled;
    if (problem != BodyProblem::kNone) {
      ++whole.unreadable[to_string(problem)];
      ++counts_.unreadable;
    }
    read(answers_, sample.response, sample.response_form,
         [&](std::span<const drift::Value> row) { whole.answers.add(row); });
    tell_alarms(found->first, version);
  }

  /// Keeps and ends what is due; `all`: everything.
  void keep_due(bool all) {
    const Monotonic now = ports_.clock.monotonic();
    const std::uint64_t dropped = ports_.dropped();
    const bool crowded = rows_.left_out() + answers_.left_out() > 0;
    const bool together = crowded && any_window_ends(now);
    for (auto& [name, version] : versions_) {
      for (auto segment = version.open.begin(); segment != version.open.end();) {
        Open& window = segment->second;
        const bool ends = all || together || over(window, now);
        const bool saves = ends || now - window.saved >= kSaveEvery;
        if (saves) keep(name, segment->first, window, dropped);
        if (ends && segment->first.empty()) judge(name, version, window);
        const bool tell = saves && segment->first.empty() && (version.told > 0 || version.window_alarm) && !all;
        segment = ends ? version.open.erase(segment) : std::next(segment);
        if (tell && ports_.drifted) ports_.drifted(config_.name, name);
      }
    }
    dropped_before_ = dropped;
    if (together) forget_columns();
  }

 private:
  struct Open {
    drift::RowProfile rows;
    drift::RowProfile answers;
    Timestamp from;
    Monotonic began;
    Monotonic saved;
    std::uint64_t requests = 0;
    std::map<std::string, std::uint64_t> unreadable;  ///< By BodyProblem.
    std::uint64_t dropped_before = 0;
  };
  struct Version {
    std::map<std::string, Open, std::less<>> open;  ///< By segment.
    std::optional<drift::StreamWatch> watch;
    std::optional<drift::WindowWatch> windows;  ///< Of relations and embeddings.
    drift::SharedCategories shared{};           ///< That its windows tell also of few rows.
    bool window_alarm = false;
    std::size_t columns = 0;        ///< That the watch knows.
    std::size_t told = 0;           ///< Alarms.
    std::set<std::string> named{};  ///< Columns that were told of.
    Monotonic last;
  };

  BodyProblem read(RequestRows& rows, std::string_view body, const gateway::BodyForm& form,
                   const RequestRows::OnRow& on_row) {
    const auto content = gateway::unpacked(body, form, unpacked_);
    return content ? rows.read(*content, on_row, form.json_bytes) : BodyProblem::kPacked;
  }

  Open& open(Version& version, std::string_view segment) {
    const auto found = version.open.find(segment);
    if (found != version.open.end()) return found->second;
    Open& out = version.open.emplace(std::string(segment), Open()).first->second;
    out.from = ports_.clock.now();
    out.began = out.saved = ports_.clock.monotonic();
    out.dropped_before = dropped_before_;
    return out;
  }

  bool over(const Open& window, Monotonic now) const {
    return now - window.began >= config_.window || window.rows.rows() >= config_.window_rows;
  }

  bool any_window_ends(Monotonic now) const {
    for (const auto& [name, version] : versions_)
      for (const auto& [segment, window] : version.open)
        if (segment.empty() && over(window, now)) return true;
    return false;
  }

  /// Names that were made up take places for one window only. No window is open: they know columns by place.
  void forget_columns() {
    rows_.forget_columns();
    answers_.forget_columns();
    for (auto& [name, version] : versions_) version.columns = 0;
  }

  void forget_oldest() {
    auto oldest = versions_.begin();
    for (auto each = versions_.begin(); each != versions_.end(); ++each)
      if (each->second.last < oldest->second.last) oldest = each;
    for (auto& [segment, window] : oldest->second.open) keep(oldest->first, segment, window, ports_.dropped());
    versions_.erase(oldest);
  }

  void begin_watch(const std::string& name, Version& version) {
    if (!config_.segment_column.empty()) rows_.expect_column(config_.segment_column);
    const auto training = ports_.training(config_.name, name);
    if (!training) return;
    version.shared = drift::SharedCategories(*training);
    for (const drift::Profile::Named& column : training->columns) rows_.expect_column(column.name);
    for (const drift::Profile::Named& column : training->columns)
      if (column.column.vectors.count() > 0) rows_.expect_vector(column.name);
    drift::WatchPlan plan;
    plan.alpha = config_.alpha;
    drift::WindowWatch windows(*training, config_.alpha / 2, config_.ignored);
    if (windows.watches()) {
      version.windows.emplace(std::move(windows));
      plan.alpha = config_.alpha / 2;
    }
    version.watch.emplace(*training, plan, config_.ignored);
  }

  void add_to_segment(Version& version, std::span<const drift::Value> row) {
    if (config_.segment_column.empty()) return;
    const std::vector<std::string>& columns = rows_.columns();
    for (std::size_t i = 0; i < row.size() && i < columns.size(); ++i) {
      if (columns[i] != config_.segment_column) continue;
      std::string text;
      if (row[i].kind == drift::Value::Kind::kText) text = row[i].text;
      if (row[i].kind == drift::Value::Kind::kNumber) text = fmt::format("{}", row[i].number);
      if (row[i].kind == drift::Value::Kind::kBoolean) text = row[i].number != 0 ? "true" : "false";
      const bool fits = !text.empty() && text.size() <= kMaxSegmentBytes;
      if (!fits || (!version.open.contains(text) && version.open.size() > kMaxSegments)) return;
      Open& segment = open(version, text);
      segment.rows.add(row);
      ++segment.requests;
      return;
    }
  }

  static drift::Profile named(const drift::RowProfile& profile, const RequestRows& rows,
                              const std::set<std::string>& without) {
    drift::Profile out = profile.named(rows.columns(), without);
    out.left_out = rows.left_out();
    return out;
  }

  void keep(const std::string& version, const std::string& segment, Open& window, std::uint64_t dropped) {
    window.saved = ports_.clock.monotonic();
    LiveWindow out;
    out.endpoint = config_.name;
    out.version = version;
    out.segment = segment;
    out.from = window.from;
    out.until = ports_.clock.now();
    out.requests = window.requests;
    for (const auto& [problem, count] : window.unreadable) out.unreadable += count;
    out.unreadable_for = window.unreadable;
    out.dropped = dropped - window.dropped_before;
    // What is not watched is not kept either: else whoever compares windows would have to name it again. All rows of a
    // segment have one value in its column, which would be drift for ever.
    std::set<std::string> without = config_.ignored;
    if (!segment.empty()) without.insert(config_.segment_column);
    const drift::SharedCategories& shared = versions_.find(version)->second.shared;
    out.profile = wire::to_json(named(window.rows, rows_, without), shared);
    if (window.answers.rows() > 0) out.predictions = wire::to_json(named(window.answers, answers_, {}), shared);
    // A disk that is full loses a window; the next one tries again.
    static_cast<void>(ports_.windows.keep(out));
  }

  /// A window that is over.
  void judge(const std::string& name, Version& version, const Open& window) {
    if (!version.windows) return;
    const drift::WindowWatch::Alarms alarms = version.windows->judge(window.rows.named(rows_.columns()));
    const std::string from = to_rfc3339(window.from).substr(0, 19);
    for (const drift::ColumnDrift& each : alarms.vectors)
      alarm({{"column", each.name},
             {"version", name},
             {"window", from},
             {"test", each.test},
             {"p_value", each.p_value},
             {"shift", each.shift.value_or(0)}},
            fmt::format("The vectors {} of version {} drifted: by {:.2f} training deviations in the window from {}.",
                        each.name, name, each.shift.value_or(0), from));
    for (const drift::PairDrift& each : alarms.pairs)
      alarm({{"columns", {each.x, each.y}},
             {"version", name},
             {"window", from},
             {"p_value", each.p_value},
             {"training", each.training},
             {"live", each.live}},
            fmt::format("{} and {} of version {} go together differently: their correlation is {:.2f} in the window "
                        "from {}, it was {:.2f} in training.",
                        each.x, each.y, name, each.live, from, each.training));
    version.window_alarm = version.window_alarm || !alarms.empty();
  }

  void alarm(const json& evidence, const std::string& text) {
    static_cast<void>(ports_.audit.append({"backstay", "drift.alarm", "endpoint " + config_.name, text,
                                           evidence.dump(-1, ' ', false, json::error_handler_t::replace)}));
  }

  void tell_alarms(const std::string& name, Version& version) {
    if (!version.watch) return;
    const std::vector<drift::StreamWatch::Alarm> alarms = version.watch->alarms();
    if (alarms.size() == version.told) return;
    const bool first = version.told == 0;
    version.told = alarms.size();
    for (const drift::StreamWatch::Alarm& each : alarms) {
      if (!version.named.insert(each.column).second) continue;
      const json evidence{{"column", each.column},         {"version", name},
                          {"since_row", each.alarm.since}, {"sure_at_row", each.alarm.at},
                          {"values", each.alarm.what},     {"training", each.alarm.training},
                          {"live", each.alarm.live}};
      alarm(evidence,
            fmt::format("{} of version {} drifted: {:.0f}% of the live values are {}, {:.0f}% were in training.",
                        each.column, name, 100 * each.alarm.live, each.alarm.what, 100 * each.alarm.training));
    }
    if (!first || !ports_.drifted) return;
    show(name);
    ports_.drifted(config_.name, name);
  }

  const EndpointConfig config_;
  Ports& ports_;
  RequestRows rows_;
  RequestRows answers_;
  std::string unpacked_;  ///< Of the body that is read.
  struct {
    std::atomic<std::uint64_t> sampled{0};
    std::atomic<std::uint64_t> unreadable{0};
  } counts_;
  drift::RowBlock one_{drift::Profile::kMaxColumns};  ///< The row that is under way.
  std::map<std::string, Version, std::less<>> versions_;
  std::uint64_t dropped_before_ = 0;  ///< By the gateway, until the last turn: those since then are the next window's.
};

LiveProfiles::LiveProfiles(Ports ports, const std::vector<EndpointConfig>& endpoints) : ports_(std::move(ports)) {
  for (const EndpointConfig& each : endpoints) endpoints_.push_back(std::make_unique<Endpoint>(each, ports_));
}

LiveProfiles::~LiveProfiles() {
  stop();
}

std::optional<LiveCounts> LiveProfiles::counts(const std::string& endpoint) const {
  for (const auto& each : endpoints_)
    if (each->name() == endpoint) return each->counts();
  return std::nullopt;
}

void LiveProfiles::start() {
  thread_ = std::thread([this] { run(); });
}

void LiveProfiles::stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopping_.notify_one();
  thread_.join();
  turn();
  for (const auto& each : endpoints_) each->keep_due(true);
}

void LiveProfiles::turn() {
  ports_.drain([this](const gateway::RequestSample& sample) {
    for (const auto& each : endpoints_)
      if (each->number() == sample.endpoint) each->take(sample);
  });
  for (const auto& each : endpoints_) each->keep_due(false);
  std::vector<std::pair<std::string, std::string>> risen;
  {
    const std::lock_guard lock(mutex_);
    risen.swap(risen_);
  }
  for (const auto& [endpoint, version] : risen) {
    for (const auto& each : endpoints_)
      if (each->name() == endpoint) each->show(version);
    if (ports_.drifted) ports_.drifted(endpoint, version);
  }
}

void LiveProfiles::errors_rose(const std::string& endpoint, const std::string& version) {
  const std::lock_guard lock(mutex_);
  risen_.emplace_back(endpoint, version);
}

// Samples may wait: nobody is told of them before a window ends or an alarm is sure.
void LiveProfiles::run() {
  std::unique_lock lock(mutex_);
  while (!stop_) {
    lock.unlock();
    turn();
    lock.lock();
    stopping_.wait_for(lock, kRound, [this] { return stop_; });
  }
}

}  // namespace backstay::live
