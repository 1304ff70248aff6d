#include "backends/cpu/quantize_kernels.h"

#include <algorithm>

#include "backends/cpu/simd_targets.h"

#define HWY_TARGET_INCLUDE "backends/cpu/quantize_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace burnish::cpu::HWY_NAMESPACE {
namespace {  // names are this file's own: other files have kernels of the same names

namespace hn = hwy::HWY_NAMESPACE;

void range(const float* x, int64_t n, float& low, float& high) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  auto least = hn::Set(d, low), most = hn::Set(d, high);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto value = hn::LoadU(d, x + i);
    least = hn::IfThenElse(hn::Lt(value, least), value, least);
    most = hn::IfThenElse(hn::Gt(value, most), value, most);
  }
  low = hn::GetLane(hn::MinOfLanes(d, least));
  high = hn::GetLane(hn::MaxOfLanes(d, most));
  for (; i < n; ++i) low = std::min(low, x[i]), high = std::max(high, x[i]);
}

/// As many elements as D has lanes.
template <class D>
HWY_INLINE void quantize(D d, const float* x, hn::Vec<D> scale, int32_t zero, uint8_t* y) {
  const hn::RebindToSigned<D> integers;
  const hn::Rebind<uint8_t, D> bytes;
  const auto quotient = hn::Div(hn::LoadU(d, x), scale);
  // Far outside of eight bits, whatever the zero point, and within what converts.
  const auto bounded = hn::Min(hn::Max(quotient, hn::Set(d, -1000.0f)), hn::Set(d, 1000.0f));
  const auto moved = hn::Add(hn::NearestInt(bounded), hn::Set(integers, zero));
  const auto known = hn::IfThenElseZero(hn::RebindMask(integers, hn::Eq(quotient, quotient)), moved);
  hn::StoreU(hn::DemoteTo(bytes, known), bytes, y);
}

void to_bytes(const float* x, int64_t n, float scale, uint8_t zero, uint8_t* y) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) quantize(d, x + i, hn::Set(d, scale), zero, y + i);
  for (; i < n; ++i) quantize(one, x + i, hn::Set(one, scale), zero, y + i);
}

using Integers = hn::CappedTag<int32_t, 16>;
using Sums = hn::Vec<Integers>;

HWY_INLINE void put(Sums value, float, int32_t* y) { hn::StoreU(value, Integers(), y); }
HWY_INLINE void put(Sums value, float scale, float* y) {
  const hn::RebindToFloat<Integers> d;
  hn::StoreU(hn::Mul(hn::ConvertTo(d, value), hn::Set(d, scale)), d, y);
}
void put_one(int32_t value, float, int32_t* y) { *y = value; }
void put_one(int32_t value, float scale, float* y) { *y = static_cast<float>(value) * scale; }

template <class Y>
HWY_INLINE void settle_all(const int32_t* sums, const int32_t* shifts, const int32_t* zeros, int32_t factor,
                           float scale, int64_t n, Y* y) {
  const Integers d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t j = 0;
  for (; j + lanes <= n; j += lanes) {
    auto value = hn::Add(hn::LoadU(d, sums + j), hn::LoadU(d, shifts + j));
    if (zeros) value = hn::Sub(value, hn::Mul(hn::LoadU(d, zeros + j), hn::Set(d, factor)));
    put(value, scale, y + j);
  }
  for (; j < n; ++j) put_one(sums[j] + shifts[j] - (zeros ? zeros[j] * factor : 0), scale, y + j);
}

void settle(const int32_t* sums, const int32_t* shifts, const int32_t* zeros, int32_t factor, int64_t n,
            int32_t* y) {
  settle_all(sums, shifts, zeros, factor, 1, n, y);
}

void settle_floats(const int32_t* sums, const int32_t* shifts, const int32_t* zeros, int32_t factor,
                   float scale, int64_t n, float* y) {
  settle_all(sums, shifts, zeros, factor, scale, n, y);
}

const QuantizeKernels* kernels() {
  static const QuantizeKernels all = {range, to_bytes, settle, settle_floats};
  return &all;
}

}  // namespace
}  // namespace burnish::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace burnish::cpu {

HWY_EXPORT(kernels);

const QuantizeKernels& quantize_kernels() { return *HWY_DYNAMIC_DISPATCH(kernels)(); }

}  // namespace burnish::cpu
#endif
