// The inner kernel of our own matrix products of floats: a few rows times one packed panel of columns.
#pragma once

#include <cstdint>

namespace burnish::cpu {

/// Columns of a packed panel: [depth][gemm_panel], short panels filled up with zeros.
inline constexpr int64_t gemm_panel = 32;

/// c[r][j] = (accumulate ? c[r][j] : 0) + sum over k of a[r][k] * panel[k][j]
struct GemmCall {
  int64_t rows = 0, columns = 0, depth = 0;  ///< columns <= gemm_panel
  const float* a = nullptr;
  int64_t a_row = 0;  ///< elements from row to row
  const float* panel = nullptr;
  float* c = nullptr;
  int64_t c_row = 0;
  bool accumulate = false;
};

struct GemmKernels {
  void (*multiply)(const GemmCall&);
  /// The same for one group of rows of a packed matrix, [depth][rows]; a_row is not read.
  void (*multiply_group)(const GemmCall&);
  int64_t rows_at_once;  ///< of the largest group
};
const GemmKernels& gemm_kernels();

/// How many floats a packed matrix of `depth` rows takes.
int64_t packed_size(int64_t depth, int64_t columns);
/// Packs element (k, j) at b[k * row + j * column] into panels.
void pack_panels(const float* b, int64_t row, int64_t column, int64_t depth, int64_t columns, float* panels);

/// How many rows the next group of a packed left matrix holds when `rows` are left: what registers take at
/// once, then 4, 2 or 1.
int64_t group_rows(int64_t rows);
/// Packs columns [begin, begin + depth) of rows that lie `row` apart: [group][depth][rows of the group],
/// `rows` * `depth` floats.
void pack_groups(const float* a, int64_t row, int64_t rows, int64_t begin, int64_t depth, float* packed);

/// c = a * b for packed b, on this thread; columns [begin, end) only, where begin is a multiple of
/// gemm_panel. With `accumulate`, c += a * b.
void multiply_packed(const float* a, int64_t a_row, const float* panels, float* c, int64_t c_row,
                     int64_t rows, int64_t depth, int64_t begin, int64_t end, bool accumulate = false);

}  // namespace burnish::cpu
