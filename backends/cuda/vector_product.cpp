// The product of one row and a matrix of weights, with any pointwise body, by kernels/vector_product.cuh:
// heads of batch 1, and the two layers of a squeeze-and-excitation, whose time is all latency.
#include <algorithm>
#include <cmath>

#include "base/dispatch.h"
#include "cuda/contraction_tactic.h"
#include "cuda/tactics.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// Threads of a column, from "lanes16".
int lanes_of(const std::string& candidate) {
  for (int lanes = 1; lanes <= 32; lanes *= 2)
    if (candidate == fmt::format("lanes{}", lanes)) return lanes;
  fail("'{}' is no candidate of cuda.vector_product", candidate);
}

/// Neighbours of the inner dimension in one load.
int64_t vector_of(const Contraction& c) {
  int64_t width = 16 / dtype_bytes(c.dtype);
  while (c.inner.constant() % width || c.left_offset % width) width /= 2;
  return width;
}

/// Loads of a column's weights before the row is there.
int64_t early_loads(const Contraction& c, int lanes) {
  return std::min<int64_t>(8, ceil_div(c.inner.constant(), lanes * vector_of(c)));
}

class VectorProduct : public ContractionTactic {
 public:
  std::string name() const override { return "cuda.vector_product"; }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    const auto sets = uniform_layouts(problem);
    Contraction c;  // asked for before supports()
    if (!Contraction::analyse(problem, c) || !c.conv)
      return {std::vector<ir::Layout>(sets[0].size(), ir::Layout::plain)};
    return {sets[0]};
  }

  std::vector<Candidate> configurations(const Problem& problem, const Gpu&) const override {
    const Contraction c = contraction_of(problem.at_opt());
    const double bytes = static_cast<double>((c.inner * c.columns).constant() * dtype_bytes(c.dtype));
    const int64_t vectors = c.inner.constant() / vector_of(c);
    std::vector<Candidate> found;
    for (int lanes = 32; lanes >= 1 && found.size() < 2; lanes /= 2) {
      if (lanes >= 2 * vectors) continue;  // half of them had nothing to do
      const double rest = static_cast<double>(ceil_div(vectors, lanes) - early_loads(c, lanes));
      found.push_back({fmt::format("lanes{}", lanes), 1.3 + bytes / 2.7e6 + std::ceil(rest / 8) * 0.6});
    }
    sort_by_estimate(found);
    return found;
  }

  std::string source(const Problem& problem, const std::string& candidate, const Arch&) const override {
    const Contraction c = contraction_of(problem);
    const int lanes = lanes_of(candidate);
    return fmt::format("using Element = {};\n", memory_type(c.dtype)) +
           constants_text({{"LANES", lanes}, {"VECTOR_K", vector_of(c)}, {"EARLY", early_loads(c, lanes)}}) +
           fmt::format(
               "BURNISH_DEVICE const Element* row_operand(const Operands& p) {{ return p.x{} + {}; }}\n",
               c.left, c.left_offset) +
           fmt::format(
               "BURNISH_DEVICE const Element* weights(const Operands& p) {{ return static_cast<const "
               "Element*>(p.c{}); }}\n",
               weight_order(problem, c.right)) +
           Epilogue(problem, c, 1).text() + kernel_text("vector_product");
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    const Contraction c = contraction_of(problem);
    Sizes sizes;
    sizes.add("rows", c.rows);
    sizes.add("columns", c.columns);
    sizes.add("inner", c.inner);
    Epilogue(problem, c, 1).add_sizes(sizes);
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string& candidate,
                               const Arch&) const override {
    Launch launch;
    launch.grid[0] =
        static_cast<unsigned>(ceil_div(contraction_of(problem).columns.constant(),
                                       launch.threads / static_cast<unsigned>(lanes_of(candidate))));
    return {launch};
  }

 private:
  Support analyse(const Problem& problem, Contraction& c) const override {
    if (Support support = Contraction::analyse(problem, c); !support) return support;
    if (!c.total_rows.is(1) || !c.batch.is(1) || c.groups != 1) return Support::no("more than one row");
    if (c.conv && (c.kernel[0] != 1 || c.kernel[1] != 1 || c.pads[0] || c.pads[1]))
      return Support::no("a window of several pixels");
    if (!c.right_is_weight(problem) || problem.is_weight(c.left))
      return Support::no("it takes a matrix of weights");
    if (!is_floating(c.dtype) || c.dtype == DType::f64) return Support::no("it takes f32, f16 and bf16");
    if (!c.inner.is_constant() || c.inner.is(0) || !c.left_c.is(1))
      return Support::no("the row's elements lie apart");
    return Support::yes();
  }

  /// [column][inner].
  Tensor pack_right(const Contraction& c, const std::string&, const Tensor& weight) const override {
    const int64_t columns = c.columns.constant(), inner = c.inner.constant();
    const int64_t n_stride = c.conv ? inner : c.right_n.constant(),
                  k_stride = c.conv ? 1 : c.right_k.constant();
    Tensor packed(weight.dtype(), {columns, inner});
    dispatch_bytes(weight.dtype(), [&]<class T>(Type<T>) {
      for (int64_t n = 0; n < columns; ++n)
        for (int64_t k = 0; k < inner; ++k)
          static_cast<T*>(packed.raw())[n * inner + k] =
              static_cast<const T*>(weight.raw())[n * n_stride + k * k_stride];
    });
    return packed;
  }
};

}  // namespace

const device::Tactic& vector_product_tactic() {
  static const VectorProduct tactic;
  return tactic;
}

}  // namespace burnish::cuda
