#pragma once

#include <functional>
#include <string>
#include <vector>

#include "domain/scan/bytes.hpp"
#include "domain/scan/opcodes.hpp"
#include "domain/scan/report.hpp"

/// A walk over the opcodes of the pickle machine (Lib/pickle.py, Modules/_pickle.c) that follows only what decides
/// which callables are reached: a stack and a memo of symbols. Nothing is imported, called or decoded. Where unpicklers
/// differ, the walk goes on where any of them would, so that it never ends before they do.
namespace backstay::scan {

struct PickleOptions {
  std::string path;  ///< For the findings.
  /// False: perhaps no pickle at all. Then it is one only if it ends as one should, or calls something it imported.
  bool certain = true;
  bool torch = false;                  ///< Persistent ids that name PyTorch storages are what they should be.
  bool joblib = false;                 ///< The bytes of arrays follow their wrappers, as joblib.load() reads them.
  std::uint64_t pickles = UINT64_MAX;  ///< How many, one after the other.
  Limits limits;
  std::function<void(std::uint64_t offset, const Opcode& opcode)> on_opcode;
};

struct PickleResult {
  std::vector<Finding> findings;
  std::uint64_t pickles = 0;  ///< Those that ended with STOP.
  std::uint64_t end = 0;      ///< The offset behind the last opcode that was understood.
  bool is_pickle = false;     ///< Always true when that was certain.
  bool arrays = false;        ///< There are joblib's wrappers of arrays.
};

/// Walks the pickles from `begin` to the end of the bytes, the stop of the last one, or what is no opcode. What was
/// found before that is kept. Fails only when the bytes can't be read.
Result<PickleResult> scan_pickle(const ByteSource& bytes, std::uint64_t begin, const PickleOptions& options);

}  // namespace backstay::scan
