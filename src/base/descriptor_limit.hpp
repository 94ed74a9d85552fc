#pragma once

#include <cstddef>

namespace backstay {

/// Raises the process's limit of file descriptors as far as it may go.
void raise_descriptor_limit();

/// Descriptors of the process that connections of the gateway's clients leave to everything else: a third of them, 512
/// at most. Backends, the store, and people who have to act while clients take all that they can get.
std::size_t descriptor_reserve();

/// The highest descriptor that is not of the reserve.
int highest_unreserved_descriptor();

}  // namespace backstay
