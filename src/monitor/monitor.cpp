#include "monitor/monitor.hpp"

#include "monitor/control_loop.hpp"
#include "monitor/requirements.hpp"

namespace backstay::monitor {

Monitor::Monitor(Ports ports, const std::vector<EndpointConfig>& endpoints)
    : loop_(std::make_unique<Loop>(std::move(ports), endpoints)) {}
Monitor::~Monitor() = default;

Result<void> Monitor::start() {
  return loop_->start();
}

bool Monitor::wait_until_ready(milliseconds longest) {
  const auto ready = std::make_shared<std::promise<void>>();
  loop_->inbox().post([loop = loop_.get(), ready] { loop->tell_when_ready([ready] { ready->set_value(); }); });
  return ready->get_future().wait_for(longest) == std::future_status::ready;
}

void Monitor::stop() {
  loop_->stop();
}

void Monitor::wake() const {
  loop_->inbox().wake();
}

void Monitor::on_backend(const BackendStatus& status) {
  loop_->inbox().post([loop = loop_.get(), status] { loop->take_status(status); });
}

std::future<Result<void>> Monitor::start_rollout(const std::string& endpoint, const std::string& candidate,
                                                 const std::optional<rollout::Plan>& plan,
                                                 const services::ReleaseOrder& order, Condition condition) {
  return loop_->order(endpoint, std::move(condition),
                      [=](services::RolloutDriver& driver, const EndpointConfig& config, const auto& done) {
                        rollout::Plan chosen = plan.value_or(config.plan);
                        if (plan) {
                          // Hours and freezes are the endpoint's: another plan adds to them.
                          const rollout::Calendar& always = config.plan.calendar;
                          if (!chosen.calendar.hours) chosen.calendar.hours = always.hours;
                          chosen.calendar.freezes.insert(chosen.calendar.freezes.end(), always.freezes.begin(),
                                                         always.freezes.end());
                        }
                        if (auto known = resolve(chosen, config.guardrails); !known)
                          return done(Unexpected(std::move(known).error()));
                        services::ReleaseOrder told = order;
                        told.policy = policy_text(config);
                        driver.start(endpoint, candidate, chosen, told, done);
                      });
}

std::future<Result<void>> Monitor::roll_back(const std::string& endpoint, const std::string& actor,
                                             const std::string& reason, const std::string& to, Condition condition,
                                             const services::RolloutDriver::Target& target) {
  return loop_->order(endpoint, std::move(condition),
                      [=](services::RolloutDriver& driver, const EndpointConfig&, const auto& done) {
                        if (to.empty()) return driver.roll_back(endpoint, actor, reason, done, target);
                        driver.return_to(endpoint, to, actor, reason, done);
                      });
}

std::future<Result<void>> Monitor::handle(const std::string& endpoint, const rollout::Event& event,
                                          Condition condition) {
  return loop_->order(endpoint, std::move(condition),
                      [=](services::RolloutDriver& driver, const EndpointConfig&, const auto& done) {
                        driver.handle(endpoint, event, done);
                      });
}

std::future<Result<FeedbackResult>> Monitor::feedback(std::vector<Label> labels) {
  auto promise = std::make_shared<std::promise<Result<FeedbackResult>>>();
  std::future<Result<FeedbackResult>> result = promise->get_future();
  loop_->inbox().post([loop = loop_.get(), promise, labels = std::move(labels)]() mutable {
    loop->take_labels(std::move(labels),
                      [promise](Result<FeedbackResult> joined) { promise->set_value(std::move(joined)); });
  });
  return result;
}

std::future<Status> Monitor::status() {
  auto promise = std::make_shared<std::promise<Status>>();
  std::future<Status> result = promise->get_future();
  loop_->inbox().post([loop = loop_.get(), promise] { promise->set_value(loop->report()); });
  return result;
}

std::future<std::vector<std::string>> Monitor::little_traffic(const std::string& endpoint) {
  auto promise = std::make_shared<std::promise<std::vector<std::string>>>();
  auto result = promise->get_future();
  loop_->inbox().post([loop = loop_.get(), promise, endpoint] { promise->set_value(loop->little_traffic(endpoint)); });
  return result;
}

std::future<Result<Deployment>> Monitor::deployment(const std::string& endpoint) {
  auto promise = std::make_shared<std::promise<Result<Deployment>>>();
  std::future<Result<Deployment>> result = promise->get_future();
  loop_->inbox().post([loop = loop_.get(), promise, endpoint] {
    auto found = loop->config(endpoint);
    promise->set_value(found ? Result<Deployment>(loop->deployment(endpoint)) : Unexpected(std::move(found).error()));
  });
  return result;
}

}  // namespace backstay::monitor
