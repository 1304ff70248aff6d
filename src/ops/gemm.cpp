#include "ops/gemm.h"

#include <algorithm>
#include <vector>

namespace burnish::ops {
namespace {

constexpr int64_t panel_rows = 4, panel_columns = 8, depth_block = 256;

/// c += a * b for few rows of a and contiguous rows of b: no packing, one pass over b per row.
template <class T>
void add_few_rows(int64_t m, int64_t n, int64_t k, MatrixView<T> a, MatrixView<T> b, T* c, int64_t c_stride) {
  for (int64_t i = 0; i < m; ++i) {
    T* sums = c + i * c_stride;
    for (int64_t l = 0; l < k; ++l) {
      const T factor = *a.from(i, l).data;
      const T* row = b.data + l * b.row_stride;
      for (int64_t j = 0; j < n; ++j) sums[j] += factor * row[j];
    }
  }
}

/// Copies `lines` lines of `depth` elements into panels of `width` lines, interleaved, padded with zeros.
template <class T>
void pack(int64_t lines, int64_t depth, int64_t width, const T* data, int64_t line_stride,
          int64_t depth_stride, T* packed) {
  for (int64_t first = 0; first < lines; first += width) {
    const int64_t live = std::min(width, lines - first);
    for (int64_t l = 0; l < depth; ++l, packed += width) {
      const T* source = data + first * line_stride + l * depth_stride;
      for (int64_t i = 0; i < live; ++i) packed[i] = source[i * line_stride];
      std::fill(packed + live, packed + width, T(0));
    }
  }
}

template <class T>
void add_panel(int64_t depth, const T* __restrict a, const T* __restrict b, T* c, int64_t c_stride,
               int64_t rows, int64_t columns) {
  T sums[panel_rows][panel_columns] = {};
  for (int64_t l = 0; l < depth; ++l, a += panel_rows, b += panel_columns)
    for (int64_t i = 0; i < panel_rows; ++i)
      for (int64_t j = 0; j < panel_columns; ++j) sums[i][j] += a[i] * b[j];
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) c[i * c_stride + j] += sums[i][j];
}

template <class T>
void add_packed(int64_t m, int64_t n, int64_t k, MatrixView<T> a, MatrixView<T> b, T* c, int64_t c_stride) {
  const auto padded = [](int64_t count, int64_t width) {
    return static_cast<size_t>((count + width - 1) / width * width);
  };
  static thread_local std::vector<T> packed_a, packed_b;
  for (int64_t first = 0; first < k; first += depth_block) {
    const int64_t depth = std::min(depth_block, k - first);
    packed_a.resize(padded(m, panel_rows) * static_cast<size_t>(depth));
    packed_b.resize(padded(n, panel_columns) * static_cast<size_t>(depth));
    pack(m, depth, panel_rows, a.from(0, first).data, a.row_stride, a.column_stride, packed_a.data());
    pack(n, depth, panel_columns, b.from(first, 0).data, b.column_stride, b.row_stride, packed_b.data());
    for (int64_t j = 0; j < n; j += panel_columns)
      for (int64_t i = 0; i < m; i += panel_rows)
        add_panel(depth, packed_a.data() + i * depth, packed_b.data() + j * depth, c + i * c_stride + j,
                  c_stride, std::min(panel_rows, m - i), std::min(panel_columns, n - j));
  }
}

}  // namespace

template <class T>
void gemm(int64_t m, int64_t n, int64_t k, MatrixView<T> a, MatrixView<T> b, T* c, int64_t c_stride) {
  for (int64_t i = 0; i < m; ++i) std::fill(c + i * c_stride, c + i * c_stride + n, T(0));
  if (m < panel_rows && b.column_stride == 1) return add_few_rows(m, n, k, a, b, c, c_stride);
  for (int64_t i = 0; i < m; i += gemm_tile_rows)
    for (int64_t j = 0; j < n; j += gemm_tile_columns)
      add_packed(std::min(gemm_tile_rows, m - i), std::min(gemm_tile_columns, n - j), k, a.from(i, 0),
                 b.from(0, j), c + i * c_stride + j, c_stride);
}

template void gemm(int64_t, int64_t, int64_t, MatrixView<float>, MatrixView<float>, float*, int64_t);
template void gemm(int64_t, int64_t, int64_t, MatrixView<double>, MatrixView<double>, double*, int64_t);
template void gemm(int64_t, int64_t, int64_t, MatrixView<uint32_t>, MatrixView<uint32_t>, uint32_t*, int64_t);
template void gemm(int64_t, int64_t, int64_t, MatrixView<uint64_t>, MatrixView<uint64_t>, uint64_t*, int64_t);

}  // namespace burnish::ops
