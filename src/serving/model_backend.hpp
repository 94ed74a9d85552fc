#pragma once

#include <filesystem>
#include <memory>
#include <stop_token>
#include <string>

#include "ports/backends.hpp"
#include "ports/model_runner.hpp"

namespace backstay::serving {

/// One version on a backend of its own, asked over HTTP by the Open Inference Protocol (v2, JSON). A backend that goes
/// away is started again by its supervisor, and a request that it lost is asked again, three times at most. Returns
/// when it is ready and has told its inputs and outputs. `served_as`: its name in requests. kUnavailable: it can't be
/// started or reached; the message says why. A request that is not answered within `answer_timeout` is not asked again:
/// kTimeout. Who waits for the backend, here or in a session, gives up when `stop` says so: kUnavailable.
Result<std::unique_ptr<ModelRunner>> run_model(const BackendSpec& spec, const std::string& served_as,
                                               const std::filesystem::path& logs, milliseconds answer_timeout,
                                               const std::stop_token& stop = {});

}  // namespace backstay::serving
