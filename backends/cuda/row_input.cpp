#include "cuda/row_input.h"

#include <algorithm>

#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

bool divisible(const Dim& value, int by) {
  return value.is_constant() ? value.constant() % by == 0 : ir::mod(value, by).is(0);
}

}  // namespace

Support RowInput::collect(const Problem& problem, size_t until, ir::ValueId value,
                          std::vector<Operand>& operands) {
  const std::vector<Dim>& shape = problem.body().value(value).type.shape;
  const size_t rank = shape.size();
  const auto add = [&](ir::ValueId operand) {
    const int input = problem.input_index(operand);
    const auto known = std::any_of(operands.begin(), operands.end(),
                                   [&](const Operand& each) { return each.value == operand; });
    if (input < 0 || known) return Support::yes();
    const ir::TensorType& type = problem.input(input);
    if (type.layout != ir::Layout::plain) return Support::no("it takes plain tensors");
    const auto strides = broadcast_strides(type, shape);
    // Repeated along the first axes, one behind the other along the rest.
    for (size_t first = 0; strides && first < rank; ++first) {
      if (const auto row = joint_stride(*strides, shape, first, rank - 1)) {
        const std::vector<Dim> joint(shape.begin() + static_cast<std::ptrdiff_t>(first), shape.end() - 1);
        Operand made{operand, operand_pointer(problem, input), type.dtype, *row, strides->back()};
        if (first > 0) made.period = ir::product(joint);
        operands.push_back(std::move(made));
        return Support::yes();
      }
      if (!(*strides)[first].is(0)) break;
    }
    return Support::no("input {} is repeated in a way that has no kernel", input);
  };
  for (size_t i = 0; i < until; ++i) {
    const ir::Node& node = problem.node(i);
    if (node.op != &ops::def::gather) {
      if (Support support = BodyText::supports(problem, i); !support) return support;
      for (ir::ValueId operand : node.inputs)
        if (Support support = add(operand); !support) return support;
      continue;
    }
    const int table = problem.input_index(node.inputs[0]), indices = problem.input_index(node.inputs[1]);
    if (table < 0 || indices < 0) return Support::no("a gather of what the region makes");
    const ir::TensorType &rows = problem.input(table), &at = problem.input(indices);
    const std::vector<Dim>& made = problem.body().value(node.outputs[0]).type.shape;
    const int64_t axis = ops::normalize_axis(node.attributes.as<ops::AxisAttributes>().axis, rows.rank());
    const bool of_rows = axis == 0 && rows.rank() == 2 && rows.layout == ir::Layout::plain &&
                         at.layout == ir::Layout::plain && made == shape;
    if (!of_rows) return Support::no("a gather of other than rows of a table");
    if (at.dtype != DType::i32 && at.dtype != DType::i64)
      return Support::no("indices of {}", dtype_name(at.dtype));
    operands.push_back({node.outputs[0], operand_pointer(problem, table), rows.dtype, rows.shape[1], 1, 0,
                        operand_pointer(problem, indices), at.dtype, rows.shape[0]});
  }
  return add(value);
}

Support RowInput::supports(const Problem& problem, size_t until, ir::ValueId value) {
  std::vector<Operand> operands;
  if (Support support = collect(problem, until, value, operands); !support) return support;
  return operands.empty() ? Support::no("its input is a literal") : Support::yes();
}

RowInput::RowInput(const Problem& problem, size_t until, ir::ValueId value)
    : problem_(problem), until_(until), value_(value) {
  const Support support = collect(problem, until, value, operands_);
  require(static_cast<bool>(support), "internal: {}", support.reason());
}

int RowInput::vector(int most) const {
  const auto fits = [&](int width) {
    return std::all_of(operands_.begin(), operands_.end(),
                       [&](const Operand& each) { return !each.column.is(1) || divisible(each.row, width); });
  };
  while (most > 1 && !fits(most)) most /= 2;
  return most;
}

void RowInput::add_sizes(Sizes& sizes) const {
  for (size_t i = 0; i < operands_.size(); ++i) {
    sizes.add(fmt::format("r{}_row", i), operands_[i].row);
    sizes.add(fmt::format("r{}_column", i), operands_[i].column);
    if (!operands_[i].period.is(0)) sizes.add(fmt::format("r{}_period", i), operands_[i].period);
    if (!operands_[i].indices.empty()) sizes.add(fmt::format("r{}_rows", i), operands_[i].table_rows);
  }
}

std::string RowInput::text() const {
  BodyText body(problem_);
  std::string loads;
  for (size_t i = 0; i < operands_.size(); ++i) {
    const Operand& each = operands_[i];
    const std::string memory = memory_type(each.dtype);
    std::string row = each.period.is(0) ? "row" : fmt::format("row % s.r{}_period", i);
    if (!each.indices.empty()) {  // an index outside stays inside memory, as in a gather alone
      loads += fmt::format(
          "  int64_t at{0} = {1}[row];\n  at{0} += at{0} < 0 ? s.r{0}_rows : 0;\n"
          "  at{0} = at{0} < 0 ? 0 : at{0} >= s.r{0}_rows ? s.r{0}_rows - 1 : at{0};\n",
          i, each.indices);
      row = fmt::format("at{}", i);
    }
    const std::string place = fmt::format("{} + int64_t({}) * s.r{}_row", each.pointer, row, i);
    loads += fmt::format("  {} in{}[VECTOR];\n", compute_type(each.dtype), i);
    if (each.column.is(1))
      loads += fmt::format("  load<{}, VECTOR>(in{}, {} + j);\n", memory, i, place);
    else
      loads += fmt::format(
          "#pragma unroll\n  for (int v = 0; v < VECTOR; ++v) in{}[v] = widen<{}>(({})[(j + v) * "
          "s.r{}_column]);\n",
          i, memory, place, i);
    body.define(each.value, fmt::format("in{}[v]", i));
  }
  for (size_t i = 0; i < until_; ++i)
    if (problem_.node(i).op != &ops::def::gather) body.add_node(i);
  return body.functions() +
         "BURNISH_DEVICE void read_row(const Operands& p, const Sizes& s, int row, int j, float "
         "(&x)[VECTOR]) {\n" +
         loads + "#pragma unroll\n  for (int v = 0; v < VECTOR; ++v) {\n" + body.statements() +
         fmt::format("    x[v] = {};\n  }}\n}}\n", body.name(value_));
}

}  // namespace burnish::cuda
