// What the tactics that run one oneDNN primitive share: weights packed at build, primitives made per shape.
#pragma once

#include <optional>

#include "backends/cpu/onednn.h"
#include "device/device.h"

namespace burnish::cpu {

/// Where one argument of a primitive comes from.
struct Operand {
  enum class From : uint8_t { input, output, weight };
  int argument = 0;  ///< DNNL_ARG_*
  From from = From::input;
  int index = 0;          ///< among the problem's inputs (input, weight) or outputs
  onednn::Desc desc;      ///< what the primitive takes
  onednn::Desc stored{};  ///< of a weight: how it lies in the model
};

/// A primitive for concrete shapes and what it is to be given.
struct Operation {
  onednn::Description description;
  std::vector<Operand> operands;
  /// The input that the primitive adds to its output where it lies, or -1. Where the plan could not let them
  /// share memory it is copied first.
  int accumulates = -1;
};

/// What a tactic makes an operation from: everything is a number.
struct Request {
  const device::Problem& problem;
  std::string_view candidate;  ///< empty: any will do, the first that works
  std::span<const device::BoundTensor> inputs, outputs;
  /// The formats in which the weights' operands were packed, in order; empty while they are free.
  std::span<const onednn::Desc> packed;

  /// The packed format of weight operand `i`, or else `free`.
  onednn::Desc weight(size_t i, const onednn::Desc& free) const { return packed.empty() ? free : packed[i]; }
};

/// A tactic that runs one primitive. Subclasses say which, for concrete shapes; the rest is here.
class OnednnTactic : public device::Tactic {
 public:
  Support supports(const device::Problem& problem, const device::DeviceInfo& device) const final;
  std::vector<device::Candidate> candidates(const device::Problem& problem,
                                            device::Device& device) const override;
  std::vector<Tensor> pack(const device::Problem& problem, const device::Candidate& candidate,
                           std::span<const Tensor> weights, device::Device& device) const final;
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate& candidate,
                                       const std::string& code, device::Device& device) const final;

  /// Fills `operation`, or says why there is none.
  virtual Support make(const Request& request, Operation& operation) const = 0;

 protected:
  /// The ids of the configurations that may work, best guess first; those for which make() says no are left
  /// out.
  virtual std::vector<std::string> ids(const device::Problem& problem) const;
};

/// Sets in which the one input and the one output of a problem have the same layout, each of `layouts` in
/// turn; the plain set alone for other problems.
std::vector<std::vector<ir::Layout>> same_layouts(const device::Problem& problem,
                                                  std::initializer_list<ir::Layout> layouts);

/// Where input `i` of a problem comes from: a constant among the packed weights, any other from the run.
inline Operand::From origin_of(const device::Problem& problem, int i) {
  return problem.is_weight(i) ? Operand::From::weight : Operand::From::input;
}

/// The problem's inputs and outputs at the opt of its symbols.
std::vector<device::BoundTensor> inputs_at_opt(const device::Problem& problem);
std::vector<device::BoundTensor> outputs_at_opt(const device::Problem& problem);

}  // namespace burnish::cpu
