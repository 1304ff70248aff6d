#include "backends/cpu/gemm_kernels.h"

#include <algorithm>

#include "backends/cpu/simd_targets.h"
#include "backends/cpu/strided_copy.h"

#define HWY_TARGET_INCLUDE "backends/cpu/gemm_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace burnish::cpu::HWY_NAMESPACE {
namespace {  // names are this file's own: other files have kernels of the same names

namespace hn = hwy::HWY_NAMESPACE;

using DF = hn::CappedTag<float, 16>;
using VF = hn::Vec<DF>;

/// `Rows` rows times two vectors of columns, from column `first` of the panel on. Rows lie a_row apart, or
/// side by side in a group.
template <int Rows, bool grouped>
HWY_INLINE void multiply_block(const GemmCall& call, int64_t row, int64_t first) {
  const DF d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  const int64_t a_row = grouped ? 1 : call.a_row, a_step = grouped ? Rows : 1;
  const float* a = call.a + row * a_row;
  const float* b = call.panel + first;
  VF low[Rows], high[Rows];
#pragma GCC unroll 12
  for (int r = 0; r < Rows; ++r) low[r] = high[r] = hn::Zero(d);
  for (int64_t k = 0; k < call.depth; ++k, b += gemm_panel) {
    const VF b_low = hn::LoadU(d, b), b_high = hn::LoadU(d, b + lanes);
#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r) {
      const VF value = hn::Set(d, a[r * a_row + k * a_step]);
      low[r] = hn::MulAdd(value, b_low, low[r]);
      high[r] = hn::MulAdd(value, b_high, high[r]);
    }
  }
  float* c = call.c + row * call.c_row + first;
  const int64_t columns = std::min(call.columns - first, 2 * lanes);
  HWY_ALIGN float rest[2 * hn::MaxLanes(DF())];
#pragma GCC unroll 12
  for (int r = 0; r < Rows; ++r, c += call.c_row) {
    if (columns == 2 * lanes) {
      hn::StoreU(call.accumulate ? hn::Add(hn::LoadU(d, c), low[r]) : low[r], d, c);
      hn::StoreU(call.accumulate ? hn::Add(hn::LoadU(d, c + lanes), high[r]) : high[r], d, c + lanes);
      continue;
    }
    hn::Store(low[r], d, rest);
    hn::Store(high[r], d, rest + lanes);
    for (int64_t j = 0; j < columns; ++j) c[j] = call.accumulate ? c[j] + rest[j] : rest[j];
  }
}

constexpr int most_rows = HWY_TARGET == HWY_AVX3 ? 12 : HWY_TARGET == HWY_AVX2 ? 6 : 4;

/// As many rows at a time as registers allow.
void multiply(const GemmCall& call) {
  const auto step = 2 * static_cast<int64_t>(hn::Lanes(DF()));
  for (int64_t first = 0; first < call.columns; first += step) {
    int64_t row = 0;
    for (; row + most_rows <= call.rows; row += most_rows) multiply_block<most_rows, false>(call, row, first);
    for (; row + 4 <= call.rows; row += 4) multiply_block<4, false>(call, row, first);
    if (row + 2 <= call.rows) multiply_block<2, false>(call, row, first), row += 2;
    if (row < call.rows) multiply_block<1, false>(call, row, first);
  }
}

void multiply_group(const GemmCall& call) {
  const auto step = 2 * static_cast<int64_t>(hn::Lanes(DF()));
  for (int64_t first = 0; first < call.columns; first += step) {
    if (call.rows == most_rows)
      multiply_block<most_rows, true>(call, 0, first);
    else if (call.rows == 4)
      multiply_block<4, true>(call, 0, first);
    else if (call.rows == 2)
      multiply_block<2, true>(call, 0, first);
    else
      multiply_block<1, true>(call, 0, first);
  }
}

const GemmKernels* kernels() {
  static const GemmKernels all = {multiply, multiply_group, most_rows};
  return &all;
}

}  // namespace
}  // namespace burnish::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace burnish::cpu {

HWY_EXPORT(kernels);

const GemmKernels& gemm_kernels() { return *HWY_DYNAMIC_DISPATCH(kernels)(); }

int64_t packed_size(int64_t depth, int64_t columns) {
  return (columns + gemm_panel - 1) / gemm_panel * gemm_panel * depth;
}

void pack_panels(const float* b, int64_t row, int64_t column, int64_t depth, int64_t columns, float* panels) {
  for (int64_t first = 0; first < columns; first += gemm_panel, panels += depth * gemm_panel) {
    const int64_t width = std::min(gemm_panel, columns - first);
    const float* from = b + first * column;
    if (column == 1) {
      for (int64_t k = 0; k < depth; ++k) std::copy_n(from + k * row, width, panels + k * gemm_panel);
    } else {
      for (int64_t j = 0; j < width; ++j)
        for (int64_t k = 0; k < depth; ++k) panels[k * gemm_panel + j] = from[k * row + j * column];
    }
    if (width < gemm_panel)
      for (int64_t k = 0; k < depth; ++k)
        std::fill_n(panels + k * gemm_panel + width, gemm_panel - width, 0.0f);
  }
}

int64_t group_rows(int64_t rows) {
  const int64_t most = gemm_kernels().rows_at_once;
  return rows >= most ? most : rows >= 4 ? 4 : rows >= 2 ? 2 : 1;
}

void pack_groups(const float* a, int64_t row, int64_t rows, int64_t begin, int64_t depth, float* packed) {
  for (int64_t first = 0, group; first < rows; first += group, packed += group * depth) {
    group = group_rows(rows - first);
    transpose_plane(sizeof(float), a + first * row + begin, row, packed, group, depth, group);
  }
}

void multiply_packed(const float* a, int64_t a_row, const float* panels, float* c, int64_t c_row,
                     int64_t rows, int64_t depth, int64_t begin, int64_t end, bool accumulate) {
  constexpr int64_t depth_block = 192;  // a panel's part of this depth stays in L1
  const GemmKernels& kernels = gemm_kernels();
  for (int64_t k = 0; k == 0 || k < depth; k += depth_block) {
    for (int64_t column = begin; column < end; column += gemm_panel) {
      GemmCall call;
      call.rows = rows, call.columns = std::min(gemm_panel, end - column),
      call.depth = std::min(depth_block, depth - k);
      call.a = a + k, call.a_row = a_row;
      call.panel = panels + column * depth + k * gemm_panel;
      call.c = c + column, call.c_row = c_row;
      call.accumulate = accumulate || k > 0;
      kernels.multiply(call);
    }
  }
}

}  // namespace burnish::cpu
#endif
