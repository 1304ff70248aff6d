#include "ops/conv_reference.h"

#include <algorithm>
#include <cmath>

#include "base/parallel.h"
#include "ops/contraction.h"
#include "ops/gemm.h"
#include "ops/indexing.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

/// One convolution's sizes. Both kernels here write, for a tile of output positions, the inputs that each
/// position reads as columns of a matrix, and multiply the weights with it.
struct Geometry {
  Window window;
  Shape input, output;                   // spatial
  int64_t batch, group, channels, maps;  // channels and maps (output channels) of one group
  int64_t points, positions;             // of one window; of one output map
  std::vector<Shape> offsets;            // of each point in the window

  Geometry(const WindowAttributes& attributes, int64_t groups, const Tensor& x, const Tensor& w,
           const Tensor& y)
      : window(resolve_window(attributes, spatial_sizes(w), spatial_sizes(x))),
        input(spatial_sizes(x)),
        output(spatial_sizes(y)),
        batch(x.shape()[0]),
        group(groups),
        channels(w.shape()[1]),
        maps(w.shape()[0] / groups),
        points(product_of(window.kernel)),
        positions(product_of(output)) {
    for (int64_t k = 0; k < points; ++k) offsets.push_back(unravel(k, window.kernel));
  }

  int64_t depth() const { return channels * points; }
  int64_t input_size() const { return product_of(input); }
  /// Positions per tile: the columns of one tile stay in the second-level cache.
  int64_t tile() const { return std::clamp<int64_t>((1 << 17) / std::max<int64_t>(1, depth()), 32, 512); }
};

/// columns[(c * points + k) * (end - begin) + p - begin] = what position p reads of channel c at window point
/// k.
template <class T>
void gather_columns(const Geometry& g, const T* x, int64_t begin, int64_t end, T* columns) {
  const size_t last = g.window.rank() - 1;
  const int64_t width = g.output[last], input_width = g.input[last], input_size = g.input_size();
  const int64_t stride = g.window.strides[last];
  for (int64_t position = begin; position < end;) {
    const Shape at = unravel(position, g.output);
    const int64_t count = std::min(width - at[last], end - position);
    for (int64_t k = 0; k < g.points; ++k) {
      const Shape& offset = g.offsets[static_cast<size_t>(k)];
      int64_t row = 0;
      bool inside = true;
      for (size_t d = 0; d < last; ++d) {
        const int64_t coordinate = g.window.input_at(d, at[d], offset[d]);
        inside = inside && coordinate >= 0 && coordinate < g.input[d];
        row = row * g.input[d] + coordinate;
      }
      // Of the `count` positions, those from `low` to `high` read inside the row.
      const int64_t first = g.window.input_at(last, at[last], offset[last]);
      const int64_t low =
          inside ? std::clamp<int64_t>(first >= 0 ? 0 : (-first + stride - 1) / stride, 0, count) : count;
      const int64_t high =
          inside ? std::clamp<int64_t>(first >= input_width ? 0 : (input_width - 1 - first) / stride + 1, low,
                                       count)
                 : count;
      T* target = columns + k * (end - begin) + (position - begin);
      const T* source = x + row * input_width + first;
      for (int64_t c = 0; c < g.channels; ++c, target += g.points * (end - begin), source += input_size) {
        std::fill(target, target + low, T(0));
        if (stride == 1)
          std::copy(source + low, source + high, target + low);
        else
          for (int64_t i = low; i < high; ++i) target[i] = source[i * stride];
        std::fill(target + high, target + count, T(0));
      }
    }
    position += count;
  }
}

/// y = w * columns + bias, where make_columns(n, g, begin, end, columns) fills the columns of group g of
/// image n.
template <class T, class MakeColumns>
void convolve(const Geometry& g, const T* w, const T* bias, T* y, const MakeColumns& make_columns) {
  const int64_t tile = g.tile(), tiles = (g.positions + tile - 1) / tile;
  parallel_for(g.batch * g.group * tiles, 1, [&](int64_t first, int64_t last) {
    std::vector<T> columns(static_cast<size_t>(g.depth() * tile));
    for (int64_t task = first; task < last; ++task) {
      const int64_t begin = task % tiles * tile, end = std::min(begin + tile, g.positions);
      const int64_t group = task / tiles % g.group, image = task / tiles / g.group, map = group * g.maps;
      make_columns(image, group, begin, end, columns.data());
      T* target = y + (image * g.group * g.maps + map) * g.positions + begin;
      gemm<T>(g.maps, end - begin, g.depth(), {w + map * g.depth(), g.depth(), 1},
              {columns.data(), end - begin, 1}, target, g.positions);
      for (int64_t m = 0; bias && m < g.maps; ++m)
        for (int64_t p = 0; p < end - begin; ++p) target[m * g.positions + p] += bias[map + m];
    }
  });
}

/// The value of an image [height, width] at a fractional place; zero outside.
template <class T>
T sample_bilinear(const T* image, int64_t height, int64_t width, T y, T x) {
  if (!(y > T(-1) && y < T(height) && x > T(-1) && x < T(width))) return T(0);
  const int64_t top = static_cast<int64_t>(std::floor(y)), left = static_cast<int64_t>(std::floor(x));
  const T down = y - T(top), right = x - T(left);
  const auto at = [&](int64_t row, int64_t column) {
    return row >= 0 && row < height && column >= 0 && column < width ? image[row * width + column] : T(0);
  };
  return (1 - down) * ((1 - right) * at(top, left) + right * at(top, left + 1)) +
         down * ((1 - right) * at(top + 1, left) + right * at(top + 1, left + 1));
}

/// The columns of one group of one image for deform_conv. offset is [offset_group, points, 2, positions] of
/// the image, mask (may be null) [offset_group, points, positions].
template <class T>
void sample_columns(const Geometry& g, int64_t offset_group, int64_t group, const T* x, const T* offset,
                    const T* mask, int64_t begin, int64_t end, T* columns) {
  const int64_t channels_per_offset = g.channels * g.group / offset_group, height = g.input[0],
                width = g.input[1];
  for (int64_t c = 0; c < g.channels; ++c) {
    const int64_t channel = group * g.channels + c, source = channel / channels_per_offset;
    for (int64_t k = 0; k < g.points; ++k) {
      const int64_t plane = source * g.points + k;
      const Shape& point = g.offsets[static_cast<size_t>(k)];
      for (int64_t p = begin; p < end; ++p) {
        const T row =
            T(g.window.input_at(0, p / g.output[1], point[0])) + offset[2 * plane * g.positions + p];
        const T column =
            T(g.window.input_at(1, p % g.output[1], point[1])) + offset[(2 * plane + 1) * g.positions + p];
        const T value = sample_bilinear(x + channel * height * width, height, width, row, column);
        columns[(c * g.points + k) * (end - begin) + p - begin] =
            mask ? value * mask[plane * g.positions + p] : value;
      }
    }
  }
}

}  // namespace

void conv_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<ConvAttributes>();
  const Tensor &x = call.inputs[0], &w = call.inputs[1];
  const Geometry g(attributes, attributes.group, x, w, call.outputs[0]);
  dispatch(WideNumberTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    const auto* data = wrapping_data<T>(x);
    const auto* bias = call.has(2) ? wrapping_data<T>(call.inputs[2]) : nullptr;
    convolve(g, wrapping_data<T>(w), bias, wrapping_data<T>(call.outputs[0]),
             [&](int64_t image, int64_t group, int64_t begin, int64_t end, auto* columns) {
               gather_columns(g, data + (image * g.group + group) * g.channels * g.input_size(), begin, end,
                              columns);
             });
  });
}

void deform_conv_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<DeformConvAttributes>();
  const Tensor &x = call.inputs[0], &w = call.inputs[1];
  const Geometry g(attributes, attributes.group, x, w, call.outputs[0]);
  const int64_t planes = attributes.offset_group * g.points * g.positions;
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    const T *data = x.data<T>(), *offset = call.inputs[2].data<T>();
    const T* bias = call.has(3) ? call.inputs[3].data<T>() : nullptr;
    const T* mask = call.has(4) ? call.inputs[4].data<T>() : nullptr;
    convolve(g, w.data<T>(), bias, call.outputs[0].data<T>(),
             [&](int64_t image, int64_t group, int64_t begin, int64_t end, T* columns) {
               sample_columns(
                   g, attributes.offset_group, group, data + image * g.group * g.channels * g.input_size(),
                   offset + 2 * image * planes, mask ? mask + image * planes : nullptr, begin, end, columns);
             });
  });
}

}  // namespace burnish::ops
