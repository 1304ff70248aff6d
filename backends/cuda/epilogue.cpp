#include "cuda/contraction.h"

#include <algorithm>

namespace burnish::cuda {

using device::Problem;
using ir::Dim;

std::optional<Epilogue::Operand> Epilogue::operand(const ir::TensorType& type, const std::vector<Dim>& shape,
                                                   const Contraction& contraction) {
  const auto strides = broadcast_strides(type, shape);
  if (!strides) return std::nullopt;
  const size_t rank = shape.size();
  std::optional<Dim> batch, row;
  Operand operand{{}, type.dtype, 0, 0, contraction.conv ? (*strides)[1] : strides->back()};
  if (contraction.phases) {
    batch = strides->front();
    row = strides->back();
    if (rank == 4) operand.line = (*strides)[2];
  } else if (contraction.conv) {
    batch = joint_stride(*strides, shape, 0, 1);
    row = joint_stride(*strides, shape, 2, rank);
  } else {
    batch = joint_stride(*strides, shape, 0, rank - 2);
    row = joint_stride(*strides, shape, rank - 2, rank - 1);
  }
  if (!batch || !row) return std::nullopt;
  operand.batch = *batch;
  operand.row = *row;
  return operand;
}

namespace {

/// Behind the last node whose results the epilogue computes element by element.
size_t nodes_end(const Problem& problem, const Contraction& contraction) {
  return problem.nodes().size() - (contraction.pooled ? 1 : 0);
}

/// The shape of what leaves the region.
std::vector<Dim> output_shape(const Contraction& contraction, std::vector<Dim> shape) {
  if (contraction.pooled)
    for (size_t d : {2, 3}) shape[d] = ir::floor_div(shape[d], 2);
  return shape;
}

}  // namespace

Support Epilogue::supports(const Problem& problem, const Contraction& contraction) {
  const std::vector<Dim>& shape = problem.body().value(contraction.output).type.shape;
  for (size_t i = contraction.node + 1; i < nodes_end(problem, contraction); ++i) {
    if (Support support = BodyText::supports(problem, i); !support) return support;
    for (ir::ValueId value : problem.node(i).inputs) {
      const int input = problem.input_index(value);
      if (input >= 0 && !operand(problem.input(input), shape, contraction))
        return Support::no("input {} is repeated in a way that has no kernel", input);
    }
  }
  for (int i = 0; i < problem.output_count(); ++i) {
    const std::vector<Dim> made = output_shape(contraction, shape);
    if (!(problem.output(i).shape == made) || !operand(problem.output(i), made, contraction))
      return Support::no("an output is reshaped");
  }
  return Support::yes();
}

Epilogue::Epilogue(const Problem& problem, const Contraction& contraction, int most_vector)
    : problem_(problem), contraction_(contraction) {
  const std::vector<Dim>& shape = problem.body().value(contraction.output).type.shape;
  by_rows_ = !contraction.phases;
  const bool one = by_rows_ && contraction.total_rows == contraction.rows &&
                   (contraction.conv || contraction.batch.is(1));  // one image or matrix
  const auto add = [&](Operand made, std::string pointer, const Dim& rows) {
    made.pointer = std::move(pointer);
    if (one) made.batch = 0;
    by_rows_ = by_rows_ && (one || made.batch == made.row * rows);
    operands_.push_back(std::move(made));
  };
  const auto add_input = [&](ir::ValueId value, const ir::TensorType& type) {
    if (std::find(values_.begin(), values_.end(), value) != values_.end()) return;
    values_.push_back(value);
    add(*operand(type, shape, contraction), operand_pointer(problem, problem.input_index(value)),
        contraction.rows);
  };
  if (contraction.bias >= 0) {
    ir::TensorType bias = problem.input(contraction.bias);  // [channels], as [channels, 1, ...]
    bias.shape.resize(shape.size() - 1, Dim(1));
    add_input(problem.body().inputs()[static_cast<size_t>(contraction.bias)], bias);
  }
  for (size_t i = contraction.node + 1; i < problem.nodes().size(); ++i)
    for (ir::ValueId value : problem.node(i).inputs)
      if (const int input = problem.input_index(value); input >= 0) add_input(value, problem.input(input));
  for (int i = 0; i < problem.output_count(); ++i)
    add(*operand(problem.output(i), problem.output(i).shape, contraction), fmt::format("p.y{}", i),
        contraction.pooled ? ir::floor_div(contraction.rows, 4) : contraction.rows);

  int64_t bytes = 2;
  for (const Operand& each : operands_) bytes = std::max(bytes, dtype_bytes(each.dtype));
  const auto divisible = [](const Dim& value, int by) {
    return value.is_constant() ? value.constant() % by == 0 : ir::mod(value, by).is(0);
  };
  for (vector_ = std::min(static_cast<int>(16 / bytes), most_vector); vector_ > 1; vector_ /= 2) {
    bool fits = divisible(contraction.phases ? contraction.phases->channels : contraction.columns, vector_);
    for (const Operand& each : operands_)
      if (each.column.is(1))
        for (const Dim& stride : {each.batch, each.row, each.line}) fits = fits && divisible(stride, vector_);
    if (fits) break;
  }
}

void Epilogue::add_sizes(Sizes& sizes) const {
  for (size_t i = 0; i < operands_.size(); ++i) {
    if (!by_rows_) sizes.add(fmt::format("e{}_batch", i), operands_[i].batch);
    sizes.add(fmt::format("e{}_row", i), operands_[i].row);
    sizes.add(fmt::format("e{}_column", i), operands_[i].column);
    if (contraction_.phases) sizes.add(fmt::format("e{}_line", i), operands_[i].line);
  }
  if (!contraction_.phases) return;
  sizes.add("squares_across", contraction_.out_width);
  sizes.add("phase_channels", contraction_.phases->channels);
  sizes.add("y_height", contraction_.phases->height);
  sizes.add("y_width", contraction_.phases->width);
}

std::string Epilogue::place(size_t i) const {
  const Operand& each = operands_[i];
  std::string text = each.pointer + (contraction_.phases ? " + (channel" : " + (n") +
                     (each.column.is(1) ? "" : fmt::format(" * s.e{}_column", i));
  if (contraction_.phases)
    return text + fmt::format(" + image * s.e{0}_batch + h * s.e{0}_line + w * s.e{0}_row)", i);
  if (by_rows_) return text + fmt::format(" + row * s.e{}_row)", i);
  return text + fmt::format(" + image * s.e{0}_batch + pixel * s.e{0}_row)", i);
}

std::string Epilogue::row_text(const char* leave) const {
  if (by_rows_) return "";
  std::string text = "  const int image = row / s.rows, pixel = row - image * s.rows;\n";
  if (!contraction_.phases) return text;
  const Contraction::Phases& phases = *contraction_.phases;
  text += fmt::format(
      "  const int phase = n / s.phase_channels, channel = n - phase * s.phase_channels, line = pixel / "
      "s.squares_across;\n"
      "  const int h = line * {0} + phase / {1} - {2}, w = (pixel - line * s.squares_across) * {1} + phase % "
      "{1} - {3};\n",
      phases.strides[0], phases.strides[1], phases.before[0], phases.before[1]);
  if (phases.whole) return text;
  return text + fmt::format("  if (h < 0 || h >= s.y_height || w < 0 || w >= s.y_width) {};\n", leave);
}

std::string Epilogue::load_text(size_t i) const {
  const Operand& each = operands_[i];
  const std::string type = compute_type(each.dtype), memory = memory_type(each.dtype);
  const std::string text = fmt::format("  {} in{}[VECTOR];\n", type, i);
  if (each.column.is(1)) return text + fmt::format("  load<{}, VECTOR>(in{}, {});\n", memory, i, place(i));
  return text + fmt::format(
                    "#pragma unroll\n  for (int j = 0; j < VECTOR; ++j) in{}[j] = widen<{}>(({})[j * "
                    "s.e{}_column]);\n",
                    i, memory, place(i), i);
}

std::string Epilogue::results_text(BodyText& body) const {
  std::string sum = contraction_.pooled ? "sums[each][j]" : "sums[j]";
  if (contraction_.bias >= 0)
    sum += " + " + body.name(problem_.body().inputs()[static_cast<size_t>(contraction_.bias)]);
  body.define(contraction_.output, "sum");
  for (size_t i = contraction_.node + 1; i < nodes_end(problem_, contraction_); ++i) body.add_node(i);
  std::string text =
      fmt::format("#pragma unroll\n  for (int j = 0; j < VECTOR; ++j) {{\n    const float sum = {};\n{}", sum,
                  body.statements());
  if (contraction_.pooled)
    return text + fmt::format("    out0[j] = each == 0 ? {0} : max_nan(out0[j], {0});\n  }}\n",
                              body.name(problem_.node(nodes_end(problem_, contraction_)).inputs[0]));
  for (size_t i = 0; i < problem_.body().outputs.size(); ++i)
    text += fmt::format("    out{}[j] = {};\n", i, body.name(problem_.body().outputs[i].value));
  return text + "  }\n";
}

std::string Epilogue::stores_text() const {
  std::string text;
  for (size_t at = values_.size(); at < operands_.size(); ++at) {
    const Operand& each = operands_[at];
    const size_t i = at - values_.size();
    const std::string memory = memory_type(each.dtype), to = place(at);
    if (each.column.is(1))
      text += fmt::format("  store<{}, VECTOR>({}, out{});\n", memory, to, i);
    else
      text += fmt::format(
          "#pragma unroll\n  for (int j = 0; j < VECTOR; ++j) ({})[j * s.e{}_column] = "
          "narrow<{}>(out{}[j]);\n",
          to, at, memory, i);
  }
  return text;
}

std::string Epilogue::fetch_text() const {
  std::string text =
      "BURNISH_DEVICE void fetch_operands(const Operands& p, const Sizes& s, int n) {\n  if (n >= s.columns) "
      "return;\n";
  for (size_t i = 0; i < values_.size() && !contraction_.phases; ++i) {
    const Operand& each = operands_[i];
    const bool by_columns = each.column.is(1) && each.row.is(0) && each.batch.is(0);
    if (by_columns && problem_.is_weight(problem_.input_index(values_[i])))
      text += fmt::format("  fetch_line({} + n);\n", each.pointer);
  }
  return text + "}\n";
}

std::string Epilogue::end_text(const std::string& loads, const std::string& results) const {
  std::string text;
  for (size_t at = values_.size(); at < operands_.size(); ++at)
    text += fmt::format("  {} out{}[VECTOR];\n", compute_type(operands_[at].dtype), at - values_.size());
  if (!contraction_.pooled) return text + row_text("return") + loads + results + stores_text();
  text +=
      "#pragma unroll\n  for (int each = 0; each < 4; ++each) {\n  const int row = first + each % 2 + each / "
      "2 * s.out_width;\n" +
      row_text("return") + loads + results +
      "  }\n  const int row = first / s.out_width / 2 * (s.out_width / 2) + first % s.out_width / 2;\n";
  if (!by_rows_) text += "  const int image = row / (s.rows / 4), pixel = row - image * (s.rows / 4);\n";
  return text + stores_text();
}

std::string Epilogue::text() const {
  require(!contraction_.pooled, "internal: an epilogue of windows comes in parts");
  BodyText body(problem_);
  std::string loads;
  for (size_t i = 0; i < values_.size(); ++i) {
    loads += load_text(i);
    body.define(values_[i], fmt::format("in{}[j]", i));
  }
  const std::string results = results_text(body);
  return fmt::format("constexpr int VECTOR = {};\n", vector_) + body.functions() +
         "BURNISH_DEVICE void epilogue(const Operands& p, const Sizes& s, int row, int n, const float "
         "(&sums)[VECTOR]) {\n" +
         end_text(loads, results) + "}\n";
}

}  // namespace burnish::cuda
