#include "monitor/feedback.hpp"

#include <algorithm>
#include <iterator>
#include <numeric>
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
    unstored_.insert(unstored_.end(), predictions.begin(), predictions.end());
    static_cast<void>(try_to_store());
  });
}

// What can't be stored now is tried again with what comes next.
Result<void> Feedback::try_to_store() {
  if (unstored_.empty()) return {};
  TRY_DO(store_.remember(unstored_));
  const std::lock_guard lock(waiting_.mutex);
  waiting_.unstored -= unstored_.size();
  unstored_.clear();
  return {};
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
  // While predictions can't be stored, what is unknown may only be unknown yet.
  const Result<void> known = try_to_store();
  auto stored = known ? store_.label(labels, clock_.now())
                      : Result<std::vector<PredictionStore::Joined>>(Unexpected(known.error()));
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
  // What comes together is shown in an order that knows nothing, whatever it was sorted by: by version, the worse ones
  // of both first, it would decide.
  std::vector<std::size_t> order(joined.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return request.labels[a].prediction.low < request.labels[b].prediction.low;
  });
  for (const std::size_t i : order) {
    switch (joined[i].fate) {
      case PredictionStore::Fate::kDuplicate: ++result.duplicates; break;
      case PredictionStore::Fate::kUnknown: ++result.unknown; break;
      case PredictionStore::Fate::kJoined:
        ++result.joined;
        on_joined_(std::move(joined[i].prediction), request.labels[i]);
        break;
    }
  }
  request.done(result);
}

void Feedback::finish() {
  store_remembered();
  thread_.post([this] { static_cast<void>(try_to_store()); });
  thread_.finish();
}

}  // namespace backstay::monitor
