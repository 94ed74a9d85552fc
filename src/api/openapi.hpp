#pragma once

#include <string>
#include <vector>

#include "api/router.hpp"
#include "base/result.hpp"

namespace backstay::api {

/// The OpenAPI 3.1 document, src/api/openapi.json, as it was when the program was built.
const std::string& openapi_document();

/// kInternal unless the document has these routes with these query parameters and no others: a server that is not what
/// it says does not start.
Result<void> check_openapi(const std::vector<Router::Route>& routes);

}  // namespace backstay::api
