#pragma once

#include <string_view>

#include "gateway/body_form.hpp"

namespace backstay::fuzz {

/// Takes from the front of an input how it is to be read: after a byte of 2 come two bytes that say how much of the
/// rest is JSON, with binary tensors after it; after a byte of 3 comes what is packed.
inline gateway::BodyForm take_form(std::string_view& body) {
  gateway::BodyForm form;
  if (body.starts_with('\2') && body.size() > 2) {
    form.json_bytes = static_cast<unsigned char>(body[1]) + 256U * static_cast<unsigned char>(body[2]);
    body.remove_prefix(3);
  } else if (body.starts_with('\3')) {
    form.packed = gateway::BodyForm::Packed::kGzip;
    body.remove_prefix(1);
  }
  return form;
}

}  // namespace backstay::fuzz
