// Pooling, and the mean over all pixels, which is a pooling too.
#include <algorithm>

#include "backends/cpu/onednn_tactic.h"
#include "backends/cpu/onednn_tactics.h"
#include "ops/infer.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

using device::BoundTensor;
using device::Problem;
using ir::Layout;

std::span<const int64_t> spatial(const Shape& shape) { return std::span(shape).subspan(2); }

int64_t block_of(Layout layout) { return layout == Layout::c16 ? 16 : layout == Layout::c8 ? 8 : 1; }

/// Fills the window of a max_pool or average_pool.
template <class Attributes>
Support set_window(const Attributes& attributes, const BoundTensor& x, const BoundTensor& y, bool pads_count,
                   onednn::PoolSpec& spec) {
  const ops::Window window = ops::resolve_window(attributes, attributes.kernel_shape, spatial(x.shape));
  spec.kernel = window.kernel;
  spec.strides = window.strides;
  spec.dilations = window.dilations;
  spec.pads_begin = window.pads_begin;
  spec.pads_end = window.pads_end;
  for (size_t d = 0; d < window.rank(); ++d) {
    const int64_t reach =
        (y.shape[d + 2] - 1) * window.strides[d] + (window.kernel[d] - 1) * window.dilations[d] + 1;
    const int64_t hanging = reach - x.shape[d + 2] - window.pads_begin[d];
    if (hanging <= window.pads_end[d]) continue;
    if (pads_count) return Support::no("oneDNN counts what hangs over the end in the mean");
    spec.pads_end[d] = hanging;
  }
  return Support::yes();
}

/// A reduce_mean over all spatial dimensions of x [N, C, spatial...] and nothing else.
bool is_global_mean(const ir::Node& node, const Problem& problem) {
  if (node.op != &ops::def::reduce_mean) return false;
  const int64_t rank = problem.input(0).rank();
  std::vector<int64_t> axes = node.attributes.as<ops::ReduceAttributes>().axes;
  if (node.inputs.size() > 1 && node.inputs[1]) {
    const Tensor& literal = problem.literal(node.inputs[1]);
    if (literal.empty() || literal.dtype() != DType::i64) return false;
    axes.assign(literal.data<int64_t>(), literal.data<int64_t>() + literal.size());
  }
  for (int64_t& axis : axes) axis = axis < 0 ? axis + rank : axis;
  std::sort(axes.begin(), axes.end());
  std::vector<int64_t> wanted;
  for (int64_t d = 2; d < rank; ++d) wanted.push_back(d);
  return rank > 2 && axes == wanted;
}

Support set_global_mean(const BoundTensor& x, onednn::PoolSpec& spec) {
  const std::span<const int64_t> size = spatial(x.shape);
  spec.algorithm = dnnl::algorithm::pooling_avg_include_padding;
  spec.kernel.assign(size.begin(), size.end());
  spec.strides = spec.dilations = Shape(size.size(), 1);
  spec.pads_begin = spec.pads_end = Shape(size.size(), 0);
  return Support::yes();
}

class PoolTactic : public OnednnTactic {
 public:
  std::string name() const override { return "onednn.pool"; }

  std::vector<std::vector<Layout>> layouts(const Problem& problem, const device::DeviceInfo&) const override {
    return same_layouts(problem, {onednn::native_blocks(), Layout::nhwc, Layout::plain});
  }

  Support make(const Request& request, Operation& operation) const override {
    const Problem& problem = request.problem;
    if (problem.nodes().size() != 1 || request.outputs.size() != 1 || problem.input_count() < 1)
      return Support::no("it is no pooling alone");
    const ir::Node& node = problem.node(0);
    const BoundTensor &x = request.inputs[0], &y = request.outputs[0];
    if (x.shape.size() < 3 || x.shape.size() > 5) return Support::no("oneDNN pools in 1 to 3 dimensions");
    onednn::PoolSpec spec;
    if (const Support window = set_operation(problem, node, x, y, spec); !window) return window;
    Shape kept = y.shape;  // of a mean without its reduced dimensions
    kept.resize(x.shape.size(), 1);
    const bool same_layout = x.layout == y.layout;
    const bool flat_alike =
        y.shape.size() < x.shape.size() && y.layout == Layout::plain && y.shape[1] % block_of(x.layout) == 0;
    if (!same_layout && !flat_alike) return Support::no("it changes the layout");
    spec.source = onednn::desc_of(x);
    spec.destination = onednn::desc_of(y.dtype, kept, x.layout);
    operation.description = onednn::describe(spec);
    operation.operands = {{DNNL_ARG_SRC, Operand::From::input, 0, spec.source, {}},
                          {DNNL_ARG_DST, Operand::From::output, 0, spec.destination, {}}};
    return Support::yes();
  }

 private:
  static Support set_operation(const Problem& problem, const ir::Node& node, const BoundTensor& x,
                               const BoundTensor& y, onednn::PoolSpec& spec) {
    if (node.op == &ops::def::max_pool)
      return set_window(node.attributes.as<ops::MaxPoolAttributes>(), x, y, false, spec);
    if (node.op == &ops::def::average_pool) {
      const auto& attributes = node.attributes.as<ops::AveragePoolAttributes>();
      const bool include = attributes.count_include_pad;
      spec.algorithm = include ? dnnl::algorithm::pooling_avg_include_padding
                               : dnnl::algorithm::pooling_avg_exclude_padding;
      return set_window(attributes, x, y, include, spec);
    }
    if (is_global_mean(node, problem)) return set_global_mean(x, spec);
    return Support::no("it is no pooling");
  }
};

}  // namespace

const device::Tactic& pool_tactic() {
  static const PoolTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
