#include "monitor/examiners.hpp"

#include <algorithm>
#include <cmath>

#include "gateway/event_stream.hpp"
#include "wire/answer_signature.hpp"
#include "wire/streamed_text.hpp"

namespace backstay::monitor {

Examiners::Examiners(Ports ports, const Plan& plan) : ports_(std::move(ports)) {
  bool any = false;
  for (const std::vector<ExaminerConfig>& endpoint : plan) {
    auto& examiners = examiners_.emplace_back();
    for (const ExaminerConfig& config : endpoint) {
      any = true;
      examiners.push_back(std::make_unique<Examiner>(config));
      examiners.back()->counts.name = config.name;
      if (config.classifier) examiners.back()->thread = std::make_unique<TaskThread>();
    }
  }
  if (any) thread_ = std::thread([this] { run(); });
}

void Examiners::stop() {
  ports_.answers.close();
  for (const auto& endpoint : examiners_)
    for (const auto& examiner : endpoint) {
      examiner->stopping = true;
      if (examiner->config.classifier) examiner->config.classifier->stop();
    }
  if (thread_.joinable()) thread_.join();
  for (const auto& endpoint : examiners_)
    for (const auto& examiner : endpoint)
      if (examiner->thread) examiner->thread->finish();
}

std::vector<ExaminerStatus> Examiners::status(std::uint32_t endpoint) const {
  std::vector<ExaminerStatus> out;
  if (endpoint >= examiners_.size()) return out;
  for (const auto& examiner : examiners_[endpoint]) {
    const std::lock_guard lock(examiner->mutex);
    out.push_back(examiner->counts);
  }
  return out;
}

void Examiners::run() {
  while (ports_.answers.wait()) ports_.answers.drain([this](const Sample& sample) { examine(sample); });
}

void Examiners::examine(const Sample& sample) {
  const std::uint32_t endpoint = sample->outcome.endpoint;
  if (endpoint >= examiners_.size()) return;
  for (std::size_t i = 0; i < examiners_[endpoint].size(); ++i) {
    Examiner& examiner = *examiners_[endpoint][i];
    if (examiner.stopping) continue;
    if (examiner.config.classifier) {
      ask(examiner, i, sample);
    } else {
      check(examiner, i, *sample);
    }
  }
}

void Examiners::ask(Examiner& examiner, std::size_t index, const Sample& sample) {
  if (examiner.waiting >= examiner.config.waiting) return miss(examiner, "More answers wait for it than may.");
  ++examiner.waiting;
  examiner.thread->post([this, &examiner, index, sample] {
    if (!examiner.stopping) judge(examiner, index, *sample);
    --examiner.waiting;
  });
}

namespace {

constexpr std::size_t kMostEventBytes = 256 * 1024;

Result<std::string> text_of_stream(std::string_view body) {
  gateway::EventStreamParser events(kMostEventBytes);
  wire::StreamedText text;
  while (events.next(body)) text.add(events.data());
  if (events.dropped() > 0)
    return Unexpected(ErrorCode::kResourceExhausted, "An event of the stream is too long to be read.");
  if (!text.found())
    return Unexpected(ErrorCode::kNotFound,
                      "The events of the stream have no text at /choices/0/delta/content or /choices/0/text.");
  return text.text();
}

Result<std::string> text_of(const gateway::AnswerSample& sample, const std::string& json_pointer) {
  if (sample.kind == gateway::BodyKind::kEventStream) return text_of_stream(sample.body);
  return wire::text_of_answer(sample.body, json_pointer);
}

}  // namespace

void Examiners::judge(Examiner& examiner, std::size_t index, const gateway::AnswerSample& sample) const {
  const auto text = text_of(sample, examiner.config.json_pointer);
  if (!text) return miss(examiner, text.error().message);
  const Result<double> verdict = examiner.config.classifier->judge(*text);
  if (!verdict) return miss(examiner, verdict.error().message);
  if (!std::isfinite(*verdict)) return miss(examiner, "Its verdict is no number.");
  tell(examiner, index, sample.outcome, std::clamp(*verdict, 0.0, 1.0));
}

void Examiners::check(Examiner& examiner, std::size_t index, const gateway::AnswerSample& sample) {
  if (sample.kind == gateway::BodyKind::kEventStream)
    return miss(examiner, "The answer is an event stream, which no signature describes.");
  const auto key = std::pair(sample.outcome.endpoint, sample.version);
  auto known = signatures_.find(key);
  if (known == signatures_.end())
    known = signatures_.emplace(key, ports_.signature_of(sample.outcome.endpoint, sample.version)).first;
  if (!known->second) return miss(examiner, known->second.error().message);
  if (known->second->outputs.empty()) {
    // Says nothing of this answer that was not known: what was wrong with one stays to be seen.
    const std::lock_guard lock(examiner.mutex);
    ++examiner.counts.missing;
    if (examiner.counts.last.empty()) examiner.counts.last = "The signature of " + sample.version + " has no outputs.";
    return;
  }
  const std::string wrong = wire::check_answer(sample.body, *known->second);
  if (!wrong.empty()) {
    const std::lock_guard lock(examiner.mutex);
    examiner.counts.last = sample.version + ": " + wrong;
  }
  tell(examiner, index, sample.outcome, wrong.empty() ? 0 : 1);
}

void Examiners::tell(Examiner& examiner, std::size_t index, const traffic::Outcome& outcome, double verdict) const {
  {
    const std::lock_guard lock(examiner.mutex);
    ++examiner.counts.judged;
    if (verdict >= 0.5) ++examiner.counts.bad;
  }
  ports_.on_verdict(outcome, index, verdict);
}

void Examiners::miss(Examiner& examiner, const std::string& why) {
  const std::lock_guard lock(examiner.mutex);
  ++examiner.counts.missing;
  examiner.counts.last = why;
}

}  // namespace backstay::monitor
