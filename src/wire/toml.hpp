#pragma once

#include <string>
#include <string_view>

#include "wire/document.hpp"

namespace backstay::wire {

/// TOML 1.0 as a document: dates and times become texts, infinities and NaN as well ("inf", "nan").
Result<Document> document_from_toml(const std::string& name, std::string_view text);

}  // namespace backstay::wire
