// Concatenation in any layout, for where the plan cannot have the parts written in place.
#include <cstring>
#include <tuple>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/onednn.h"
#include "backends/cpu/physical_view.h"
#include "backends/cpu/simd_tactics.h"
#include "base/parallel.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain_bytes = 64 << 10;  ///< worth a thread

/// A concatenation as it lies: `rows` times one run of bytes from each part.
struct Runs {
  int64_t rows = 1, row_bytes = 0;
  std::vector<int64_t> bytes, offsets;  // by part

  Runs(const device::BindArguments& arguments, size_t axis) {
    const device::BoundTensor& whole = arguments.outputs[0];
    // Sizes and the axis in physical order; a block of channels is the innermost dimension and never joined.
    const auto split = [&](const device::BoundTensor& tensor) {
      Shape sizes = tensor.shape;
      size_t at = axis;
      if (whole.layout == ir::Layout::nhwc && sizes.size() > 2) {
        sizes.erase(sizes.begin() + 1);
        sizes.push_back(tensor.shape[1]);
        at = axis == 1 ? sizes.size() - 1 : axis > 1 ? axis - 1 : axis;
      } else if (const int64_t block = block_size(whole.layout); block > 1) {
        sizes[1] /= block;
        sizes.push_back(block);
      }
      int64_t outer = 1, inner = dtype_bytes(tensor.dtype);
      for (size_t d = 0; d < sizes.size(); ++d) (d < at ? outer : inner) *= sizes[d];
      return std::pair(outer, inner);
    };
    std::tie(rows, row_bytes) = split(whole);
    int64_t offset = 0;
    for (const device::BoundTensor& part : arguments.inputs) {
      bytes.push_back(split(part).second);
      offsets.push_back(offset);
      offset += bytes.back();
    }
  }

  void copy(const void* const* parts, void* whole) const {
    parallel_for(rows, std::max<int64_t>(1, grain_bytes / std::max<int64_t>(1, row_bytes)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row)
                     for (size_t i = 0; i < bytes.size(); ++i)
                       std::memcpy(static_cast<char*>(whole) + row * row_bytes + offsets[i],
                                   static_cast<const char*>(parts[i]) + row * bytes[i],
                                   static_cast<size_t>(bytes[i]));
                 });
  }
};

class ConcatTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.concat"; }

  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    const ir::Node* node = problem.single(ops::def::concat);
    if (!node || static_cast<size_t>(problem.input_count()) != node->inputs.size())
      return Support::no("no concatenation of inputs, each its own");
    const ir::Layout layout = problem.output(0).layout;
    for (int i = 0; i < problem.input_count(); ++i) {
      const ir::TensorType& part = problem.input(i);
      if (problem.input_index(node->inputs[static_cast<size_t>(i)]) != i)
        return Support::no("parts in another order");
      if (part.layout != layout) return Support::no("parts of several layouts");
      const bool blocks = layout == ir::Layout::plain || part.rank() >= 3;
      const bool divided = block_size(layout) == 1 || (part.rank() >= 2 && part.shape[1].is_constant() &&
                                                       part.shape[1].constant() % block_size(layout) == 0);
      if (!blocks || !divided) return Support::no("blocks do not divide the channels");
    }
    return Support::yes();
  }

  std::vector<std::vector<ir::Layout>> layouts(const device::Problem& problem,
                                               const device::DeviceInfo& device) const override {
    if (!problem.single(ops::def::concat) || problem.output(0).rank() < 3)
      return Tactic::layouts(problem, device);
    std::vector<std::vector<ir::Layout>> sets;
    for (int i = 0; i < problem.input_count(); ++i)
      if (problem.is_weight(i)) return Tactic::layouts(problem, device);
    for (ir::Layout layout : {onednn::native_blocks(), ir::Layout::nhwc, ir::Layout::plain})
      sets.emplace_back(static_cast<size_t>(problem.input_count()) + 1, layout);
    return sets;
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    const int64_t rank = problem.output(0).rank();
    const int64_t axis = ops::normalize_axis(problem.node(0).attributes.as<ops::AxisAttributes>().axis, rank);
    return kernel_function([problem, axis](const device::BindArguments& arguments) {
      return bound_function([runs = Runs(arguments, static_cast<size_t>(axis)),
                             pointers = InputPointers(problem)](const device::Arguments& run) mutable {
        runs.copy(pointers.resolve(run), run.outputs[0]);
      });
    });
  }
};

}  // namespace

const device::Tactic& concat_tactic() {
  static const ConcatTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
