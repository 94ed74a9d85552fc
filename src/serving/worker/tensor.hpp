#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace backstay::worker {

/// Names of the Open Inference Protocol.
enum class DataType : std::uint8_t {
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64
};
const char* to_string(DataType type);
std::size_t size_of(DataType type);

/// What a model takes or gives. -1 in the shape: any size.
struct TensorInfo {
  std::string name;
  DataType type = DataType::kFp32;
  std::vector<std::int64_t> shape;
};

/// A dense tensor, row-major, little-endian.
struct Tensor {
  std::string name;
  DataType type = DataType::kFp32;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> data;
};

}  // namespace backstay::worker
