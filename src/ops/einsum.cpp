// Sums of products in Einstein's notation.
#include "ops/einsum.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "base/error.h"
#include "ops/contraction.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

using ir::Dim;

/// The labels of one term; an ellipsis stands for `rank` minus the term's letters.
Labels parse_term(std::string_view term, int64_t rank, std::string_view equation) {
  const bool open = term.find("...") != std::string_view::npos;
  const int64_t letters = static_cast<int64_t>(term.size()) - (open ? 3 : 0), hidden = rank - letters;
  require(open ? hidden >= 0 : hidden == 0,
          "term '{}' of the equation '{}' does not fit an operand of rank {}", term, equation, rank);
  Labels labels;
  for (size_t i = 0; i < term.size(); ++i) {
    if (term.substr(i, 3) == "...") {
      for (int64_t d = hidden; d-- > 0;) labels.push_back(ellipsis_label + static_cast<Label>(d));
      i += 2;
    } else {
      const char c = term[i];
      require((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'), "the equation '{}' has an unexpected '{}'",
              equation, c);
      labels.push_back(c);
    }
  }
  return labels;
}

/// Without "->": the ellipsis, then what appears once, in the order of the alphabet.
Labels implied_output(const std::vector<Labels>& inputs) {
  std::map<Label, int> counts;
  for (const Labels& labels : inputs)
    for (Label label : labels) ++counts[label];
  Labels output;
  for (auto [label, count] : counts)
    if (label >= ellipsis_label) output.insert(output.begin(), label);
  for (auto [label, count] : counts)
    if (label < ellipsis_label && count == 1) output.push_back(label);
  return output;
}

std::vector<int64_t> ranks_of(const InferContext& context) {
  std::vector<int64_t> ranks;
  for (int i = 0; i < context.inputs(); ++i) ranks.push_back(context.type(i).rank());
  return ranks;
}

void infer_einsum(InferContext& context) {
  require(context.inputs() >= 1, "at least one operand is expected");
  const Equation equation =
      parse_equation(context.attributes<EinsumAttributes>().equation, ranks_of(context));
  std::map<Label, Dim> sizes;
  for (int i = 0; i < context.inputs(); ++i) {
    require(context.dtype(i) == context.dtype(0), "the operands are {} and {}", dtype_name(context.dtype(0)),
            dtype_name(context.dtype(i)));
    const Labels& labels = equation.inputs[static_cast<size_t>(i)];
    for (size_t d = 0; d < labels.size(); ++d) {
      const auto [found, fresh] = sizes.emplace(labels[d], context.shape(i)[d]);
      if (!fresh) found->second = broadcast(found->second, context.shape(i)[d]);
    }
  }
  std::vector<Dim> shape;
  for (Label label : equation.output) shape.push_back(sizes.at(label));
  context.set(0, context.dtype(0), std::move(shape));
}

using Sizes = std::map<Label, int64_t>;

/// A tensor whose dimensions have labels, each once.
struct Operand {
  Tensor tensor;
  Labels labels;
};

int64_t product_of_sizes(const Labels& labels, const Sizes& sizes) {
  int64_t product = 1;
  for (Label label : labels) product *= sizes.at(label);
  return product;
}

/// `from` with the dimensions `kept`, in that order and of full size; those left out are summed. A label that
/// `from` has twice walks its diagonal, one that it lacks repeats it.
Operand arrange(const Operand& from, const Labels& kept, const Sizes& sizes) {
  Labels walk = kept;
  for (Label label : from.labels)
    if (!contains(walk, label)) walk.push_back(label);
  const std::vector<int64_t> dense = dense_strides(from.tensor.shape());
  std::vector<int64_t> counts, steps;
  for (Label label : walk) {
    int64_t step = 0, count = contains(kept, label) ? sizes.at(label) : 1;
    for (size_t d = 0; d < from.labels.size(); ++d) {
      if (from.labels[d] != label || from.tensor.shape()[d] == 1) continue;
      step += dense[d];
      count = from.tensor.shape()[d];
    }
    counts.push_back(count);
    steps.push_back(step);
  }
  Shape shape(counts.begin(), counts.begin() + static_cast<int64_t>(kept.size()));
  Operand result{Tensor(from.tensor.dtype(), shape), kept};
  dispatch(WideNumberTypes{}, from.tensor.dtype(), [&]<class T>(Type<T>) {
    const auto* source = wrapping_data<T>(from.tensor);
    auto* target = wrapping_data<T>(result.tensor);
    std::fill_n(target, result.tensor.size(), wrapping_t<T>(0));
    const auto visit = [&](const auto& self, size_t d, int64_t at, int64_t to) -> void {
      if (d == walk.size()) {
        target[to] += source[at];
        return;
      }
      for (int64_t i = 0; i < counts[d]; ++i)
        self(self, d + 1, at + i * steps[d], d < kept.size() ? to * counts[d] + i : to);
    };
    visit(visit, 0, 0, 0);
  });
  return result;
}

/// The product of a and b with the labels that `needed` has, as one batched matrix product.
Operand contract(const Operand& a, const Operand& b, const Labels& needed, const Sizes& sizes) {
  Labels batch, rows, columns, summed;
  for (Label label : a.labels) {
    if (contains(batch, label) || contains(rows, label) || contains(summed, label)) continue;
    if (contains(b.labels, label))
      (contains(needed, label) ? batch : summed).push_back(label);
    else if (contains(needed, label))
      rows.push_back(label);
  }
  for (Label label : b.labels)
    if (!contains(a.labels, label) && !contains(columns, label) && contains(needed, label))
      columns.push_back(label);
  const auto matrices = [&](const Operand& from, const Labels& first, const Labels& second) {
    Labels order = batch;
    order.insert(order.end(), first.begin(), first.end());
    order.insert(order.end(), second.begin(), second.end());
    return arrange(from, order, sizes)
        .tensor.reshaped({product_of_sizes(batch, sizes), product_of_sizes(first, sizes),
                          product_of_sizes(second, sizes)});
  };
  const Tensor operands[] = {matrices(a, rows, summed), matrices(b, summed, columns)};
  Operand result{evaluate_node(def::matmul, ir::Attributes(MatMulAttributes{}), operands, 1)[0], batch};
  result.labels.insert(result.labels.end(), rows.begin(), rows.end());
  result.labels.insert(result.labels.end(), columns.begin(), columns.end());
  Shape shape;
  for (Label label : result.labels) shape.push_back(sizes.at(label));
  result.tensor = result.tensor.reshaped(shape);
  return result;
}

void einsum_reference(const ReferenceCall& call) {
  std::vector<int64_t> ranks;
  for (const Tensor& input : call.inputs) ranks.push_back(input.rank());
  const Equation equation = parse_equation(call.attribute<EinsumAttributes>().equation, ranks);
  Sizes sizes;
  for (size_t i = 0; i < call.inputs.size(); ++i)
    for (size_t d = 0; d < equation.inputs[i].size(); ++d) {
      const int64_t size = call.inputs[i].shape()[d];
      const auto [found, fresh] = sizes.emplace(equation.inputs[i][d], size);
      if (found->second == 1) found->second = size;
    }
  Operand result{call.inputs[0], equation.inputs[0]};
  for (size_t i = 1; i < call.inputs.size(); ++i) {
    Labels needed = equation.output;
    for (size_t later = i + 1; later < call.inputs.size(); ++later)
      needed.insert(needed.end(), equation.inputs[later].begin(), equation.inputs[later].end());
    result = contract(result, {call.inputs[i], equation.inputs[i]}, needed, sizes);
  }
  // Into the output as it was given: it may lie in a plan's arena.
  const Tensor sum = arrange(result, equation.output, sizes).tensor;
  if (sum.bytes() > 0) std::memcpy(call.outputs[0].raw(), sum.raw(), static_cast<size_t>(sum.bytes()));
}

}  // namespace

bool contains(const Labels& labels, Label label) {
  return std::find(labels.begin(), labels.end(), label) != labels.end();
}

Equation parse_equation(std::string_view text, const std::vector<int64_t>& ranks) {
  std::string equation;
  for (char c : text)
    if (c != ' ') equation += c;
  const size_t arrow = equation.find("->");
  std::string_view terms = std::string_view(equation).substr(0, arrow);
  Equation parsed;
  for (bool more = true; more;) {
    const size_t comma = terms.find(',');
    require(parsed.inputs.size() < ranks.size(), "the equation '{}' has more terms than the {} operands",
            text, ranks.size());
    parsed.inputs.push_back(parse_term(terms.substr(0, comma), ranks[parsed.inputs.size()], text));
    more = comma != std::string_view::npos;
    if (more) terms.remove_prefix(comma + 1);
  }
  require(parsed.inputs.size() == ranks.size(), "the equation '{}' has {} terms for {} operands", text,
          parsed.inputs.size(), ranks.size());
  parsed.output = implied_output(parsed.inputs);
  if (arrow == std::string::npos) return parsed;
  const std::string_view result = std::string_view(equation).substr(arrow + 2);
  const int64_t hidden = std::count_if(parsed.output.begin(), parsed.output.end(),
                                       [](Label label) { return label >= ellipsis_label; });
  const bool open = result.find("...") != std::string_view::npos;
  parsed.output = parse_term(result, static_cast<int64_t>(result.size()) - (open ? 3 - hidden : 0), text);
  for (size_t i = 0; i < parsed.output.size(); ++i) {
    const Label label = parsed.output[i];
    const bool known = std::any_of(parsed.inputs.begin(), parsed.inputs.end(),
                                   [&](const Labels& labels) { return contains(labels, label); });
    const bool once = std::count(parsed.output.begin(), parsed.output.end(), label) == 1;
    require(known && once,
            "output dimension {} of the equation '{}' must appear in an operand, and once in the output", i,
            text);
  }
  return parsed;
}

namespace def {

const OpDef einsum =
    op<EinsumAttributes>("einsum")
        .variadic("operands")
        .output("y")
        .infer(infer_einsum)
        .reference(widen<einsum_reference>)
        .fusion(Fusion::contraction)
        .tolerance(1e-4, 1e-5)
        .summary(
            "sum of products by an equation; the importer keeps it for diagonals only, others become matmul");

}  // namespace def
}  // namespace burnish::ops
