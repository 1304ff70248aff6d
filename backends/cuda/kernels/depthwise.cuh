// Depthwise convolution, channels last: a thread takes VECTOR channels of WIDE neighbouring output pixels of a row, so
// that each input pixel is read once for all of them. Loads of a row, and of all of a small window, are under way
// together; a small window's weights are read while the inputs are still being made. Defined before: Element, WIDE, VECTOR,
// epilogue(), input(), weights().
constexpr int KH = Sizes::kernel_h, KW = Sizes::kernel_w, SW = Sizes::stride_w, DW = Sizes::dilation_w;
constexpr int REACH = (WIDE - 1) * SW + (KW - 1) * DW + 1;  // input pixels of a row that the outputs see
constexpr int TOGETHER = KH * KW <= 9 ? KH : 1;             // rows of the window whose loads are under way together
using Raw = Vector<Element, VECTOR>;

BURNISH_DEVICE void read_weights(Raw (&into)[TOGETHER][KW], const Element* from) {
#pragma unroll
  for (int r = 0; r < TOGETHER; ++r)
#pragma unroll
    for (int q = 0; q < KW; ++q) into[r][q] = *reinterpret_cast<const Raw*>(from + (r * KW + q) * Sizes::columns);
}
BURNISH_DEVICE void read_pixels(Raw (&into)[TOGETHER][REACH], const Element* from, const Sizes& s, int ih, int iw) {
#pragma unroll
  for (int r = 0; r < TOGETHER; ++r)
#pragma unroll
    for (int column = 0; column < REACH; ++column) {
      const int h = ih + r * s.dilation_h, w = iw + column;
      into[r][column] = {};
      if (unsigned(h) < unsigned(s.height) && unsigned(w) < unsigned(s.width))
        into[r][column] = *reinterpret_cast<const Raw*>(from + h * s.a_h + w * s.a_w);
    }
}

extern "C" __global__ void __launch_bounds__(128) kernel(const Operands p, const Sizes s) {
  const int vectors = Sizes::columns / VECTOR, spans = (s.out_width + WIDE - 1) / WIDE;
  const int index = blockIdx.x * 128 + threadIdx.x;
  const int c = index % vectors * VECTOR, rest = index / vectors;
  const int ow = rest % spans * WIDE, line = rest / spans;
  const int oh = line % s.out_height, image = line / s.out_height;
  Raw factors[TOGETHER][KW], pixels[TOGETHER][REACH];
  if constexpr (TOGETHER == KH) read_weights(factors, weights(p) + c);
  wait_for_inputs(p);
  let_next_start();
  if (image >= s.images) return;

  const Element* x = input(p) + int64_t(image) * s.a_image + c;
  float sums[WIDE][VECTOR] = {};
#pragma unroll
  for (int first = 0; first < KH; first += TOGETHER) {
    if constexpr (TOGETHER < KH) read_weights(factors, weights(p) + c + first * KW * Sizes::columns);
    read_pixels(pixels, x, s, oh * s.stride_h - s.pad_h + first * s.dilation_h, ow * SW - s.pad_w);
#pragma unroll
    for (int r = 0; r < TOGETHER; ++r)
#pragma unroll
      for (int column = 0; column < REACH; ++column)
#pragma unroll
        for (int i = 0; i < WIDE; ++i) {
          const int offset = column - i * SW;
          if (offset < 0 || offset % DW != 0 || offset / DW >= KW) continue;
#pragma unroll
          for (int v = 0; v < VECTOR; ++v) sums[i][v] += widen<Element>(pixels[r][column].element[v]) * widen<Element>(factors[r][offset / DW].element[v]);
        }
  }
#pragma unroll
  for (int i = 0; i < WIDE; ++i)
    if (ow + i < s.out_width) epilogue(p, s, line * s.out_width + ow + i, c, sums[i]);
}
