// Copies between grids of elements, with transposition in blocks that stay in L1.
#pragma once

#include <burnish/tensor.h>

#include <vector>

namespace burnish::cpu {

/// Element (i0, i1, ...) of a grid goes from sum i_d * from[d] to sum i_d * to[d], strides in elements.
class StridedCopy {
 public:
  StridedCopy(int64_t element_bytes, Shape sizes, std::vector<int64_t> from, std::vector<int64_t> to);
  /// In parallel; allocates nothing. The memories must not overlap.
  void run(const void* source, void* destination) const;

 private:
  void copy_plane(const char* source, char* destination, int64_t row_begin, int64_t row_end) const;

  int64_t bytes_;
  Shape sizes_;                     // of the outer dimensions
  std::vector<int64_t> from_, to_;  // theirs
  int64_t outer_ = 1;
  // The plane inside: `rows` along the destination's far stride, `columns` along its near one.
  int64_t rows_ = 1, columns_ = 1;
  int64_t row_from_ = 0, row_to_ = 0, column_from_ = 1, column_to_ = 1;
};

/// A plane of elements, transposed: element (r, c) from source[c * from + r] to destination[r * to + c].
/// `bytes` is 1, 2, 4 or 8.
void transpose_plane(int64_t bytes, const void* source, int64_t from, void* destination, int64_t to,
                     int64_t rows, int64_t columns);

}  // namespace burnish::cpu
