// Several moves of elements as one copy, by kernels/composed_move.cuh: transposes, slices, splits,
// concatenations and views that start from one tensor (rolled and partitioned windows, merged patches). The
// body's places are followed from the result back to the input as text.
#include <algorithm>
#include <limits>

#include "cuda/body_text.h"
#include "cuda/elementwise.h"
#include "cuda/tactics.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/slice.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ops::SliceWindow;

/// More ways from the result to the input than these are no kernel: each is some lines of text.
constexpr int most_ways = 64;

size_t axis_of(int64_t axis, int64_t rank) { return static_cast<size_t>(ops::normalize_axis(axis, rank)); }

/// The windows of a slice, one per dimension; nullopt where its operands are not known.
std::optional<std::vector<SliceWindow>> windows_of(const ir::Graph& body, const ir::Node& node) {
  const std::vector<ir::Dim>& shape = body.value(node.inputs[0]).type.shape;
  std::vector<std::vector<int64_t>> operands(5);  // 1 to 4: starts, ends, axes, steps
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.inputs[i]) continue;
    const auto known = ops::known_contents(body, node.inputs[i]);
    const auto numbers = known ? ir::constants(*known) : std::nullopt;
    if (!numbers) return std::nullopt;
    operands[i] = *numbers;
  }
  std::vector<SliceWindow> windows;
  for (const ir::Dim& size : shape) windows.push_back({0, size.constant(), 1});
  for (size_t i = 0; i < operands[1].size(); ++i) {
    const size_t axis = operands[3].empty() ? i : axis_of(operands[3][i], static_cast<int64_t>(shape.size()));
    windows.at(axis) = ops::slice_window(shape[axis].constant(), operands[1][i], operands[2][i],
                                         operands[4].empty() ? 1 : operands[4][i]);
  }
  return windows;
}

/// Follows places of the body's result back to its one input.
class Places {
 public:
  explicit Places(const Problem& problem) : problem_(problem), body_(problem.body()) {}

  /// Whether `value` can be followed; counts the ways.
  Support supports(ir::ValueId value) {
    if (problem_.input_index(value) == 0)
      return ++ways_ <= most_ways ? Support::yes() : Support::no("too many parts");
    const ir::NodeId id = body_.value(value).producer;
    if (!id) return Support::no("a part is a literal");
    const ir::Node& node = body_.node(id);
    const bool view = ops::definition(node).view && node.op != &ops::def::bitcast;
    if (node.op == &ops::def::concat) {
      for (ir::ValueId part : node.inputs)
        if (Support support = supports(part); !support) return support;
      return Support::yes();
    }
    if (node.op == &ops::def::slice && !windows_of(body_, node))
      return Support::no("a slice whose place is not known");
    const bool moves =
        view || node.op == &ops::def::transpose || node.op == &ops::def::slice || node.op == &ops::def::split;
    return moves ? supports(node.inputs[0]) : Support::no("{} is no move of elements", node.op->name);
  }

  /// Whether `width` neighbours from a multiple of `width` on are such neighbours in the input, by what each
  /// node does to the last dimension.
  bool keeps(ir::ValueId value, int64_t width) const {
    const std::vector<int64_t> shape = shape_of(value);
    if (shape.empty() || shape.back() % width != 0) return width == 1;
    if (problem_.input_index(value) == 0) return true;
    const ir::Node& node = body_.node(body_.value(value).producer);
    const size_t last = shape.size() - 1;
    if (node.op == &ops::def::concat)
      return std::all_of(node.inputs.begin(), node.inputs.end(),
                         [&](ir::ValueId part) { return keeps(part, width); });
    if (node.op == &ops::def::transpose && permutation(node)[last] != last) return width == 1;
    if (node.op == &ops::def::slice) {
      const SliceWindow window = windows_of(body_, node)->at(last);
      if (window.start % width != 0 || window.step != 1) return width == 1;
    }
    if (node.op == &ops::def::split && split_start(node, value) % width != 0) return width == 1;
    return keeps(node.inputs[0], width);
  }

  /// "source(at)", for at most 2^31 elements.
  std::string text() {
    const ir::ValueId result = body_.outputs[0].value;
    text_ = "BURNISH_DEVICE int source(int at) {\n";
    const std::vector<std::string> from = split_index("at", shape_of(result));
    follow(result, from);
    return text_ + "}\n";
  }

 private:
  std::vector<int64_t> shape_of(ir::ValueId value) const {
    return ir::constants(body_.value(value).type.shape).value();
  }
  std::vector<size_t> permutation(const ir::Node& node) const {
    const auto rank = static_cast<int64_t>(shape_of(node.inputs[0]).size());
    std::vector<size_t> perm;
    for (int64_t d : node.attributes.as<ops::TransposeAttributes>().perm) perm.push_back(axis_of(d, rank));
    if (perm.empty())
      for (int64_t d = rank; d-- > 0;) perm.push_back(static_cast<size_t>(d));
    return perm;
  }
  /// Where the part that `value` is begins along the split's axis.
  int64_t split_start(const ir::Node& node, ir::ValueId value) const {
    const auto shape = shape_of(node.inputs[0]);
    const size_t axis =
        axis_of(node.attributes.as<ops::SplitAttributes>().axis, static_cast<int64_t>(shape.size()));
    int64_t start = 0;
    for (ir::ValueId output : node.outputs) {
      if (output == value) break;
      start += shape_of(output)[axis];
    }
    return start;
  }

  std::string name(const std::string& expression) {
    text_ += fmt::format("  const int i{} = {};\n", names_, expression);
    return fmt::format("i{}", names_++);
  }
  /// The coordinates of element `index` of a tensor.
  std::vector<std::string> split_index(const std::string& index, const std::vector<int64_t>& shape) {
    std::vector<std::string> coordinates(shape.size(), "0");
    std::string rest = index;
    int64_t left = element_count(shape);
    for (size_t d = shape.size(); d-- > 0;) {
      if (shape[d] == 1) continue;
      left /= shape[d];
      coordinates[d] = left == 1 ? rest : name(fmt::format("{} % {}", rest, shape[d]));
      if (left > 1) rest = name(fmt::format("{} / {}", rest, shape[d]));
    }
    return coordinates;
  }
  static std::string join_index(const std::vector<std::string>& coordinates,
                                const std::vector<int64_t>& shape) {
    std::string sum;
    int64_t stride = 1;
    for (size_t d = shape.size(); d-- > 0; stride *= shape[d])
      if (shape[d] != 1) sum += fmt::format("{}{} * {}", sum.empty() ? "" : " + ", coordinates[d], stride);
    return sum.empty() ? "0" : sum;
  }

  /// Statements that return where the element of `value` at these coordinates lies in the input.
  void follow(ir::ValueId value, std::vector<std::string> at) {
    if (problem_.input_index(value) == 0) {
      text_ += fmt::format("  return {};\n", join_index(at, shape_of(value)));
      return;
    }
    const ir::Node& node = body_.node(body_.value(value).producer);
    const std::vector<int64_t> from = shape_of(node.inputs[0]);
    if (node.op == &ops::def::concat) return follow_parts(node, at);
    if (node.op == &ops::def::transpose) {
      const std::vector<size_t> perm = permutation(node);
      std::vector<std::string> before(at.size());
      for (size_t d = 0; d < at.size(); ++d) before[perm[d]] = at[d];
      at = before;
    } else if (node.op == &ops::def::slice) {
      const std::vector<SliceWindow> windows = *windows_of(body_, node);
      for (size_t d = 0; d < at.size(); ++d)
        if (windows[d].start != 0 || windows[d].step != 1)
          at[d] = name(fmt::format("{} * {} + {}", at[d], windows[d].step, windows[d].start));
    } else if (node.op == &ops::def::split) {
      const size_t axis =
          axis_of(node.attributes.as<ops::SplitAttributes>().axis, static_cast<int64_t>(from.size()));
      at[axis] = name(fmt::format("{} + {}", at[axis], split_start(node, value)));
    } else {
      at = split_index(name(join_index(at, shape_of(value))), from);
    }
    follow(node.inputs[0], at);
  }
  void follow_parts(const ir::Node& concat, const std::vector<std::string>& at) {
    const size_t axis =
        axis_of(concat.attributes.as<ops::AxisAttributes>().axis, static_cast<int64_t>(at.size()));
    int64_t start = 0;
    for (size_t i = 0; i < concat.inputs.size(); ++i) {
      const int64_t end = start + shape_of(concat.inputs[i])[axis];
      const bool last = i + 1 == concat.inputs.size();
      if (!last) text_ += fmt::format("  if ({} < {}) {{\n", at[axis], end);
      std::vector<std::string> inside = at;
      if (start > 0) inside[axis] = name(fmt::format("{} - {}", at[axis], start));
      follow(concat.inputs[i], inside);
      if (!last) text_ += "  }\n";
      start = end;
    }
  }

  const Problem& problem_;
  const ir::Graph& body_;
  std::string text_;
  int names_ = 0, ways_ = 0;
};

class ComposedMove : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.composed_move"; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    if (problem.nodes().size() < 2) return Support::no("one op");
    if (!problem.is_static()) return Support::no("it takes fixed sizes");
    if (problem.input_count() != 1 || problem.output_count() != 1 || problem.is_weight(0))
      return Support::no("not from one tensor to one");
    const ir::TensorType &x = problem.input(0), &y = problem.output(0);
    if (x.layout != ir::Layout::plain || y.layout != ir::Layout::plain)
      return Support::no("it takes plain tensors");
    if (x.dtype != y.dtype) return Support::no("the elements change");
    const int64_t most = std::max(ir::product(x.shape).constant(), ir::product(y.shape).constant());
    if (most == 0 || most > std::numeric_limits<int32_t>::max() - 4096)
      return Support::no("{} elements", most);
    return Places(problem).supports(problem.body().outputs[0].value);
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem&, const device::DeviceInfo&) const override {
    return {{ir::Layout::plain, ir::Layout::plain}};
  }

  std::string source(const Problem& problem, const std::string&, const Arch&) const override {
    return fmt::format("using Element = {};\n", memory_type(carrier(problem.output(0).dtype))) +
           constants_text(
               {{"VECTOR", vector(problem)}, {"TOTAL", ir::product(problem.output(0).shape).constant()}}) +
           Places(problem).text() + kernel_text("composed_move");
  }

  Sizes sizes(const Problem&, const std::string&) const override { return {}; }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string&,
                               const Arch&) const override {
    const int64_t items = ir::product(problem.output(0).shape).constant() / vector(problem);
    Launch launch;
    launch.grid[0] = static_cast<unsigned>((items + launch.threads - 1) / launch.threads);
    return {launch};
  }

 private:
  static int64_t vector(const Problem& problem) {
    int64_t width = 16 / dtype_bytes(problem.output(0).dtype);
    while (width > 1 && !Places(problem).keeps(problem.body().outputs[0].value, width)) width /= 2;
    return width;
  }
};

}  // namespace

const device::Tactic& composed_move_tactic() {
  static const ComposedMove tactic;
  return tactic;
}

}  // namespace burnish::cuda
