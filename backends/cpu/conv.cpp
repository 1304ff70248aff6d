// Convolutions, transposed ones too, with the pointwise ops that follow them.
#include "backends/cpu/epilogue.h"
#include "backends/cpu/onednn_tactics.h"
#include "ops/contraction.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

using device::BoundTensor;
using device::Problem;
using ir::Layout;
using onednn::Desc;

/// The convolution that a problem starts with; null if it starts with something else.
const ir::Node* anchor_of(const Problem& problem) {
  if (problem.nodes().empty()) return nullptr;
  const ops::OpDef& op = problem.op(0);
  return &op == &ops::def::conv || &op == &ops::def::conv_transpose ? &problem.node(0) : nullptr;
}

bool is_transposed(const ir::Node& node) { return node.op == &ops::def::conv_transpose; }

int64_t group_of(const ir::Node& node) {
  return is_transposed(node) ? node.attributes.as<ops::ConvTransposeAttributes>().group
                             : node.attributes.as<ops::ConvAttributes>().group;
}

/// The weights' shape and strides as oneDNN counts them, for weights that lie in ONNX's order:
/// [M, C / group, kernel...], or [C, M / group, kernel...] for a transposed convolution.
struct WeightView {
  Shape shape, strides;

  WeightView(const Shape& onnx, int64_t group, bool transposed) {
    shape = onnx;
    strides.resize(shape.size());
    int64_t stride = 1;
    for (size_t d = shape.size(); d-- > 0; stride *= onnx[d]) strides[d] = stride;
    if (group > 1) {
      shape[0] /= group;
      shape.insert(shape.begin(), group);
      strides.insert(strides.begin(), shape[1] * strides[0]);
    }
    if (!transposed) return;
    const size_t first = group > 1 ? 1 : 0;
    std::swap(shape[first], shape[first + 1]);
    std::swap(strides[first], strides[first + 1]);
  }
};

/// "direct", "winograd", or "gemm" for what oneDNN has of that name besides.
struct Configuration {
  onednn::Convolution kind = onednn::Convolution::direct;
  std::string implementation;

  explicit Configuration(std::string_view id) {
    if (id == "winograd")
      kind = onednn::Convolution::winograd;
    else if (id != "direct")
      implementation = id;
  }
};

class ConvTactic : public OnednnTactic {
 public:
  std::string name() const override { return "onednn.conv"; }

  std::vector<std::vector<Layout>> layouts(const Problem& problem,
                                           const device::DeviceInfo& device) const override {
    const ir::Node* node = anchor_of(problem);
    if (!node) return OnednnTactic::layouts(problem, device);
    const Layout blocked = onednn::native_blocks();
    const ir::Dim& channels = problem.input(0).shape.at(1);
    const bool few_channels = channels.is_constant() && channels.constant() <= 4;
    std::vector<std::vector<Layout>> sets;
    if (few_channels) sets.push_back(with(problem, *node, Layout::plain, blocked));
    sets.push_back(with(problem, *node, blocked, blocked));
    sets.push_back(with(problem, *node, Layout::nhwc, Layout::nhwc));
    sets.push_back(with(problem, *node, Layout::plain, Layout::plain));
    return sets;
  }

  Support make(const Request& request, Operation& operation) const override {
    const ir::Node* node = anchor_of(request.problem);
    if (!node) return Support::no("it is no convolution");
    const Problem& problem = request.problem;
    const int x = problem.input_index(node->inputs[0]), w = problem.input_index(node->inputs[1]);
    if (x < 0 || w < 0) return Support::no("an operand is a literal");
    const BoundTensor &source = request.inputs[static_cast<size_t>(x)],
                      &weights = request.inputs[static_cast<size_t>(w)];
    const BoundTensor& destination = request.outputs[0];
    if (source.shape.size() < 3 || source.shape.size() > 5)
      return Support::no("oneDNN convolves in 1 to 3 dimensions");
    if (weights.layout != Layout::plain) return Support::no("the weights are not in plain layout");

    const Configuration configuration(request.candidate);
    onednn::ConvolutionSpec spec;
    spec.kind = is_transposed(*node) ? onednn::Convolution::transposed : configuration.kind;
    if (!set_window(*node, source.shape, weights.shape, destination.shape, spec))
      return Support::no("the pads are negative");
    spec.source = onednn::desc_of(source);
    spec.destination = onednn::desc_of(destination);

    const WeightView view(weights.shape, group_of(*node), is_transposed(*node));
    const Desc stored = onednn::strided_desc(weights.dtype, view.shape, view.strides);
    // Weights that the network computes may convolve a constant.
    const size_t before_weights = problem.is_weight(x) ? 1 : 0;
    const bool packed = problem.is_weight(w);
    spec.weights =
        packed ? request.weight(before_weights, onednn::free_desc(weights.dtype, view.shape)) : stored;
    operation.operands = {{DNNL_ARG_SRC, origin_of(problem, x), x, spec.source, spec.source},
                          {DNNL_ARG_DST, Operand::From::output, 0, spec.destination, {}},
                          {DNNL_ARG_WEIGHTS, origin_of(problem, w), w, {}, stored}};
    const size_t weight_operand = 2;

    Epilogue epilogue;
    if (const Support bias = add_bias(request, *node, spec, operation, epilogue); !bias) return bias;
    if (const Support read =
            read_epilogue(request, node->outputs[0], destination.shape.size(), Residual::in_place, epilogue);
        !read)
      return read;
    operation.accumulates = epilogue.accumulates;
    operation.operands.insert(operation.operands.end(), epilogue.operands.begin(), epilogue.operands.end());
    operation.description = onednn::describe(spec, epilogue.steps, configuration.implementation);
    if (!operation.description)
      return Support::no("oneDNN has no such convolution for these shapes and layouts");
    operation.operands[weight_operand].desc = operation.description.query_md(dnnl::query::weights_md, 0);
    return Support::yes();
  }

 protected:
  std::vector<std::string> ids(const Problem& problem) const override {
    const ir::Node* node = anchor_of(problem);
    std::vector<std::string> ids = {"direct"};
    // A winograd kernel's weights fit its own shape only.
    if (!is_transposed(*node) && problem.is_static()) ids.push_back("winograd");
    // No second kernel of batch-reduced products: where there is one it comes first, and 2.6 offers another
    // for 1x1 windows now and then, by what its memory held before, which a later request does not find. In
    // one dimension that search divides by what it finds there, zero now and then.
    const auto& weights = problem.body().value(node->inputs[1]).type.shape;
    if (weights.size() != 3 || !weights[2].is(1)) ids.push_back("gemm");
    return ids;
  }

 private:
  /// x in layout `in` if it is no constant, the result and what is like it in layout `out`, all else plain.
  static std::vector<Layout> with(const Problem& problem, const ir::Node& node, Layout in, Layout out) {
    std::vector<Layout> layouts;
    for (int i = 0; i < problem.input_count(); ++i) {
      const bool is_source = i == problem.input_index(node.inputs[0]) && !problem.is_weight(i);
      const bool like_output = !problem.is_weight(i) && problem.input(i).shape == problem.output(0).shape;
      layouts.push_back(is_source ? in : like_output ? out : Layout::plain);
    }
    layouts.push_back(out);
    return layouts;
  }

  /// False for pads that oneDNN cannot have.
  static bool set_window(const ir::Node& node, const Shape& x, const Shape& w, const Shape& y,
                         onednn::ConvolutionSpec& spec) {
    const auto spatial = [](const Shape& shape) { return std::span(shape).subspan(2); };
    const ops::Window window =
        is_transposed(node)
            ? ops::resolve_transposed_window(node.attributes.as<ops::ConvTransposeAttributes>(), spatial(w),
                                             spatial(x), spatial(y))
            : ops::resolve_window(node.attributes.as<ops::ConvAttributes>(), spatial(w), spatial(x));
    spec.strides = window.strides;
    spec.dilations = window.dilations;
    spec.pads_begin = window.pads_begin;
    spec.pads_end = window.pads_end;
    for (size_t d = 0; d < window.rank(); ++d) {
      // What a window that does not divide the input leaves at its end counts as a negative pad there.
      if (is_transposed(node))
        spec.pads_end[d] = (x[d + 2] - 1) * window.strides[d] + (w[d + 2] - 1) * window.dilations[d] + 1 -
                           y[d + 2] - window.pads_begin[d];
      if (spec.pads_begin[d] < 0) return false;
    }
    return true;
  }

  /// A bias of one element may stand in the body as a literal.
  static Support add_bias(const Request& request, const ir::Node& node, onednn::ConvolutionSpec& spec,
                          Operation& operation, Epilogue& epilogue) {
    if (node.inputs.size() < 3 || !node.inputs[2]) return Support::yes();
    const Tensor& literal = request.problem.literal(node.inputs[2]);
    if (!literal.empty()) {
      if (literal.dtype() != DType::f32)
        return Support::no("the bias is a literal of type {}", dtype_name(literal.dtype()));
      epilogue.steps.push_back(
          {onednn::PostOp::Kind::eltwise, dnnl::algorithm::eltwise_linear, 1, literal.data<float>()[0], {}});
      return Support::yes();
    }
    const int bias = request.problem.input_index(node.inputs[2]);
    spec.bias = onednn::desc_of(request.inputs[static_cast<size_t>(bias)]);
    operation.operands.push_back(
        {DNNL_ARG_BIAS, origin_of(request.problem, bias), bias, spec.bias, spec.bias});
    return Support::yes();
  }
};

}  // namespace

const device::Tactic& conv_tactic() {
  static const ConvTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
