#include "ports/blob_upkeep.hpp"

namespace backstay {

const char* to_string(BlobProblem::Kind kind) {
  switch (kind) {
    case BlobProblem::Kind::kChanged: return "changed";
    case BlobProblem::Kind::kTruncated: return "truncated";
    case BlobProblem::Kind::kMissingPack: return "missing_pack";
    case BlobProblem::Kind::kMode: return "mode";
    case BlobProblem::Kind::kForeign: return "foreign";
  }
  return "changed";
}

}  // namespace backstay
