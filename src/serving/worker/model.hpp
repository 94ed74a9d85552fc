#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "serving/worker/tensor.hpp"

namespace backstay::worker {

/// A compiled model on OpenVINO's CPU runtime. Thread-safe: each call borrows a request of a pool.
class Model {
 public:
  /// `path`: .onnx, .pb (a frozen TensorFlow graph), .xml, a TensorFlow SavedModel folder, or a folder with one such
  /// file. Fails with kUnsupported and the operator's name when OpenVINO lacks one, with kIntegrity when the file can't
  /// be read as a model.
  static Result<std::unique_ptr<Model>> load(const std::filesystem::path& path, unsigned threads);
  ~Model();

  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& outputs() const { return outputs_; }

  /// Runs the model a few times on ones, so that the first client doesn't pay for what is made on first use. A model
  /// that fails on them is none the worse for it.
  void warm_up();

  /// `inputs`: one for each of inputs(), any order. `wanted`: names of outputs; empty: all.
  Result<std::vector<Tensor>> infer(const std::vector<Tensor>& inputs, const std::vector<std::string>& wanted);

 private:
  struct Impl;
  Model();
  std::unique_ptr<Impl> impl_;
  std::vector<TensorInfo> inputs_;
  std::vector<TensorInfo> outputs_;
};

}  // namespace backstay::worker
