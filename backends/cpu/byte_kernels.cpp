#include "backends/cpu/byte_kernels.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "backends/cpu/gemm_kernels.h"
#include "backends/cpu/simd_targets.h"

#define HWY_TARGET_INCLUDE "backends/cpu/byte_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace burnish::cpu::HWY_NAMESPACE {
namespace {

bool is_avx512() { return HWY_TARGET == HWY_AVX3; }

}  // namespace
}  // namespace burnish::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#if defined(__x86_64__)
#include <immintrin.h>
#define BURNISH_VNNI __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512vnni")))
#endif

namespace burnish::cpu {
namespace {

HWY_EXPORT(is_avx512);

static_assert(byte_panel == gemm_panel, "the panels of both kernels are equally wide");

// --- by floats ---

/// The deepest sum of products of u8 and i8 whose parts a float holds exactly: 512 * 255 * 128 < 2^24.
constexpr int64_t float_depth = 512;
constexpr int64_t a_floats = most_byte_rows * float_depth, b_floats = float_depth * byte_panel,
                  c_floats = most_byte_rows * byte_panel;

void expand_rows(const ByteCall& call, int64_t begin, int64_t depth, float* to) {
  for (int64_t r = 0; r < call.rows; ++r, to += depth)
    std::copy_n(call.a + r * call.a_row + begin, depth, to);
}

void expand_panel(const int8_t* panel, int64_t depth, float* to) {
  for (int64_t k = 0; k < depth; k += 4, panel += 4 * byte_panel, to += 4 * byte_panel)
    for (int64_t i = 0; i < 4; ++i)
      for (int64_t j = 0; j < byte_panel; ++j) to[i * byte_panel + j] = panel[j * 4 + i];
}

void multiply_as_floats(const ByteCall& call) {
  float *a = call.scratch, *b = a + a_floats, *c = b + b_floats;
  const int64_t elements = call.rows * byte_panel;
  std::fill_n(call.c, elements, 0);
  for (int64_t k = 0; k < call.depth; k += float_depth) {
    GemmCall part;
    part.rows = call.rows, part.columns = byte_panel, part.depth = std::min(float_depth, call.depth - k);
    expand_rows(call, k, part.depth, a);
    expand_panel(call.panel + k * byte_panel, part.depth, b);
    part.a = a, part.a_row = part.depth, part.panel = b, part.c = c, part.c_row = byte_panel;
    gemm_kernels().multiply(part);
    for (int64_t i = 0; i < elements; ++i) call.c[i] += static_cast<int32_t>(c[i]);
  }
}

// --- by dot products of four bytes ---

#if defined(__x86_64__)

/// As many rows as the registers hold sums of, beside two vectors of the panel and one of a row.
constexpr int most_rows = 12;

template <int Rows>
BURNISH_VNNI void multiply_rows(const ByteCall& call, int64_t row) {
  __m512i low[Rows], high[Rows];
#pragma GCC unroll 12
  for (int r = 0; r < Rows; ++r) low[r] = high[r] = _mm512_setzero_si512();
  const uint8_t* a = call.a + row * call.a_row;
  const int8_t* b = call.panel;
  for (int64_t k = 0; k < call.depth; k += 4, a += 4, b += 4 * byte_panel) {
    const __m512i b_low = _mm512_loadu_si512(b), b_high = _mm512_loadu_si512(b + 2 * byte_panel);
#pragma GCC unroll 12
    for (int r = 0; r < Rows; ++r) {
      int four;
      std::memcpy(&four, a + r * call.a_row, sizeof four);
      const __m512i value = _mm512_set1_epi32(four);
      low[r] = _mm512_dpbusd_epi32(low[r], value, b_low);
      high[r] = _mm512_dpbusd_epi32(high[r], value, b_high);
    }
  }
  int32_t* c = call.c + row * byte_panel;
#pragma GCC unroll 12
  for (int r = 0; r < Rows; ++r, c += byte_panel) {
    _mm512_storeu_si512(c, low[r]);
    _mm512_storeu_si512(c + byte_panel / 2, high[r]);
  }
}

using RowsKernel = void (*)(const ByteCall&, int64_t row);

template <int... Rows>
constexpr std::array<RowsKernel, sizeof...(Rows)> rows_kernels(std::integer_sequence<int, Rows...>) {
  return {&multiply_rows<Rows + 1>...};
}

/// In groups that are as even as they get.
void multiply_by_dots(const ByteCall& call) {
  static constexpr auto kernels = rows_kernels(std::make_integer_sequence<int, most_rows>());
  const int64_t groups = (call.rows + most_rows - 1) / most_rows;
  for (int64_t group = 0; group < groups; ++group) {
    const int64_t begin = call.rows * group / groups, end = call.rows * (group + 1) / groups;
    kernels[static_cast<size_t>(end - begin - 1)](call, begin);
  }
}

/// Highway's choice counts too, so that tests reach the other kernel.
bool has_dots() {
  static const bool in_chip = __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
                              __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return in_chip && HWY_DYNAMIC_DISPATCH(is_avx512)();
}

#else

bool has_dots() { return false; }
void multiply_by_dots(const ByteCall&) {}

#endif

/// `offset` is what an element of type T counts more than what is packed for it.
template <class T>
void pack(const T* b, int64_t offset, int64_t depth, int64_t columns, int8_t* panels, int32_t* sums) {
  const int64_t padded = padded_depth(depth);
  std::fill_n(panels, packed_byte_size(depth, columns), int8_t{0});
  std::fill_n(sums, packed_byte_size(1, columns) / 4, 0);
  for (int64_t k = 0; k < depth; ++k) {
    for (int64_t j = 0; j < columns; ++j) {
      const auto value = static_cast<int8_t>(b[k * columns + j] - offset);
      panels[j / byte_panel * byte_panel * padded + (k / 4 * byte_panel + j % byte_panel) * 4 + k % 4] =
          value;
      sums[j] += value;
    }
  }
}

}  // namespace

void multiply_bytes(const ByteCall& call) { has_dots() ? multiply_by_dots(call) : multiply_as_floats(call); }

size_t byte_scratch_floats() { return has_dots() ? 0 : static_cast<size_t>(a_floats + b_floats + c_floats); }

int64_t packed_byte_size(int64_t depth, int64_t columns) {
  return (columns + byte_panel - 1) / byte_panel * byte_panel * padded_depth(depth);
}

void pack_byte_panels(const int8_t* b, int64_t depth, int64_t columns, int8_t* panels, int32_t* sums) {
  pack(b, 0, depth, columns, panels, sums);
}

void pack_byte_panels(const uint8_t* b, int64_t depth, int64_t columns, int8_t* panels, int32_t* sums) {
  pack(b, 128, depth, columns, panels, sums);
}

}  // namespace burnish::cpu
#endif
