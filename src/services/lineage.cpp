#include "services/lineage.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <set>

#include "services/check_rollout.hpp"

namespace backstay::services {

using lineage::Graph;
using lineage::NodeKind;
using lineage::Subject;
using registry::VersionRef;

namespace {

constexpr std::size_t kMaxVersions = 100'000;
constexpr std::size_t kRolloutsBack = 200;
/// Ids carry whole seconds, and the gateway switches a moment before the store knows.
constexpr seconds kClockSlack{2};

Result<Origin> origin_of(const Records& records, const VersionRef& ref) {
  TRY(StoredVersion version, records.versions.version(ref));
  TRY(registry::Manifest manifest, manifest_of(version));
  return Origin{std::move(version), std::move(manifest)};
}

/// Everything that `first` descends from, breadth first.
Result<void> add_ancestors(const Records& records, const registry::Manifest& first, Trace& trace) {
  std::set<std::string> seen{first.ref.str()};
  std::deque<VersionRef> open(first.parents.begin(), first.parents.end());
  while (!open.empty()) {
    const VersionRef ref = open.front();
    open.pop_front();
    if (!seen.insert(ref.str()).second || seen.size() > kMaxVersions) continue;
    auto origin = origin_of(records, ref);
    if (!origin && origin.error().code == ErrorCode::kNotFound) {
      trace.unknown_parents.push_back(ref);
      continue;
    }
    if (!origin) return Unexpected(std::move(origin).error());
    open.insert(open.end(), origin->manifest.parents.begin(), origin->manifest.parents.end());
    trace.ancestors.push_back(*std::move(origin));
  }
  return {};
}

}  // namespace

Result<Trace> trace_version(const Records& records, const VersionRef& ref) {
  Trace trace;
  TRY(trace.version, origin_of(records, ref));
  TRY_DO(add_ancestors(records, trace.version.manifest, trace));
  TRY(trace.traffic, records.lineage.traffic(ref));
  return trace;
}

Result<Trace> trace_prediction(const Records& records, const traffic::PredictionId& id) {
  TRY(const Serving serving, records.lineage.serving(id.serving()));
  TRY(Trace trace, trace_version(records, serving.ref));
  PredictionFacts facts{id, serving.endpoint, id.at(), std::nullopt};
  for (const TrafficWindow& window : trace.traffic) {
    const bool within =
        window.from <= id.at() + kClockSlack && (!window.until || id.at() <= *window.until + kClockSlack);
    // A fallback answers with a share of nothing; a shadow never answers.
    if (window.endpoint == serving.endpoint && within && window.role != traffic::Role::kShadow) facts.window = window;
  }
  trace.prediction = std::move(facts);
  return trace;
}

Result<Subject> find_subject(const Records& records, const std::string& text, const std::string& kind) {
  if (text.find('@') != std::string::npos && (kind.empty() || kind == "version")) {
    TRY(const VersionRef ref, resolve_version(records, text));
    TRY_DO(records.versions.version(ref));
    return Subject{Subject::Kind::kVersion, ref.str()};
  }
  TRY(std::vector<Subject> found, records.lineage.find_subjects(text));
  if (!kind.empty()) {
    TRY(const Subject::Kind wanted, lineage::subject_kind(kind));
    std::erase_if(found, [&](const Subject& subject) { return subject.kind != wanted; });
  }
  if (found.size() == 1) return found.front();
  if (found.empty())
    return Unexpected(ErrorCode::kNotFound,
                      fmt::format("No version was made from anything called '{}'.", text.substr(0, 200)),
                      "Name a slice (data set/slice), a data set, a commit or a slice's digest (7 digits or more), or "
                      "a version (model@2.1.0); backstay show lists what a version was made from.");
  std::string names;
  for (const Subject& subject : found) {
    if (names.size() > 500) break;
    names += (names.empty() ? "" : ", ") + lineage::describe(subject);
  }
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' may be any of: {}.", text.substr(0, 200), names),
                    "Write it whole, or say which with --kind slice, data_set, commit or slice_digest.");
}

namespace {

class ImpactWalk {
 public:
  explicit ImpactWalk(const Records& records) : records_(records) {}

  Result<void> add(const VersionRef& ref, const std::optional<VersionRef>& through, std::vector<Reached>& out) {
    if (!seen_.insert(ref.str()).second) return {};
    if (seen_.size() > kMaxVersions)
      return Unexpected(ErrorCode::kResourceExhausted, fmt::format("It reached more than {} versions.", kMaxVersions),
                        "Ask about one slice, or one version.");
    Reached reached;
    TRY(reached.version, records_.versions.version(ref));
    reached.through = through;
    TRY(reached.traffic, records_.lineage.traffic(ref));
    out.push_back(std::move(reached));
    return {};
  }
  bool affected(const VersionRef& ref) const { return seen_.count(ref.str()) > 0; }

 private:
  const Records& records_;
  std::set<std::string> seen_;
};

/// As one word of a shell: names come from manifests.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// The newest version that was stable on the endpoint, is not affected and may go back there.
Result<std::optional<VersionRef>> good_version(const Records& records, const ImpactWalk& walk,
                                               const EndpointRecord& record) {
  TRY(const std::vector<rollout::State> history, records.rollouts.rollouts(record.endpoint, kRolloutsBack));
  std::vector<std::string> former{record.standby};
  for (const rollout::State& state : history) {
    if (state.phase == rollout::Phase::kDone) former.push_back(state.candidate);
    former.push_back(state.stable);
  }
  for (const std::string& text : former) {
    const auto version = registry::SemanticVersion::parse(text);
    if (!version || text == record.stable) continue;
    const VersionRef ref{record.model, *version};
    if (!walk.affected(ref) && check_return(records, ref)) return std::optional(ref);
  }
  return std::optional<VersionRef>();
}

/// The candidate of a rollout that has all of the traffic, if it is unaffected and may stay.
std::optional<VersionRef> good_candidate(const Records& records, const ImpactWalk& walk, const EndpointRecord& record,
                                         const std::vector<rollout::State>& active) {
  for (const rollout::State& state : active) {
    const auto candidate = registry::SemanticVersion::parse(state.candidate);
    if (state.endpoint != record.endpoint || state.phase != rollout::Phase::kWatching || !candidate) continue;
    const VersionRef ref{record.model, *candidate};
    if (!walk.affected(ref) && check_return(records, ref)) return ref;
  }
  return std::nullopt;
}

Result<void> propose(const Records& records, const ImpactWalk& walk, const EndpointRecord& record, Impact& out) {
  TRY(const std::vector<rollout::State> active, records.rollouts.active_rollouts());
  const std::string reason = "--reason " + quoted("made from " + lineage::describe(out.subject));
  for (const rollout::State& state : active) {
    const auto candidate = registry::SemanticVersion::parse(state.candidate);
    if (state.endpoint != record.endpoint || !candidate) continue;
    const VersionRef ref{record.model, *candidate};
    if (!walk.affected(ref)) continue;
    const auto stable = registry::SemanticVersion::parse(state.stable);
    Proposal proposal{record.endpoint, ref, std::nullopt, "", "its rollout is under way"};
    if (stable) proposal.target = VersionRef{record.model, *stable};
    proposal.command = fmt::format("backstay rollback {} {}", record.endpoint, reason);
    out.proposals.push_back(std::move(proposal));
  }
  const auto stable = registry::SemanticVersion::parse(record.stable);
  if (!stable || !walk.affected({record.model, *stable})) return {};
  Proposal proposal{record.endpoint, {record.model, *stable}, std::nullopt, "", ""};
  if (const auto candidate = good_candidate(records, walk, record, active)) {
    proposal.target = candidate;
    proposal.command = fmt::format("backstay rollout promote {} {}", record.endpoint, reason);
    proposal.reason = "its unaffected candidate serves already; a rollback would return to what is affected";
    out.proposals.push_back(std::move(proposal));
    return {};
  }
  TRY(proposal.target, good_version(records, walk, record));
  if (!proposal.target) {
    proposal.reason = "no version that served here before is unaffected, validated and fits the live infrastructure";
  } else if (const std::string version = proposal.target->version.str(); version == record.standby) {
    proposal.command = fmt::format("backstay rollback {} --to {} {}", record.endpoint, version, reason);
    proposal.reason = "it is the standby version, kept warm";
  } else {
    proposal.command =
        fmt::format("backstay rollout start {} {} --blue-green {}", record.endpoint, proposal.target->str(), reason);
    proposal.reason = "it is the newest unaffected version that served here";
  }
  out.proposals.push_back(std::move(proposal));
  return {};
}

}  // namespace

Result<Impact> impact_of(const Records& records, const Subject& subject) {
  Impact impact;
  impact.subject = subject;
  ImpactWalk walk(records);
  TRY(const std::vector<VersionRef> direct, records.lineage.made_from(subject));
  for (const VersionRef& ref : direct) TRY_DO(walk.add(ref, std::nullopt, impact.versions));
  for (std::size_t i = 0; i < impact.versions.size(); ++i) {
    const VersionRef parent = impact.versions[i].version.ref;
    TRY(const std::vector<VersionRef> children, records.lineage.children(parent));
    for (const VersionRef& child : children) TRY_DO(walk.add(child, parent, impact.versions));
  }
  TRY(const std::vector<EndpointRecord> endpoints, records.rollouts.endpoints());
  for (const EndpointRecord& record : endpoints) TRY_DO(propose(records, walk, record, impact));
  return impact;
}

Result<std::optional<Quarantine>> quarantine_of(const Records& records, const VersionRef& ref) {
  TRY(const std::vector<Quarantine> quarantines, records.lineage.quarantines());
  if (quarantines.empty()) return std::optional<Quarantine>();
  Trace trace;
  TRY(trace.version, origin_of(records, ref));
  TRY_DO(add_ancestors(records, trace.version.manifest, trace));
  trace.ancestors.push_back(trace.version);
  for (const Quarantine& quarantine : quarantines) {
    const auto concerned = [&](const Origin& origin) { return lineage::concerns(quarantine.subject, origin.manifest); };
    if (std::any_of(trace.ancestors.begin(), trace.ancestors.end(), concerned)) return std::optional(quarantine);
    // A parent that isn't here can still be named.
    for (const VersionRef& parent : trace.unknown_parents)
      if (quarantine.subject == Subject{Subject::Kind::kVersion, parent.str()}) return std::optional(quarantine);
  }
  return std::optional<Quarantine>();
}

namespace {

std::string share_of(const TrafficWindow& window) {
  return fmt::format("{:g}% {}", window.ppm / 1e4, traffic::to_string(window.role));
}

std::size_t add_version(Graph& graph, const StoredVersion& version, bool marked) {
  return graph.add({NodeKind::kVersion, version.ref.str(), version.stage, marked});
}

void add_made_from(Graph& graph, const Origin& origin, std::size_t node) {
  const registry::Manifest& manifest = origin.manifest;
  for (const registry::DataSet& set : manifest.data) {
    for (const registry::DataSlice& slice : set.slices) {
      const std::string detail = fmt::format("{}sha256:{}", slice.rows > 0 ? fmt::format("{} rows, ", slice.rows) : "",
                                             slice.sha256.hex().substr(0, 12));
      graph.connect(graph.add({NodeKind::kData, set.name + "/" + slice.name, detail, false}), node, set.role);
    }
  }
  if (!manifest.code.commit.empty())
    graph.connect(
        graph.add({NodeKind::kCode, "commit " + manifest.code.commit.substr(0, 12), manifest.code.repository, false}),
        node);
  if (!manifest.config.empty()) {
    std::string all;
    for (const auto& [key, value] : manifest.config) all += fmt::format("{}{}={}", all.empty() ? "" : ", ", key, value);
    graph.connect(graph.add({NodeKind::kConfig, "config of " + manifest.ref.str(), all, false}), node);
  }
}

void add_traffic(Graph& graph, const std::vector<TrafficWindow>& windows, std::size_t node) {
  for (const TrafficWindow& window : windows)
    graph.connect(node, graph.add({NodeKind::kEndpoint, window.endpoint, "", false}), share_of(window));
}

}  // namespace

Graph graph_of(const Trace& trace) {
  Graph graph;
  const std::size_t own = add_version(graph, trace.version.version, true);
  add_made_from(graph, trace.version, own);
  std::vector<const Origin*> all{&trace.version};
  for (const Origin& ancestor : trace.ancestors) {
    add_made_from(graph, ancestor, add_version(graph, ancestor.version, false));
    all.push_back(&ancestor);
  }
  for (const Origin* origin : all) {
    const std::size_t child = add_version(graph, origin->version, false);
    for (const VersionRef& parent : origin->manifest.parents) {
      // One that is here keeps the detail it has.
      graph.connect(graph.add({NodeKind::kVersion, parent.str(), "not in this registry", false}), child, "parent");
    }
  }
  if (trace.prediction) {
    std::string hex;
    trace.prediction->id.append_hex(hex);
    const std::size_t prediction = graph.add(
        {NodeKind::kPrediction, hex.substr(0, 16) + "…", to_rfc3339(trace.prediction->at).substr(0, 19) + "Z", true});
    const std::size_t endpoint = graph.add({NodeKind::kEndpoint, trace.prediction->endpoint, "", false});
    graph.connect(own, endpoint);
    graph.connect(endpoint, prediction);
  } else {
    add_traffic(graph, trace.traffic, own);
  }
  return graph;
}

Graph graph_of(const Impact& impact) {
  Graph graph;
  const bool is_version = impact.subject.kind == Subject::Kind::kVersion;
  const NodeKind kind = impact.subject.kind == Subject::Kind::kCommit ? NodeKind::kCode : NodeKind::kData;
  const std::size_t subject = is_version ? 0 : graph.add({kind, lineage::describe(impact.subject), "", true});
  for (const Reached& reached : impact.versions) {
    const std::size_t node = add_version(graph, reached.version, is_version && !reached.through);
    if (reached.through) {
      graph.connect(graph.add({NodeKind::kVersion, reached.through->str(), "", false}), node, "parent");
    } else if (!is_version) {
      graph.connect(subject, node);
    }
    add_traffic(graph, reached.traffic, node);
  }
  return graph;
}

}  // namespace backstay::services
