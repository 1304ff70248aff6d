// The largest or the mean of each window: a thread takes VECTOR channels of one output pixel, and has the loads of BATCH
// places of the window under way at a time. Defined before: Element, VECTOR, CHANNELS_LAST, SCATTERED (y has planes), MAXIMUM, COUNT_PADDING.
constexpr int PLACES = Sizes::kernel_h * Sizes::kernel_w, BATCH = PLACES < 9 ? PLACES : 9;

extern "C" __global__ void __launch_bounds__(128) kernel(const Operands p, const Sizes s) {
  int rest = blockIdx.x * 128 + threadIdx.x;
  int image, c, oh, ow;
  if (CHANNELS_LAST) {
    c = rest % (s.channels / VECTOR) * VECTOR; rest /= s.channels / VECTOR;
    ow = rest % s.out_width; rest /= s.out_width;
    oh = rest % s.out_height; image = rest / s.out_height;
  } else {
    ow = rest % s.out_width; rest /= s.out_width;
    oh = rest % s.out_height; rest /= s.out_height;
    c = rest % s.channels; image = rest / s.channels;
  }
  wait_for_inputs(p);
  let_next_start();
  if (image >= s.images) return;
  const Element* x = p.x0 + image * s.a_image + c * s.a_c;
  const int h0 = oh * s.stride_h - s.pad_h, w0 = ow * s.stride_w - s.pad_w;
  compute_t<Element> result[VECTOR];
#pragma unroll
  for (int v = 0; v < VECTOR; ++v) result[v] = MAXIMUM ? compute_t<Element>(-INFINITY_VALUE) : compute_t<Element>(0);
  int count = 0;
  for (int first = 0; first < PLACES; first += BATCH) {
    Vector<Element, VECTOR> pixels[BATCH];
    bool inside[BATCH];
#pragma unroll
    for (int b = 0; b < BATCH; ++b) {
      const int place = first + b, h = h0 + place / s.kernel_w * s.dilation_h, w = w0 + place % s.kernel_w * s.dilation_w;
      inside[b] = place < PLACES && unsigned(h) < unsigned(s.height) && unsigned(w) < unsigned(s.width);
      if (inside[b]) pixels[b] = *reinterpret_cast<const Vector<Element, VECTOR>*>(x + h * s.a_h + w * s.a_w);
      // Padding counts up to the padded end, not in the part of a last window that hangs over it.
      count += COUNT_PADDING ? place < PLACES && h < s.height + s.pad_end_h && w < s.width + s.pad_end_w : inside[b];
    }
#pragma unroll
    for (int b = 0; b < BATCH; ++b)
#pragma unroll
      for (int v = 0; v < VECTOR; ++v)
        if (inside[b]) {
          const compute_t<Element> pixel = widen<Element>(pixels[b].element[v]);
          result[v] = MAXIMUM ? max_nan(result[v], pixel) : result[v] + pixel;
        }
  }
  if (!MAXIMUM) {
#pragma unroll
    for (int v = 0; v < VECTOR; ++v) result[v] = result[v] / compute_t<Element>(count);
  }
  Element* y = p.y0 + image * s.y_image + c * s.y_c + oh * s.y_h + ow * s.y_w;
  if constexpr (SCATTERED) {
#pragma unroll
    for (int v = 0; v < VECTOR; ++v) y[v * s.y_c] = narrow<Element>(result[v]);
  } else {
    store<Element, VECTOR>(y, result);
  }
}
