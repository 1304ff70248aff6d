// Ops that only move elements: the output is the input walked at other strides.
#include "cuda/body_text.h"
#include "cuda/elementwise.h"
#include "cuda/tactics.h"
#include "device/layout.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/slice.h"
#include "ops/strided_source.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

std::string carried(const std::string& pointer, DType dtype, bool constant) {
  return fmt::format("reinterpret_cast<{}{}*>({})", constant ? "const " : "", memory_type(carrier(dtype)),
                     pointer);
}

/// Orders per-logical-dimension strides as `type` lies in memory.
Strides physical(const Strides& logical, const ir::TensorType& type) {
  Strides ordered;
  for (int d : physical_order(type.rank(), type.layout)) ordered.push_back(logical[static_cast<size_t>(d)]);
  return ordered;
}

/// One copy of a grid: `sizes` elements from input `input` to output `output`.
struct Copy {
  int input = 0, output = 0;
  std::vector<Dim> sizes;
  Strides from, to;
  Dim from_offset = 0, to_offset = 0;
};

struct WindowAlong {
  Dim start, step = 1;
};

/// The windows of a slice whose operands are known, one per dimension; nullopt where a symbolic dimension
/// would have to be clamped.
std::optional<std::vector<WindowAlong>> slice_of(const Problem& problem, const ir::Node& node) {
  const std::vector<Dim>& shape = problem.input(0).shape;
  std::vector<std::vector<int64_t>> operands(5);
  for (size_t i = 1; i < node.inputs.size(); ++i) {
    if (!node.inputs[i]) continue;
    const auto known = ops::known_contents(problem.body(), node.inputs[i]);
    const auto numbers = known ? ir::constants(*known) : std::nullopt;
    if (!numbers) return std::nullopt;
    operands[i] = *numbers;
  }
  std::vector<WindowAlong> windows(shape.size(), WindowAlong{0, 1});
  for (size_t i = 0; i < operands[1].size(); ++i) {
    const size_t axis = static_cast<size_t>(
        operands[3].empty() ? static_cast<int64_t>(i)
                            : ops::normalize_axis(operands[3][i], problem.input(0).rank()));
    const int64_t step = operands[4].empty() ? 1 : operands[4][i], start = operands[1][i];
    if (shape[axis].is_constant()) {
      const ops::SliceWindow window = ops::slice_window(shape[axis].constant(), start, operands[2][i], step);
      windows[axis] = {window.start, window.step};
    } else if (start == 0 && step > 0) {
      windows[axis] = {0, step};
    } else {
      return std::nullopt;
    }
  }
  return windows;
}

Copy whole(const Problem& problem, int input, int output) {
  Copy copy{input, output, problem.output(output).shape, {}, logical_strides(problem.output(output)), 0, 0};
  return copy;
}

Support plan(const Problem& problem, std::vector<Copy>& copies) {
  if (problem.nodes().size() != 1) return Support::no("several ops");
  const ir::Node& node = problem.node(0);
  const int source = node.inputs.empty() || !node.inputs[0] ? -1 : problem.input_index(node.inputs[0]);
  if (source < 0) return Support::no("its input is a literal");
  const ir::TensorType& x = problem.input(source);
  const Strides strides = logical_strides(x);
  if (node.op == &ops::def::transpose) {
    std::vector<int64_t> perm = node.attributes.as<ops::TransposeAttributes>().perm;
    if (perm.empty())
      for (int64_t d = x.rank(); d-- > 0;) perm.push_back(d);
    Copy copy = whole(problem, source, 0);
    for (int64_t d : perm)
      copy.from.push_back(strides[static_cast<size_t>(ops::normalize_axis(d, x.rank()))]);
    copies.push_back(std::move(copy));
  } else if (node.op == &ops::def::expand) {
    Copy copy = whole(problem, source, 0);
    const auto repeated = broadcast_strides(x, problem.output(0).shape);
    if (!repeated) return Support::no("it cannot be told which dimensions are repeated");
    copy.from = *repeated;
    copies.push_back(std::move(copy));
  } else if (node.op == &ops::def::slice) {
    const auto windows = slice_of(problem, node);
    if (!windows) return Support::no("where it starts is not known at build");
    Copy copy = whole(problem, source, 0);
    for (size_t d = 0; d < windows->size(); ++d) {
      copy.from.push_back(strides[d] * (*windows)[d].step);
      copy.from_offset = copy.from_offset + strides[d] * (*windows)[d].start;
    }
    copies.push_back(std::move(copy));
  } else if (node.op == &ops::def::split) {
    const size_t axis =
        static_cast<size_t>(ops::normalize_axis(node.attributes.as<ops::SplitAttributes>().axis, x.rank()));
    Dim begin = 0;
    for (int i = 0; i < problem.output_count(); ++i) {
      Copy copy = whole(problem, source, i);
      copy.from = strides;
      copy.from_offset = begin * strides[axis];
      begin = begin + problem.output(i).shape[axis];
      copies.push_back(std::move(copy));
    }
  } else if (node.op == &ops::def::gather) {  // at one index
    const ops::StridedSource found = ops::strided_source(problem.body(), node.outputs[0]);
    if (found.moves.empty()) return Support::no("a gather at several indices");
    if (x.layout != ir::Layout::plain || problem.output(0).layout != ir::Layout::plain)
      return Support::no("a gather takes plain tensors");
    Copy copy = whole(problem, source, 0);
    copy.from = found.strides;
    copy.from_offset = found.offset;
    copies.push_back(std::move(copy));
  } else {
    return Support::no("{} is no move of elements", node.op->name);
  }
  return Support::yes();
}

class Move : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.move"; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    if (Support support = supports_layouts(problem); !support) return support;
    std::vector<Copy> copies;
    if (Support support = plan(problem, copies); !support) return support;
    constexpr size_t most_copies = 24;
    return copies.size() <= most_copies ? Support::yes() : Support::no("more than {} parts", most_copies);
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    const ir::Node* transpose = problem.single(ops::def::transpose);
    if (!transpose || problem.input_count() != 1) return uniform_layouts(problem);
    // Those in which nothing moves come first: they are free.
    std::vector<std::vector<ir::Layout>> sets;
    const auto& perm = transpose->attributes.as<ops::TransposeAttributes>().perm;
    for (const auto& [from, to] : device::layouts_without_moves(problem.input(0).shape, perm))
      sets.push_back({from, to});
    sets.push_back({ir::Layout::plain, ir::Layout::plain});
    return sets;
  }

  std::string source(const Problem& problem, const std::string&, const Arch&) const override {
    std::string text;
    for (const Elementwise& kernel : kernels(problem))
      text += kernel.text(
          [](const std::vector<std::string>& names) { return fmt::format("    out0 = {};\n", names[0]); });
    return text;
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    Sizes sizes;
    for (const Elementwise& kernel : kernels(problem)) kernel.add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem& written, const std::string&,
                               const Arch&) const override {
    std::vector<Launch> launches;
    const std::vector<Elementwise> bound = kernels(problem), text = kernels(written);
    for (size_t i = 0; i < bound.size(); ++i) {
      Launch launch = bound[i].launch(text[i].vector_width());
      if (launch.grid[0] > 0) launches.push_back(launch);
    }
    return launches;
  }

 private:
  static std::vector<Elementwise> kernels(const Problem& problem) {
    std::vector<Copy> copies;
    const Support support = plan(problem, copies);
    require(static_cast<bool>(support), "internal: {}", support.reason());
    std::vector<Elementwise> kernels;
    for (const Copy& copy : copies) {
      const ir::TensorType& y = problem.output(copy.output);
      const DType dtype = carrier(y.dtype);
      Accessed from{carried(operand_pointer(problem, copy.input), y.dtype, true), dtype,
                    physical(copy.from, y), copy.from_offset};
      Accessed to{carried(fmt::format("p.y{}", copy.output), y.dtype, false), dtype, physical(copy.to, y),
                  copy.to_offset};
      kernels.emplace_back(fmt::format("move{}", kernels.size()), physical(copy.sizes, y),
                           std::vector<Accessed>{from}, std::vector<Accessed>{to});
    }
    return kernels;
  }
};

}  // namespace

const device::Tactic& move_tactic() {
  static const Move tactic;
  return tactic;
}

}  // namespace burnish::cuda
