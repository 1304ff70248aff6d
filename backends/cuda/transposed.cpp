// Transposed convolutions as convolutions. With stride s, output coordinate t = s q + r - e takes of input q
// - j the weights at s j + r: so the s phases r are columns of one convolution whose windows are ceil(kernel
// / s) wide and move by single pixels (Shi et al., "Is the deconvolution layer the same as a convolutional
// layer?", arXiv:1609.07009).
#include <cstring>

#include "base/dispatch.h"
#include "cuda/contraction.h"
#include "ops/contraction.h"

namespace burnish::cuda {

using device::Problem;
using ir::Dim;

Support analyse_transposed(const Problem& problem, const ir::Node& node, Contraction& into) {
  auto attributes = node.attributes.as<ops::ConvTransposeAttributes>();
  if (!problem.is_weight(into.right)) return Support::no("a convolution whose weights are computed");
  const ir::TensorType &x = problem.input(into.left), &w = problem.input(into.right);
  const ir::TensorType& y = problem.body().value(node.outputs[0]).type;
  const auto weights = ir::constants(w.shape);
  if (!weights || (x.rank() != 3 && x.rank() != 4)) return Support::no("a convolution of rank {}", x.rank());
  if (attributes.group != 1) return Support::no("a transposed convolution in groups");
  const size_t spatial = x.shape.size() - 2;
  Shape sizes, made;
  for (size_t d = 2; d < x.shape.size(); ++d) {
    const bool known = x.shape[d].is_constant() && y.shape[d].is_constant();
    if (!known && (!attributes.output_shape.empty() || attributes.auto_pad.starts_with("SAME")))
      return Support::no("pads that depend on the input's size");
    sizes.push_back(known ? x.shape[d].constant() : 1);
    made.push_back(known ? y.shape[d].constant() : 1);
  }
  const ops::Window window =
      ops::resolve_transposed_window(attributes, std::span(*weights).subspan(2), sizes, made);
  const Strides strides = logical_strides(x);
  into.conv = true;
  into.images = x.shape[0];
  into.channels = x.shape[1];
  into.left_image = strides[0];
  into.left_c = strides[1];
  into.left_w = into.tap_w = strides.back();
  into.width = x.shape.back();
  if (spatial == 2) {
    into.height = x.shape[2];
    into.left_h = into.tap_h = strides[2];
  }
  Contraction::Phases& phases = into.phases.emplace();
  phases.channels = w.shape[1];
  for (size_t d = 0; d < spatial; ++d) {
    const size_t at = d + 2 - spatial;  // one dimension is a row of pixels
    const int64_t stride = window.strides[d], pad = window.pads_begin[d], first = pad / stride;
    if (window.dilations[d] != 1) return Support::no("a dilated transposed convolution");
    if (pad < 0) return Support::no("a negative pad");
    into.kernel[at] = phases.taps[at] = (window.kernel[d] + stride - 1) / stride;
    into.pads[at] = into.kernel[at] - 1 - first;
    if (into.pads[at] < 0) return Support::no("a pad wider than the window");
    const Dim& output = y.shape[d + 2];
    Dim& places = at == 0 ? into.out_height : into.out_width;
    places = ir::floor_div(output + (pad - 1), stride) + (1 - first);
    into.pads_end[at] =
        into.kernel[at] > 1 || !(places == x.shape[d + 2]);  // only whether there are any is asked for
    phases.strides[at] = stride;
    phases.before[at] = pad % stride;
    (at == 0 ? phases.height : phases.width) = output;
    phases.whole = phases.whole && phases.before[at] == 0 && places * stride == output;
  }
  into.rows = into.out_height * into.out_width;
  into.total_rows = into.images * into.rows;
  into.columns = phases.channels * (phases.strides[0] * phases.strides[1]);
  into.inner = into.channels * (into.kernel[0] * into.kernel[1]);
  into.weight_channels = (*weights)[0];
  into.weight_positions = into.kernel[0] * into.kernel[1];
  return Support::yes();
}

Tensor weights_by_phases(const Contraction& c, const Tensor& weights) {
  const Shape& shape = weights.shape();  // [C, M, kernel...]
  const int64_t channels = shape[0], maps = shape[1], width = shape.back(),
                height = shape.size() == 4 ? shape[2] : 1, down = c.phases->strides[0],
                across = c.phases->strides[1], taps_h = c.phases->taps[0], taps_w = c.phases->taps[1],
                taps = taps_h * taps_w;
  Tensor made(weights.dtype(), {down * across * maps, channels, taps_h, taps_w});
  std::memset(made.raw(), 0, static_cast<size_t>(made.bytes()));
  dispatch_bytes(weights.dtype(), [&]<class T>(Type<T>) {
    const T* from = static_cast<const T*>(weights.raw());
    T* to = static_cast<T*>(made.raw());
    for (int64_t i = 0; i < made.size(); ++i) {
      const int64_t tap_w = i % taps_w, tap_h = i / taps_w % taps_h, channel = i / taps % channels,
                    column = i / taps / channels, map = column % maps, phase = column / maps,
                    h = (taps_h - 1 - tap_h) * down + phase / across,
                    w = (taps_w - 1 - tap_w) * across + phase % across;
      if (h < height && w < width) to[i] = from[((channel * maps + map) * height + h) * width + w];
    }
  });
  return made;
}

}  // namespace burnish::cuda
