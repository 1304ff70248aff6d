#include "cuda/elementwise.h"

#include <algorithm>

#include "cuda/body_text.h"

namespace burnish::cuda {
namespace {

using ir::Dim;

constexpr int threads = 128;

bool divisible(const Dim& value, int by) {
  return value.is_constant() ? value.constant() % by == 0 : ir::mod(value, by).is(0);
}

/// The most elements that one thread may take: 16 bytes of the widest type, where every operand allows it.
int widest_vector(const Walk& walk, const std::vector<Accessed>& operands) {
  int64_t bytes = 1;
  for (const Accessed& operand : operands) bytes = std::max(bytes, dtype_bytes(operand.dtype));
  for (int width = static_cast<int>(16 / bytes); width > 1; width /= 2) {
    // The last vector of one long axis may be cut off; rows of several axes must be whole vectors.
    bool fits = walk.sizes.size() == 1 || divisible(walk.sizes.back(), width);
    for (size_t i = 0; i < operands.size() && fits; ++i) {
      const Strides& strides = walk.operands[i];
      if (!strides.back().is(1)) continue;
      fits = divisible(operands[i].offset, width);
      for (size_t axis = 0; axis + 1 < strides.size() && fits; ++axis) fits = divisible(strides[axis], width);
    }
    if (fits) return width;
  }
  return 1;
}

}  // namespace

DType carrier(DType dtype) {
  switch (dtype_bytes(dtype)) {
    case 1:
      return DType::u8;
    case 2:
      return DType::u16;
    case 4:
      return DType::u32;
    default:
      return DType::u64;
  }
}

Elementwise::Elementwise(std::string entry, std::vector<Dim> domain, std::vector<Accessed> inputs,
                         std::vector<Accessed> outputs)
    : entry_(std::move(entry)), operands_(std::move(inputs)), inputs_(operands_.size()) {
  operands_.insert(operands_.end(), outputs.begin(), outputs.end());
  walk_.sizes = std::move(domain);
  for (const Accessed& operand : operands_) walk_.operands.push_back(operand.strides);
  walk_.merge();
  vector_ = widest_vector(walk_, operands_);
}

std::string Elementwise::size_name(size_t operand, size_t axis) const {
  return fmt::format("{}_stride{}_{}", entry_, operand, axis);
}

void Elementwise::add_sizes(Sizes& sizes) const {
  sizes.add(entry_ + "_total", ir::product(walk_.sizes));
  for (size_t axis = 0; axis < walk_.sizes.size(); ++axis)
    sizes.add(fmt::format("{}_size{}", entry_, axis), walk_.sizes[axis]);
  for (size_t i = 0; i < operands_.size(); ++i) {
    sizes.add(fmt::format("{}_offset{}", entry_, i), operands_[i].offset);
    for (size_t axis = 0; axis < walk_.sizes.size(); ++axis)
      sizes.add(size_name(i, axis), walk_.operands[i][axis]);
  }
}

std::string Elementwise::offset_text(size_t operand) const {
  std::string text = fmt::format("s.{}_offset{}", entry_, operand);
  for (size_t axis = 0; axis < walk_.sizes.size(); ++axis)
    if (!walk_.operands[operand][axis].is(0))
      text += fmt::format(" + a{} * s.{}", axis, size_name(operand, axis));
  return text;
}

std::string Elementwise::text(const std::function<std::string(const std::vector<std::string>&)>& body) const {
  std::string text = fmt::format(
      "template <int V> BURNISH_DEVICE void {}_run(const Operands& p, const Sizes& s, int rest) {{\n",
      entry_);
  for (size_t axis = walk_.sizes.size(); axis-- > 1;)
    text += fmt::format("  const int a{0} = rest % s.{1}_size{0};\n  rest /= s.{1}_size{0};\n", axis, entry_);
  text += "  const int a0 = rest;\n";
  std::vector<std::string> names;
  for (size_t i = 0; i < inputs_; ++i) {
    const Accessed& input = operands_[i];
    const Dim& inner = walk_.operands[i].back();
    const std::string place = fmt::format("{} + ({})", input.pointer, offset_text(i)),
                      type = compute_type(input.dtype);
    if (inner.is(0)) {
      text += fmt::format("  const {} in{} = widen<{}>(*({}));\n", type, i, memory_type(input.dtype), place);
      names.push_back(fmt::format("in{}", i));
      continue;
    }
    text += fmt::format("  {} in{}[V];\n", type, i);
    if (inner.is(1))
      text += fmt::format("  load<{}, V>(in{}, {});\n", memory_type(input.dtype), i, place);
    else
      text +=
          fmt::format("#pragma unroll\n  for (int j = 0; j < V; ++j) in{}[j] = widen<{}>(({})[j * s.{}]);\n",
                      i, memory_type(input.dtype), place, size_name(i, walk_.sizes.size() - 1));
    names.push_back(fmt::format("in{}[j]", i));
  }
  for (size_t i = inputs_; i < operands_.size(); ++i)
    text += fmt::format("  {} result{}[V];\n", compute_type(operands_[i].dtype), i - inputs_);
  text += "#pragma unroll\n  for (int j = 0; j < V; ++j) {\n";
  for (size_t i = inputs_; i < operands_.size(); ++i)
    text += fmt::format("    auto& out{0} = result{0}[j];\n", i - inputs_);
  text += body(names) + "  }\n";
  for (size_t i = inputs_; i < operands_.size(); ++i) {
    const std::string place = fmt::format("{} + ({})", operands_[i].pointer, offset_text(i)),
                      type = memory_type(operands_[i].dtype);
    if (walk_.operands[i].back().is(1))
      text += fmt::format("  store<{}, V>({}, result{});\n", type, place, i - inputs_);
    else
      text += fmt::format(
          "#pragma unroll\n  for (int j = 0; j < V; ++j) ({})[j * s.{}] = narrow<{}>(result{}[j]);\n", place,
          size_name(i, walk_.sizes.size() - 1), type, i - inputs_);
  }
  const bool may_end_early = walk_.sizes.size() == 1 && !divisible(walk_.sizes[0], vector_);
  text += fmt::format(
      "}}\nextern \"C\" __global__ void __launch_bounds__({0}) {1}(const Operands p, const Sizes s) {{\n"
      "  wait_for_inputs(p);\n  let_next_start();\n  const int i = (blockIdx.x * {0} + threadIdx.x) * {2};\n"
      "  if (i + {2} <= s.{1}_total) {1}_run<{2}>(p, s, i);\n",
      threads, entry_, vector_);
  if (may_end_early)
    text += fmt::format("  else for (int j = i; j < s.{0}_total; ++j) {0}_run<1>(p, s, j);\n", entry_);
  return text + "}\n";
}

Launch Elementwise::launch(int vector) const {
  const int64_t total = ir::product(walk_.sizes).constant(), block = int64_t{threads} * vector;
  Launch launch;
  launch.entry = entry_;
  launch.threads = threads;
  launch.grid[0] = static_cast<unsigned>((total + block - 1) / block);
  return launch;
}

}  // namespace burnish::cuda
