#include <algorithm>
#include <cstring>

#include "base/dispatch.h"
#include "base/parallel.h"
#include "cuda/contraction.h"

namespace burnish::cuda {
namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

/// The column that is the n-th of a product whose threads are to get neighbours; contraction.h says why.
int64_t by_thread(int64_t n, int neighbours) {
  const int64_t unit = 4 * neighbours;
  return n / unit * unit + n / 2 % 4 * neighbours + n % unit / 8 * 2 + n % 2;
}

/// `source(tile, k)`: where element k of an inner tile lies in a column's weights, or -1 for zero. Behind all
/// that there are `more` columns of zeros.
template <class Source>
Tensor pack(const Contraction& c, int64_t tile_n, int64_t k_tiles, const Tensor& weights, int neighbours,
            const Source& source, int64_t more = 0) {
  const int64_t chunk = 16 / dtype_bytes(c.dtype), tile_k = 8 * chunk, columns = c.columns.constant();
  const int64_t n_tiles = divide_up(columns, tile_n),
                n_stride = c.conv ? c.inner.constant() : c.right_n.constant();
  Tensor packed(c.dtype, {(c.groups * n_tiles * k_tiles * tile_n + more) * tile_k});
  std::memset(packed.raw(), 0, static_cast<size_t>(packed.bytes()));
  dispatch_bytes(c.dtype, [&]<class T>(Type<T>) {
    const T* from = static_cast<const T*>(weights.raw());
    T* to = static_cast<T*>(packed.raw());
    parallel_for(c.groups * n_tiles * k_tiles, 4, [&](int64_t begin, int64_t end) {
      for (int64_t tile = begin; tile < end; ++tile) {
        const int64_t k_tile = tile % k_tiles, n0 = tile / k_tiles % n_tiles * tile_n,
                      group = tile / k_tiles / n_tiles;
        for (int64_t n = 0; n < tile_n; ++n) {
          const int64_t column = n0 + by_thread(n, neighbours);
          if (column >= columns) continue;
          for (int64_t k = 0; k < tile_k; ++k) {
            const int64_t at = source(k_tile, k);
            if (at < 0) continue;
            to[tile * tile_n * tile_k + n * tile_k + ((k / chunk) ^ (n & 7)) * chunk + k % chunk] =
                from[(group * columns + column) * n_stride + at];
          }
        }
      }
    });
  });
  return packed;
}

/// As pack_tiles(), of tiles of so many columns.
Tensor pack_columns(const Contraction& c, int64_t tile_n, const Tensor& weights, int neighbours,
                    int64_t more = 0) {
  const int64_t tile_k = 128 / dtype_bytes(c.dtype), inner = c.inner.constant(), channels = c.weight_channels,
                positions = c.weight_positions, k_stride = c.conv ? 1 : c.right_k.constant();
  const auto source = [=](int64_t tile, int64_t k) {
    const int64_t at = tile * tile_k + k;
    return at < inner ? (at % channels * positions + at / channels) * k_stride : int64_t{-1};
  };
  return pack(c, tile_n, divide_up(inner, tile_k), weights, neighbours, source, more);
}

}  // namespace

Tensor pack_tiles(const Contraction& c, int tile_n, const Tensor& weights, int neighbours) {
  return pack_columns(c, tile_n, weights, neighbours);
}

Tensor pack_for_any_tile(const Contraction& c, int most_tile, const Tensor& weights) {
  return pack_columns(c, columns_for_any_tile(c.columns.constant()), weights, 4, most_tile);
}

Tensor pack_window_tiles(const Contraction& c, int tile_n, int taps, const Tensor& weights, int neighbours) {
  const int64_t tile_k = 128 / dtype_bytes(c.dtype), channels = c.channels.constant(), kernel_w = c.kernel[1],
                window = c.kernel[0] * kernel_w, k_tiles = divide_up(channels, tile_k) * window;
  return pack(c, tile_n, k_tiles, weights, neighbours, [=](int64_t tile, int64_t k) {
    const int64_t channel = tile / window * tile_k + k, position = tile % window / taps,
                  row = position / kernel_w * taps + tile % taps, column = position % kernel_w;
    return channel < channels ? channel * window + row * kernel_w + column : int64_t{-1};
  });
}

Tensor pack_pair_tiles(const Contraction& c, int tile_n, const Tensor& weights) {
  const int64_t columns = c.columns.constant(), channels = c.channels.constant(), height = c.kernel[0],
                width = c.kernel[1], row_pairs = divide_up(width, 2),
                steps = divide_up(channels * height * row_pairs, 8), eights = tile_n / 8,
                n_tiles = divide_up(columns, tile_n);
  Tensor packed(c.dtype, {n_tiles * steps * eights * 128});
  std::memset(packed.raw(), 0, static_cast<size_t>(packed.bytes()));
  const auto* from = static_cast<const uint16_t*>(weights.raw());
  auto* to = static_cast<uint16_t*>(packed.raw());
  for (int64_t i = 0; i < packed.size(); ++i) {
    const int64_t lane = i / 8 % 32, eight = i / 256 * 2 % eights + i / 4 % 2,
                  step = i / 128 / eights % steps,
                  n = i / 128 / eights / steps * tile_n + eight * 8 + lane / 4,
                  pair = step * 8 + lane % 4 + i / 2 % 2 * 4, channel = pair / (height * row_pairs),
                  row = pair / row_pairs % height, column = pair % row_pairs * 2 + i % 2;
    if (n < columns && channel < channels && column < width)
      to[i] = from[((n * channels + channel) * height + row) * width + column];
  }
  return packed;
}

}  // namespace burnish::cuda
