#include <algorithm>
#include <cstring>

#include "base/dispatch.h"
#include "base/parallel.h"
#include "cuda/contraction.h"

namespace burnish::cuda {
namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace

Tensor pack_tiles(const Contraction& c, int tile_n, const Tensor& weights) {
  const int64_t chunk = 16 / dtype_bytes(c.dtype), tile_k = 8 * chunk, inner = c.inner.constant(),
                columns = c.columns.constant();
  const int64_t n_tiles = divide_up(columns, tile_n), k_tiles = divide_up(inner, tile_k);
  const int64_t n_stride = c.conv ? inner : c.right_n.constant(),
                k_stride = c.conv ? 1 : c.right_k.constant();
  Tensor packed(c.dtype, {c.groups * n_tiles * k_tiles * tile_n * tile_k});
  std::memset(packed.raw(), 0, static_cast<size_t>(packed.bytes()));
  dispatch_bytes(c.dtype, [&]<class T>(Type<T>) {
    const T* from = static_cast<const T*>(weights.raw());
    T* to = static_cast<T*>(packed.raw());
    parallel_for(c.groups * n_tiles * k_tiles, 4, [&](int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile < end; ++tile) {
        const int64_t k0 = tile % k_tiles * tile_k, n0 = tile / k_tiles % n_tiles * tile_n,
                      group = tile / k_tiles / n_tiles;
        for (int64_t n = 0; n < std::min<int64_t>(tile_n, columns - n0); ++n)
          for (int64_t k = 0; k < std::min(tile_k, inner - k0); ++k) {
            const int64_t at =
                (k0 + k) % c.weight_channels * c.weight_positions + (k0 + k) / c.weight_channels;
            const int64_t source = (group * columns + n0 + n) * n_stride + at * k_stride;
            to[tile * tile_n * tile_k + n * tile_k + ((k / chunk) ^ (n & 7)) * chunk + k % chunk] =
                from[source];
          }
      }
    });
  });
  return packed;
}

}  // namespace burnish::cuda
