// Reductions of floats over any axes, in any layout.
#include <algorithm>
#include <cmath>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/physical_view.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/simd_tactics.h"
#include "base/parallel.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/reduce.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain = 16 << 10;  ///< elements that are worth a thread
constexpr int64_t rows_per_sum =
    64;  ///< are summed before the sum joins the others, which keeps roundings few

enum class End : uint8_t { none, mean, root, logarithm };

struct ReduceOp {
  const ops::OpDef* op;
  Fold fold;
  End end;
};

const ReduceOp* find_reduction(const device::Problem& problem) {
  using namespace ops::def;
  static const ReduceOp table[] = {
      {&reduce_sum, Fold::sum, End::none},          {&reduce_mean, Fold::sum, End::mean},
      {&reduce_max, Fold::largest, End::none},      {&reduce_min, Fold::smallest, End::none},
      {&reduce_prod, Fold::product, End::none},     {&reduce_l1, Fold::absolute_sum, End::none},
      {&reduce_l2, Fold::square_sum, End::root},    {&reduce_sum_square, Fold::square_sum, End::none},
      {&reduce_log_sum, Fold::sum, End::logarithm},
  };
  for (const ReduceOp& row : table)
    if (problem.single(*row.op)) return &row;
  return nullptr;
}

/// Which logical dimensions go; nullopt where that is known at run time only.
std::optional<std::vector<bool>> reduced_dimensions(const device::Problem& problem) {
  const ir::Node& node = problem.node(0);
  const auto& attributes = node.attributes.as<ops::ReduceAttributes>();
  std::vector<int64_t> axes = attributes.axes;
  if (node.inputs.size() > 1 && node.inputs[1]) {
    const Tensor& literal = problem.literal(node.inputs[1]);
    if (literal.empty()) return std::nullopt;
    axes = ops::integers_of(literal);
  }
  const int64_t rank = problem.input(0).rank();
  std::vector<bool> reduced(static_cast<size_t>(rank), axes.empty() && !attributes.noop_with_empty_axes);
  for (int64_t axis : axes) reduced[static_cast<size_t>(ops::normalize_axis(axis, rank))] = true;
  return reduced;
}

/// Neighbouring dimensions, of which all or none are reduced.
struct Span {
  int64_t size;
  bool reduced;
};

/// A reduction of a tensor as it lies in memory.
class Reduction {
 public:
  Reduction(const ReduceOp& op, const std::vector<bool>& reduced, const device::BoundTensor& x) : op_(op) {
    const auto add = [&](int64_t size, bool gone) {
      (gone ? reduced_ : kept_) *= size;
      if (size == 1) return;
      if (!spans_.empty() && spans_.back().reduced == gone)
        spans_.back().size *= size;
      else
        spans_.push_back({size, gone});
    };
    const int64_t block = block_size(x.layout);
    const bool channels_last = x.layout != ir::Layout::plain && x.shape.size() > 1;
    for (size_t d = 0; d < x.shape.size(); ++d) {
      if (d == 1 && channels_last && block == 1) continue;
      add(d == 1 && channels_last ? x.shape[d] / block : x.shape[d], reduced[d]);
    }
    if (channels_last) add(block > 1 ? block : x.shape[1], reduced[1]);
    if (spans_.empty()) spans_.push_back({1, false});
    inner_ = spans_.back();
    spans_.pop_back();
  }

  void run(const float* x, float* y) const {
    if (kept_ == 0) return;
    if (inner_.reduced)
      fold_rows(x, y);
    else
      fold_columns(x, y);
  }

 private:
  /// The offset of the `kept`-th combination of kept outer dimensions, or of reduced ones.
  int64_t offset(int64_t index, bool reduced) const {
    int64_t result = 0, stride = inner_.size;
    for (size_t d = spans_.size(); d-- > 0; stride *= spans_[d].size) {
      if (spans_[d].reduced != reduced) continue;
      result += index % spans_[d].size * stride;
      index /= spans_[d].size;
    }
    return result;
  }

  void finish(float* y, int64_t count) const {
    const float inverse = 1.0f / static_cast<float>(reduced_);
    for (int64_t i = 0; i < count; ++i) {
      if (op_.end == End::mean)
        y[i] *= inverse;
      else if (op_.end == End::root)
        y[i] = std::sqrt(y[i]);
      else if (op_.end == End::logarithm)
        y[i] = std::log(y[i]);
    }
  }

  void fold_rows(const float* x, float* y) const {
    const RowKernels& kernels = row_kernels();
    const int64_t rows = inner_.size == 0 ? 0 : reduced_ / inner_.size;
    parallel_for(kept_, std::max<int64_t>(1, grain / std::max<int64_t>(1, reduced_)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const float* from = x + offset(i, false);
                     y[i] = fold_start(op_.fold);
                     for (int64_t row = 0; row < rows; ++row)
                       y[i] = kernels.fold(op_.fold, from + offset(row, true), inner_.size, y[i]);
                   }
                   finish(y + begin, end - begin);
                 });
  }

  void fold_columns(const float* x, float* y) const {
    const RowKernels& kernels = row_kernels();
    const int64_t inner = inner_.size, parts = (inner + most_columns - 1) / most_columns;
    // Squares and absolute values are summed plainly once they are taken.
    const Fold join = op_.fold == Fold::absolute_sum || op_.fold == Fold::square_sum ? Fold::sum : op_.fold;
    parallel_for(
        kept_ / inner * parts,
        std::max<int64_t>(1, grain / (std::max<int64_t>(1, reduced_) * std::min(inner, most_columns))),
        [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) {
            const int64_t column = i % parts * most_columns, count = std::min(most_columns, inner - column);
            const float* from = x + offset(i / parts, false) + column;
            float* to = y + i / parts * inner + column;
            float block[most_columns];
            std::fill_n(to, count, fold_start(op_.fold));
            for (int64_t row = 0; row < reduced_;) {
              std::fill_n(block, count, fold_start(op_.fold));
              for (const int64_t stop = std::min(reduced_, row + rows_per_sum); row < stop; ++row)
                kernels.fold_into(op_.fold, from + offset(row, true), block, count);
              kernels.fold_into(join, block, to, count);
            }
            finish(to, count);
          }
        });
  }

  ReduceOp op_;
  std::vector<Span> spans_;  // without the innermost
  Span inner_{1, false};
  int64_t kept_ = 1, reduced_ = 1;
};

/// Whether what is kept lies in the output as in the input.
Support keeps_order(const device::Problem& problem, const std::vector<bool>& reduced) {
  const ir::TensorType &x = problem.input(0), &y = problem.output(0);
  if (x.layout == ir::Layout::plain && y.layout == ir::Layout::plain) return Support::yes();
  if (x.layout == ir::Layout::plain || x.rank() < 3) return Support::no("another layout than the input's");
  const int64_t block = block_size(x.layout);
  if (block > 1 && (!x.shape[1].is_constant() || x.shape[1].constant() % block != 0 || reduced[1]))
    return Support::no("blocks do not divide the channels, or are reduced");
  if (y.layout == x.layout)
    return y.rank() == x.rank() ? Support::yes()
                                : Support::no("without the input's rank, the output must be plain");
  if (y.layout != ir::Layout::plain) return Support::no("another layout than the input's");
  const bool keeps_pixels = std::find(reduced.begin() + 2, reduced.end(), false) != reduced.end();
  if (keeps_pixels && !reduced[1]) return Support::no("pixels and channels would change places");
  return Support::yes();
}

class ReduceTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.reduce"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (!find_reduction(problem)) return Support::no("no reduction that has a kernel");
    if (problem.input_count() != 1 || problem.input_index(problem.node(0).inputs[0]) != 0 ||
        problem.input(0).dtype != DType::f32)
      return Support::no("one f32 input only");
    const auto reduced = reduced_dimensions(problem);
    if (!reduced) return Support::no("the axes are known at run time only");
    return keeps_order(problem, *reduced);
  }
  std::vector<std::vector<ir::Layout>> layouts(const device::Problem& problem,
                                               const device::DeviceInfo& device) const override {
    using ir::Layout;
    const bool reducible =
        find_reduction(problem) && problem.input_count() == 1 && problem.output_count() == 1;
    if (!reducible || problem.input(0).rank() < 3) return Tactic::layouts(problem, device);
    return {{Layout::nhwc, Layout::nhwc},  {Layout::c16, Layout::c16},   {Layout::c8, Layout::c8},
            {Layout::nhwc, Layout::plain}, {Layout::c16, Layout::plain}, {Layout::c8, Layout::plain},
            {Layout::plain, Layout::plain}};
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    return kernel_function([problem](const device::BindArguments& arguments) {
      const Reduction reduction(*find_reduction(problem), *reduced_dimensions(problem), arguments.inputs[0]);
      return bound_function(
          [reduction, pointers = InputPointers(problem)](const device::Arguments& run) mutable {
            reduction.run(static_cast<const float*>(pointers.resolve(run)[0]),
                          static_cast<float*>(run.outputs[0]));
          });
    });
  }
};

/// arg_max and arg_min.
class ArgTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.arg"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (!problem.single(ops::def::arg_max) && !problem.single(ops::def::arg_min))
      return Support::no("neither arg_max nor arg_min");
    if (problem.input_count() != 1 || problem.input(0).dtype != DType::f32) return Support::no("f32 only");
    const int64_t rank = problem.input(0).rank();
    const int64_t axis =
        ops::normalize_axis(problem.node(0).attributes.as<ops::ArgReduceAttributes>().axis, rank);
    if (axis != rank - 1) return Support::no("the last axis only");
    return only_plain(problem);
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    const Fold fold = problem.single(ops::def::arg_max) ? Fold::largest : Fold::smallest;
    const bool last = problem.node(0).attributes.as<ops::ArgReduceAttributes>().select_last_index;
    return kernel_function([=](const device::BindArguments& arguments) {
      const int64_t n = arguments.inputs[0].shape.back(),
                    rows = element_count(arguments.inputs[0].shape) / std::max<int64_t>(1, n);
      return bound_function([=, pointers = InputPointers(problem)](const device::Arguments& run) mutable {
        const float* x = static_cast<const float*>(pointers.resolve(run)[0]);
        int64_t* y = static_cast<int64_t*>(run.outputs[0]);
        const RowKernels& kernels = row_kernels();
        parallel_for(rows, std::max<int64_t>(1, grain / n), [&](int64_t begin, int64_t end) {
          for (int64_t row = begin; row < end; ++row)
            y[row] = kernels.find(x + row * n, n, kernels.fold(fold, x + row * n, n, fold_start(fold)), last);
        });
      });
    });
  }
};

}  // namespace

const device::Tactic& reduce_tactic() {
  static const ReduceTactic tactic;
  return tactic;
}

const device::Tactic& arg_tactic() {
  static const ArgTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
