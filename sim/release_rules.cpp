#include "sim/release_rules.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "domain/guardrails/guardrail.hpp"

namespace backstay::sim {

namespace {

constexpr double kPi = 0.05;
constexpr double kBase = 0.01;
constexpr int kMinutes = 60;
constexpr int kPerMinute = 6'000;
constexpr double kNormalAt99 = 2.3263478740408408;  ///< The 99th percentile of the normal distribution.

class Backstay : public ReleaseRule {
 public:
  explicit Backstay(double pi) : guardrail_(guardrails::default_guardrails()[0], 0.01) {
    m_.assignment_probability = pi;
  }
  const char* name() const override { return "backstay"; }
  bool on_request(bool candidate, bool bad) override {
    m_.candidate = candidate;
    m_.value = bad ? 1 : 0;
    return guardrail_.observe(m_);
  }
  bool on_minute() override { return false; }

 private:
  guardrails::Guardrail guardrail_;
  guardrails::Measurement m_;
};

/// Counts per arm: 0 stable, 1 candidate.
struct Counts {
  std::array<double, 2> all{}, bad{};
  void add(bool candidate, bool is_bad) {
    const std::size_t arm = candidate ? 1 : 0;
    all[arm] += 1;
    bad[arm] += is_bad ? 1 : 0;
  }
  double rate(std::size_t arm) const { return all[arm] == 0 ? 0 : bad[arm] / all[arm]; }
};

class ZTest : public ReleaseRule {
 public:
  const char* name() const override { return "z-test every minute"; }
  bool on_request(bool candidate, bool bad) override {
    counts_.add(candidate, bad);
    return false;
  }
  bool on_minute() override {
    const double pooled = (counts_.bad[0] + counts_.bad[1]) / (counts_.all[0] + counts_.all[1]);
    const double deviation = std::sqrt(pooled * (1 - pooled) * (1 / counts_.all[0] + 1 / counts_.all[1]));
    return deviation > 0 && (counts_.rate(1) - counts_.rate(0)) / deviation > kNormalAt99;
  }

 private:
  Counts counts_;
};

class Kayenta : public ReleaseRule {
 public:
  const char* name() const override { return "Kayenta, every 10 min"; }
  bool on_request(bool candidate, bool bad) override {
    minute_.add(candidate, bad);
    return false;
  }
  bool on_minute() override {
    for (std::size_t arm = 0; arm < 2; ++arm) rates_[arm].push_back(minute_.rate(arm));
    minute_ = {};
    return rates_[0].size() % 10 == 0 && judge();
  }

 private:
  // The lower end of the interval of the shift is above the tolerance exactly when the shifted samples still differ.
  bool judge() const {
    const std::vector<double>& control = rates_[0];
    double mean = 0;
    for (const double rate : control) mean += rate / static_cast<double>(control.size());
    std::vector<std::pair<double, int>> all;
    for (const double rate : control) all.emplace_back(rate, 0);
    for (const double rate : rates_[1]) all.emplace_back(rate - 0.25 * mean, 1);
    std::sort(all.begin(), all.end());
    double ranks = 0;
    double ties = 0;
    for (std::size_t i = 0; i < all.size();) {
      std::size_t end = i;
      while (end < all.size() && all[end].first == all[i].first) ++end;
      const double middle = static_cast<double>(i + end + 1) / 2;
      const auto t = static_cast<double>(end - i);
      ties += t * t * t - t;
      for (; i < end; ++i) ranks += all[i].second == 1 ? middle : 0;
    }
    const auto n = static_cast<double>(control.size());
    const double u = ranks - n * (n + 1) / 2;
    const double deviation = std::sqrt(n * n / 12 * (2 * n + 1 - ties / (2 * n * (2 * n - 1))));
    return deviation > 0 && (u - n * n / 2 - 0.5) / deviation > kNormalAt99;
  }

  Counts minute_;
  std::array<std::vector<double>, 2> rates_;
};

class Sprt : public ReleaseRule {
 public:
  Sprt(double expected, double alternative)
      : bad_(std::log(alternative / expected)), good_(std::log((1 - alternative) / (1 - expected))) {}
  const char* name() const override { return "SPRT for 10 times"; }
  bool on_request(bool candidate, bool bad) override {
    if (!candidate || accepted_) return false;
    evidence_ += bad ? bad_ : good_;
    accepted_ = evidence_ <= std::log(0.05 / 0.99);
    return evidence_ >= std::log(0.95 / 0.01);
  }
  bool on_minute() override { return false; }

 private:
  double bad_, good_;
  double evidence_ = 0;
  bool accepted_ = false;
};

class Flagger : public ReleaseRule {
 public:
  explicit Flagger(double most) : most_(most) {}
  const char* name() const override { return "Flagger, 5 checks of 1 min"; }
  bool on_request(bool candidate, bool bad) override {
    minute_.add(candidate, bad);
    return false;
  }
  bool on_minute() override {
    failed_ += minute_.rate(1) > most_ ? 1 : 0;
    minute_ = {};
    return failed_ >= 5;
  }

 private:
  double most_;
  int failed_ = 0;
  Counts minute_;
};

/// What became of one rule in one release.
struct Fate {
  bool rolled_back = false;
  bool early = false;
  double requests = 0;  ///< Of the candidate since the break.
  double bad = 0;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

std::vector<std::unique_ptr<ReleaseRule>> all_rules() {
  std::vector<std::unique_ptr<ReleaseRule>> rules;
  rules.push_back(backstay_rule(kPi));
  rules.push_back(z_test_rule());
  rules.push_back(kayenta_rule());
  rules.push_back(sprt_rule(kBase, 10 * kBase));
  rules.push_back(flagger_rule(2 * kBase));
  return rules;
}

std::vector<Fate> release(const ReleaseStream& stream, Random& random) {
  const auto rules = all_rules();
  std::vector<Fate> fates(rules.size());
  std::size_t running = rules.size();
  double requests = 0;
  double bad_seen = 0;
  const auto decided = [&](std::size_t i, bool take_back, bool broken) {
    if (!take_back || fates[i].rolled_back) return;
    fates[i] = {true, !broken, requests, bad_seen};
    --running;
  };
  for (int minute = 0; minute < kMinutes && running > 0; ++minute) {
    const bool broken = stream.times > 1 && minute >= stream.from_minute;
    for (int i = 0; i < kPerMinute; ++i) {
      const double swing = 1 + stream.cycle * std::sin((minute * kPerMinute + i) * 6.2831853 / (kMinutes * kPerMinute));
      const bool candidate = random.unit() < kPi;
      const bool bad = random.unit() < kBase * swing * (candidate && broken ? stream.times : 1);
      requests += candidate && broken ? 1 : 0;
      bad_seen += candidate && broken && bad ? 1 : 0;
      for (std::size_t k = 0; k < rules.size(); ++k)
        if (!fates[k].rolled_back) decided(k, rules[k]->on_request(candidate, bad), broken);
    }
    for (std::size_t k = 0; k < rules.size(); ++k)
      if (!fates[k].rolled_back) decided(k, rules[k]->on_minute(), broken);
  }
  return fates;
}

}  // namespace

std::unique_ptr<ReleaseRule> backstay_rule(double pi) {
  return std::make_unique<Backstay>(pi);
}
std::unique_ptr<ReleaseRule> z_test_rule() {
  return std::make_unique<ZTest>();
}
std::unique_ptr<ReleaseRule> kayenta_rule() {
  return std::make_unique<Kayenta>();
}
std::unique_ptr<ReleaseRule> sprt_rule(double expected, double alternative) {
  return std::make_unique<Sprt>(expected, alternative);
}
std::unique_ptr<ReleaseRule> flagger_rule(double most) {
  return std::make_unique<Flagger>(most);
}

std::vector<ReleaseStream> release_streams() {
  return {{"good", 1, 0, 0},
          {"good, base rate swings by 80%", 1, 0, 0.8},
          {"2 times as bad", 2, 0, 0},
          {"5 times as bad", 5, 0, 0},
          {"10 times as bad", 10, 0, 0},
          {"5 times as bad after 30 min", 5, 30, 0}};
}

std::vector<RuleResult> compare_rules(const ReleaseStream& stream, std::uint64_t runs, std::uint64_t seed) {
  std::vector<std::vector<Fate>> by_rule(all_rules().size());
  for (std::uint64_t run = 0; run < runs; ++run) {
    Random random(seed * 1'000'003 + run);
    const std::vector<Fate> fates = release(stream, random);
    for (std::size_t k = 0; k < fates.size(); ++k) by_rule[k].push_back(fates[k]);
  }
  std::vector<RuleResult> out;
  const auto rules = all_rules();
  for (std::size_t k = 0; k < rules.size(); ++k) {
    RuleResult result;
    result.rule = rules[k]->name();
    std::vector<double> requests, bad;
    for (const Fate& fate : by_rule[k]) {
      result.rolled_back += fate.rolled_back ? 1 : 0;
      result.too_early += fate.rolled_back && fate.early ? 1 : 0;
      if (!fate.rolled_back || fate.early) continue;
      requests.push_back(fate.requests);
      bad.push_back(fate.bad);
    }
    const auto n = static_cast<double>(runs);
    result.rolled_back /= n;
    result.too_early /= n;
    result.median_requests = median(requests);
    result.median_bad = median(bad);
    out.push_back(result);
  }
  return out;
}

}  // namespace backstay::sim
