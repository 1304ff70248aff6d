// Matrix products, plain and batched, with the pointwise ops that follow them.
#include <algorithm>

#include "backends/cpu/epilogue.h"
#include "backends/cpu/onednn_tactics.h"
#include "ops/contraction.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

using device::BoundTensor;
using device::Problem;
using ir::Layout;

const ir::Node* anchor_of(const Problem& problem) {
  return !problem.nodes().empty() && &problem.op(0) == &ops::def::matmul ? &problem.node(0) : nullptr;
}

/// A stack of matrices as oneDNN sees it; transposing only swaps strides.
struct Stack {
  Shape shape, strides;

  Stack(Shape dims, bool transpose) : shape(std::move(dims)), strides(shape.size()) {
    int64_t stride = 1;
    for (size_t d = shape.size(); d-- > 0; stride *= shape[d]) strides[d] = stride;
    if (!transpose) return;
    std::swap(shape[shape.size() - 1], shape[shape.size() - 2]);
    std::swap(strides[strides.size() - 1], strides[strides.size() - 2]);
  }

  /// Puts batch dimensions of size 1 in front.
  void widen(size_t rank) {
    const int64_t whole = shape[shape.size() - 1] * shape[shape.size() - 2];
    while (shape.size() < rank) {
      shape.insert(shape.begin(), 1);
      strides.insert(strides.begin(), whole);
    }
  }
  onednn::Desc desc(DType dtype) const { return onednn::strided_desc(dtype, shape, strides); }
};

bool all_plain(const Request& request) {
  const auto plain = [](const BoundTensor& tensor) { return tensor.layout == Layout::plain; };
  return std::all_of(request.inputs.begin(), request.inputs.end(), plain) &&
         std::all_of(request.outputs.begin(), request.outputs.end(), plain);
}

class MatMulTactic : public OnednnTactic {
 public:
  std::string name() const override { return "onednn.matmul"; }

  Support make(const Request& request, Operation& operation) const override {
    const Problem& problem = request.problem;
    const ir::Node* node = anchor_of(problem);
    if (!node) return Support::no("it is no matrix product");
    if (!all_plain(request)) return Support::no("it takes plain layouts only");
    const int a = problem.input_index(node->inputs[0]), b = problem.input_index(node->inputs[1]);
    if (a < 0 || b < 0) return Support::no("an operand is a literal");
    if (request.inputs[static_cast<size_t>(a)].dtype == DType::i32)
      return Support::no("oneDNN does not multiply matrices of i32");

    Shape left = request.inputs[static_cast<size_t>(a)].shape,
          right = request.inputs[static_cast<size_t>(b)].shape;
    Shape result = request.outputs[0].shape;
    const bool vectors = left.size() == 1 || right.size() == 1;
    if (vectors && problem.nodes().size() > 1)
      return Support::no("a product with a vector takes no epilogue here");
    if (right.size() == 1) right.push_back(1), result.push_back(1);
    if (left.size() == 1) left.insert(left.begin(), 1), result.insert(result.end() - 1, 1);
    const auto& attributes = node->attributes.as<ops::MatMulAttributes>();
    if (right.size() == 2 && left.size() > 2 && !attributes.transpose_a) {  // one matrix for the whole stack
      left = merged(left, 2);
      result = merged(result, 2);
    }
    Stack a_stack(left, attributes.transpose_a), b_stack(right, attributes.transpose_b),
        y_stack(result, false);
    for (Stack* stack : {&a_stack, &b_stack}) stack->widen(result.size());
    return describe(request, *node, {a, b}, {a_stack, b_stack, y_stack}, operation);
  }

 protected:
  std::vector<std::string> ids(const Problem& problem) const override {
    const int b = problem.input_index(anchor_of(problem)->inputs[1]);
    std::vector<std::string> ids = {"packed", "plain"};
    if (!problem.is_weight(b)) ids.erase(ids.begin());
    if (may_accumulate(problem)) ids.push_back(ids[0] + ".binary");
    return ids;
  }

 private:
  static Support describe(const Request& request, const ir::Node& node, const std::array<int, 2>& inputs,
                          const std::array<Stack, 3>& stacks, Operation& operation) {
    const auto& [a, b, y] = stacks;
    const DType dtype = request.outputs[0].dtype;
    const auto from = [&](int input) { return origin_of(request.problem, input); };
    const bool pack = from(inputs[1]) == Operand::From::weight && !request.candidate.starts_with("plain");
    Epilogue epilogue;
    const Residual residual = request.candidate.ends_with(".binary") ? Residual::read : Residual::in_place;
    if (const Support read = read_epilogue(request, node.outputs[0], y.shape.size(), residual, epilogue);
        !read)
      return read;
    onednn::MatMulSpec spec;
    spec.a = a.desc(dtype);
    const size_t weight_number = from(inputs[0]) == Operand::From::weight ? 1 : 0;
    spec.b = pack ? request.weight(weight_number, onednn::free_desc(dtype, b.shape)) : b.desc(dtype);
    spec.destination = y.desc(dtype);
    operation.operands = {{DNNL_ARG_SRC, from(inputs[0]), inputs[0], spec.a, spec.a},
                          {DNNL_ARG_WEIGHTS, from(inputs[1]), inputs[1], spec.b, b.desc(dtype)},
                          {DNNL_ARG_DST, Operand::From::output, 0, spec.destination, {}}};
    if (const std::optional<Operand> bias = take_bias(epilogue)) {
      spec.bias = bias->desc;
      operation.operands.push_back(*bias);
    }
    operation.accumulates = epilogue.accumulates;
    operation.operands.insert(operation.operands.end(), epilogue.operands.begin(), epilogue.operands.end());
    operation.description = onednn::describe(spec, epilogue.steps);
    if (!operation.description) return Support::no("oneDNN has no such matrix product");
    operation.operands[1].desc = operation.description.query_md(dnnl::query::weights_md, 0);
    return Support::yes();
  }
};

}  // namespace

const device::Tactic& matmul_tactic() {
  static const MatMulTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
