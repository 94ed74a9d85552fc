#include "base/descriptor.hpp"

#include <unistd.h>

namespace backstay {

Descriptor::~Descriptor() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace backstay
