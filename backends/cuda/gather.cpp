// Slices at given indices along one axis (embeddings), by kernels/gather.cuh.
#include "cuda/body_text.h"
#include "cuda/tactics.h"
#include "ops/data_attributes.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Problem;
using ir::Dim;

struct Parts {
  int x = -1, indices = -1;
  Dim outer = 1, axis = 1, inner = 1, count = 1;
};

Support analyse(const Problem& problem, Parts& parts) {
  const ir::Node* node = problem.single(ops::def::gather);
  if (!node) return Support::no("not a gather");
  parts.x = problem.input_index(node->inputs[0]);
  parts.indices = problem.input_index(node->inputs[1]);
  if (parts.x < 0 || parts.indices < 0) return Support::no("an operand is a literal");
  for (int i = 0; i < problem.input_count(); ++i)
    if (problem.input(i).layout != ir::Layout::plain) return Support::no("it takes plain tensors");
  if (problem.output(0).layout != ir::Layout::plain) return Support::no("it gives plain tensors");
  const ir::TensorType& x = problem.input(parts.x);
  const DType index = problem.input(parts.indices).dtype;
  if (index != DType::i32 && index != DType::i64) return Support::no("indices of {}", dtype_name(index));
  const int64_t axis = ops::normalize_axis(node->attributes.as<ops::AxisAttributes>().axis, x.rank());
  for (int64_t d = 0; d < x.rank(); ++d) {
    Dim& part = d < axis ? parts.outer : d == axis ? parts.axis : parts.inner;
    part = part * x.shape[static_cast<size_t>(d)];
  }
  parts.count = ir::product(problem.input(parts.indices).shape);
  return Support::yes();
}

Parts parts_of(const Problem& problem) {
  Parts parts;
  const Support support = analyse(problem, parts);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return parts;
}

class Gather : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.gather"; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    if (Support support = supports_layouts(problem); !support) return support;
    Parts parts;
    return analyse(problem, parts);
  }

  std::string source(const Problem& problem, const std::string&, const Arch&) const override {
    const Parts parts = parts_of(problem);
    const int64_t bytes = dtype_bytes(problem.output(0).dtype);
    const std::string element = bytes == 1   ? "uint8_t"
                                : bytes == 2 ? "uint16_t"
                                : bytes == 4 ? "uint32_t"
                                             : "uint64_t";
    return fmt::format("using Element = {};\n", element) +
           constants_text({{"VECTOR", vector(problem, parts)}}) +
           fmt::format(
               "BURNISH_DEVICE const Element* x_of(const Operands& p) {{ return reinterpret_cast<const "
               "Element*>({}); }}\n"
               "BURNISH_DEVICE const {}* indices_of(const Operands& p) {{ return {}; }}\n"
               "BURNISH_DEVICE Element* y_of(const Operands& p) {{ return reinterpret_cast<Element*>(p.y0); "
               "}}\n",
               operand_pointer(problem, parts.x), memory_type(problem.input(parts.indices).dtype),
               operand_pointer(problem, parts.indices)) +
           kernel_text("gather");
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    const Parts parts = parts_of(problem);
    Sizes sizes;
    sizes.add("outer", parts.outer);
    sizes.add("axis", parts.axis);
    sizes.add("inner", parts.inner);
    sizes.add("count", parts.count);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem& written, const std::string&,
                               const Arch&) const override {
    const Parts parts = parts_of(problem);
    const int64_t items =
        (parts.outer * parts.count * parts.inner).constant() / vector(written, parts_of(written));
    if (items == 0) return {};
    Launch launch;
    launch.grid[0] = static_cast<unsigned>((items + 127) / 128);
    return {launch};
  }

 private:
  static int vector(const Problem& problem, const Parts& parts) {
    if (!parts.inner.is_constant()) return 1;
    int width = static_cast<int>(16 / dtype_bytes(problem.output(0).dtype));
    while (parts.inner.constant() % width) width /= 2;
    return width;
  }
};

}  // namespace

const device::Tactic& gather_tactic() {
  static const Gather tactic;
  return tactic;
}

}  // namespace burnish::cuda
