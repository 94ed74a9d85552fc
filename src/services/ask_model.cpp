#include "services/ask_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "wire/inference_json.hpp"

namespace backstay::services {

namespace {

using evaluation::NamedTensor;

/// Takes the wanted output out of an answer, whose first dimension must be the batch's rows.
Result<NamedTensor> pick_output(std::vector<NamedTensor>& outputs, const std::string& name, std::uint64_t rows) {
  std::vector<std::string> names;
  for (const NamedTensor& output : outputs) names.push_back(output.spec.name);
  const auto found = std::find_if(outputs.begin(), outputs.end(), [&](const NamedTensor& output) {
    return name.empty() ? outputs.size() == 1 : output.spec.name == name;
  });
  if (outputs.empty())
    return Unexpected(ErrorCode::kInvalidArgument,
                      name.empty() ? "The model answers without any output."
                                   : fmt::format("The model has no output '{}': it answers without any.", name),
                      "Its server must answer with outputs: look at what it says to one request.");
  if (found == outputs.end())
    return Unexpected(
        ErrorCode::kInvalidArgument,
        name.empty() ? "The model has several outputs." : fmt::format("The model has no output '{}'.", name),
        fmt::format("Name one as output.name: {}.", fmt::join(names, ", ")));
  if (found->spec.shape.empty() || found->spec.shape[0] != static_cast<std::int64_t>(rows))
    return Unexpected(ErrorCode::kInvalidArgument,
                      fmt::format("The output '{}' has the shape [{}] for {} rows.", found->spec.name,
                                  fmt::join(found->spec.shape, ","), rows),
                      "Its first dimension must be the rows; try batch: 1.");
  return std::move(*found);
}

/// Batches between the one who reads rows and those who ask. Bounded, so that memory is.
class Queue {
 public:
  explicit Queue(std::size_t capacity) : capacity_(capacity) {}

  /// False: it was stopped.
  bool push(Batch batch) {
    std::unique_lock lock(mutex_);
    room_.wait(lock, [&] { return stopped_ || batches_.size() < capacity_; });
    if (stopped_) return false;
    batches_.push_back(std::move(batch));
    more_.notify_one();
    return true;
  }
  std::optional<Batch> pop() {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [&] { return stopped_ || closed_ || !batches_.empty(); });
    if (stopped_ || batches_.empty()) return std::nullopt;
    Batch batch = std::move(batches_.front());
    batches_.pop_front();
    room_.notify_one();
    return batch;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    more_.notify_all();
  }
  void stop() {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    more_.notify_all();
    room_.notify_all();
  }

 private:
  const std::size_t capacity_;
  std::mutex mutex_;
  std::condition_variable more_, room_;
  std::deque<Batch> batches_;
  bool closed_ = false;
  bool stopped_ = false;
};

/// What came, by batch; and the first failure.
class Collected {
 public:
  explicit Collected(std::size_t batches) : parts_(batches) {}
  void put(std::uint64_t batch, NamedTensor part, std::uint64_t rows, const Asking& asking) {
    const std::lock_guard lock(mutex_);
    parts_[batch] = std::move(part);
    answered_ = std::chrono::steady_clock::now();
    if (asking.asked) asking.asked(rows);
  }
  /// Tells of each second without an answer, until it is stopped.
  void watch(const std::stop_token& stop, const Asking& asking) {
    std::unique_lock lock(mutex_);
    while (!over_.wait_for(lock, stop, seconds(1), [&] { return stop.stop_requested(); })) {
      const auto without = std::chrono::steady_clock::now() - answered_;
      if (without >= seconds(1)) asking.waiting(std::chrono::duration_cast<seconds>(without));
    }
  }
  void fail(Error error) {
    const std::lock_guard lock(mutex_);
    if (!failure_) failure_ = std::move(error);
  }
  Result<NamedTensor> joined() {
    const std::lock_guard lock(mutex_);
    if (failure_) return Unexpected(*failure_);
    NamedTensor all;
    for (std::optional<NamedTensor>& part : parts_) {
      if (!part) return Unexpected(ErrorCode::kInternal, "A batch was not answered.", "Report this.");
      const std::int64_t rows = all.spec.shape.empty() ? 0 : all.spec.shape[0];
      const std::vector<std::int64_t> before(all.spec.shape.begin() + (all.spec.shape.empty() ? 0 : 1),
                                             all.spec.shape.end());
      const std::vector<std::int64_t> now(part->spec.shape.begin() + 1, part->spec.shape.end());
      if (!all.spec.shape.empty() && before != now)
        return Unexpected(ErrorCode::kInvalidArgument,
                          fmt::format("The output '{}' has another shape in another batch.", part->spec.name),
                          "Rows must have answers of one size.");
      all.spec.name = part->spec.name;
      all.spec.datatype = part->spec.datatype;
      all.spec.shape = part->spec.shape;
      all.spec.shape[0] += rows;
      all.numbers.insert(all.numbers.end(), part->numbers.begin(), part->numbers.end());
      for (std::string& text : part->texts) all.texts.push_back(std::move(text));
      part.reset();
    }
    return all;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any over_;
  std::chrono::steady_clock::time_point answered_ = std::chrono::steady_clock::now();
  std::vector<std::optional<NamedTensor>> parts_;
  std::optional<Error> failure_;
};

Result<void> answer(ModelSession& session, const Batch& batch, const std::string& output, const Asking& asking,
                    Collected& collected) {
  TRY(Answer answered, session.predict(batch.inputs));
  TRY(NamedTensor part, pick_output(answered.outputs, output, batch.rows));
  TRY_DO(asking.journal.append(batch.number, wire::outputs_to_json({part})));
  collected.put(batch.number, std::move(part), batch.rows, asking);
  return {};
}

}  // namespace

Result<NamedTensor> ask_model(const Question& question, const std::string& output, const Asking& asking) {
  const std::uint64_t batches = (question.facts->rows + question.batch_rows - 1) / question.batch_rows;
  Collected collected(batches);
  std::vector<bool> known(batches, false);
  for (const auto& [number, text] : asking.journal.recorded()) {
    if (number >= batches) continue;
    auto outputs = wire::outputs_from_json("the journal", text);
    const std::uint64_t rows = std::min(question.batch_rows, question.facts->rows - number * question.batch_rows);
    if (!outputs || outputs->size() != 1 || outputs->front().spec.shape.empty() ||
        outputs->front().spec.shape[0] != static_cast<std::int64_t>(rows))
      continue;  // Asked again.
    known[number] = true;
    collected.put(number, std::move(outputs->front()), rows, asking);
  }
  std::jthread watcher;
  if (asking.waiting) watcher = std::jthread([&](const std::stop_token& stop) { collected.watch(stop, asking); });
  Queue queue(2 * asking.parallel);
  std::vector<std::jthread> threads;
  for (std::uint64_t i = 0; i < asking.parallel; ++i) {
    threads.emplace_back([&] {
      const auto session = asking.runner.open_session();
      while (auto batch = queue.pop()) {
        auto done = answer(*session, *batch, output, asking, collected);
        if (done) continue;
        collected.fail(std::move(done).error());
        queue.stop();
      }
    });
  }
  auto made = make_batches(
      question, asking.folder, [&](std::uint64_t number) { return number < batches && !known[number]; },
      [&](Batch batch) -> Result<bool> { return queue.push(std::move(batch)); });
  if (made) {
    queue.close();
  } else {
    collected.fail(std::move(made).error());
    queue.stop();
  }
  threads.clear();
  watcher = {};  // Stopped and joined.
  return collected.joined();
}

Result<Timing> time_model(const Question& question, const evaluation::Latency& latency, ModelRunner& runner,
                          const std::filesystem::path& folder) {
  std::vector<Batch> batches;
  Question shaped = question;
  shaped.batch_rows = std::min(latency.batch, question.facts->rows);
  // A batch that is not full would be faster than the others.
  const std::uint64_t full = question.facts->rows / shaped.batch_rows;
  const std::uint64_t wanted = std::clamp<std::uint64_t>(std::min(latency.requests, full), 1, 1000);
  TRY_DO(make_batches(
      shaped, folder, [&](std::uint64_t number) { return number < wanted; },
      [&](Batch batch) -> Result<bool> {
        batches.push_back(std::move(batch));
        return batches.size() < wanted;
      }));
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  std::optional<Error> failure;
  Timing timing;
  const auto ask = [&](ModelSession& session, std::uint64_t number) -> std::optional<double> {
    auto answered = session.predict(batches[number % batches.size()].inputs);
    const std::lock_guard lock(mutex);
    if (answered && !failure) return std::chrono::duration<double>(answered->took).count();
    if (!answered && !failure) failure = std::move(answered).error();
    return std::nullopt;
  };
  {
    const auto session = runner.open_session();
    for (std::uint64_t i = 0; i < latency.warmup && !failure; ++i) ask(*session, i);
  }
  const auto begin = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> threads;
    for (std::uint64_t i = 0; i < latency.parallel; ++i)
      threads.emplace_back([&] {
        const auto session = runner.open_session();
        for (std::uint64_t n = next++; n < latency.requests; n = next++) {
          const auto took = ask(*session, n);
          if (!took) return;
          const std::lock_guard lock(mutex);
          timing.seconds.push_back(*took);
        }
      });
  }
  if (failure) return Unexpected(*failure);
  const double all = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  timing.rows_per_second = static_cast<double>(latency.requests * shaped.batch_rows) / all;
  std::sort(timing.seconds.begin(), timing.seconds.end());
  return timing;
}

}  // namespace backstay::services
