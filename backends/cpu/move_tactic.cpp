// Transposes and changes of layout, as strided copies.
#include "backends/cpu/bound_function.h"
#include "backends/cpu/physical_view.h"
#include "backends/cpu/simd_tactics.h"
#include "backends/cpu/strided_copy.h"
#include "device/layout.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

template <class Copy>
std::unique_ptr<device::Kernel> copy_kernel(const device::Problem& problem, Copy copy) {
  return kernel_function([problem, copy](const device::BindArguments& arguments) {
    return bound_function(
        [copy = copy(arguments), pointers = InputPointers(problem)](const device::Arguments& run) mutable {
          copy.run(pointers.resolve(run)[0], run.outputs[0]);
        });
  });
}

class TransposeTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.transpose"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (!problem.single(ops::def::transpose) || problem.input_count() != 1)
      return Support::no("not a transpose");
    if (block_size(problem.input(0).layout) > 1 || block_size(problem.output(0).layout) > 1)
      return Support::no("no blocks of channels");
    return Support::yes();
  }
  std::vector<std::vector<ir::Layout>> layouts(const device::Problem& problem,
                                               const device::DeviceInfo&) const override {
    std::vector<std::vector<ir::Layout>> sets;
    if (!problem.single(ops::def::transpose) || problem.input_count() != 1) return sets;
    for (const auto& [from, to] : device::layouts_without_moves(problem.input(0).shape, permutation(problem)))
      sets.push_back({from, to});
    sets.push_back({ir::Layout::plain, ir::Layout::plain});
    return sets;
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    const std::vector<int64_t> perm = permutation(problem);
    return copy_kernel(problem, [perm](const device::BindArguments& arguments) {
      const device::BoundTensor &x = arguments.inputs[0], &y = arguments.outputs[0];
      const std::vector<int64_t> strides = physical_view(x.shape, ir::Layout::plain, x).strides;
      std::vector<int64_t> from;
      for (int64_t axis : perm)
        from.push_back(x.shape[static_cast<size_t>(axis)] == 1 ? 0 : strides[static_cast<size_t>(axis)]);
      return StridedCopy(dtype_bytes(x.dtype), y.shape, std::move(from),
                         physical_view(y.shape, ir::Layout::plain, y).strides);
    });
  }

 private:
  static std::vector<int64_t> permutation(const device::Problem& problem) {
    std::vector<int64_t> perm = problem.node(0).attributes.as<ops::TransposeAttributes>().perm;
    const int64_t rank = problem.input(0).rank();
    if (perm.empty())
      for (int64_t d = rank; d-- > 0;) perm.push_back(d);
    for (int64_t& axis : perm) axis = ops::normalize_axis(axis, rank);
    return perm;
  }
};

/// Between layouts whose blocks divide the channels.
class ReformatTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.reformat"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (!problem.single(ops::def::reformat) || problem.input_count() != 1)
      return Support::no("not a change of layout");
    const int64_t from = block_size(problem.input(0).layout), to = block_size(problem.output(0).layout);
    if (from > 1 && to > 1 && from != to) return Support::no("blocks on both sides");
    if (from == 1 && to == 1) return Support::yes();
    const ir::TensorType& type = problem.input(0);
    if (type.rank() < 2 || !type.shape[1].is_constant() || type.shape[1].constant() % std::max(from, to) != 0)
      return Support::no("blocks do not divide the channels");
    return Support::yes();
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    return copy_kernel(problem, [](const device::BindArguments& arguments) {
      const device::BoundTensor &x = arguments.inputs[0], &y = arguments.outputs[0];
      // Walk in the order of the blocked side, or else the destination's.
      const ir::Layout order = block_size(x.layout) > 1 ? x.layout : y.layout;
      PhysicalView from = physical_view(x.shape, order, x);
      return StridedCopy(dtype_bytes(x.dtype), std::move(from.sizes), std::move(from.strides),
                         physical_view(x.shape, order, y).strides);
    });
  }
};

}  // namespace

const device::Tactic& transpose_tactic() {
  static const TransposeTactic tactic;
  return tactic;
}

const device::Tactic& simd_reformat_tactic() {
  static const ReformatTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
