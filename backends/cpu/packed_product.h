// A product of a matrix with packed weights, spread over threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

namespace burnish::cpu {

/// y = x * w for x of [rows, depth] whose rows lie `x_row` apart and w of [depth, columns] in panels
/// (pack_panels).
class PackedProduct {
 public:
  PackedProduct(int64_t rows, int64_t depth, int64_t columns, int64_t x_row, int threads);

  size_t workspace_bytes() const;
  /// Called for a part of a row of y when it is done: its first element and how many, counted in the whole of
  /// y.
  using Finish = std::function<void(int64_t begin, int64_t count)>;
  /// y is dense. Allocates nothing.
  void run(const float* x, const float* panels, float* y, void* workspace, const Finish* finish) const;

 private:
  void pack_tile(const float* x, int64_t tile, int64_t part, int64_t parts, float* packed) const;
  void multiply_tile(const float* packed, int64_t tile, int64_t begin, int64_t end, const float* panels,
                     float* y, const Finish* finish) const;
  int64_t tile_begin(int64_t tile) const { return tile * tile_rows_; }
  int64_t tile_size(int64_t tile) const;

  int64_t rows_, depth_, columns_, x_row_;
  int threads_;
  int64_t tile_rows_, tiles_;
  bool by_rows_;  // each thread takes tiles of rows; else all share each tile, each with columns of its own
};

}  // namespace burnish::cpu
