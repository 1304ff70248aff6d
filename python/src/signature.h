// How a framework's tensors are handed to an engine in one call, without a step in Python.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>
#include <string>
#include <vector>

#include "exchange.h"

namespace burnish::python {

/// An argument that the engine takes.
struct Slot {
  size_t position;   ///< among the arguments
  std::string name;  ///< the engine's input
  bool is_size;      ///< a Python int of 2 or more, given to the engine as the first dimension of a tensor [n,0] of f32
};

/// An argument that an engine was compiled for: a weight, known by identity, version and address.
struct Fixed {
  size_t position;
  nanobind::object tensor;
  int64_t version;
  const void* data;
};

/// A number that an engine was compiled for; a float arrives as a tensor of one f64 on the host, an int as it is.
struct Scalar {
  size_t position;
  double value;
};

/// Which arguments become which inputs, and which outputs are wanted. Immutable; shared by threads.
class Signature {
 public:
  using SlotRow = std::tuple<size_t, std::string, bool>;

  /// `type` is the framework's class of tensors; `only`: the one output is returned by itself.
  Signature(nanobind::handle type, const std::vector<SlotRow>& inputs, std::vector<std::string> outputs,
            bool only, size_t arguments, const std::vector<std::pair<size_t, nanobind::object>>& fixed,
            const std::vector<std::pair<size_t, double>>& scalars);

  const std::vector<Slot>& inputs() const { return inputs_; }
  const std::vector<std::string>& outputs() const { return outputs_; }
  bool only() const { return only_; }
  const ExchangeApi* api() const { return api_; }

  /// Whether the arguments that the engine was compiled for are still the same.
  bool matches(nanobind::handle arguments) const;
  /// What `argument` shows of itself: nothing for an object of another type (a subclass included), or one
  /// that wants a gradient or is stored negated.
  std::optional<DlTensor> view(nanobind::handle argument) const;

 private:
  std::optional<DlTensor> raw_view(nanobind::handle tensor) const;

  nanobind::object type_;
  const ExchangeApi* api_;
  std::vector<Slot> inputs_;
  std::vector<std::string> outputs_;
  bool only_;
  size_t arguments_;
  std::vector<Fixed> fixed_;
  std::vector<Scalar> scalars_;
};

void bind_signature(nanobind::module_& module);

}  // namespace burnish::python
