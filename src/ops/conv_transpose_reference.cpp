#include <algorithm>

#include "base/parallel.h"
#include "ops/contraction.h"
#include "ops/conv_reference.h"
#include "ops/gemm.h"
#include "ops/indexing.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

/// Adds what every input position gives at window point k (`row`, one entry per position) to one output map.
template <class T>
void scatter_point(const Window& window, const Shape& input, const Shape& output, int64_t k, const T* row,
                   T* map) {
  const size_t last = window.rank() - 1;
  const Shape offset = unravel(k, window.kernel);
  const int64_t width = input[last], rows = product_of(input) / std::max<int64_t>(1, width);
  for (int64_t r = 0; r < rows; ++r) {
    const Shape at = unravel(r, std::span(input).first(last));
    int64_t target = 0;
    bool inside = true;
    for (size_t d = 0; d < last; ++d) {
      const int64_t coordinate = window.input_at(d, at[d], offset[d]);
      inside = inside && coordinate >= 0 && coordinate < output[d];
      target = target * output[d] + coordinate;
    }
    if (!inside) continue;
    for (int64_t i = 0; i < width; ++i) {
      const int64_t column = window.input_at(last, i, offset[last]);
      if (column >= 0 && column < output[last]) map[target * output[last] + column] += row[r * width + i];
    }
  }
}

}  // namespace

void conv_transpose_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<ConvTransposeAttributes>();
  const Tensor &x = call.inputs[0], &w = call.inputs[1];
  Tensor& y = call.outputs[0];
  const Shape input = spatial_sizes(x), output = spatial_sizes(y), kernel = spatial_sizes(w);
  const Window window = resolve_transposed_window(attributes, kernel, input, output);
  const int64_t group = attributes.group, channels = w.shape()[0] / group, maps = w.shape()[1];
  const int64_t points = product_of(kernel), positions = product_of(input), map_size = product_of(output);
  dispatch(WideNumberTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    using W = wrapping_t<T>;
    const W *data = wrapping_data<T>(x), *weights = wrapping_data<T>(w);
    const W* bias = call.has(2) ? wrapping_data<T>(call.inputs[2]) : nullptr;
    parallel_for(x.shape()[0] * group * maps, 1, [&](int64_t first, int64_t last) {
      std::vector<W> rows(static_cast<size_t>(points * positions));
      for (int64_t task = first; task < last; ++task) {
        const int64_t map = task % maps, g = task / maps % group, image = task / maps / group;
        W* target = wrapping_data<T>(y) + task * map_size;
        std::fill(target, target + map_size, bias ? bias[g * maps + map] : W(0));
        // rows[k, p] = sum over channels of w[channel, map, k] * x[channel, p]
        gemm<W>(points, positions, channels,
                {weights + (g * channels * maps + map) * points, 1, maps * points},
                {data + (image * group + g) * channels * positions, positions, 1}, rows.data(), positions);
        for (int64_t k = 0; k < points; ++k)
          scatter_point(window, input, output, k, rows.data() + k * positions, target);
      }
    });
  });
}

}  // namespace burnish::ops
