#include "backends/cpu/packed_product.h"

#include <algorithm>

#include "backends/cpu/gemm_kernels.h"
#include "base/parallel.h"

namespace burnish::cpu {
namespace {

constexpr int64_t depth_block = 192;     // a panel's part of this depth stays in L1
constexpr int64_t most_tile_rows = 240;  // with depth_block columns they stay in L2
constexpr int64_t strip_panels = 8;  // that a tile of rows is multiplied with before the next block of depth

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

PackedProduct::PackedProduct(int64_t rows, int64_t depth, int64_t columns, int64_t x_row, int threads)
    : rows_(rows), depth_(depth), columns_(columns), x_row_(x_row), threads_(threads) {
  const int64_t once = gemm_kernels().rows_at_once;
  const int64_t wanted = divide_up(std::max<int64_t>(rows, 1), most_tile_rows);
  by_rows_ = wanted >= threads || divide_up(columns, gemm_panel) < threads;
  const int64_t tiles = by_rows_ ? divide_up(wanted, threads) * threads : wanted;
  tile_rows_ = divide_up(divide_up(std::max<int64_t>(rows, 1), tiles), once) * once;
  tiles_ = divide_up(rows, tile_rows_);
}

int64_t PackedProduct::tile_size(int64_t tile) const {
  return std::min(tile_rows_, rows_ - tile_begin(tile));
}

size_t PackedProduct::workspace_bytes() const {
  const int64_t packed_rows = by_rows_ ? threads_ * tile_rows_ : rows_;
  return static_cast<size_t>(packed_rows * depth_) * sizeof(float);
}

/// Packs blocks of depth part, part + parts, ... of a tile of rows: [block][group][depth of the block][rows
/// of the group].
void PackedProduct::pack_tile(const float* x, int64_t tile, int64_t part, int64_t parts,
                              float* packed) const {
  for (int64_t k = part * depth_block; k < depth_; k += parts * depth_block)
    pack_groups(x + tile_begin(tile) * x_row_, x_row_, tile_size(tile), k, std::min(depth_block, depth_ - k),
                packed + k * tile_size(tile));
}

/// Panels [begin, end) for the rows of a tile.
void PackedProduct::multiply_tile(const float* packed, int64_t tile, int64_t begin, int64_t end,
                                  const float* panels, float* y, const Finish* finish) const {
  const GemmKernels& kernels = gemm_kernels();
  const int64_t rows = tile_size(tile);
  for (int64_t strip = begin; strip < end; strip += strip_panels) {
    const int64_t strip_end = std::min(strip + strip_panels, end);
    for (int64_t k = 0; k == 0 || k < depth_; k += depth_block) {
      const int64_t depth = std::min(depth_block, depth_ - k);
      for (int64_t panel = strip; panel < strip_end; ++panel) {
        GemmCall call;
        const int64_t column = panel * gemm_panel;
        call.columns = std::min(gemm_panel, columns_ - column);
        call.depth = depth;
        call.panel = panels + column * depth_ + k * gemm_panel;
        call.c_row = columns_;
        call.accumulate = k > 0;
        for (int64_t row = 0; row < rows; row += call.rows) {
          call.rows = group_rows(rows - row);
          call.a = packed + k * rows + row * depth;
          call.c = y + (tile_begin(tile) + row) * columns_ + column;
          kernels.multiply_group(call);
        }
      }
    }
    if (!finish) continue;
    const int64_t first = strip * gemm_panel, count = std::min(strip_end * gemm_panel, columns_) - first;
    for (int64_t row = 0; row < rows; ++row) (*finish)((tile_begin(tile) + row) * columns_ + first, count);
  }
}

void PackedProduct::run(const float* x, const float* panels, float* y, void* workspace,
                        const Finish* finish) const {
  if (rows_ * columns_ == 0) return;
  float* packed = static_cast<float*>(workspace);
  const int64_t all_panels = divide_up(columns_, gemm_panel);
  if (by_rows_) {
    current_parallel().run(threads_, [&](int thread) {
      float* own = packed + thread * tile_rows_ * depth_;
      for (int64_t tile = tiles_ * thread / threads_; tile < tiles_ * (thread + 1) / threads_; ++tile) {
        pack_tile(x, tile, 0, 1, own);
        multiply_tile(own, tile, 0, all_panels, panels, y, finish);
      }
    });
    return;
  }
  current_parallel().run(threads_, [&](int thread) {
    for (int64_t tile = 0; tile < tiles_; ++tile)
      pack_tile(x, tile, thread, threads_, packed + tile_begin(tile) * depth_);
  });
  current_parallel().run(threads_, [&](int thread) {
    for (int64_t tile = 0; tile < tiles_; ++tile)
      multiply_tile(packed + tile_begin(tile) * depth_, tile, all_panels * thread / threads_,
                    all_panels * (thread + 1) / threads_, panels, y, finish);
  });
}

}  // namespace burnish::cpu
