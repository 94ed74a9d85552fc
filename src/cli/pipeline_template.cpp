#include "cli/pipeline_template.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace backstay::cli {

namespace {

constexpr const char* kGithub =
    R"text(# Registers the model version that @VERSION@ describes, measures it with @SUITE@ and judges it by
# @GATE@. Written by `backstay ci init github`; yours to change.
#
# Every commit is judged. A commit that leaves model, data and configuration as they are is judged by the version that is
# registered; one that changes them needs a new number in @VERSION@, since a version is never overwritten.
#
# The runner needs backstay and jq on its PATH and the registry's folder, named by BACKSTAY_DATA_DIR.
name: model gate

on:
  pull_request:
  workflow_dispatch:

permissions:
  contents: read
  security-events: write

# One at a time per branch: an evaluation that is interrupted goes on where it was.
concurrency:
  group: model-gate-${{ github.ref }}

jobs:
  gate:
    # What a fork proposes would run beside the registry, with what its pull request says.
    if: github.event_name != 'pull_request' || github.event.pull_request.head.repo.full_name == github.repository
    runs-on: [self-hosted, backstay]
    env:
      BACKSTAY_ACTOR: github/${{ github.actor }}
    steps:
      - uses: actions/checkout@v4
      - name: Register
        id: register
        run: |
          backstay register @VERSION@ --reuse --json > registered.json
          echo "version=$(jq -r '.model + "@" + .version' registered.json)" >> "$GITHUB_OUTPUT"
      - name: Measure and judge
        env:
          VERSION: ${{ steps.register.outputs.version }}
        run: >
          backstay evaluate "$VERSION" --suite @SUITE@ --gate @GATE@
          --junit gate.xml --sarif gate.sarif --markdown gate.md --annotations
      - name: Summary
        if: always()
        run: test ! -f gate.md || cat gate.md >> "$GITHUB_STEP_SUMMARY"
      - name: Keep the reports
        if: always()
        uses: actions/upload-artifact@v4
        with:
          name: model-gate
          path: |
            gate.xml
            gate.md
      - name: Code scanning
        if: always() && hashFiles('gate.sarif') != ''
        uses: github/codeql-action/upload-sarif@v3
        with:
          sarif_file: gate.sarif
          category: model-gate
)text";

constexpr const char* kGitlab =
    R"text(# Registers the model version that @VERSION@ describes, measures it with @SUITE@ and judges it by
# @GATE@. Written by `backstay ci init gitlab`; yours to change.
#
# Every commit is judged. A commit that leaves model, data and configuration as they are is judged by the version that is
# registered; one that changes them needs a new number in @VERSION@, since a version is never overwritten.
#
# The runner needs backstay and jq on its PATH and the registry's folder, named by BACKSTAY_DATA_DIR.
model gate:
  stage: test
  tags: [backstay]
  resource_group: model-gate
  variables:
    BACKSTAY_ACTOR: gitlab/$GITLAB_USER_LOGIN
  script:
    - backstay register @VERSION@ --reuse --json > registered.json
    - VERSION=$(jq -r '.model + "@" + .version' registered.json)
    - backstay evaluate "$VERSION" --suite @SUITE@ --gate @GATE@ --junit gate.xml --markdown gate.md
  artifacts:
    when: always
    paths: [gate.md]
    reports:
      junit: gate.xml
)text";

constexpr const char* kJenkins =
    R"text(// Registers the model version that @VERSION@ describes, measures it with @SUITE@ and judges it by
// @GATE@. Written by `backstay ci init jenkins`; yours to change.
//
// Every commit is judged. A commit that leaves model, data and configuration as they are is judged by the version that is
// registered; one that changes them needs a new number in @VERSION@, since a version is never overwritten.
//
// The agent needs backstay and jq on its PATH and the registry's folder, named by BACKSTAY_DATA_DIR.
pipeline {
  agent { label 'backstay' }
  options { disableConcurrentBuilds() }
  environment { BACKSTAY_ACTOR = 'jenkins' }
  stages {
    stage('Register') {
      steps {
        sh 'backstay register @VERSION@ --reuse --json > registered.json'
      }
    }
    stage('Measure and judge') {
      steps {
        sh '''
          VERSION=$(jq -r '.model + "@" + .version' registered.json)
          backstay evaluate "$VERSION" --suite @SUITE@ --gate @GATE@ --junit gate.xml --markdown gate.md
        '''
      }
    }
  }
  post {
    always {
      junit allowEmptyResults: true, testResults: 'gate.xml'
      archiveArtifacts allowEmptyArchive: true, artifacts: 'gate.md'
    }
  }
}
)text";

struct Known {
  const char* system;
  const char* path;
  const char* text;
};
constexpr Known kKnown[] = {{"github", ".github/workflows/backstay.yml", kGithub},
                            {"gitlab", ".gitlab-ci.yml", kGitlab},
                            {"jenkins", "Jenkinsfile", kJenkins}};

Result<const Known*> find(const std::string& system) {
  for (const Known& known : kKnown)
    if (system == known.system) return &known;
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("There is no pipeline for '{}'.", system),
                    "Use github, gitlab or jenkins.");
}

Result<void> check_path(const std::string& path) {
  const bool plain = !path.empty() && path.front() != '-' && std::all_of(path.begin(), path.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '_' || c == '-' || c == '/';
  });
  if (plain) return {};
  return Unexpected(ErrorCode::kInvalidArgument, fmt::format("'{}' is no path for a pipeline.", path),
                    "Use letters, digits, and the characters . _ - and /.");
}

void replace_all(std::string& text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

}  // namespace

Result<std::string> pipeline_path(const std::string& system) {
  TRY(const Known* known, find(system));
  return std::string(known->path);
}

Result<std::string> pipeline_text(const Pipeline& pipeline) {
  TRY(const Known* known, find(pipeline.system));
  std::string text = known->text;
  for (const auto& [from, to] :
       {std::pair{"@VERSION@", &pipeline.version_file}, std::pair{"@SUITE@", &pipeline.suite_file},
        std::pair{"@GATE@", &pipeline.gate_file}}) {
    TRY_DO(check_path(*to));
    replace_all(text, from, *to);
  }
  return text;
}

}  // namespace backstay::cli
