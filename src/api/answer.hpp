#pragma once

#include <httplib.h>

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"

/// What handlers of the control API answer with.
namespace backstay::api {

void send(httplib::Response& response, int status, const nlohmann::json& body);
/// Problem details with the status that belongs to the code, or with another one.
void send(httplib::Response& response, const Error& error);
void send_problem(httplib::Response& response, const Error& error, int status);
void reply(httplib::Response& response, const Result<nlohmann::json>& result);

/// A query parameter in [least, most]; kInvalidArgument for what is no such number.
Result<std::uint64_t> number_of(const httplib::Request& request, const char* name, std::uint64_t otherwise,
                                std::uint64_t least, std::uint64_t most);

/// Puts the next page's cursor into the body, and into a Link header the address it is at.
void add_next(const httplib::Request& request, httplib::Response& response, nlohmann::json& body,
              const std::string& cursor);

/// Who acts: the Backstay-Actor header, or "api".
std::string actor_of(const httplib::Request& request);

/// A strong entity tag: two bodies have the same one only if they are the same.
std::string entity_tag(std::string_view body);
/// Whether an If-Match or If-None-Match header names the tag ("*" names every one).
bool names_tag(const std::string& header, const std::string& tag);

}  // namespace backstay::api
