#include "wire/openlineage.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace backstay::wire {

namespace {

using nlohmann::json;

constexpr const char* kProducer = "urn:backstay";

/// A UUID of version 8 (RFC 9562: the bits are ours to choose) out of the identity's first 16 bytes.
std::string run_id(const Digest& identity) {
  std::string hex = identity.hex().substr(0, 32);
  hex[12] = '8';
  hex[16] = "89ab"[identity.bytes[8] & 3];
  return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4), hex.substr(16, 4),
                     hex.substr(20));
}

json facet(const char* name, const char* version, json members) {
  members["_producer"] = kProducer;
  members["_schemaURL"] = fmt::format("https://openlineage.io/spec/facets/{}/{}.json", version, name);
  return members;
}

json version_facet(const std::string& version) {
  return facet("DatasetVersionDatasetFacet", "1-0-1", {{"datasetVersion", version}});
}

json inputs_of(const registry::Manifest& manifest) {
  json inputs = json::array();
  for (const registry::DataSet& set : manifest.data) {
    for (const registry::DataSlice& slice : set.slices) {
      json facets{{"version", version_facet("sha256:" + slice.sha256.hex())}};
      if (!set.uri.empty())
        facets["dataSource"] = facet("DatasourceDatasetFacet", "1-0-1", {{"name", set.name}, {"uri", set.uri}});
      json input{{"namespace", "backstay.data"}, {"name", set.name + "/" + slice.name}, {"facets", std::move(facets)}};
      if (slice.rows > 0)
        input["inputFacets"] = {
            {"inputStatistics", facet("InputStatisticsInputDatasetFacet", "1-0-0", {{"rowCount", slice.rows}})}};
      inputs.push_back(std::move(input));
    }
  }
  for (const registry::VersionRef& parent : manifest.parents)
    inputs.push_back({{"namespace", "backstay.models"},
                      {"name", parent.model},
                      {"facets", {{"version", version_facet(parent.version.str())}}}});
  return inputs;
}

json job_of(const registry::Manifest& manifest) {
  json facets = json::object();
  // Its url is required and is a URI: a commit without a repository has none.
  if (!manifest.code.commit.empty() && !manifest.code.repository.empty())
    facets["sourceCodeLocation"] =
        facet("SourceCodeLocationJobFacet", "1-0-1",
              {{"type", "git"}, {"url", manifest.code.repository}, {"version", manifest.code.commit}});
  if (!manifest.changelog.empty())
    facets["documentation"] = facet("DocumentationJobFacet", "1-0-1", {{"description", manifest.changelog}});
  return {{"namespace", "backstay.training"}, {"name", manifest.ref.model}, {"facets", std::move(facets)}};
}

}  // namespace

std::string openlineage_events(const registry::Manifest& manifest, const Digest& identity,
                               const std::string& registered_at) {
  json event{{"eventTime", registered_at},
             {"producer", kProducer},
             {"schemaURL", "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"},
             {"run", {{"runId", run_id(identity)}, {"facets", json::object()}}},
             {"job", job_of(manifest)},
             {"inputs", inputs_of(manifest)},
             {"outputs", json::array()}};
  event["eventType"] = "START";
  std::string out = event.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  event["eventType"] = "COMPLETE";
  event["outputs"].push_back({{"namespace", "backstay.models"},
                              {"name", manifest.ref.model},
                              {"facets", {{"version", version_facet(manifest.ref.version.str())}}}});
  return out + event.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace backstay::wire
