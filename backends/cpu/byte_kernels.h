// The inner kernel of products of eight-bit integers, exact in i32: rows of u8 times a packed panel of i8.
#pragma once

#include <cstddef>
#include <cstdint>

namespace burnish::cpu {

/// Columns of a packed panel, [depth / 4][byte_panel][4]: what is missing of the last four rows or of the
/// columns is 0.
inline constexpr int64_t byte_panel = 32;
/// The most rows of one call.
inline constexpr int64_t most_byte_rows = 48;

/// c[r][j] = sum over k of a[r][k] * panel[k][j], for all byte_panel columns
struct ByteCall {
  int64_t rows = 0, depth = 0;  ///< depth is a multiple of 4
  const uint8_t* a = nullptr;
  int64_t a_row = 0;  ///< bytes from row to row
  const int8_t* panel = nullptr;
  int32_t* c = nullptr;      ///< [rows][byte_panel]
  float* scratch = nullptr;  ///< byte_scratch_floats() of them, each thread its own
};

/// By AVX-512's dot products of bytes where the chip has them, else by floats, which hold such sums exactly.
void multiply_bytes(const ByteCall& call);
size_t byte_scratch_floats();

inline int64_t padded_depth(int64_t depth) { return (depth + 3) / 4 * 4; }
/// How many bytes a packed matrix takes.
int64_t packed_byte_size(int64_t depth, int64_t columns);
/// Packs the row-major b[depth][columns], whose bytes count from `offset` (b - offset must fit i8), and gives
/// for each column, those that fill the last panel too, the sum of what is packed.
void pack_byte_panels(const int8_t* b, int64_t depth, int64_t columns, int8_t* panels, int32_t* sums);
void pack_byte_panels(const uint8_t* b, int64_t depth, int64_t columns, int8_t* panels, int32_t* sums);

}  // namespace burnish::cpu
