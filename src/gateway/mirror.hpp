#pragma once

#include <string>
#include <vector>

#include "domain/traffic/outcome.hpp"
#include "gateway/exchange.hpp"
#include "gateway/task.hpp"
#include "gateway/worker.hpp"

/// What becomes of an answer beside being given to the client: numbers are read from it, a copy goes to the examiners;
/// and the copy of a request that a shadow version answers. All on the worker's thread.
namespace backstay::gateway {

std::uint32_t first_byte_us(const Exchange& exchange);

/// Values of the response, of an answer that is there as a whole.
ValueReader::Values read_answer(Worker& worker, const EndpointConfig& endpoint, const Exchange& exchange);
/// Puts what is of the request from one into its places of the other.
void take_request_values(const std::vector<ValueSource>& sources, const ValueReader::Values& from,
                         ValueReader::Values& into);

/// A copy of an answer that is there as a whole goes to the examiners, when its client has it.
void examine(Worker& worker, const traffic::Outcome& outcome, const std::string& version, const Exchange& exchange);

/// A copy of a request at the shadow version; nobody waits for it. `outcome`: what is known of it before it is sent.
/// Its answer is read to the end, but for one that goes on for longer than the gateway's body_timeout.
Task<void> mirror_request(Worker& worker, TablePin keeps_shadow_alive, const Arm* shadow, std::string head,
                          std::string body, traffic::Outcome outcome, bool examined, MirrorPlace until_it_is_answered);

}  // namespace backstay::gateway
