// Depthwise convolution, channels last: a thread takes VECTOR channels of WIDE neighbouring output pixels of a row, so
// that each input pixel is read once for all of them. Defined before: Element, WIDE, VECTOR, epilogue(), weights().
extern "C" __global__ void __launch_bounds__(128) kernel(const Operands p, const Sizes s) {
  const int vectors = Sizes::columns / VECTOR, spans = (s.out_width + WIDE - 1) / WIDE;
  const int index = blockIdx.x * 128 + threadIdx.x;
  const int c = index % vectors * VECTOR, rest = index / vectors;
  const int ow = rest % spans * WIDE, line = rest / spans;
  const int oh = line % s.out_height, image = line / s.out_height;
  wait_for_inputs();
  let_next_start();
  if (image >= s.images) return;

  const Element* x = input(p) + int64_t(image) * s.a_image + c;
  const Element* w = weights(p) + c;
  float sums[WIDE][VECTOR] = {};
  constexpr int KH = Sizes::kernel_h, KW = Sizes::kernel_w, SW = Sizes::stride_w, DW = Sizes::dilation_w;
  constexpr int REACH = (WIDE - 1) * SW + (KW - 1) * DW + 1;  // input pixels of a row that the outputs see
#pragma unroll
  for (int r = 0; r < KH; ++r) {
    const int ih = oh * s.stride_h - s.pad_h + r * s.dilation_h;
    if (unsigned(ih) >= unsigned(s.height)) continue;
    float kernel[KW][VECTOR];
#pragma unroll
    for (int q = 0; q < KW; ++q) load<Element, VECTOR>(kernel[q], w + (r * KW + q) * Sizes::columns);
#pragma unroll
    for (int column = 0; column < REACH; ++column) {
      const int iw = ow * SW - s.pad_w + column;
      float pixel[VECTOR] = {};
      if (unsigned(iw) < unsigned(s.width)) load<Element, VECTOR>(pixel, x + ih * s.a_h + iw * s.a_w);
#pragma unroll
      for (int i = 0; i < WIDE; ++i) {
        const int offset = column - i * SW;
        if (offset < 0 || offset % DW != 0 || offset / DW >= KW) continue;
#pragma unroll
        for (int v = 0; v < VECTOR; ++v) sums[i][v] += pixel[v] * kernel[offset / DW][v];
      }
    }
  }
#pragma unroll
  for (int i = 0; i < WIDE; ++i)
    if (ow + i < s.out_width) epilogue(p, s, line * s.out_width + ow + i, c, sums[i]);
}
