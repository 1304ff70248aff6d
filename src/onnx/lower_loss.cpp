// Losses, as evaluation reports them.
#include "onnx/lower.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {
namespace {

namespace def = ops::def;

/// The numbers 0 to count - 1 in `dtype`, shaped [count, 1, ...] so that they broadcast along axis 1 of
/// `rank`.
ir::ValueId class_numbers(Lower& node, DType dtype, int64_t count, int64_t rank) {
  require(dtype == DType::i32 || dtype == DType::i64, "the labels are {}; i32 or i64 is expected",
          dtype_name(dtype));
  Shape shape(static_cast<size_t>(rank - 1), 1);
  shape[0] = count;
  Tensor numbers(dtype, shape);
  for (int64_t i = 0; i < count; ++i) {
    if (dtype == DType::i32)
      numbers.data<int32_t>()[i] = static_cast<int32_t>(i);
    else
      numbers.data<int64_t>()[i] = i;
  }
  return node.add_constant(numbers);
}

/// The loss of log-probabilities [N, C, d...] under labels [N, d...] with weights [C]. Where the label is
/// ignored, the weight is zero. Each label picks its class by comparison with all of them.
ir::ValueId negative_log_likelihood(Lower& node, ir::ValueId log_probability, ir::ValueId labels,
                                    ir::ValueId weights) {
  const ir::TensorType x = node.type(log_probability);
  require(x.rank() >= 2 && x.shape[1].is_constant(),
          "the input is {}; [N, C, ...] with a fixed number of classes is expected", x.str());
  const DType index = node.dtype(labels);
  const ir::ValueId column = node.emit(def::unsqueeze, {{"axes", std::vector<int64_t>{1}}}, {labels});
  ir::ValueId chosen =
      node.emit(def::equal, {column, class_numbers(node, index, x.shape[1].constant(), x.rank())});
  if (node.has("ignore_index")) {
    const ir::ValueId ignored = node.emit(
        def::equal, {column, node.add_scalar(index, static_cast<double>(node.integer("ignore_index")))});
    chosen = node.emit(def::logical_and, {chosen, node.emit(def::logical_not, {ignored})});
  }
  const auto pick = [&](ir::ValueId value) {
    const ir::ValueId picked = node.emit(def::where, {chosen, value, node.add_scalar(x.dtype, 0)});
    return node.emit(def::reduce_sum, {{"axes", std::vector<int64_t>{1}}, {"keepdims", false}}, {picked});
  };
  ir::ValueId loss = node.emit(def::neg, {log_probability}), weight = node.add_scalar(x.dtype, 1);
  if (weights) {
    std::vector<int64_t> axes;
    for (int64_t axis = 1; axis < x.rank() - 1; ++axis) axes.push_back(axis);
    weight = axes.empty() ? weights : node.emit(def::unsqueeze, {{"axes", axes}}, {weights});
    loss = node.emit(def::mul, {loss, weight});
  }
  loss = pick(loss);
  const std::string reduction = node.text("reduction", "mean");
  if (reduction == "none") return loss;
  require(reduction == "mean" || reduction == "sum", "reduction is '{}'; none, mean or sum is expected",
          reduction);
  const auto total = [&](ir::ValueId value) {
    return node.emit(def::reduce_sum, {{"keepdims", false}}, {value});
  };
  return reduction == "sum" ? total(loss) : node.emit(def::div, {total(loss), total(pick(weight))});
}

}  // namespace

void lower_negative_log_likelihood_loss(Lower& node) {
  node.set_output(0,
                  negative_log_likelihood(node, node.needed_input(0), node.needed_input(1), node.input(2)));
}

void lower_softmax_cross_entropy_loss(Lower& node) {
  const ir::ValueId log_probability = node.emit(def::log_softmax, {{"axis", 1}}, {node.needed_input(0)});
  node.set_output(0, negative_log_likelihood(node, log_probability, node.needed_input(1), node.input(2)));
  node.set_output(1, log_probability);
}

}  // namespace burnish::onnx
