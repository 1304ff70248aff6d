// quantize_linear, dequantize_linear, dynamic_quantize_linear: ONNX's scales per tensor, per axis and in
// blocks.
#include "ops/quantize.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/dispatch.h"
#include "base/error.h"
#include "base/parallel.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;
using QuantizedTypes =
    Types<int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, Int4, UInt4, Float8E4M3, Float8E5M2>;

template <class T>
constexpr bool is_float8 = std::is_same_v<T, Float8E4M3> || std::is_same_v<T, Float8E5M2>;

bool is_quantized(DType dtype) {
  switch (dtype) {
    case DType::i8:
    case DType::u8:
    case DType::i16:
    case DType::u16:
    case DType::i32:
    case DType::u32:
    case DType::i4:
    case DType::u4:
    case DType::f8e4m3:
    case DType::f8e5m2:
      return true;
    default:
      return false;
  }
}

/// Which scale each element takes: elements lie as [outer, size, inner] round the axis, and element (o, a, i)
/// takes scale o * outer_step + a / block * axis_step + i * inner_step.
struct ScaleMap {
  int64_t size = 1, inner = 1, block = 1;
  int64_t outer_step = 0, axis_step = 0, inner_step = 0;
};

ScaleMap scale_map(const Shape& shape, const Shape& scale, int64_t axis, int64_t block_size) {
  ScaleMap map;
  const int64_t scales = element_count(scale);
  if (scales == 1 && scale.size() <= 1) {
    map.inner = element_count(shape);
    return map;
  }
  const int64_t rank = static_cast<int64_t>(shape.size());
  const size_t along = rank == 1 ? 0 : static_cast<size_t>(normalize_axis(axis, rank));
  map.size = shape[along];
  map.inner = dense_strides(shape)[along];
  if (scale.size() == 1) {
    require(scales == map.size, "{} scales for a dimension of {}", scales, map.size);
    map.axis_step = 1;
    return map;
  }
  require(scale.size() == shape.size() && scale[along] > 0, "scales of shape {} do not fit {}",
          shape_text(scale), shape_text(shape));
  map.block = block_size > 0 ? block_size : (map.size + scale[along] - 1) / scale[along];
  for (size_t d = 0; d < shape.size(); ++d)
    require(scale[d] == (d == along ? (map.size + map.block - 1) / map.block : shape[d]),
            "scales of shape {} do not fit {} in blocks of {}", shape_text(scale), shape_text(shape),
            map.block);
  map.inner_step = 1;
  map.axis_step = map.inner;
  map.outer_step = scale[along] * map.inner;
  return map;
}

/// Calls body(element, scale) for every element, in parallel.
template <class Body>
void for_each_scaled(int64_t count, const ScaleMap& map, Body body) {
  if (count == 0) return;
  constexpr int64_t grain = 1 << 14;
  if (map.inner == count)
    return parallel_for(count, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) body(i, i * map.inner_step);
    });
  parallel_for(count / map.inner, std::max<int64_t>(1, grain / map.inner), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const int64_t scale = row / map.size * map.outer_step + row % map.size / map.block * map.axis_step;
      for (int64_t i = 0; i < map.inner; ++i) body(row * map.inner + i, scale + i * map.inner_step);
    }
  });
}

void check_zero_point(const InferContext& context, DType dtype) {
  if (!context.has(2)) return;
  require(context.dtype(2) == dtype, "the zero point must be {}, not {}", dtype_name(dtype),
          dtype_name(context.dtype(2)));
  const Dim scales = product(context.shape(1)), zeros = product(context.shape(2));
  require(!scales.is_constant() || !zeros.is_constant() || scales == zeros,
          "there are {} scales, but {} zero points", scales.str(), zeros.str());
}

void infer_quantize(InferContext& context) {
  const DType to = context.attributes<QuantizeAttributes>().to;
  require(is_quantized(to), "cannot quantise to {}", dtype_name(to));
  require(is_floating(context.dtype(0)) || context.dtype(0) == DType::i32, "cannot quantise {}",
          dtype_name(context.dtype(0)));
  check_zero_point(context, to);
  context.set(0, to, context.shape(0));
}

/// value / scale, rounded to even where Q is an integer, plus the zero point, within Q's range.
template <class Q>
Q quantized(double quotient, Q zero, bool saturate) {
  if constexpr (is_float8<Q>) {
    const float value = static_cast<float>(quotient) + static_cast<float>(zero);
    Q made;
    made.bits =
        std::is_same_v<Q, Float8E4M3> ? float_to_f8e4m3(value, saturate) : float_to_f8e5m2(value, saturate);
    return made;
  } else {
    double low = 0, high = 15;  // of UInt4
    if constexpr (std::is_same_v<Q, Int4>)
      low = -8, high = 7;
    else if constexpr (!std::is_same_v<Q, UInt4>)
      low = std::numeric_limits<Q>::lowest(), high = std::numeric_limits<Q>::max();
    const double value = std::nearbyint(quotient) + static_cast<double>(static_cast<compute_t<Q>>(zero));
    return static_cast<Q>(static_cast<compute_t<Q>>(std::isnan(value) ? 0 : std::clamp(value, low, high)));
  }
}

/// Element i of a tensor of floats or i32.
double number_at(const Tensor& tensor, int64_t i) {
  switch (tensor.dtype()) {
    case DType::f64:
      return tensor.data<double>()[i];
    case DType::f16:
      return tensor.data<Half>()[i];
    case DType::bf16:
      return static_cast<float>(tensor.data<BFloat16>()[i]);
    case DType::i32:
      return tensor.data<int32_t>()[i];
    case DType::f8e4m3:
      return static_cast<float>(tensor.data<Float8E4M3>()[i]);
    case DType::f8e5m2:
      return static_cast<float>(tensor.data<Float8E5M2>()[i]);
    default:
      return static_cast<double>(tensor.data<float>()[i]);
  }
}

/// a / b, rounded as an element of `precision`.
double divided(double a, double b, DType precision) {
  if (precision == DType::f64) return a / b;
  const float quotient = static_cast<float>(a) / static_cast<float>(b);
  if (precision == DType::f16) return Half(quotient);
  return precision == DType::bf16 ? static_cast<float>(BFloat16(quotient)) : quotient;
}

void reference_quantize(const ReferenceCall& call) {
  const auto& attributes = call.attribute<QuantizeAttributes>();
  const Tensor &x = call.inputs[0], &scale = call.inputs[1];
  Tensor& y = call.outputs[0];
  const ScaleMap map = scale_map(x.shape(), scale.shape(), attributes.axis, attributes.block_size);
  dispatch(QuantizedTypes{}, y.dtype(), [&]<class Q>(Type<Q>) {
    const Q* zero = call.has(2) ? call.inputs[2].data<Q>() : nullptr;
    Q* out = y.data<Q>();
    for_each_scaled(x.size(), map, [&](int64_t i, int64_t s) {
      const double quotient = divided(number_at(x, i), number_at(scale, s), attributes.precision);
      out[i] = quantized<Q>(quotient, zero ? zero[s] : Q{}, attributes.saturate);
    });
  });
}

void infer_dequantize(InferContext& context) {
  const DType to = context.attributes<DequantizeAttributes>().to;
  require(is_quantized(context.dtype(0)), "cannot dequantise {}", dtype_name(context.dtype(0)));
  require(is_floating(to), "cannot dequantise to {}", dtype_name(to));
  check_zero_point(context, context.dtype(0));
  context.set(0, to, context.shape(0));
}

void reference_dequantize(const ReferenceCall& call) {
  const auto& attributes = call.attribute<DequantizeAttributes>();
  const Tensor &x = call.inputs[0], &scale = call.inputs[1];
  Tensor& y = call.outputs[0];
  const ScaleMap map = scale_map(x.shape(), scale.shape(), attributes.axis, attributes.block_size);
  dispatch(QuantizedTypes{}, x.dtype(), [&]<class Q>(Type<Q>) {
    const Q* const codes = x.data<Q>();
    const Q* const zeros = call.has(2) ? call.inputs[2].data<Q>() : nullptr;
    const auto number = [](Q code) { return static_cast<double>(static_cast<compute_t<Q>>(code)); };
    dispatch(FloatTypes{}, y.dtype(), [&]<class Y>(Type<Y>) {
      using Compute = compute_t<Y>;
      Y* out = y.data<Y>();
      for_each_scaled(x.size(), map, [&](int64_t i, int64_t s) {
        const double difference = number(codes[i]) - (zeros ? number(zeros[s]) : 0);
        out[i] = static_cast<Y>(static_cast<Compute>(difference) * static_cast<Compute>(number_at(scale, s)));
      });
    });
  });
}

void infer_dynamic_quantize(InferContext& context) {
  require(context.dtype(0) == DType::f32, "expected f32, not {}", dtype_name(context.dtype(0)));
  context.set(0, DType::u8, context.shape(0));
  context.set(1, DType::f32, {});
  context.set(2, DType::u8, {});
}

void reference_dynamic_quantize(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  const float* in = x.data<float>();
  float low = 0, high = 0;  // zero itself must be exact
  for (int64_t i = 0; i < x.size(); ++i) low = std::min(low, in[i]), high = std::max(high, in[i]);
  const float scale = high > low ? (high - low) / 255 : 1;
  const uint8_t zero = quantized<uint8_t>(-low / scale, 0, true);
  for (int64_t i = 0; i < x.size(); ++i)
    call.outputs[0].data<uint8_t>()[i] = quantized<uint8_t>(in[i] / scale, zero, true);
  if (call.outputs.size() > 1) *call.outputs[1].data<float>() = scale;
  if (call.outputs.size() > 2) *call.outputs[2].data<uint8_t>() = zero;
}

}  // namespace

const OpDef quantize_linear =
    op<QuantizeAttributes>("quantize_linear")
        .input("x")
        .input("scale")
        .optional("zero_point")
        .output("y")
        .infer(infer_quantize)
        .reference(reference_quantize)
        .fusion(Fusion::injective)
        .summary("x / scale + zero_point, rounded to even and clamped: per tensor, per axis or in blocks");
const OpDef dequantize_linear = op<DequantizeAttributes>("dequantize_linear")
                                    .input("x")
                                    .input("scale")
                                    .optional("zero_point")
                                    .output("y")
                                    .infer(infer_dequantize)
                                    .reference(reference_dequantize)
                                    .fusion(Fusion::injective)
                                    .summary("(x - zero_point) * scale: per tensor, per axis or in blocks");
const OpDef dynamic_quantize_linear =
    op("dynamic_quantize_linear")
        .input("x")
        .output("y")
        .output("scale")
        .output("zero_point")
        .infer(infer_dynamic_quantize)
        .reference(reference_dynamic_quantize)
        .onnx("DynamicQuantizeLinear", 11)
        .summary("x as u8, with the scale and zero point that its own range asks for");

}  // namespace burnish::ops::def
