// Slices, splits and repetitions (expand): strided copies that are found once per set of shapes.
#include "backends/cpu/bound_function.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/simd_tactics.h"
#include "backends/cpu/strided_copy.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/slice.h"
#include "ops/strided.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

/// A copy from `offset` bytes behind the beginning of the source.
struct Part {
  int64_t offset;
  StridedCopy copy;
};

/// What is copied from: the first input, or a literal.
device::BoundTensor source_of(const device::Problem& problem, const device::BindArguments& arguments) {
  const ir::ValueId x = problem.node(0).inputs[0];
  const int input = problem.input_index(x);
  if (input >= 0) return arguments.inputs[static_cast<size_t>(input)];
  return {problem.literal(x).dtype(), problem.literal(x).shape(), ir::Layout::plain};
}

/// The elements of x that `strides` and `offset` (in elements) name become those of y.
Part part_of(const device::BoundTensor& x, int64_t offset, std::vector<int64_t> strides,
             const device::BoundTensor& y) {
  const int64_t bytes = dtype_bytes(x.dtype);
  return {offset * bytes, StridedCopy(bytes, y.shape, std::move(strides), ops::dense_strides(y.shape))};
}

Part slice(const device::Problem& problem, const device::BindArguments& arguments) {
  const device::BoundTensor x = source_of(problem, arguments), &y = arguments.outputs[0];
  const std::vector<ops::SliceWindow> windows =
      ops::slice_windows(x.shape, host_operands(problem, arguments));
  std::vector<int64_t> strides = ops::dense_strides(x.shape);
  int64_t offset = 0;
  for (size_t d = 0; d < windows.size(); ++d) {
    require(windows[d].count == y.shape[d],
            "the slice has {} elements along dimension {}, not {} as inferred", windows[d].count, d,
            y.shape[d]);
    offset += windows[d].start * strides[d];
    // One element needs no stride, and a huge step must not overflow.
    strides[d] = windows[d].count > 1 ? strides[d] * windows[d].step : 0;
  }
  return part_of(x, offset, std::move(strides), y);
}

Part expand(const device::Problem& problem, const device::BindArguments& arguments) {
  const device::BoundTensor x = source_of(problem, arguments), &y = arguments.outputs[0];
  const size_t added = y.shape.size() - x.shape.size();
  const std::vector<int64_t> own = ops::dense_strides(x.shape);
  std::vector<int64_t> strides(y.shape.size(), 0);
  for (size_t d = 0; d < own.size(); ++d) {
    require(x.shape[d] == 1 || x.shape[d] == y.shape[d + added], "shape {} does not broadcast to {}",
            shape_text(x.shape), shape_text(y.shape));
    if (x.shape[d] != 1) strides[d + added] = own[d];
  }
  return part_of(x, 0, std::move(strides), y);
}

std::vector<Part> split(const device::Problem& problem, const device::BindArguments& arguments) {
  const device::BoundTensor x = source_of(problem, arguments);
  const auto axis = static_cast<size_t>(ops::normalize_axis(
      problem.node(0).attributes.as<ops::SplitAttributes>().axis, static_cast<int64_t>(x.shape.size())));
  const std::vector<int64_t> strides = ops::dense_strides(x.shape);
  std::vector<Part> parts;
  int64_t begin = 0;
  for (const device::BoundTensor& y : arguments.outputs) {
    parts.push_back(part_of(x, begin * strides[axis], strides, y));
    begin += y.shape[axis];
  }
  require(begin == x.shape[axis], "the parts have {} elements along dimension {} of {}", begin, axis,
          shape_text(x.shape));
  return parts;
}

std::vector<Part> parts_of(const device::Problem& problem, const device::BindArguments& arguments) {
  if (problem.single(ops::def::split)) return split(problem, arguments);
  return {problem.single(ops::def::slice) ? slice(problem, arguments) : expand(problem, arguments)};
}

class SliceTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.slice"; }

  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    const bool known = problem.single(ops::def::slice) || problem.single(ops::def::split) ||
                       problem.single(ops::def::expand);
    if (!known) return Support::no("no slice, split or expand");
    const ir::Node& node = problem.node(0);
    if (static_cast<size_t>(problem.output_count()) != node.outputs.size())
      return Support::no("results that nobody reads");
    return only_plain(problem);
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    return kernel_function([problem](const device::BindArguments& arguments) {
      const ir::ValueId x = problem.node(0).inputs[0];
      return bound_function([parts = parts_of(problem, arguments), input = problem.input_index(x),
                             literal = problem.literal(x),
                             pointers = InputPointers(problem)](const device::Arguments& run) mutable {
        const void* const source = input < 0 ? literal.raw() : pointers.resolve(run)[input];
        for (size_t i = 0; i < parts.size(); ++i)
          parts[i].copy.run(static_cast<const char*>(source) + parts[i].offset, run.outputs[i]);
      });
    });
  }
};

}  // namespace

const device::Tactic& slice_tactic() {
  static const SliceTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
