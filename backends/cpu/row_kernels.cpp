#include "backends/cpu/row_kernels.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cpu/simd_targets.h"

#define HWY_TARGET_INCLUDE "backends/cpu/row_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace burnish::cpu::HWY_NAMESPACE {
namespace {  // names are this file's own: other files have kernels of the same names

using DF = hn::ScalableTag<float>;
using VF = hn::Vec<DF>;

// Each folder says how an accumulator takes an element, and how two accumulators join.
struct Sum {
  static HWY_INLINE VF take(VF a, VF x) { return hn::Add(a, x); }
  static HWY_INLINE VF join(VF a, VF b) { return hn::Add(a, b); }
};
struct AbsoluteSum : Sum {
  static HWY_INLINE VF take(VF a, VF x) { return hn::Add(a, hn::Abs(x)); }
};
struct SquareSum : Sum {
  static HWY_INLINE VF take(VF a, VF x) { return hn::MulAdd(x, x, a); }
};
struct Product {
  static HWY_INLINE VF take(VF a, VF x) { return hn::Mul(a, x); }
  static HWY_INLINE VF join(VF a, VF b) { return hn::Mul(a, b); }
};
struct Largest {  // NaN wins
  static HWY_INLINE VF take(VF a, VF x) {
    return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::Gt(a, x), a, x));
  }
  static HWY_INLINE VF join(VF a, VF b) { return take(a, b); }
};
struct Smallest {
  static HWY_INLINE VF take(VF a, VF x) {
    return hn::IfThenElse(hn::IsNaN(a), a, hn::IfThenElse(hn::Lt(a, x), a, x));
  }
  static HWY_INLINE VF join(VF a, VF b) { return take(a, b); }
};

/// The lanes of `v` joined with each other, in an order that does not depend on data.
template <class Folder>
HWY_INLINE float across(VF v) {
  const DF d;
  HWY_ALIGN float lanes[hn::MaxLanes(DF())];
  hn::Store(v, d, lanes);
  for (size_t half = hn::Lanes(d) / 2; half > 0; half /= 2)
    for (size_t i = 0; i < half; ++i)
      lanes[i] = hn::GetLane(Folder::join(hn::Set(d, lanes[i]), hn::Set(d, lanes[i + half])));
  return lanes[0];
}

/// Folds with four accumulators, so that neither latency nor a long chain of roundings limits it.
template <class Folder, class Map>
HWY_INLINE float fold_mapped(const float* x, int64_t n, float start, float neutral, const Map& map) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  VF sums[4] = {hn::Set(d, neutral), hn::Set(d, neutral), hn::Set(d, neutral), hn::Set(d, neutral)};
  int64_t i = 0;
  for (; i + 4 * lanes <= n; i += 4 * lanes)
    for (int k = 0; k < 4; ++k) sums[k] = Folder::take(sums[k], map(hn::LoadU(d, x + i + k * lanes)));
  for (; i + lanes <= n; i += lanes) sums[0] = Folder::take(sums[0], map(hn::LoadU(d, x + i)));
  const float whole =
      across<Folder>(Folder::join(Folder::join(sums[0], sums[1]), Folder::join(sums[2], sums[3])));
  VF rest = Folder::join(hn::Set(d, start), hn::Set(d, whole));
  for (; i < n; ++i) rest = Folder::take(rest, map(hn::Set(d, x[i])));
  return hn::GetLane(rest);
}

template <class Folder>
HWY_INLINE float fold_row(const float* x, int64_t n, float start, float neutral) {
  return fold_mapped<Folder>(x, n, start, neutral, [](VF v) HWY_ATTR { return v; });
}

template <class Folder>
HWY_INLINE void fold_row_into(const float* x, float* state, int64_t n) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    hn::StoreU(Folder::take(hn::LoadU(d, state + i), hn::LoadU(d, x + i)), d, state + i);
  for (; i < n; ++i) state[i] = hn::GetLane(Folder::take(hn::Set(d, state[i]), hn::Set(d, x[i])));
}

float fold(Fold kind, const float* x, int64_t n, float start) {
  const float neutral = fold_start(kind);
  switch (kind) {
    case Fold::sum:
      return fold_row<Sum>(x, n, start, neutral);
    case Fold::absolute_sum:
      return fold_row<AbsoluteSum>(x, n, start, neutral);
    case Fold::square_sum:
      return fold_row<SquareSum>(x, n, start, neutral);
    case Fold::product:
      return fold_row<Product>(x, n, start, neutral);
    case Fold::largest:
      return fold_row<Largest>(x, n, start, neutral);
    case Fold::smallest:
      return fold_row<Smallest>(x, n, start, neutral);
  }
  return start;
}

void fold_into(Fold kind, const float* x, float* state, int64_t n) {
  switch (kind) {
    case Fold::sum:
      return fold_row_into<Sum>(x, state, n);
    case Fold::absolute_sum:
      return fold_row_into<AbsoluteSum>(x, state, n);
    case Fold::square_sum:
      return fold_row_into<SquareSum>(x, state, n);
    case Fold::product:
      return fold_row_into<Product>(x, state, n);
    case Fold::largest:
      return fold_row_into<Largest>(x, state, n);
    case Fold::smallest:
      return fold_row_into<Smallest>(x, state, n);
  }
}

/// y[i] = map(x[i]); what does not fill a vector goes one by one, with the same arithmetic.
template <class Map>
HWY_INLINE void map_row(const float* x, float* y, int64_t n, const Map& map) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(map(hn::LoadU(d, x + i)), d, y + i);
  for (; i < n; ++i) y[i] = hn::GetLane(map(hn::Set(d, x[i])));
}

void softmax(const float* x, float* y, int64_t n, bool logarithm) {
  const DF d;
  const VF largest =
      hn::Set(d, fold_row<Largest>(x, n, fold_start(Fold::largest), fold_start(Fold::largest)));
  if (logarithm) {
    const float sum =
        fold_mapped<Sum>(x, n, 0, 0, [&](VF v) HWY_ATTR { return exp(DF(), hn::Sub(v, largest)); });
    const VF shift = hn::Set(d, std::log(sum));
    map_row(x, y, n, [&](VF v) HWY_ATTR { return hn::Sub(hn::Sub(v, largest), shift); });
    return;
  }
  map_row(x, y, n, [&](VF v) HWY_ATTR { return exp(DF(), hn::Sub(v, largest)); });
  const VF factor = hn::Set(d, 1.0f / fold_row<Sum>(y, n, 0, 0));
  map_row(y, y, n, [&](VF v) HWY_ATTR { return hn::Mul(v, factor); });
}

/// y[i] = map(x[i], a[i])
template <class Map>
HWY_INLINE void map_rows(const float* x, const float* a, float* y, int64_t n, const Map& map) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) hn::StoreU(map(hn::LoadU(d, x + i), hn::LoadU(d, a + i)), d, y + i);
  for (; i < n; ++i) y[i] = hn::GetLane(map(hn::Set(d, x[i]), hn::Set(d, a[i])));
}

void softmax_columns(const float* x, float* y, int64_t n, int64_t stride, int64_t columns, bool logarithm) {
  HWY_ALIGN float largest[most_columns], sums[most_columns];
  HWY_ALIGN float powers[most_columns];
  std::fill_n(largest, columns, fold_start(Fold::largest));
  std::fill_n(sums, columns, 0.0f);
  for (int64_t i = 0; i < n; ++i) fold_row_into<Largest>(x + i * stride, largest, columns);
  for (int64_t i = 0; i < n; ++i) {
    float* out = logarithm ? powers : y + i * stride;
    map_rows(x + i * stride, largest, out, columns,
             [](VF v, VF m) HWY_ATTR { return exp(DF(), hn::Sub(v, m)); });
    fold_row_into<Sum>(out, sums, columns);
  }
  for (int64_t c = 0; c < columns; ++c) sums[c] = logarithm ? std::log(sums[c]) : 1.0f / sums[c];
  for (int64_t i = 0; i < n; ++i) {
    float* out = y + i * stride;
    if (logarithm) {
      map_rows(x + i * stride, largest, out, columns, [](VF v, VF m) HWY_ATTR { return hn::Sub(v, m); });
      map_rows(out, sums, out, columns, [](VF v, VF s) HWY_ATTR { return hn::Sub(v, s); });
    } else {
      map_rows(out, sums, out, columns, [](VF v, VF s) HWY_ATTR { return hn::Mul(v, s); });
    }
  }
}

void moments(const float* x, int64_t n, bool centred, float& mean, float& variance) {
  const DF d;
  mean = centred ? fold_row<Sum>(x, n, 0, 0) / static_cast<float>(n) : 0.0f;
  const VF middle = hn::Set(d, mean);
  variance = fold_mapped<SquareSum>(x, n, 0, 0, [&](VF v) HWY_ATTR { return hn::Sub(v, middle); }) /
             static_cast<float>(n);
}

void affine(const float* x, float* y, int64_t n, float mean, float factor, float shift) {
  const DF d;
  const VF middle = hn::Set(d, mean), factors = hn::Set(d, factor), shifts = hn::Set(d, shift);
  map_row(x, y, n, [&](VF v) HWY_ATTR { return hn::MulAdd(hn::Sub(v, middle), factors, shifts); });
}

void affine_rows(const float* x, float* y, int64_t n, float mean, float factor, const float* scale,
                 const float* bias) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const VF middle = hn::Set(d, mean), factors = hn::Set(d, factor);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const VF normal = hn::Mul(hn::Sub(hn::LoadU(d, x + i), middle), factors),
             scales = hn::LoadU(d, scale + i);
    hn::StoreU(bias ? hn::MulAdd(normal, scales, hn::LoadU(d, bias + i)) : hn::Mul(normal, scales), d, y + i);
  }
  for (; i < n; ++i) y[i] = (x[i] - mean) * factor * scale[i] + (bias ? bias[i] : 0.0f);
}

void scale_add(float* x, int64_t n, float scale, const float* added) {
  const DF d;
  const VF factor = hn::Set(d, scale);
  if (added)
    map_rows(x, added, x, n, [&](VF v, VF a) HWY_ATTR { return hn::MulAdd(v, factor, a); });
  else if (scale != 1)
    map_row(x, x, n, [&](VF v) HWY_ATTR { return hn::Mul(v, factor); });
}

void add_scaled(const float* x, float* y, int64_t n, float factor, bool first) {
  const DF d;
  const VF factors = hn::Set(d, factor);
  if (first)
    map_row(x, y, n, [&](VF v) HWY_ATTR { return hn::Mul(v, factors); });
  else
    map_rows(x, y, y, n, [&](VF v, VF sum) HWY_ATTR { return hn::MulAdd(v, factors, sum); });
}

int64_t find(const float* x, int64_t n, float value, bool last) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const VF wanted = hn::Set(d, value);
  const bool nan = std::isnan(value);
  const auto matches = [&](float candidate) { return nan ? std::isnan(candidate) : candidate == value; };
  if (last && !nan) {
    int64_t i = n - 1;
    while (i > 0 && !matches(x[i])) --i;
    return i;
  }
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const VF v = hn::LoadU(d, x + i);
    if (!hn::AllFalse(d, nan ? hn::IsNaN(v) : hn::Eq(v, wanted))) break;
  }
  while (i < n - 1 && !matches(x[i])) ++i;
  return i;
}

const RowKernels* kernels() {
  static const RowKernels all = {softmax,   softmax_columns, moments, affine_rows, affine,
                                 scale_add, add_scaled,      fold,    fold_into,   find};
  return &all;
}

}  // namespace
}  // namespace burnish::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace burnish::cpu {

HWY_EXPORT(kernels);

const RowKernels& row_kernels() { return *HWY_DYNAMIC_DISPATCH(kernels)(); }

float fold_start(Fold fold) {
  switch (fold) {
    case Fold::product:
      return 1;
    case Fold::largest:
      return -std::numeric_limits<float>::infinity();
    case Fold::smallest:
      return std::numeric_limits<float>::infinity();
    default:
      return 0;
  }
}

}  // namespace burnish::cpu
#endif
