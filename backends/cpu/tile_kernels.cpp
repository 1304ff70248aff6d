#include "backends/cpu/tile_kernels.h"

#include <cstring>

#include "backends/cpu/simd_targets.h"

#define HWY_TARGET_INCLUDE "backends/cpu/tile_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace burnish::cpu::HWY_NAMESPACE {
namespace {  // names are this file's own: other files have kernels of the same names

using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;
using DI = hn::RebindToSigned<DF>;
using DB = hn::Rebind<uint8_t, DF>;  // as many bytes as a vector has floats

/// Runs `body(inputs, output)` on each whole vector, then on copies of what is left over.
template <size_t Inputs, class In0, class Out, class Body>
HWY_INLINE void for_vectors(const TileCall& call, const Body& body) {
  const DF d;
  const int64_t lanes = static_cast<int64_t>(hn::Lanes(d));
  constexpr int64_t bytes[3] = {sizeof(In0), 4, 4};
  const char* inputs[3] = {};
  for (size_t k = 0; k < Inputs; ++k) inputs[k] = static_cast<const char*>(call.inputs[k]);
  Out* output = static_cast<Out*>(call.output);
  int64_t i = 0;
  for (; i + lanes <= call.count; i += lanes) {
    body(inputs, output);
    for (size_t k = 0; k < Inputs; ++k) inputs[k] += bytes[k] * lanes;
    output += lanes;
  }
  if (i == call.count) return;
  alignas(64) char rest[3][64] = {};
  alignas(64) Out made[16];
  const char* rests[3] = {rest[0], rest[1], rest[2]};
  const size_t left = static_cast<size_t>(call.count - i);
  for (size_t k = 0; k < Inputs; ++k) std::memcpy(rest[k], inputs[k], left * static_cast<size_t>(bytes[k]));
  body(rests, made);
  std::memcpy(output, made, left * sizeof(Out));
}

HWY_INLINE VF load(const char* from) { return hn::LoadU(DF(), reinterpret_cast<const float*>(from)); }

template <class Op>
void unary(const TileCall& call) {
  const Op op{call.parameters};
  for_vectors<1, float, float>(
      call, [&](const char* const* in, float* out) HWY_ATTR { hn::StoreU(op(load(in[0])), DF(), out); });
}

template <class Op>
void binary(const TileCall& call) {
  const Op op{call.parameters};
  for_vectors<2, float, float>(call, [&](const char* const* in, float* out)
                                         HWY_ATTR { hn::StoreU(op(load(in[0]), load(in[1])), DF(), out); });
}

template <class Op>
void compare(const TileCall& call) {
  const Op op{};
  for_vectors<2, float, uint8_t>(call, [&](const char* const* in, uint8_t* out) HWY_ATTR {
    const auto ones = hn::BitCast(
        DI(), hn::IfThenElseZero(op(load(in[0]), load(in[1])), hn::BitCast(DF(), hn::Set(DI(), 1))));
    hn::StoreU(hn::DemoteTo(DB(), ones), DB(), out);
  });
}

void select(const TileCall& call) {
  for_vectors<3, uint8_t, float>(call, [&](const char* const* in, float* out) HWY_ATTR {
    const auto wide = hn::PromoteTo(DI(), hn::LoadU(DB(), reinterpret_cast<const uint8_t*>(in[0])));
    const auto chosen = hn::RebindMask(DF(), hn::Ne(wide, hn::Zero(DI())));
    hn::StoreU(hn::IfThenElse(chosen, load(in[1]), load(in[2])), DF(), out);
  });
}

HWY_INLINE VF set(float value) { return hn::Set(DF(), value); }

/// x limited to [low, high]; NaN stays.
HWY_INLINE VF limit(VF x, VF low, VF high) {
  const VF above = hn::IfThenElse(hn::Lt(x, low), low, x);
  return hn::IfThenElse(hn::Gt(above, high), high, above);
}

HWY_INLINE VF gelu_by_tanh(VF x) {
  const VF cube = hn::Mul(hn::Mul(x, x), x);
  const VF inner = hn::Mul(set(0.7978845608f), hn::MulAdd(set(0.044715f), cube, x));
  return hn::Mul(hn::Mul(set(0.5f), x), hn::Add(set(1.0f), tanh(DF(), inner)));
}
HWY_INLINE VF gelu_by_erf(VF x) {
  return hn::Mul(hn::Mul(set(0.5f), x), hn::Add(set(1.0f), erf(DF(), hn::Mul(x, set(0.7071067812f)))));
}

#define BURNISH_TILE_UNARY(NAME, ...)                            \
  struct NAME {                                                  \
    const float* p;                                              \
    HWY_INLINE VF operator()(VF x) const { return __VA_ARGS__; } \
  };
#define BURNISH_TILE_BINARY(NAME, ...)                                 \
  struct NAME {                                                        \
    const float* p;                                                    \
    HWY_INLINE VF operator()(VF a, VF b) const { return __VA_ARGS__; } \
  };
#define BURNISH_TILE_COMPARE(NAME, ...)                                          \
  struct NAME {                                                                  \
    HWY_INLINE hn::Mask<DF> operator()(VF a, VF b) const { return __VA_ARGS__; } \
  };

BURNISH_TILE_BINARY(Add, hn::Add(a, b))
BURNISH_TILE_BINARY(Sub, hn::Sub(a, b))
BURNISH_TILE_BINARY(Mul, hn::Mul(a, b))
BURNISH_TILE_BINARY(Div, hn::Div(a, b))
BURNISH_TILE_BINARY(Minimum, hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::Lt(a, b), a, b)))
BURNISH_TILE_BINARY(Maximum, hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::Gt(a, b), a, b)))
BURNISH_TILE_UNARY(Neg, hn::Sub(hn::Zero(DF()), x))
BURNISH_TILE_UNARY(Abs, hn::Abs(x))
BURNISH_TILE_UNARY(Sign, hn::IfThenElse(hn::Gt(x, hn::Zero(DF())), set(1.0f),
                                        hn::IfThenElse(hn::Lt(x, hn::Zero(DF())), set(-1.0f),
                                                       hn::IfThenElse(hn::IsNaN(x), x, hn::Zero(DF())))))
BURNISH_TILE_UNARY(Exp, exp(DF(), x))
BURNISH_TILE_UNARY(Log, log(DF(), x))
BURNISH_TILE_UNARY(Sqrt, hn::Sqrt(x))
BURNISH_TILE_UNARY(Rsqrt, hn::Div(set(1.0f), hn::Sqrt(x)))
BURNISH_TILE_UNARY(Reciprocal, hn::Div(set(1.0f), x))
BURNISH_TILE_UNARY(Floor, hn::Floor(x))
BURNISH_TILE_UNARY(Ceil, hn::Ceil(x))
BURNISH_TILE_UNARY(Round, hn::Round(x))
BURNISH_TILE_UNARY(Erf, erf(DF(), x))
BURNISH_TILE_UNARY(Relu, hn::IfThenElse(hn::Le(x, hn::Zero(DF())), hn::Zero(DF()), x))
BURNISH_TILE_UNARY(LeakyRelu, hn::IfThenElse(hn::Lt(x, hn::Zero(DF())), hn::Mul(x, set(p[0])), x))
BURNISH_TILE_UNARY(Sigmoid, sigmoid(DF(), x))
BURNISH_TILE_UNARY(Tanh, tanh(DF(), x))
BURNISH_TILE_UNARY(Gelu, p[0] != 0 ? gelu_by_tanh(x) : gelu_by_erf(x))
BURNISH_TILE_UNARY(Silu, hn::Mul(x, sigmoid(DF(), x)))
BURNISH_TILE_UNARY(HardSigmoid, limit(hn::MulAdd(x, set(p[0]), set(p[1])), hn::Zero(DF()), set(1.0f)))
BURNISH_TILE_UNARY(HardSwish,
                   hn::Mul(x, limit(hn::MulAdd(x, set(1.0f / 6), set(0.5f)), hn::Zero(DF()), set(1.0f))))
BURNISH_TILE_UNARY(Elu, hn::IfThenElse(hn::Lt(x, hn::Zero(DF())), hn::Mul(set(p[0]), expm1(DF(), x)), x))
BURNISH_TILE_UNARY(Softplus, hn::Add(hn::IfThenElse(hn::Le(x, hn::Zero(DF())), hn::Zero(DF()), x),
                                     log1p(DF(), exp(DF(), hn::Neg(hn::Abs(x))))))
BURNISH_TILE_UNARY(Clip, limit(x, set(p[0]), set(p[1])))
BURNISH_TILE_COMPARE(Equal, hn::Eq(a, b))
BURNISH_TILE_COMPARE(Less, hn::Lt(a, b))
BURNISH_TILE_COMPARE(LessOrEqual, hn::Le(a, b))
BURNISH_TILE_COMPARE(Greater, hn::Gt(a, b))
BURNISH_TILE_COMPARE(GreaterOrEqual, hn::Ge(a, b))

struct Row {
  std::string_view op;
  TileKernel kernel;
};

TileKernel float_kernel(std::string_view op) {
  static constexpr Row rows[] = {
      {"add", binary<Add>},
      {"sub", binary<Sub>},
      {"mul", binary<Mul>},
      {"div", binary<Div>},
      {"minimum", binary<Minimum>},
      {"maximum", binary<Maximum>},
      {"neg", unary<Neg>},
      {"abs", unary<Abs>},
      {"sign", unary<Sign>},
      {"exp", unary<Exp>},
      {"log", unary<Log>},
      {"sqrt", unary<Sqrt>},
      {"rsqrt", unary<Rsqrt>},
      {"reciprocal", unary<Reciprocal>},
      {"floor", unary<Floor>},
      {"ceil", unary<Ceil>},
      {"round", unary<Round>},
      {"erf", unary<Erf>},
      {"relu", unary<Relu>},
      {"leaky_relu", unary<LeakyRelu>},
      {"sigmoid", unary<Sigmoid>},
      {"tanh", unary<Tanh>},
      {"gelu", unary<Gelu>},
      {"silu", unary<Silu>},
      {"hardsigmoid", unary<HardSigmoid>},
      {"hardswish", unary<HardSwish>},
      {"elu", unary<Elu>},
      {"softplus", unary<Softplus>},
      {"clip", unary<Clip>},
      {"equal", compare<Equal>},
      {"less", compare<Less>},
      {"less_or_equal", compare<LessOrEqual>},
      {"greater", compare<Greater>},
      {"greater_or_equal", compare<GreaterOrEqual>},
      {"where", select},
  };
  for (const Row& row : rows)
    if (row.op == op) return row.kernel;
  return nullptr;
}

}  // namespace
}  // namespace burnish::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace burnish::cpu {

HWY_EXPORT(float_kernel);

const TileParameters tile_parameters[6] = {{"leaky_relu", {"alpha"}},          {"elu", {"alpha"}},
                                           {"hardsigmoid", {"alpha", "beta"}}, {"gelu", {"approximate"}},
                                           {"clip", {"min", "max"}},           {}};

TileKernel find_tile_kernel(std::string_view op, DType dtype) {
  return dtype == DType::f32 ? HWY_DYNAMIC_DISPATCH(float_kernel)(op) : nullptr;
}

}  // namespace burnish::cpu
#endif
