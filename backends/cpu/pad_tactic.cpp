// Padding, cropping in the middle: where each element comes from is found once per set of shapes.
#include "backends/cpu/bound_function.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/simd_tactics.h"
#include "ops/data_attributes.h"
#include "ops/pad.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

ops::MappedCopy copy_of(const device::Problem& problem, const device::BindArguments& arguments) {
  const device::BoundTensor &x = arguments.inputs[0], &y = arguments.outputs[0];
  if (problem.single(ops::def::center_crop_pad))
    return {x.dtype, x.shape, ops::center_crop_pad_maps(x.shape, y.shape)};
  const std::string& mode = problem.node(0).attributes.as<ops::PadAttributes>().mode;
  return {x.dtype, x.shape, ops::pad_maps(mode, x.shape, y.shape, host_operands(problem, arguments))};
}

class PadTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.pad"; }

  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (!problem.single(ops::def::pad) && !problem.single(ops::def::center_crop_pad))
      return Support::no("no padding");
    if (problem.input_index(problem.node(0).inputs[0]) != 0) return Support::no("a literal");
    return only_plain(problem);
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    return kernel_function([problem](const device::BindArguments& arguments) {
      const ir::Node& node = problem.node(0);
      const bool fills = problem.single(ops::def::pad) && node.inputs.size() > 2 && node.inputs[2];
      const int value = fills ? problem.input_index(node.inputs[2]) : -1;
      const Tensor literal = fills && value < 0 ? problem.literal(node.inputs[2]) : Tensor();
      return bound_function([copy = copy_of(problem, arguments), value, literal,
                             pointers = InputPointers(problem)](const device::Arguments& run) mutable {
        const void* const* inputs = pointers.resolve(run);
        copy.run(inputs[0], value < 0 ? literal.raw() : inputs[value], run.outputs[0]);
      });
    });
  }
};

}  // namespace

const device::Tactic& pad_tactic() {
  static const PadTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
