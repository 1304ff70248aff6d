// Conversion between element types.
#include "ops/cast.h"

#include "base/dispatch.h"
#include "base/numbers.h"
#include "base/parallel.h"
#include "ops/table.h"

namespace burnish::ops {
namespace {

template <class To, class From>
To convert(From stored, bool saturate) {
  using Compute = compute_t<From>;
  const Compute value = static_cast<Compute>(stored);
  if constexpr (std::is_same_v<To, bool>) {
    return value != Compute(0);
  } else if constexpr (std::is_same_v<To, Float8E4M3>) {
    Float8E4M3 result;
    result.bits = float_to_f8e4m3(static_cast<float>(value), saturate);
    return result;
  } else if constexpr (std::is_same_v<To, Float8E5M2>) {
    Float8E5M2 result;
    result.bits = float_to_f8e5m2(static_cast<float>(value), saturate);
    return result;
  } else if constexpr (std::is_floating_point_v<Compute> && std::is_same_v<To, uint64_t>) {
    return value >= Compute(0x1p63) && value < Compute(0x1p64) ? static_cast<uint64_t>(value)
                                                               : static_cast<uint64_t>(whole_part(value));
  } else if constexpr (std::is_floating_point_v<Compute> && std::is_integral_v<compute_t<To>>) {
    return static_cast<To>(static_cast<compute_t<To>>(whole_part(value)));
  } else {
    return static_cast<To>(static_cast<compute_t<To>>(value));
  }
}

template <class From, class To>
void cast_all(const Tensor& x, Tensor& y, bool saturate) {
  const From* in = x.data<From>();
  To* out = y.data<To>();
  parallel_for(x.size(), 1 << 14, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) out[i] = convert<To>(in[i], saturate);
  });
}

void reference_cast(const ReferenceCall& call) {
  const bool saturate = call.attribute<CastAttributes>().saturate;
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  dispatch(AllTypes{}, x.dtype(), [&](auto from) {
    dispatch(AllTypes{}, y.dtype(), [&](auto to) {
      cast_all<typename decltype(from)::type, typename decltype(to)::type>(x, y, saturate);
    });
  });
}

/// Whether every value that shape arithmetic meets is the same in both types.
bool keeps_contents(DType dtype) { return dtype == DType::i64 || dtype == DType::i32; }

void infer_cast(InferContext& context) {
  const DType to = context.attributes<CastAttributes>().to;
  context.set(0, to, context.shape(0));
  const std::vector<ir::Dim>* contents = context.contents(0);
  if (!contents) return;
  if (keeps_contents(to)) context.set_contents(0, *contents);
  const auto numbers = context.numbers(0);
  if (to != DType::boolean || !numbers) return;
  std::vector<ir::Dim> truths;
  for (int64_t number : *numbers) truths.emplace_back(number != 0 ? 1 : 0);
  context.set_contents(0, std::move(truths));
}

}  // namespace

namespace def {

const OpDef cast =
    op<CastAttributes>("cast")
        .input("x")
        .output("y")
        .infer(infer_cast)
        .reference(reference_cast)
        .fusion(Fusion::pointwise)
        .onnx("Cast", 6)
        .summary("x in another element type; floats lose their fraction on the way to integers");

}  // namespace def
}  // namespace burnish::ops
