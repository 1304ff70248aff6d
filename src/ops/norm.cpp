// Normalisations by mean and variance. Everything is summed in double.
#include "ops/norm.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "ops/host.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

using ir::Dim;

/// Inputs `first` and on are vectors with one number per channel of x [N, C, ...].
void check_per_channel(const InferContext& context, int first) {
  const std::vector<Dim>& x = context.shape(0);
  require(x.size() >= 2, "x is {}; [N, C, ...] is expected", context.type(0).str());
  for (int i = first; i < context.inputs(); ++i) {
    const ir::TensorType& type = context.type(i);
    require(is_floating(type.dtype) && type.rank() == 1 &&
                (!x[1].is_constant() || !type.shape[0].is_constant() || x[1] == type.shape[0]),
            "input {} ('{}') is {}; one number for each of {} channels is expected", i,
            context.op().inputs[static_cast<size_t>(i)].name, type.str(), x[1].str());
  }
}

void infer_per_channel(InferContext& context) {
  check_per_channel(context, 1);
  infer_same(context);
}

void infer_group_norm(InferContext& context) {
  const int64_t groups = context.attributes<GroupNormAttributes>().num_groups;
  infer_per_channel(context);
  const Dim& channels = context.shape(0)[1];
  require(groups >= 1 && (!channels.is_constant() || channels.constant() % groups == 0),
          "{} channels cannot be split into {} groups", channels.str(), groups);
}

/// Of layer_norm and rms_norm. Outputs 1 and 2 are the statistics, f32 as ONNX's default stash_type says.
void infer_layer_norm(InferContext& context) {
  const ir::TensorType& x = context.type(0);
  const int64_t axis = normalize_axis(context.attributes<LayerNormAttributes>().axis, x.rank());
  for (int i = 1; i < context.inputs(); ++i) {
    if (!context.has(i)) continue;
    const auto joint = ir::constants(broadcast_shapes(x.shape, context.shape(i))),
               own = ir::constants(x.shape);
    require(context.type(i).rank() <= x.rank() && (!joint || !own || *joint == *own),
            "input {} is {}; it does not broadcast to x, {}", i, context.type(i).str(), x.str());
  }
  infer_same(context);
  std::vector<Dim> statistics = x.shape;
  for (size_t d = static_cast<size_t>(axis); d < statistics.size(); ++d) statistics[d] = 1;
  for (int i = 1; i < context.outputs(); ++i)
    context.set(i, x.dtype == DType::f64 ? DType::f64 : DType::f32, statistics);
}

struct Statistics {
  double mean = 0, inverse_deviation = 0;
};

/// Of n numbers; `centred` false takes the mean as 0, as RMS norms do.
template <class T>
Statistics statistics_of(const T* x, int64_t n, double epsilon, bool centred = true) {
  Statistics statistics;
  double variance = 0;
  if (centred) {
    for (int64_t i = 0; i < n; ++i) statistics.mean += static_cast<double>(x[i]);
    statistics.mean /= static_cast<double>(n);
  }
  for (int64_t i = 0; i < n; ++i) {
    const double deviation = static_cast<double>(x[i]) - statistics.mean;
    variance += deviation * deviation;
  }
  statistics.inverse_deviation = 1 / std::sqrt(variance / static_cast<double>(n) + epsilon);
  return statistics;
}

int64_t trailing_size(const Shape& shape, int64_t axis) {
  return product_of(std::span(shape).subspan(static_cast<size_t>(axis)));
}

constexpr int64_t grain = 1 << 14;

void batch_norm_reference(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  const double epsilon = call.attribute<EpsilonAttributes>().epsilon;
  const std::vector<double> scale = numbers_of(call.inputs[1]), bias = numbers_of(call.inputs[2]),
                            mean = numbers_of(call.inputs[3]), variance = numbers_of(call.inputs[4]);
  const int64_t channels = x.shape()[1], size = trailing_size(x.shape(), 2);
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    parallel_for(x.shape()[0] * channels, grain / (size + 1), [&](int64_t begin, int64_t end) {
      for (int64_t plane = begin; plane < end; ++plane) {
        const size_t c = static_cast<size_t>(plane % channels);
        const double factor = scale[c] / std::sqrt(variance[c] + epsilon), shift = bias[c] - mean[c] * factor;
        const T* from = x.data<T>() + plane * size;
        T* to = call.outputs[0].data<T>() + plane * size;
        for (int64_t i = 0; i < size; ++i)
          to[i] = static_cast<T>(static_cast<double>(from[i]) * factor + shift);
      }
    });
  });
}

/// Each of `groups` groups of channels of each image, normalised by itself; scale and bias per channel.
void normalize_groups(const ReferenceCall& call, int64_t groups, double epsilon) {
  const Tensor& x = call.inputs[0];
  const std::vector<double> scale = numbers_of(call.inputs[1]), bias = numbers_of(call.inputs[2]);
  const int64_t channels = x.shape()[1] / std::max<int64_t>(1, groups), size = trailing_size(x.shape(), 2),
                row = channels * size;
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    parallel_for(x.shape()[0] * groups, grain / (row + 1), [&](int64_t begin, int64_t end) {
      for (int64_t group = begin; group < end; ++group) {
        const T* from = x.data<T>() + group * row;
        T* to = call.outputs[0].data<T>() + group * row;
        const Statistics statistics = statistics_of(from, row, epsilon);
        for (int64_t i = 0; i < row; ++i) {
          const size_t channel = static_cast<size_t>(group % groups * channels + i / size);
          to[i] = static_cast<T>((static_cast<double>(from[i]) - statistics.mean) *
                                     statistics.inverse_deviation * scale[channel] +
                                 bias[channel]);
        }
      }
    });
  });
}

void instance_norm_reference(const ReferenceCall& call) {
  normalize_groups(call, call.inputs[0].shape()[1], call.attribute<EpsilonAttributes>().epsilon);
}

void group_norm_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<GroupNormAttributes>();
  normalize_groups(call, attributes.num_groups, attributes.epsilon);
}

/// A tensor's numbers repeated to fill `shape`; nothing for an omitted one.
std::vector<double> broadcast_numbers(const Tensor& tensor, const Shape& shape) {
  if (tensor.empty()) return {};
  const std::vector<double> numbers = numbers_of(tensor);
  std::vector<double> repeated;
  for (int64_t i = 0; i < element_count(shape); ++i) {
    const Shape at = unravel(i, shape);
    int64_t index = 0;
    for (size_t d = 0; d < tensor.shape().size(); ++d) {
      const int64_t dim = tensor.shape()[d];
      index = index * dim + (dim == 1 ? 0 : at[d + shape.size() - tensor.shape().size()]);
    }
    repeated.push_back(numbers[static_cast<size_t>(index)]);
  }
  return repeated;
}

/// layer_norm, and rms_norm, which takes the mean as zero and has no bias. Scale and bias usually span the
/// normalised dimensions, but may be anything that broadcasts to x.
template <bool centred>
void layer_norm_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<LayerNormAttributes>();
  const Tensor& x = call.inputs[0];
  const int64_t axis = normalize_axis(attributes.axis, x.rank()), size = trailing_size(x.shape(), axis);
  const auto spans_rows = [&](size_t i) { return !call.has(i) || call.inputs[i].rank() <= x.rank() - axis; };
  const Shape shape(x.shape().begin() + (spans_rows(1) && spans_rows(2) ? axis : 0), x.shape().end());
  const std::vector<double> scale = broadcast_numbers(call.inputs[1], shape),
                            bias = call.has(2) ? broadcast_numbers(call.inputs[2], shape)
                                               : std::vector<double>();
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    T* means = call.outputs.size() > 1 ? call.outputs[1].data<T>() : nullptr;
    T* deviations = call.outputs.size() > 2 ? call.outputs[2].data<T>() : nullptr;
    parallel_for(x.size() / std::max<int64_t>(1, size), grain / (size + 1), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const T* from = x.data<T>() + row * size;
        T* to = call.outputs[0].data<T>() + row * size;
        const Statistics statistics = statistics_of(from, size, attributes.epsilon, centred);
        for (int64_t i = 0; i < size; ++i) {
          const size_t at = static_cast<size_t>(row * size + i) % scale.size();
          to[i] = static_cast<T>((static_cast<double>(from[i]) - statistics.mean) *
                                     statistics.inverse_deviation * scale[at] +
                                 (bias.empty() ? 0 : bias[at]));
        }
        if (means) means[row] = static_cast<T>(statistics.mean);
        if (deviations) deviations[row] = static_cast<T>(statistics.inverse_deviation);
      }
    });
  });
}

void infer_lrn(InferContext& context) {
  require(context.type(0).rank() >= 2, "x is {}; [N, C, ...] is expected", context.type(0).str());
  require(context.attributes<LrnAttributes>().size >= 1, "size is {}; at least 1 is expected",
          context.attributes<LrnAttributes>().size);
  infer_same(context);
}

void lrn_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<LrnAttributes>();
  const Tensor& x = call.inputs[0];
  const int64_t channels = x.shape()[1], size = trailing_size(x.shape(), 2);
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    parallel_for(
        x.shape()[0] * channels, grain / (size * attributes.size + 1), [&](int64_t begin, int64_t end) {
          for (int64_t plane = begin; plane < end; ++plane) {
            const int64_t channel = plane % channels,
                          first = std::max<int64_t>(0, channel - (attributes.size - 1) / 2);
            const int64_t last = std::min(channels - 1, channel + attributes.size / 2);
            const T *image = x.data<T>() + (plane - channel) * size, *from = x.data<T>() + plane * size;
            T* to = call.outputs[0].data<T>() + plane * size;
            for (int64_t i = 0; i < size; ++i) {
              double squares = 0;
              for (int64_t c = first; c <= last; ++c)
                squares +=
                    static_cast<double>(image[c * size + i]) * static_cast<double>(image[c * size + i]);
              to[i] = static_cast<T>(
                  static_cast<double>(from[i]) /
                  std::pow(
                      attributes.bias + attributes.alpha / static_cast<double>(attributes.size) * squares,
                      attributes.beta));
            }
          }
        });
  });
}

}  // namespace

namespace def {

const OpDef batch_norm =
    op<EpsilonAttributes>("batch_norm")
        .input("x")
        .input("scale")
        .input("bias")
        .input("mean")
        .input("variance")
        .output("y")
        .infer(infer_per_channel)
        .reference(widen<batch_norm_reference>)
        .tolerance(1e-5, 1e-5)
        .summary("(x - mean) / sqrt(variance + epsilon) * scale + bias per channel of x [N, C, ...]");
const OpDef layer_norm =
    op<LayerNormAttributes>("layer_norm")
        .input("x")
        .input("scale")
        .optional("bias")
        .output("y")
        .output("mean")
        .output("inverse_deviation")
        .infer(infer_layer_norm)
        .reference(widen<layer_norm_reference<true>>)
        .fusion(Fusion::reduction)
        .onnx("LayerNormalization", 17)
        .tolerance(1e-5, 1e-5)
        .summary(
            "mean 0 and variance 1 over the axes from `axis` on, then scale and bias (arXiv:1607.06450)");
const OpDef rms_norm =
    op<LayerNormAttributes>("rms_norm")
        .input("x")
        .input("scale")
        .output("y")
        .infer(infer_layer_norm)
        .reference(widen<layer_norm_reference<false>>)
        .fusion(Fusion::reduction)
        .onnx("RMSNormalization", 23)
        .tolerance(1e-5, 1e-5)
        .summary("mean square 1 over the axes from `axis` on, then scale (arXiv:1910.07467)");
const OpDef instance_norm =
    op<EpsilonAttributes>("instance_norm")
        .input("x")
        .input("scale")
        .input("bias")
        .output("y")
        .infer(infer_per_channel)
        .reference(widen<instance_norm_reference>)
        .fusion(Fusion::reduction)
        .onnx("InstanceNormalization")
        .tolerance(1e-5, 1e-5)
        .summary("each channel of each image to mean 0 and variance 1, then scale and bias per channel");
const OpDef group_norm = op<GroupNormAttributes>("group_norm")
                             .input("x")
                             .input("scale")
                             .input("bias")
                             .output("y")
                             .infer(infer_group_norm)
                             .reference(widen<group_norm_reference>)
                             .fusion(Fusion::reduction)
                             .onnx("GroupNormalization", 21)
                             .tolerance(1e-5, 1e-5)
                             .summary(
                                 "each group of channels of each image to mean 0 and variance 1, then scale "
                                 "and bias per channel (arXiv:1803.08494)");
const OpDef lrn = op<LrnAttributes>("lrn")
                      .input("x")
                      .output("y")
                      .infer(infer_lrn)
                      .reference(widen<lrn_reference>)
                      .fusion(Fusion::reduction)
                      .onnx("LRN")
                      .summary("x / (bias + alpha / size * sum of squares over `size` channels)^beta");

}  // namespace def
}  // namespace burnish::ops
