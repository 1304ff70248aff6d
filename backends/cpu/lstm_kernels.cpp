#include "backends/cpu/lstm_kernels.h"

#include "backends/cpu/simd_targets.h"

#define HWY_TARGET_INCLUDE "backends/cpu/lstm_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "backends/cpu/vector_math-inl.h"

HWY_BEFORE_NAMESPACE();
namespace burnish::cpu::HWY_NAMESPACE {
namespace {  // names are this file's own: other files have kernels of the same names

namespace hn = hwy::HWY_NAMESPACE;

/// As many units as D has lanes.
template <class D>
HWY_INLINE void units(D d, const float* gates, int64_t n, float* cell, float* hidden) {
  const auto in = sigmoid(d, hn::LoadU(d, gates)), out = sigmoid(d, hn::LoadU(d, gates + n));
  const auto forget = sigmoid(d, hn::LoadU(d, gates + 2 * n)), made = tanh(d, hn::LoadU(d, gates + 3 * n));
  const auto state = hn::MulAdd(forget, hn::LoadU(d, cell), hn::Mul(in, made));
  hn::StoreU(state, d, cell);
  hn::StoreU(hn::Mul(out, tanh(d, state)), d, hidden);
}

void cell_of_lstm(const float* gates, int64_t n, float* cell, float* hidden) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> one;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes) units(d, gates + i, n, cell + i, hidden + i);
  for (; i < n; ++i) units(one, gates + i, n, cell + i, hidden + i);
}

LstmCell kernel() { return cell_of_lstm; }

}  // namespace
}  // namespace burnish::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace burnish::cpu {

HWY_EXPORT(kernel);

LstmCell lstm_cell() { return HWY_DYNAMIC_DISPATCH(kernel)(); }

}  // namespace burnish::cpu
#endif
