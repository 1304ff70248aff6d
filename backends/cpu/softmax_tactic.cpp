// softmax and log_softmax along any axis.
#include <algorithm>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/simd_tactics.h"
#include "base/parallel.h"
#include "ops/infer.h"
#include "ops/norm.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain = 8 << 10;  ///< elements that are worth a thread

/// [outer, n, inner] around the axis.
struct AroundAxis {
  int64_t outer = 1, n = 1, inner = 1;
  AroundAxis(const Shape& shape, int64_t axis) : n(shape[static_cast<size_t>(axis)]) {
    for (int64_t d = 0; d < static_cast<int64_t>(shape.size()); ++d)
      if (d != axis) (d < axis ? outer : inner) *= shape[static_cast<size_t>(d)];
  }
};

void run_softmax(const AroundAxis& around, bool logarithm, const float* x, float* y) {
  const RowKernels& kernels = row_kernels();
  const int64_t n = around.n, inner = around.inner;
  if (n == 0) return;
  if (inner == 1) {
    parallel_for(around.outer, std::max<int64_t>(1, grain / n), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) kernels.softmax(x + row * n, y + row * n, n, logarithm);
    });
    return;
  }
  const int64_t parts = (inner + most_columns - 1) / most_columns;
  parallel_for(around.outer * parts, std::max<int64_t>(1, grain / (n * std::min(inner, most_columns))),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   const int64_t column = i % parts * most_columns, offset = i / parts * n * inner + column;
                   kernels.softmax_columns(x + offset, y + offset, n, inner,
                                           std::min(most_columns, inner - column), logarithm);
                 }
               });
}

class SoftmaxTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.softmax"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (!problem.single(ops::def::softmax) && !problem.single(ops::def::log_softmax))
      return Support::no("not softmax");
    if (problem.input_count() != 1 || problem.input(0).dtype != DType::f32) return Support::no("f32 only");
    return only_plain(problem);
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    const bool logarithm = problem.single(ops::def::log_softmax) != nullptr;
    const int64_t axis = ops::normalize_axis(problem.node(0).attributes.as<ops::SoftmaxAttributes>().axis,
                                             problem.input(0).rank());
    return kernel_function([=](const device::BindArguments& arguments) {
      const AroundAxis around(arguments.inputs[0].shape, axis);
      return bound_function(
          [around, logarithm, pointers = InputPointers(problem)](const device::Arguments& run) mutable {
            run_softmax(around, logarithm, static_cast<const float*>(pointers.resolve(run)[0]),
                        static_cast<float*>(run.outputs[0]));
          },
          0, problem.is_weight(0) ? -1 : 0);
    });
  }
};

}  // namespace

const device::Tactic& simd_softmax_tactic() {
  static const SoftmaxTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
