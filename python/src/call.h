// One call of an engine with a framework's tensors, without a step in Python.
#pragma once

#include <map>

#include "session_pool.h"
#include "signature.h"

namespace burnish::python {

/// Where a dimension of an output comes from, as far as it is known before a run.
struct DimSource {
  enum Kind { fixed, input, unknown } kind = unknown;
  int64_t size = 0;  ///< fixed
  std::string name;  ///< input: its name ...
  size_t axis = 0;   ///< ... and the dimension that is always equal
};

/// What the outputs of an engine will be.
class OutputTypes {
 public:
  struct Output {
    DType dtype = DType::f32;
    std::vector<DimSource> dims;
  };

  explicit OutputTypes(const Engine& engine);
  const Output& at(const std::string& name) const { return outputs_.at(name); }
  /// The shape, where the inputs tell it.
  static std::optional<Shape> shape(const Output& output, const TensorMap& inputs);

 private:
  std::map<std::string, Output> outputs_;
};

/// Runs the engine with those of `arguments` (a tuple) that the signature names, and gives a list of tensors,
/// or the one tensor. Work on a GPU is enqueued on the framework's current stream, and results come from the
/// framework's allocator where their shapes are known. None where a weight has changed, or where an argument
/// cannot be read in place (its type, device, strides, a gradient): the caller then looks for the reason, or
/// converts. Throws what a run throws.
nanobind::object call(SessionPool& pool, const OutputTypes& types, DeviceId device,
                      const Signature& signature, nanobind::handle arguments);

}  // namespace burnish::python
