// Functions of vectors of floats, one to two units in the last place from exact where there is FMA. NaN and
// infinity come out as ops/intrinsics.h says. The polynomials are least-squares fits at Chebyshev nodes,
// reweighted towards minimax, of the functions that stand beside them.
#if defined(BURNISH_VECTOR_MATH_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef BURNISH_VECTOR_MATH_INL_H
#undef BURNISH_VECTOR_MATH_INL_H
#else
#define BURNISH_VECTOR_MATH_INL_H
#endif

#include <hwy/highway.h>

#include <limits>

HWY_BEFORE_NAMESPACE();
namespace burnish::cpu::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// c[0] + c[1] x + ... by Horner's rule.
template <class D, size_t N, class V = hn::Vec<D>>
HWY_INLINE V polynomial(D d, V x, const float (&c)[N]) {
  V sum = hn::Set(d, c[N - 1]);
  for (size_t i = N - 1; i-- > 0;) sum = hn::MulAdd(sum, x, hn::Set(d, c[i]));
  return sum;
}

/// (exp(r) - 1 - r) / r^2 for |r| <= ln(2) / 2.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_tail(D d, V r) {
  static constexpr float c[] = {
      0.5f, 0.1666666716f, 0.04166626930f, 0.008333265781f, 0.001394607825f, 0.0001991771132f};
  return polynomial(d, r, c);
}

/// exp(x) for x in [-104, 89]; denormal results and overflow to infinity included.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp_in_range(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V n = hn::Round(hn::Mul(x, hn::Set(d, 1.44269504f)));
  V r = hn::NegMulAdd(n, hn::Set(d, 0.693145752f), x);  // ln(2) in two parts: the first has trailing zeros
  r = hn::NegMulAdd(n, hn::Set(d, 1.42860677e-6f), r);
  const V value = hn::Add(hn::Set(d, 1.0f), hn::MulAdd(hn::Mul(r, r), exp_tail(d, r), r));
  // 2^n in two factors, since 2^128 and 2^-150 are no floats.
  const auto exponent = hn::ConvertTo(di, n);
  const auto half = hn::ShiftRight<1>(exponent);
  const auto power = [&](auto e)
                         HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(e, hn::Set(di, 127)))); };
  return hn::Mul(hn::Mul(value, power(half)), power(hn::Sub(exponent, half)));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V exp(D d, V x) {
  const V clamped = hn::Min(hn::Max(x, hn::Set(d, -104.0f)), hn::Set(d, 89.0f));
  return hn::IfThenElse(hn::IsNaN(x), x, exp_in_range(d, clamped));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V expm1(D d, V x) {
  const V small = hn::MulAdd(hn::Mul(x, x), exp_tail(d, x), x);
  const V large = hn::Sub(exp(d, x), hn::Set(d, 1.0f));
  return hn::IfThenElse(hn::Gt(hn::Abs(x), hn::Set(d, 0.34657359f)), large, small);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V sigmoid(D d, V x) {
  const V one = hn::Set(d, 1.0f);
  return hn::Div(one, hn::Add(one, exp(d, hn::Neg(x))));
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V tanh(D d, V x) {
  // (tanh(x) / x - 1) / x^2 in powers of x^2, |x| <= 0.6
  static constexpr float c[] = {-0.3333329856f, 0.1333195865f, -0.05378668010f, 0.02080537751f,
                                -0.005905861035f};
  const V magnitude = hn::Abs(x), square = hn::Mul(x, x), one = hn::Set(d, 1.0f);
  const V small = hn::MulAdd(hn::Mul(x, square), polynomial(d, square, c), x);
  const V doubled = hn::Min(hn::Add(magnitude, magnitude), hn::Set(d, 20.0f));
  const V large = hn::Sub(one, hn::Div(hn::Set(d, 2.0f), hn::Add(exp_in_range(d, doubled), one)));
  return hn::IfThenElse(hn::Gt(magnitude, hn::Set(d, 0.6f)), hn::CopySign(large, x), small);
}

template <class D, class V = hn::Vec<D>>
HWY_INLINE V erf(D d, V x) {
  // erf(x) / x - 1 in powers of x^2, |x| <= 0.93
  static constexpr float near[] = {0.1283791661f,   -0.3761263490f,    0.1128369123f,  -0.02685911953f,
                                   0.005200260784f, -0.0008133215597f, 8.327487012e-5f};
  // -log(erfc(x)) / x, 0.92 <= x <= 3.95; beyond that erf(x) rounds to 1
  static constexpr float far[] = {1.128648520f,    0.6351513267f,     0.1062368900f,  -0.02376207151f,
                                  0.003642463125f, -0.0003228049027f, 1.123141283e-5f};
  const V magnitude = hn::Min(hn::Abs(x), hn::Set(d, 3.95f)), square = hn::Mul(x, x);
  const V small = hn::MulAdd(x, polynomial(d, square, near), x);
  const V large =
      hn::Sub(hn::Set(d, 1.0f), exp_in_range(d, hn::Neg(hn::Mul(magnitude, polynomial(d, magnitude, far)))));
  return hn::IfThenElse(hn::Gt(hn::Abs(x), hn::Set(d, 0.93f)), hn::CopySign(large, x), small);
}

/// Natural logarithm.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log(D d, V x) {
  // (log(1 + f) - f + f^2 / 2) / f^3 for sqrt(1/2) <= 1 + f <= sqrt(2)
  static constexpr float c[] = {0.3333331347f,  -0.2500000894f, 0.2000211924f,  -0.1666799635f, 0.1421955079f,
                                -0.1240559146f, 0.1188817397f,  -0.1167564169f, 0.06746603549f};
  const hn::RebindToSigned<D> di;
  const auto tiny = hn::Lt(x, hn::Set(d, std::numeric_limits<float>::min()));
  const V scaled = hn::IfThenElse(tiny, hn::Mul(x, hn::Set(d, 0x1p24f)), x);
  const auto bits = hn::BitCast(di, scaled);
  const auto exponent = hn::ShiftRight<23>(hn::Sub(bits, hn::Set(di, 0x3f3504f3)));
  const V f = hn::Sub(hn::BitCast(d, hn::Sub(bits, hn::ShiftLeft<23>(exponent))), hn::Set(d, 1.0f));
  const V e = hn::Sub(hn::ConvertTo(d, exponent), hn::IfThenElseZero(tiny, hn::Set(d, 24.0f)));
  const V square = hn::Mul(f, f);
  V low = hn::Mul(hn::Mul(square, f), polynomial(d, f, c));
  low = hn::MulAdd(e, hn::Set(d, 1.42860677e-6f), low);
  low = hn::NegMulAdd(hn::Set(d, 0.5f), square, low);
  const V value = hn::MulAdd(e, hn::Set(d, 0.693145752f), hn::Add(f, low));
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  const V finite = hn::IfThenElse(hn::Lt(x, infinity), value, x);  // infinity and NaN stay
  const V not_negative =
      hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Set(d, std::numeric_limits<float>::quiet_NaN()), finite);
  return hn::IfThenElse(hn::Eq(x, hn::Zero(d)), hn::Neg(infinity), not_negative);
}

/// log(1 + x): the rounding of 1 + x is made good by the ratio of x to what was really added.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V log1p(D d, V x) {
  const V one = hn::Set(d, 1.0f), sum = hn::Add(x, one), added = hn::Sub(sum, one);
  const V corrected = hn::Mul(log(d, sum), hn::Div(x, added));
  const V infinity = hn::Set(d, std::numeric_limits<float>::infinity());
  return hn::IfThenElse(hn::Eq(added, hn::Zero(d)), x, hn::IfThenElse(hn::Eq(x, infinity), x, corrected));
}

}  // namespace burnish::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
