#include "backends/cpu/epilogue.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/activation.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

using device::BoundTensor;
using dnnl::algorithm;
using onednn::PostOp;

PostOp eltwise(algorithm kind, double alpha = 0, double beta = 0) {
  return {PostOp::Kind::eltwise, kind, static_cast<float>(alpha), static_cast<float>(beta), {}};
}

/// The steps of an op of one operand; none for an op that oneDNN lacks.
onednn::PostOps unary_steps(const ir::Node& node) {
  const ir::Attributes& attributes = node.attributes;
  if (node.op == &ops::def::relu) return {eltwise(algorithm::eltwise_relu)};
  if (node.op == &ops::def::leaky_relu)
    return {eltwise(algorithm::eltwise_relu, attributes.as<ops::LeakyReluAttributes>().alpha)};
  if (node.op == &ops::def::elu)
    return {eltwise(algorithm::eltwise_elu, attributes.as<ops::EluAttributes>().alpha)};
  if (node.op == &ops::def::sigmoid) return {eltwise(algorithm::eltwise_logistic)};
  if (node.op == &ops::def::tanh) return {eltwise(algorithm::eltwise_tanh)};
  if (node.op == &ops::def::silu) return {eltwise(algorithm::eltwise_swish, 1)};
  if (node.op == &ops::def::hardswish) return {eltwise(algorithm::eltwise_hardswish, 1.0 / 6, 0.5)};
  if (node.op == &ops::def::softplus) return {eltwise(algorithm::eltwise_soft_relu, 1)};
  if (node.op == &ops::def::abs) return {eltwise(algorithm::eltwise_abs)};
  if (node.op == &ops::def::exp) return {eltwise(algorithm::eltwise_exp)};
  if (node.op == &ops::def::sqrt) return {eltwise(algorithm::eltwise_sqrt)};
  if (node.op == &ops::def::neg) return {eltwise(algorithm::eltwise_linear, -1)};
  if (node.op == &ops::def::gelu) {
    const bool approximate = attributes.as<ops::GeluAttributes>().approximate;
    return {eltwise(approximate ? algorithm::eltwise_gelu_tanh : algorithm::eltwise_gelu_erf)};
  }
  if (node.op == &ops::def::clip) {
    const auto& clip = attributes.as<ops::ClipAttributes>();
    return {eltwise(algorithm::eltwise_clip, clip.min, clip.max)};
  }
  if (node.op == &ops::def::hardsigmoid) {
    const auto& hard = attributes.as<ops::HardSigmoidAttributes>();
    return {eltwise(algorithm::eltwise_linear, hard.alpha, hard.beta),
            eltwise(algorithm::eltwise_clip, 0, 1)};
  }
  return {};
}

/// The step of an op whose other operand is one number; none where there is no such step.
onednn::PostOps scalar_steps(const ir::Node& node, double number, bool number_first) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (node.op == &ops::def::add) return {eltwise(algorithm::eltwise_linear, 1, number)};
  if (node.op == &ops::def::mul) return {eltwise(algorithm::eltwise_linear, number, 0)};
  if (node.op == &ops::def::sub)
    return {number_first ? eltwise(algorithm::eltwise_linear, -1, number)
                         : eltwise(algorithm::eltwise_linear, 1, -number)};
  if (node.op == &ops::def::div && !number_first) return {eltwise(algorithm::eltwise_linear, 1 / number, 0)};
  if (node.op == &ops::def::maximum) return {eltwise(algorithm::eltwise_clip, number, infinity)};
  if (node.op == &ops::def::minimum) return {eltwise(algorithm::eltwise_clip, -infinity, number)};
  return {};
}

/// The algorithm of an op of two tensors, the running value being the first of them.
algorithm binary_algorithm(const ir::Node& node, bool running_first) {
  if (node.op == &ops::def::add) return algorithm::binary_add;
  if (node.op == &ops::def::mul) return algorithm::binary_mul;
  if (node.op == &ops::def::maximum) return algorithm::binary_max;
  if (node.op == &ops::def::minimum) return algorithm::binary_min;
  if (node.op == &ops::def::sub && running_first) return algorithm::binary_sub;
  if (node.op == &ops::def::div && running_first) return algorithm::binary_div;
  return algorithm::undef;
}

/// True where one step came of the two: of linear functions and of clips in a row. oneDNN 2 takes no two of
/// one algorithm (onednn::describe).
bool merge(PostOp& first, const PostOp& second) {
  if (first.kind != PostOp::Kind::eltwise || second.kind != PostOp::Kind::eltwise) return false;
  if (first.algorithm != second.algorithm) return false;
  PostOp both = first;
  if (first.algorithm == algorithm::eltwise_linear) {
    both.alpha = first.alpha * second.alpha;
    both.beta = first.beta * second.alpha + second.beta;
    if (!std::isnormal(both.alpha) || !std::isfinite(both.beta)) return false;
  } else if (first.algorithm == algorithm::eltwise_clip) {
    both.alpha = std::min(std::max(first.alpha, second.alpha), second.beta);
    both.beta = std::min(std::max(first.beta, second.alpha), second.beta);
  } else {
    return false;
  }
  first = both;
  return true;
}

/// Adds steps for one node after another.
class Reader {
 public:
  Reader(const Request& request, size_t rank, Residual residual, bool of_windows, Epilogue& epilogue)
      : request_(request),
        problem_(request.problem),
        rank_(rank),
        residual_(residual),
        of_windows_(of_windows),
        epilogue_(epilogue) {}

  Support read(const ir::Node& node, ir::ValueId running) {
    if (ops::definition(node).fusion != ops::Fusion::pointwise)
      return Support::no("'{}' is not pointwise", node.op->name);
    if (node.inputs.size() == 1) return append(node, unary_steps(node));
    if (node.inputs.size() != 2) return Support::no("oneDNN has no '{}' as a post-op", node.op->name);
    const bool first = node.inputs[0] == running;
    const ir::ValueId other = node.inputs[first ? 1 : 0];
    if (other == running)
      return append(node, node.op == &ops::def::mul ? onednn::PostOps{eltwise(algorithm::eltwise_square)}
                                                    : onednn::PostOps{});
    const Tensor& literal = problem_.literal(other);
    if (!literal.empty() && literal.size() == 1 && literal.dtype() == DType::f32)
      return append(node, scalar_steps(node, literal.data<float>()[0], !first));
    return append_binary(node, other, first);
  }

 private:
  Support append(const ir::Node& node, const onednn::PostOps& steps) {
    if (steps.empty()) return Support::no("oneDNN has no '{}' as a post-op", node.op->name);
    for (const PostOp& step : steps)
      if (epilogue_.steps.empty() || !merge(epilogue_.steps.back(), step)) epilogue_.steps.push_back(step);
    return Support::yes();
  }

  Support append_binary(const ir::Node& node, ir::ValueId other, bool running_first) {
    const int input = problem_.input_index(other);
    const algorithm kind = binary_algorithm(node, running_first);
    if (input < 0 || kind == algorithm::undef)
      return Support::no("oneDNN has no such '{}' as a post-op", node.op->name);
    const BoundTensor &operand = request_.inputs[static_cast<size_t>(input)], &output = request_.outputs[0];
    if (operand.shape.size() > output.shape.size())
      return Support::no("'{}' widens the contraction's result", node.op->name);
    const bool weight = problem_.is_weight(input);
    const bool like_output =
        operand.shape == output.shape && operand.layout == output.layout && operand.dtype == output.dtype;
    const bool read_elsewhere = problem_.body().value(other).uses.size() > 1;
    if (residual_ == Residual::in_place && epilogue_.accumulates < 0 && kind == algorithm::binary_add &&
        like_output && !weight && !read_elsewhere) {
      epilogue_.accumulates = input;
      epilogue_.steps.push_back({PostOp::Kind::sum, {}, 0, 0, {}});
      return Support::yes();
    }
    const std::optional<Shape> aligned = align(operand.shape, output.shape);
    if (!aligned || (of_windows_ && !bears_on_windows(*aligned, output.shape)))
      return Support::no("'{}' broadcasts in a way that oneDNN does not", node.op->name);
    const onednn::Desc stored = onednn::desc_of(operand.dtype, *aligned, operand.layout);
    onednn::Desc desc = stored;
    // Behind a convolution oneDNN 2.6 reads a whole tensor as if it lay like the output.
    if (of_windows_ && *aligned == output.shape && operand.layout != output.layout) {
      if (!weight)
        return Support::no("'{}' has an operand in another layout than the output's", node.op->name);
      desc = onednn::desc_of(operand.dtype, *aligned, output.layout);
    }
    epilogue_.shapes.push_back(*aligned);
    epilogue_.operands.push_back(
        {DNNL_ARG_ATTR_MULTIPLE_POST_OP(static_cast<int>(epilogue_.steps.size())) | DNNL_ARG_SRC_1,
         origin_of(problem_, input), input, desc, stored});
    epilogue_.steps.push_back({PostOp::Kind::binary, kind, 0, 0, desc});
    return Support::yes();
  }

  /// Behind a convolution oneDNN 2.6 takes an operand per column ([1,1,1,W]) and computes something else.
  static bool bears_on_windows(const Shape& operand, const Shape& output) {
    if (operand == output) return true;
    for (size_t d = 0; d < operand.size(); ++d)
      if (d != 1 && operand[d] != 1) return false;
    return true;
  }

  /// The operand's shape as the contraction's output has dimensions; none where it cannot be broadcast to
  /// that.
  std::optional<Shape> align(const Shape& operand, const Shape& output) const {
    Shape aligned(output.size() - operand.size(), 1);
    aligned.insert(aligned.end(), operand.begin(), operand.end());
    for (size_t d = 0; d < aligned.size(); ++d)
      if (aligned[d] != 1 && aligned[d] != output[d]) return std::nullopt;
    if (rank_ == output.size()) return aligned;
    const size_t leading = output.size() - rank_ + 1;
    const Shape whole(output.begin(), output.begin() + static_cast<std::ptrdiff_t>(leading));
    const Shape own(aligned.begin(), aligned.begin() + static_cast<std::ptrdiff_t>(leading));
    if (own != whole && own != Shape(leading, 1)) return std::nullopt;
    return merged(aligned, rank_);
  }

  const Request& request_;
  const device::Problem& problem_;
  const size_t rank_;
  const Residual residual_;
  const bool of_windows_;
  Epilogue& epilogue_;
};

}  // namespace

Shape merged(const Shape& shape, size_t rank) {
  Shape made(shape.end() - static_cast<std::ptrdiff_t>(rank), shape.end());
  for (size_t d = 0; d + rank < shape.size(); ++d) made[0] *= shape[d];
  return made;
}

std::optional<Operand> take_bias(Epilogue& epilogue) {
  if (epilogue.steps.empty() || epilogue.steps[0].algorithm != algorithm::binary_add) return std::nullopt;
  const Shape& shape = epilogue.shapes[0];
  if (!std::all_of(shape.begin(), shape.end() - 1, [](int64_t size) { return size == 1; }))
    return std::nullopt;
  Operand bias = epilogue.operands[0];
  bias.argument = DNNL_ARG_BIAS;
  epilogue.steps.erase(epilogue.steps.begin());
  epilogue.operands.erase(epilogue.operands.begin());
  epilogue.shapes.erase(epilogue.shapes.begin());
  for (Operand& operand : epilogue.operands)
    operand.argument -= DNNL_ARG_ATTR_MULTIPLE_POST_OP(1) - DNNL_ARG_ATTR_MULTIPLE_POST_OP(0);
  return bias;
}

Support read_epilogue(const Request& request, ir::ValueId from, size_t rank, Residual residual,
                      Epilogue& epilogue) {
  const ir::Graph& body = request.problem.body();
  if (body.outputs.size() != 1) return Support::no("the region has {} outputs", body.outputs.size());
  const ir::Node* contraction = body.producer(from);
  const bool of_windows =
      contraction && (contraction->op == &ops::def::conv || contraction->op == &ops::def::conv_transpose);
  Reader reader(request, rank, residual, of_windows, epilogue);
  ir::ValueId running = from;
  while (running != body.outputs[0].value) {
    const std::vector<ir::Use>& uses = body.value(running).uses;
    if (uses.empty()) return Support::no("the contraction's result is not the region's");
    const ir::Node& node = body.node(uses[0].node);
    const bool one_user =
        std::all_of(uses.begin(), uses.end(), [&](const ir::Use& use) { return use.node == uses[0].node; });
    if (!one_user) return Support::no("a value inside the region is used by several ops");
    if (const Support read = reader.read(node, running); !read) return read;
    running = node.outputs[0];
  }
  if (!body.value(running).uses.empty()) return Support::no("the region's result is used inside it");
  // At opt a size that data tell may be 1, as if nothing were widened.
  if (body.value(running).type.shape != body.value(from).type.shape)
    return Support::no("an op behind the contraction widens its result");
  return Support::yes();
}

bool may_accumulate(const device::Problem& problem) {
  for (size_t i = 0; i < problem.nodes().size(); ++i) {
    if (&problem.op(i) != &ops::def::add) continue;
    for (ir::ValueId operand : problem.node(i).inputs) {
      const int input = problem.input_index(operand);
      if (input >= 0 && !problem.is_weight(input) && problem.input(input) == problem.output(0)) return true;
    }
  }
  return false;
}

}  // namespace burnish::cpu
