#include "monitor/feedback.hpp"

#include <iterator>
#include <utility>

namespace backstay::monitor {

namespace {

constexpr std::size_t kAtOnce = 4'096;
/// Beyond this answers are not remembered: a disk that can't keep up must not fill the memory.
constexpr std::size_t kMostUnstored = 256 * 1024;

}  // namespace

Feedback::Feedback(PredictionStore& store, Inbox& inbox, const Clock& clock, OnJoined on_joined)
    : store_(store), inbox_(inbox), clock_(clock), on_joined_(std::move(on_joined)) {}

void Feedback::remember(Prediction prediction) {
  remembered_.push_back(std::move(prediction));
  if (remembered_.size() >= kAtOnce) store_remembered();
}

void Feedback::store_remembered() {
  if (remembered_.empty()) return;
  std::vector<Prediction> predictions = std::exchange(remembered_, {});
  {
    const std::lock_guard lock(waiting_.mutex);
    if (waiting_.unstored + predictions.size() > kMostUnstored) return;
    waiting_.unstored += predictions.size();
  }
  thread_.post([this, predictions = std::move(predictions)] {
    // What can't be stored is unknown when its label comes, which the label's sender is told.
    static_cast<void>(store_.remember(predictions));
    const std::lock_guard lock(waiting_.mutex);
    waiting_.unstored -= predictions.size();
  });
}

void Feedback::take(std::vector<Label> labels, Done done) {
  store_remembered();
  {
    const std::lock_guard lock(waiting_.mutex);
    waiting_.requests.push_back({std::move(labels), std::move(done)});
  }
  thread_.post([this] { label_waiting(); });
}

/// Everything that waits goes into one transaction; the calls that were posted for the rest of it find nothing to do.
void Feedback::label_waiting() {
  std::vector<Request> requests;
  {
    const std::lock_guard lock(waiting_.mutex);
    requests = std::exchange(waiting_.requests, {});
  }
  if (requests.empty()) return;
  std::vector<Label> labels;
  for (const Request& request : requests) labels.insert(labels.end(), request.labels.begin(), request.labels.end());
  auto stored = store_.label(labels, clock_.now());
  inbox_.post([this, requests = std::move(requests), stored = std::move(stored)]() mutable {
    if (!stored) {
      for (const Request& request : requests) request.done(Unexpected(stored.error()));
      return;
    }
    auto next = std::make_move_iterator(stored->begin());
    for (const Request& request : requests) {
      const auto end = next + static_cast<std::ptrdiff_t>(request.labels.size());
      answer(request, std::vector<PredictionStore::Joined>(next, end));
      next = end;
    }
  });
}

void Feedback::answer(const Request& request, std::vector<PredictionStore::Joined> joined) {
  FeedbackResult result;
  for (std::size_t i = 0; i < joined.size(); ++i) {
    switch (joined[i].fate) {
      case PredictionStore::Fate::kDuplicate: ++result.duplicates; break;
      case PredictionStore::Fate::kUnknown: ++result.unknown; break;
      case PredictionStore::Fate::kJoined:
        ++result.joined;
        on_joined_(joined[i].prediction, request.labels[i]);
        break;
    }
  }
  request.done(result);
}

void Feedback::finish() {
  store_remembered();
  thread_.finish();
}

}  // namespace backstay::monitor
