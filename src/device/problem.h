// A problem: what one kernel is asked to compute. One line of text is tuning key, test case, benchmark and repro.
#pragma once

#include <string>

#include "ir/graph.h"
#include "ops/op_def.h"

namespace burnish::device {

/// An op, or a region's body, with the types, layouts and attributes of one use. It says nothing of weights'
/// values, so equal layers of a network are one problem.
///
/// The body's inputs are named x0, x1, ... (activations) and w2, w3, ... (weights: constants known at build, which
/// tactics may pack). Scalars and host operands that are known stand in the body as constants. Dimensions may
/// be expressions; body.symbols then has the ranges, with the opt that kernels are tuned for.
class Problem {
 public:
  /// The problem of node `id` of `graph`: of its body for a region, of the op itself for any other.
  static Problem of(const ir::Graph& graph, ir::NodeId id);
  /// The inverse of text(). Throws Error with the place of a mistake.
  static Problem parse(std::string_view text);

  const std::string& text() const;
  const ir::Graph& body() const { return *body_; }
  int input_count() const { return static_cast<int>(body_->inputs().size()); }
  int output_count() const { return static_cast<int>(body_->outputs.size()); }
  const ir::TensorType& input(int i) const { return body_->value(body_->inputs()[static_cast<size_t>(i)]).type; }
  const ir::TensorType& output(int i) const { return body_->value(body_->outputs[static_cast<size_t>(i)].value).type; }
  bool is_weight(int i) const;
  /// Whether an input or output is a part of a wider tensor (TensorType::pitch).
  bool has_pitch() const;
  /// Which of the node's inputs each of input(i) is.
  const std::vector<int>& node_inputs() const { return node_inputs_; }

  /// The body's nodes in order.
  const std::vector<ir::NodeId>& nodes() const { return nodes_; }
  const ir::Node& node(size_t i) const { return body_->node(nodes_[i]); }
  const ops::OpDef& op(size_t i) const { return ops::definition(node(i)); }
  /// The only node, if there is one alone and it is of `op`; else null.
  const ir::Node* single(const ops::OpDef& op) const;
  /// The index in inputs of a body value, or -1 for what is made inside or is a literal.
  int input_index(ir::ValueId value) const;
  /// The data of a literal in the body; an empty Tensor for anything else.
  const Tensor& literal(ir::ValueId value) const { return body_->value(value).constant; }

  /// The same problem with other layouts, all dense: one per input, then one per output.
  Problem with_layouts(const std::vector<ir::Layout>& layouts) const;
  /// All dimensions as numbers, by the values of the symbols.
  Problem at(const ir::Bindings& bindings) const;
  /// All dimensions as numbers: symbols replaced by the opt of their range.
  Problem at_opt() const;
  bool is_static() const { return body_->symbols.empty(); }

 private:
  explicit Problem(std::shared_ptr<ir::Graph> body);

  std::shared_ptr<const ir::Graph> body_;
  std::vector<ir::NodeId> nodes_;
  std::vector<int> node_inputs_;
  struct Text;
  std::shared_ptr<Text> text_;  // written when it is first asked for
};

}  // namespace burnish::device
