#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "domain/guardrails/forecast.hpp"

/// A forecast for people and for programs.
namespace backstay::cli {

/// What was asked.
struct ForecastQuestion {
  guardrails::GuardrailSpec spec;
  double alpha = 0;
  guardrails::Expectation expectation;
  guardrails::TrafficForecast traffic;
};

nlohmann::json to_json(const ForecastQuestion& question, const guardrails::Forecast& forecast);
/// `plot`: with the curves.
std::string forecast_text(const ForecastQuestion& question, const guardrails::Forecast& forecast, bool plot);
/// "95s", "2m 5s", "3h 20m"
std::string human_seconds(double seconds);

}  // namespace backstay::cli
