#include <algorithm>
#include <cstdint>

#include "backends/cpu/simd_targets.h"
#include "backends/cpu/strided_copy.h"
#include "base/dispatch.h"

#define HWY_TARGET_INCLUDE "backends/cpu/transpose_plane.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace burnish::cpu::HWY_NAMESPACE {
namespace {  // names are this file's own: other files have kernels of the same names

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET != HWY_SCALAR
/// Four rows of four 32-bit elements.
HWY_INLINE void transpose_4x4(const uint32_t* source, int64_t from, uint32_t* destination, int64_t to) {
  const hn::CappedTag<uint32_t, 4> d;
  const hn::CappedTag<uint64_t, 2> pairs;
  const auto a = hn::LoadU(d, source), b = hn::LoadU(d, source + from);
  const auto c = hn::LoadU(d, source + 2 * from), e = hn::LoadU(d, source + 3 * from);
  const auto ab_low = hn::BitCast(pairs, hn::InterleaveLower(d, a, b)),
             ab_high = hn::BitCast(pairs, hn::InterleaveUpper(d, a, b));
  const auto ce_low = hn::BitCast(pairs, hn::InterleaveLower(d, c, e)),
             ce_high = hn::BitCast(pairs, hn::InterleaveUpper(d, c, e));
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab_low, ce_low)), d, destination);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_low, ce_low)), d, destination + to);
  hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, ab_high, ce_high)), d, destination + 2 * to);
  hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, ab_high, ce_high)), d, destination + 3 * to);
}
#endif

template <class T>
HWY_INLINE void transpose_block(const T* source, int64_t from, T* destination, int64_t to, int64_t rows,
                                int64_t columns) {
#if HWY_TARGET != HWY_SCALAR
  if constexpr (sizeof(T) == 4) {
    const int64_t whole_rows = rows / 4 * 4, whole_columns = columns / 4 * 4;
    for (int64_t r = 0; r < whole_rows; r += 4)
      for (int64_t c = 0; c < whole_columns; c += 4)
        transpose_4x4(reinterpret_cast<const uint32_t*>(source) + c * from + r, from,
                      reinterpret_cast<uint32_t*>(destination) + r * to + c, to);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t c = r < whole_rows ? whole_columns : 0; c < columns; ++c)
        destination[r * to + c] = source[c * from + r];
    return;
  }
#endif
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < columns; ++c) destination[r * to + c] = source[c * from + r];
}

/// Blocks of 32 by 32, so that each line of the cache is read and written once.
template <class T>
void transpose_all(const void* source, int64_t from, void* destination, int64_t to, int64_t rows,
                   int64_t columns) {
  constexpr int64_t block = 32;
  for (int64_t r = 0; r < rows; r += block)
    for (int64_t c = 0; c < columns; c += block)
      transpose_block(static_cast<const T*>(source) + c * from + r, from,
                      static_cast<T*>(destination) + r * to + c, to, std::min(block, rows - r),
                      std::min(block, columns - c));
}

void transpose_plane(int64_t bytes, const void* source, int64_t from, void* destination, int64_t to,
                     int64_t rows, int64_t columns) {
  switch (bytes) {
    case 1:
      return transpose_all<uint8_t>(source, from, destination, to, rows, columns);
    case 2:
      return transpose_all<uint16_t>(source, from, destination, to, rows, columns);
    case 4:
      return transpose_all<uint32_t>(source, from, destination, to, rows, columns);
    default:
      return transpose_all<uint64_t>(source, from, destination, to, rows, columns);
  }
}

}  // namespace
}  // namespace burnish::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace burnish::cpu {

HWY_EXPORT(transpose_plane);

void transpose_plane(int64_t bytes, const void* source, int64_t from, void* destination, int64_t to,
                     int64_t rows, int64_t columns) {
  HWY_DYNAMIC_DISPATCH(transpose_plane)(bytes, source, from, destination, to, rows, columns);
}

}  // namespace burnish::cpu
#endif
