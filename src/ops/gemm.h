// Matrix products for the reference kernels of contractions: blocked, threaded, any strides.
#pragma once

#include <cstdint>

namespace burnish::ops {

/// A matrix anywhere in memory: element (i, j) is data[i * row_stride + j * column_stride].
template <class T>
struct MatrixView {
  const T* data;
  int64_t row_stride, column_stride;

  MatrixView from(int64_t row, int64_t column) const {
    return {data + row * row_stride + column * column_stride, row_stride, column_stride};
  }
};

/// c[i * c_stride + j] = sum over l of a(i, l) * b(l, j), for i < m, j < n, l < k, on the calling thread.
/// T is float, double, uint32_t or uint64_t.
template <class T>
void gemm(int64_t m, int64_t n, int64_t k, MatrixView<T> a, MatrixView<T> b, T* c, int64_t c_stride);

/// The edges of the tiles into which callers cut large products to spread them over threads.
inline constexpr int64_t gemm_tile_rows = 64, gemm_tile_columns = 256;

}  // namespace burnish::ops
