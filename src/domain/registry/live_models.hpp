#pragma once

#include <string>
#include <vector>

#include "domain/registry/infrastructure.hpp"

/// Dependencies of one model on another: `{name: ner, kind: model, version: ">=1.1"}` in a manifest.
namespace backstay::registry {

/// A model's version that an endpoint serves, or is moving to.
struct LiveModel {
  std::string endpoint;
  std::string model;
  std::string version;
};

inline bool is_model(const Dependency& dependency) {
  return dependency.kind == "model";
}
/// Whether a version of the model is what is needed.
bool meets(const Dependency& needed, const std::string& version);

/// The models that are needed and live in no version that is. A model that no endpoint serves is not known here:
/// neither right nor wrong.
std::vector<Mismatch> check_models(const std::vector<Dependency>& needed, const std::vector<LiveModel>& live);

}  // namespace backstay::registry
