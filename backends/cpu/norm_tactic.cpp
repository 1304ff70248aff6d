// layer_norm, rms_norm, instance_norm and group_norm of floats in plain layout.
#include <algorithm>
#include <cmath>

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

constexpr int64_t grain = 16 << 10;  ///< elements that are worth a thread

/// Where operand `i` of the problem's only node is found: an input's index, or a literal.
struct Operand {
  int input = -1;
  Tensor literal;
  bool there = false;

  Operand(const device::Problem& problem, size_t i) {
    const ir::Node& node = problem.node(0);
    if (i >= node.inputs.size() || !node.inputs[i]) return;
    there = true;
    input = problem.input_index(node.inputs[i]);
    if (input < 0) literal = problem.literal(node.inputs[i]);
  }
  const float* in(const void* const* pointers) const {
    return static_cast<const float*>(!there ? nullptr : input < 0 ? literal.raw() : pointers[input]);
  }
};

/// Layer and RMS norm: rows of n, scale and bias per element.
struct RowNorm {
  Operand x, scale, bias;
  int64_t n;
  float epsilon;
  bool centred;
};

void run_row_norm(const RowNorm& norm, int64_t rows, const void* const* inputs,
                  std::span<void* const> outputs) {
  const RowKernels& kernels = row_kernels();
  const float *x = norm.x.in(inputs), *scale = norm.scale.in(inputs), *bias = norm.bias.in(inputs);
  float* y = static_cast<float*>(outputs[0]);
  float* means = outputs.size() > 1 ? static_cast<float*>(outputs[1]) : nullptr;
  float* deviations = outputs.size() > 2 ? static_cast<float*>(outputs[2]) : nullptr;
  parallel_for(rows, std::max<int64_t>(1, grain / std::max<int64_t>(1, norm.n)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t row = begin; row < end; ++row) {
                   float mean = 0, variance = 0;
                   kernels.moments(x + row * norm.n, norm.n, norm.centred, mean, variance);
                   const float factor = 1 / std::sqrt(variance + norm.epsilon);
                   kernels.affine_rows(x + row * norm.n, y + row * norm.n, norm.n, mean, factor, scale, bias);
                   if (means) means[row] = mean;
                   if (deviations) deviations[row] = factor;
                 }
               });
}

/// Group and instance norm: `channels` planes of `size` elements are normalised together, scale and bias per
/// channel.
struct GroupNorm {
  Operand x, scale, bias;
  int64_t groups, channels, size;
  float epsilon;
};

void run_group_norm(const GroupNorm& norm, int64_t images, const void* const* inputs, float* y) {
  const RowKernels& kernels = row_kernels();
  const float *x = norm.x.in(inputs), *scale = norm.scale.in(inputs), *bias = norm.bias.in(inputs);
  const int64_t group_size = norm.channels * norm.size;
  parallel_for(images * norm.groups, std::max<int64_t>(1, grain / std::max<int64_t>(1, group_size)),
               [&](int64_t begin, int64_t end) {
                 for (int64_t group = begin; group < end; ++group) {
                   float mean = 0, variance = 0;
                   kernels.moments(x + group * group_size, group_size, true, mean, variance);
                   const float factor = 1 / std::sqrt(variance + norm.epsilon);
                   for (int64_t c = 0; c < norm.channels; ++c) {
                     const int64_t channel = group % norm.groups * norm.channels + c,
                                   offset = group * group_size + c * norm.size;
                     kernels.affine(x + offset, y + offset, norm.size, mean, factor * scale[channel],
                                    bias[channel]);
                   }
                 }
               });
}

bool has_shape_of_rows(const device::Problem& problem, ir::ValueId value, int64_t axis) {
  const auto& x = problem.body().value(problem.node(0).inputs[0]).type.shape;
  return problem.body().value(value).type.shape == std::vector<ir::Dim>(x.begin() + axis, x.end());
}

class NormTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.norm"; }

  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    const bool rows = problem.single(ops::def::layer_norm) || problem.single(ops::def::rms_norm);
    if (!rows && !problem.single(ops::def::instance_norm) && !problem.single(ops::def::group_norm))
      return Support::no("no norm alone");
    for (ir::ValueId input : problem.node(0).inputs)
      if (input && problem.body().value(input).type.dtype != DType::f32) return Support::no("f32 only");
    if (rows) {
      const ir::Node& node = problem.node(0);
      const int64_t axis = ops::normalize_axis(node.attributes.as<ops::LayerNormAttributes>().axis,
                                               problem.body().value(node.inputs[0]).type.rank());
      for (size_t i = 1; i < node.inputs.size(); ++i)
        if (node.inputs[i] && !has_shape_of_rows(problem, node.inputs[i], axis))
          return Support::no("scale or bias does not have the shape of a row");
    }
    return only_plain(problem);
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    const bool rows = problem.single(ops::def::layer_norm) || problem.single(ops::def::rms_norm);
    return kernel_function([problem, rows](const device::BindArguments& arguments) {
      return rows ? bind_rows(problem, arguments) : bind_groups(problem, arguments);
    });
  }

 private:
  static Shape shape_of_x(const device::Problem& problem, const device::BindArguments& arguments) {
    const Operand x(problem, 0);
    return x.input < 0 ? x.literal.shape() : arguments.inputs[static_cast<size_t>(x.input)].shape;
  }
  /// x's buffer, if it is no weight and nothing else: rows are read before they are written.
  static int in_place(const device::Problem& problem) {
    const int x = Operand(problem, 0).input;
    return x >= 0 && !problem.is_weight(x) && problem.node(0).inputs[0] != problem.node(0).inputs[1] ? x : -1;
  }

  static std::unique_ptr<device::BoundKernel> bind_rows(const device::Problem& problem,
                                                        const device::BindArguments& arguments) {
    const auto& attributes = problem.node(0).attributes.as<ops::LayerNormAttributes>();
    const Shape shape = shape_of_x(problem, arguments);
    const int64_t axis = ops::normalize_axis(attributes.axis, static_cast<int64_t>(shape.size()));
    RowNorm norm{Operand(problem, 0),
                 Operand(problem, 1),
                 Operand(problem, 2),
                 1,
                 static_cast<float>(attributes.epsilon),
                 problem.single(ops::def::layer_norm) != nullptr};
    int64_t rows = 1;
    for (int64_t d = 0; d < static_cast<int64_t>(shape.size()); ++d)
      (d < axis ? rows : norm.n) *= shape[static_cast<size_t>(d)];
    return bound_function(
        [norm, rows, pointers = InputPointers(problem)](const device::Arguments& run) mutable {
          run_row_norm(norm, rows, pointers.resolve(run), run.outputs);
        },
        0, in_place(problem));
  }

  static std::unique_ptr<device::BoundKernel> bind_groups(const device::Problem& problem,
                                                          const device::BindArguments& arguments) {
    const ir::Node& node = problem.node(0);
    const Shape shape = shape_of_x(problem, arguments);
    const bool grouped = problem.single(ops::def::group_norm) != nullptr;
    const int64_t groups = grouped ? node.attributes.as<ops::GroupNormAttributes>().num_groups : shape[1];
    const double epsilon = grouped ? node.attributes.as<ops::GroupNormAttributes>().epsilon
                                   : node.attributes.as<ops::EpsilonAttributes>().epsilon;
    GroupNorm norm{Operand(problem, 0),
                   Operand(problem, 1),
                   Operand(problem, 2),
                   groups,
                   shape[1] / std::max<int64_t>(1, groups),
                   1,
                   static_cast<float>(epsilon)};
    for (size_t d = 2; d < shape.size(); ++d) norm.size *= shape[d];
    return bound_function(
        [norm, images = shape[0], pointers = InputPointers(problem)](const device::Arguments& run) mutable {
          run_group_norm(norm, images, pointers.resolve(run), static_cast<float*>(run.outputs[0]));
        },
        0, in_place(problem));
  }
};

}  // namespace

const device::Tactic& norm_tactic() {
  static const NormTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
