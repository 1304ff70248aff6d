// Depthwise convolution, channels last, by tiles: a block copies the pixels that ROWS x COLUMNS output pixels see, of CHANNELS
// channels, to shared memory at once, and its weights before, while the inputs are still being made. A thread then makes
// PIXELS neighbouring output pixels of VECTOR channels, and reads each pixel of a row once for all of them. Defined before:
// Element, CHANNELS, PIXELS, ROWS, COLUMNS, THREADS, VECTOR, epilogue(), input(), weights().
constexpr int KH = Sizes::kernel_h, KW = Sizes::kernel_w, SH = Sizes::stride_h, SW = Sizes::stride_w;
constexpr int DH = Sizes::dilation_h, DW = Sizes::dilation_w;
constexpr int IN_ROWS = (ROWS - 1) * SH + (KH - 1) * DH + 1, IN_COLUMNS = (COLUMNS - 1) * SW + (KW - 1) * DW + 1;
constexpr int RUN = PIXELS * SW;               // input pixels from one thread's first to the next one's
constexpr int HOLE = RUN % 2 == 0 ? 1 : 0;     // pixels left out behind each run, or neighbours would read the same banks
constexpr int PITCH = IN_COLUMNS + HOLE * ((IN_COLUMNS - 1) / RUN);  // of a row, in pixels
constexpr int CHUNK = 16 / sizeof(Element), CHUNKS = CHANNELS / CHUNK;
constexpr int VECTORS = CHANNELS / VECTOR, RUNS = COLUMNS / PIXELS;
constexpr int UNROLLED_ROWS = KH * KW <= 9 ? KH : 1;  // of the window: the text of larger ones takes longer to fetch than to run

/// The block's weights, widened: [KH * KW][CHANNELS].
BURNISH_DEVICE void read_weights(float* kernel, const Element* from, int first) {
  for (int i = threadIdx.x; i < KH * KW * CHUNKS; i += THREADS) {
    const int position = i / CHUNKS, channel = i % CHUNKS * CHUNK;
    float values[CHUNK] = {};
    if (first + channel < Sizes::columns) load<Element, CHUNK>(values, from + position * Sizes::columns + first + channel);
#pragma unroll
    for (int v = 0; v < CHUNK; v += 4) *reinterpret_cast<Vector<float, 4>*>(kernel + position * CHANNELS + channel + v) = {values[v], values[v + 1], values[v + 2], values[v + 3]};
  }
}

/// The pixels from row `top` and column `left` on; zeros outside of the image.
BURNISH_DEVICE void copy_pixels(Element* tile, const Operands& p, const Sizes& s, int image, int top, int left, int first) {
  const Element* x = input(p) + int64_t(image) * s.a_image + first;
  for (int i = threadIdx.x; i < IN_ROWS * IN_COLUMNS * CHUNKS; i += THREADS) {
    const int channel = i % CHUNKS * CHUNK, pixel = i / CHUNKS, column = pixel % IN_COLUMNS, row = pixel / IN_COLUMNS;
    const int ih = top + row, iw = left + column;
    const bool valid = unsigned(ih) < unsigned(s.height) && unsigned(iw) < unsigned(s.width) && first + channel < Sizes::columns;
    copy_16(shared_address(tile + (row * PITCH + column + HOLE * (column / RUN)) * CHANNELS + channel), valid ? x + ih * s.a_h + iw * s.a_w + channel : input(p), valid);
  }
  commit_copies();
  wait_copies<0>();
}

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const Operands p, const Sizes s) {
  __shared__ alignas(16) Element tile[IN_ROWS * PITCH * CHANNELS];
  __shared__ alignas(16) float kernel_of_block[KH * KW * CHANNELS];
  constexpr int groups = (Sizes::columns + CHANNELS - 1) / CHANNELS;
  const int across = (s.out_width + COLUMNS - 1) / COLUMNS, down = (s.out_height + ROWS - 1) / ROWS;
  const int first = blockIdx.x % groups * CHANNELS, rest = blockIdx.x / groups;
  const int left = rest % across * COLUMNS, top = rest / across % down * ROWS, image = rest / across / down;
  read_weights(kernel_of_block, weights(p), first);
  wait_for_inputs(p);
  let_next_start();
  copy_pixels(tile, p, s, image, top * SH - s.pad_h, left * SW - s.pad_w, first);
  __syncthreads();

  const int c = threadIdx.x % VECTORS * VECTOR, run = threadIdx.x / VECTORS % RUNS, row = threadIdx.x / (VECTORS * RUNS);
  const Element* pixels = tile + (row * SH * PITCH + run * (RUN + HOLE)) * CHANNELS + c;
  const float* kernel = kernel_of_block + c;
  float sums[PIXELS][VECTOR] = {};
#pragma unroll UNROLLED_ROWS
  for (int r = 0; r < KH; ++r) {
    float factors[KW][VECTOR];
#pragma unroll
    for (int q = 0; q < KW; ++q) load<float, VECTOR>(factors[q], kernel + (r * KW + q) * CHANNELS);
#pragma unroll
    for (int column = 0; column < (PIXELS - 1) * SW + (KW - 1) * DW + 1; ++column) {
      float pixel[VECTOR];
      load<Element, VECTOR>(pixel, pixels + (r * DH * PITCH + column + HOLE * (column / RUN)) * CHANNELS);
#pragma unroll
      for (int i = 0; i < PIXELS; ++i) {
        const int offset = column - i * SW;
        if (offset < 0 || offset % DW != 0 || offset / DW >= KW) continue;
#pragma unroll
        for (int v = 0; v < VECTOR; ++v) sums[i][v] += pixel[v] * factors[offset / DW][v];
      }
    }
  }
  if (top + row >= s.out_height || first + c >= Sizes::columns) return;
#pragma unroll
  for (int i = 0; i < PIXELS; ++i) {
    const int ow = left + run * PIXELS + i;
    if (ow < s.out_width) epilogue(p, s, (image * s.out_height + top + row) * s.out_width + ow, first + c, sums[i]);
  }
}
