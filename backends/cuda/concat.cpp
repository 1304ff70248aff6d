// Concatenation in one kernel, with any pointwise body behind it, by kernels/concat.cuh.
#include <algorithm>

#include "cuda/body_text.h"
#include "cuda/tactics.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

/// How an operand of the body lies beside the joined tensor.
enum class Beside : uint8_t { everywhere, along_row, along_axis };

struct Joined {
  std::vector<int> parts;                        ///< inputs of the problem, in order
  std::vector<Dim> widths;                       ///< of a row of each
  std::vector<Dim> steps;                        ///< from one row of each to the next
  Dim rows = 1, width = 1, inner = 1;            ///< inner: elements behind the axis
  Dim step = 1;                                  ///< from one row of the result to the next
  std::vector<std::pair<int, Beside>> operands;  ///< inputs that the body reads
};

/// Where the axis comes among the dimensions as they lie in memory.
size_t place_of_axis(const std::vector<int>& order, int64_t axis) {
  return static_cast<size_t>(std::find(order.begin(), order.end(), static_cast<int>(axis)) - order.begin());
}

std::optional<Beside> beside(const ir::TensorType& type, const ir::TensorType& y, int64_t axis) {
  if (type == ir::TensorType{type.dtype, y.shape, y.layout, y.pitch}) return Beside::everywhere;
  const auto strides = broadcast_strides(type, y.shape);
  if (!strides) return std::nullopt;
  const std::vector<int> order = physical_order(y.rank(), y.layout);
  const Strides own = logical_strides(y);
  bool as_a_row = true;
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t d = static_cast<size_t>(order[i]);
    as_a_row =
        as_a_row && (y.shape[d].is(1) || (*strides)[d] == (i < place_of_axis(order, axis) ? Dim(0) : own[d]));
  }
  if (as_a_row) return Beside::along_row;
  for (size_t d = 0; d < strides->size(); ++d)
    if (static_cast<int64_t>(d) != axis && !(*strides)[d].is(0)) return std::nullopt;
  return (*strides)[static_cast<size_t>(axis)].is(1) ? std::optional(Beside::along_axis) : std::nullopt;
}

Support analyse(const Problem& problem, Joined& joined) {
  if (problem.nodes().empty() || problem.node(0).op != &ops::def::concat)
    return Support::no("not a concatenation");
  const ir::Node& node = problem.node(0);
  if (problem.output_count() != 1) return Support::no("several results");
  const ir::TensorType& y = problem.output(0);
  const ir::TensorType& whole = problem.body().value(node.outputs[0]).type;
  if (!(whole.shape == y.shape)) return Support::no("the result is reshaped");
  const int64_t axis = ops::normalize_axis(node.attributes.as<ops::AxisAttributes>().axis, y.rank());
  const std::vector<int> order = physical_order(y.rank(), y.layout);
  const size_t at = place_of_axis(order, axis);
  for (size_t i = 0; i < order.size(); ++i) {
    const Dim& size = y.shape[static_cast<size_t>(order[i])];
    Dim& into = i < at ? joined.rows : joined.width;
    into = into * size;
    if (i > at) joined.inner = joined.inner * size;
  }
  // With a pitch, channels are the innermost, and rows of parts of them are a pixel's.
  if (problem.has_pitch() && (y.layout != ir::Layout::nhwc || axis != 1))
    return Support::no("a pitch along another axis");
  const auto step_of = [](const ir::TensorType& type, const Dim& dense) {
    return type.pitch ? Dim(type.pitch) : dense;
  };
  joined.step = step_of(y, joined.width);
  for (ir::ValueId value : node.inputs) {
    const int part = problem.input_index(value);
    if (part < 0) return Support::no("a part is a literal");
    const ir::TensorType& x = problem.input(part);
    if (x.layout != y.layout && x.rank() > 1) return Support::no("a part of another layout");
    joined.parts.push_back(part);
    joined.widths.push_back(x.shape[static_cast<size_t>(axis)] * joined.inner);
    joined.steps.push_back(step_of(x, joined.widths.back()));
  }
  for (size_t i = 1; i < problem.nodes().size(); ++i) {
    if (Support support = BodyText::supports(problem, i); !support) return support;
    for (ir::ValueId value : problem.node(i).inputs) {
      const int input = problem.input_index(value);
      const bool known = std::any_of(joined.operands.begin(), joined.operands.end(),
                                     [&](const auto& one) { return one.first == input; });
      if (input < 0 || known) continue;
      const auto lies = beside(problem.input(input), y, axis);
      if (!lies) return Support::no("input {} is repeated in a way that has no kernel", input);
      joined.operands.emplace_back(input, *lies);
    }
  }
  constexpr int most_inputs = 60;  // what a launch takes
  return problem.input_count() <= most_inputs ? Support::yes()
                                              : Support::no("more than {} parts", most_inputs);
}

Joined joined_of(const Problem& problem) {
  Joined joined;
  const Support support = analyse(problem, joined);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return joined;
}

class Concat : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.concat"; }
  bool takes_pitch() const override { return true; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    if (Support support = supports_layouts(problem); !support) return support;
    Joined joined;
    return analyse(problem, joined);
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    return uniform_layouts(problem);
  }

  std::string source(const Problem& problem, const std::string&, const Arch&) const override {
    const Joined joined = joined_of(problem);
    const DType dtype = problem.body().value(problem.node(0).outputs[0]).type.dtype;
    std::string text =
        fmt::format("using Element = {};\n", memory_type(dtype)) +
        constants_text({{"VECTOR", vector(problem, joined)}}) +
        "BURNISH_DEVICE const Element* source(const Operands& p, const Sizes& s, int row, int at) {\n";
    for (size_t i = 0; i < joined.parts.size(); ++i) {
      const std::string before = i ? fmt::format("s.end{}", i - 1) : "0",
                        here = fmt::format("({}) + int64_t(row) * s.step{} + (at - {})",
                                           operand_pointer(problem, joined.parts[i]), i, before);
      text += i + 1 < joined.parts.size() ? fmt::format("  if (at < s.end{}) return {};\n", i, here)
                                          : fmt::format("  return {};\n}}\n", here);
    }
    return finish_text(problem, joined, text) + kernel_text("concat");
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    const Joined joined = joined_of(problem);
    Sizes sizes;
    sizes.add("rows", joined.rows);
    sizes.add("width", joined.width);
    sizes.add("inner", joined.inner);
    sizes.add("step", joined.step);
    Dim end = 0;
    for (size_t i = 0; i < joined.widths.size(); ++i) {
      sizes.add(fmt::format("end{}", i), end = end + joined.widths[i]);
      sizes.add(fmt::format("step{}", i), joined.steps[i]);
    }
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem& written, const std::string&,
                               const Arch&) const override {
    const Joined joined = joined_of(problem);
    const int64_t items = (joined.rows * joined.width).constant() / vector(written, joined_of(written));
    Launch launch;
    launch.grid[0] = static_cast<unsigned>((items + 127) / 128);
    return {launch};
  }

 private:
  /// Elements that lie side by side in every part, in the result, and in what the body reads along the axis.
  static int vector(const Problem& problem, const Joined& joined) {
    int64_t bytes = dtype_bytes(problem.output(0).dtype);
    for (int i = 0; i < problem.input_count(); ++i)
      bytes = std::max(bytes, dtype_bytes(problem.input(i).dtype));
    const auto divisible = [](const Dim& value, int by) {
      return value.is_constant() ? value.constant() % by == 0 : ir::mod(value, by).is(0);
    };
    int width = static_cast<int>(16 / bytes);
    const auto all_divisible = [&](const std::vector<Dim>& sizes) {
      return std::all_of(sizes.begin(), sizes.end(), [&](const Dim& each) { return divisible(each, width); });
    };
    for (; width > 1; width /= 2)
      if (all_divisible(joined.widths) && all_divisible(joined.steps) && divisible(joined.step, width)) break;
    return width;
  }

  /// The body as finish(): its operands are read once for the vector where they lie side by side.
  static std::string finish_text(const Problem& problem, const Joined& joined, const std::string& before) {
    BodyText body(problem);
    std::string text;
    for (const auto& [input, lies] : joined.operands) {
      const ir::TensorType& type = problem.input(input);
      const std::string pointer = operand_pointer(problem, input);
      const bool together = lies != Beside::along_axis || joined.inner.is(1);
      const std::string place = lies == Beside::everywhere ? "int64_t(row) * s.step + at"
                                : together                 ? "at"
                                                           : "(at + j) / s.inner";
      text += fmt::format("  {} in{}[VECTOR];\n", compute_type(type.dtype), input);
      if (together)
        text += fmt::format("  load<{0}, VECTOR>(in{1}, ({2}) + {3});\n", memory_type(type.dtype), input,
                            pointer, place);
      else
        text += fmt::format(
            "#pragma unroll\n  for (int j = 0; j < VECTOR; ++j) in{1}[j] = widen<{0}>(({2})[{3}]);\n",
            memory_type(type.dtype), input, pointer, place);
      body.define(problem.body().inputs()[static_cast<size_t>(input)], fmt::format("in{}[j]", input));
    }
    body.define(problem.node(0).outputs[0], "joined[j]");
    for (size_t i = 1; i < problem.nodes().size(); ++i) body.add_node(i);
    const DType result = problem.output(0).dtype;
    return body.functions() + before +
           "BURNISH_DEVICE void finish(const Operands& p, const Sizes& s, int row, int at, const "
           "compute_t<Element> (&joined)[VECTOR]) {\n" +
           text +
           fmt::format("  {} result[VECTOR];\n#pragma unroll\n  for (int j = 0; j < VECTOR; ++j) {{\n",
                       compute_type(result)) +
           body.statements() +
           fmt::format(
               "    result[j] = {};\n  }}\n  store<{}, VECTOR>(p.y0 + int64_t(row) * s.step + at, "
               "result);\n}}\n",
               body.name(problem.body().outputs[0].value), memory_type(result));
  }
};

}  // namespace

const device::Tactic& concat_tactic() {
  static const Concat tactic;
  return tactic;
}

}  // namespace burnish::cuda
