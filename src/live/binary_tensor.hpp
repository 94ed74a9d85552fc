#pragma once

#include <string_view>
#include <vector>

#include "domain/drift/row_block.hpp"

namespace backstay::live {

/// The `count` values of a tensor as the binary extension of the Open Inference Protocol (V2) sends it: little-endian,
/// one after the other; BYTES are a length of four bytes and the bytes. Appends them to `out`; numbers that are not
/// finite and empty texts are missing. Texts point into `raw`. False when `raw` is not exactly that many values of the
/// datatype, or the datatype is none.
bool read_binary_tensor(std::string_view datatype, std::string_view raw, std::size_t count,
                        std::vector<drift::Value>& out);

}  // namespace backstay::live
