// Einsum as transposes, sums and matrix products.
#include <algorithm>

#include "onnx/lower.h"
#include "onnx/lowerings.h"
#include "ops/einsum.h"

namespace burnish::onnx {
namespace {

namespace def = ops::def;
using ops::contains;
using ops::Label;
using ops::Labels;

/// A value whose dimensions have labels, each once.
struct Term {
  ir::ValueId value;
  Labels labels;
};

/// The dimensions in another order; the labels of `order` that the term lacks become ones.
ir::ValueId arrange(Lower& node, const Term& term, const Labels& order) {
  std::vector<int64_t> permutation, ones;
  for (size_t i = 0; i < order.size(); ++i) {
    const auto found = std::find(term.labels.begin(), term.labels.end(), order[i]);
    if (found == term.labels.end())
      ones.push_back(static_cast<int64_t>(i));
    else
      permutation.push_back(found - term.labels.begin());
  }
  ir::ValueId value = term.value;
  if (!std::is_sorted(permutation.begin(), permutation.end()))
    value = node.emit(def::transpose, {{"perm", permutation}}, {value});
  return ones.empty() ? value : node.emit(def::unsqueeze, {{"axes", ones}}, {value});
}

/// Sums the dimensions that `needed` lacks.
Term sum_out(Lower& node, const Term& term, const Labels& needed) {
  std::vector<int64_t> axes;
  Term result{term.value, {}};
  for (size_t d = 0; d < term.labels.size(); ++d) {
    if (contains(needed, term.labels[d]))
      result.labels.push_back(term.labels[d]);
    else
      axes.push_back(static_cast<int64_t>(d));
  }
  if (!axes.empty())
    result.value = node.emit(def::reduce_sum, {{"axes", axes}, {"keepdims", false}}, {term.value});
  return result;
}

Labels joined(const Labels& a, const Labels& b) {
  Labels both = a;
  both.insert(both.end(), b.begin(), b.end());
  return both;
}

/// The product of a and b with the labels that `needed` has. Both become [batch..., rows or columns, summed];
/// what only one side has, except for its last label, is a batch dimension that the other side repeats.
Term contract(Lower& node, const Term& a, const Term& b, const Labels& needed) {
  const Term left = sum_out(node, a, joined(needed, b.labels)),
             right = sum_out(node, b, joined(needed, a.labels));
  Labels batch, rows, columns, summed;
  for (Label label : left.labels)
    (!contains(right.labels, label) ? rows : contains(needed, label) ? batch : summed).push_back(label);
  for (Label label : right.labels)
    if (!contains(left.labels, label)) columns.push_back(label);
  if (summed.empty()) {
    const Labels all = joined(joined(batch, rows), columns);
    return {node.emit(def::mul, {arrange(node, left, all), arrange(node, right, all)}), all};
  }
  constexpr Label no_row = -1, no_column = -2;
  const auto take_last = [](Labels& labels, Label otherwise) {
    if (labels.empty()) return otherwise;
    const Label last = labels.back();
    labels.pop_back();
    return last;
  };
  const Label row = take_last(rows, no_row), column = take_last(columns, no_column);
  const Labels outer = joined(joined(batch, rows), columns);
  const auto matrices = [&](const Term& term, Label line) {
    const ir::ValueId value = arrange(node, term, joined(joined(outer, {line}), summed));
    if (summed.size() == 1) return value;
    std::vector<int64_t> shape(outer.size() + 1, 0);  // 0 copies the dimension
    shape.push_back(-1);
    return node.emit(def::reshape, {value, node.add_integers(shape)});
  };
  Term result{node.emit(def::matmul, {{"transpose_b", true}}, {matrices(left, row), matrices(right, column)}),
              outer};
  std::vector<int64_t> missing;
  for (Label label : {row, column}) {
    if (label == no_row || label == no_column)
      missing.push_back(static_cast<int64_t>(outer.size()) + (label == no_column));
    else
      result.labels.push_back(label);
  }
  if (!missing.empty()) result.value = node.emit(def::squeeze, {{"axes", missing}}, {result.value});
  return result;
}

/// Whether every operand has each label once, and what an ellipsis stands for is kept (it may broadcast).
bool is_plain(const ops::Equation& equation) {
  for (const Labels& labels : equation.inputs)
    for (Label label : labels) {
      if (std::count(labels.begin(), labels.end(), label) > 1) return false;
      if (label >= ops::ellipsis_label && !contains(equation.output, label)) return false;
    }
  return true;
}

}  // namespace

void lower_einsum(Lower& node) {
  std::vector<int64_t> ranks;
  std::vector<ir::ValueId> operands;
  for (int i = 0; i < node.input_count(); ++i) {
    operands.push_back(node.needed_input(i));
    ranks.push_back(node.rank(operands.back()));
  }
  const ops::Equation equation = ops::parse_equation(node.text("equation"), ranks);
  // The op itself checks the sizes, so it is inferred even where it is not kept.
  const ir::ValueId whole = node.emit(def::einsum, node.attributes_for(def::einsum), operands);
  if (!is_plain(equation)) return node.set_output(0, whole);
  Term result{operands[0], equation.inputs[0]};
  for (size_t i = 1; i < operands.size(); ++i) {
    Labels needed = equation.output;
    for (size_t later = i + 1; later < operands.size(); ++later)
      needed = joined(needed, equation.inputs[later]);
    result = contract(node, result, {operands[i], equation.inputs[i]}, needed);
  }
  result = sum_out(node, result, equation.output);
  node.set_output(0, arrange(node, result, equation.output));
}

}  // namespace burnish::onnx
