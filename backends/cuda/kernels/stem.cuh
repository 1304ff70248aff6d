// Convolution of an image of few channels on the tensor cores: a block copies all pixels that TILE_H x TILE_W output pixels see
// to shared memory, plane by plane, and its warps read them there as the left operand, two neighbours of a window's row at a
// time: an inner step of 16 is eight such pairs, in the order (channel, row, pair). Pairs that begin at an odd pixel are read
// from a second copy of the planes, one pixel further on. The weights are packed at build as the lanes of a warp take them.
//
// Defined before: Element (16 bits); CHANNELS, TILE_H, TILE_W, TILE_N; VECTOR, epilogue() and fetch_operands(); input(p),
// weights(p); Sizes with images, height, width, out_height, out_width, columns, tiles_down, tiles_across, the window's
// (kernel_h ... pad_w) and the input's strides a_image, a_c, a_h and a_w.

constexpr int KH = Sizes::kernel_h, KW = Sizes::kernel_w, SH = Sizes::stride_h, SW = Sizes::stride_w;
constexpr int THREADS = 128, TILE_M = TILE_H * TILE_W, WARP_M = TILE_M / 4;
constexpr int FRAGMENTS_M = WARP_M / 16, FRAGMENTS_N = TILE_N / 8;
constexpr int ROW_PAIRS = (KW + 1) / 2, PAIRS = CHANNELS * KH * ROW_PAIRS, STEPS = (PAIRS + 7) / 8;
constexpr int IN_H = (TILE_H - 1) * SH + KH, IN_W = (TILE_W - 1) * SW + 2 * ROW_PAIRS, PITCH = (IN_W + 1) / 2 * 2;
constexpr int PLANE = IN_H * PITCH, PLANES = CHANNELS * PLANE, COPIES = SW % 2 == 0 ? 1 : 2;
constexpr int SUM_STRIDE = TILE_N + 4;
// Bytes of shared memory: weights, then pairs, then pixels; the sums when all have been read.
constexpr int B_BYTES = STEPS * TILE_N * 32, TABLE_BYTES = STEPS * 8 * 8;

struct Pair {
  int place;      // of its first pixel from that of an output pixel's window
  uint32_t mask;  // which of the two are inside the window
};

extern __shared__ __align__(16) char shared[];

BURNISH_DEVICE void make_table(Pair* table) {
  for (int i = threadIdx.x; i < STEPS * 8; i += THREADS) {
    const int channel = i / (KH * ROW_PAIRS), row = i / ROW_PAIRS % KH, column = i % ROW_PAIRS * 2;
    const bool inside = i < PAIRS;
    table[i] = {inside ? channel * PLANE + row * PITCH + column : 0, inside ? (column + 1 < KW ? 0xffffffffu : 0xffffu) : 0u};
  }
}

/// The pixels from line `top` and column `left` on; zeros outside of the image.
BURNISH_DEVICE void copy_pixels(uint16_t* pixels, const Operands& p, const Sizes& s, int image, int top, int left) {
  const uint16_t* x = reinterpret_cast<const uint16_t*>(input(p)) + int64_t(image) * s.a_image;
  constexpr int COUNT = CHANNELS * IN_H * IN_W, BATCH = 8;  // loads under way at a time
  for (int first = threadIdx.x; first < COUNT; first += THREADS * BATCH) {
    uint16_t values[BATCH];
#pragma unroll
    for (int b = 0; b < BATCH; ++b) {
      const int i = first + b * THREADS, column = i % IN_W, row = i / IN_W % IN_H, channel = i / (IN_W * IN_H);
      const int h = top + row, w = left + column;
      const bool inside = i < COUNT && unsigned(h) < unsigned(s.height) && unsigned(w) < unsigned(s.width);
      values[b] = inside ? x[channel * s.a_c + h * s.a_h + w * s.a_w] : uint16_t(0);
    }
#pragma unroll
    for (int b = 0; b < BATCH; ++b) {
      const int i = first + b * THREADS, column = i % IN_W, row = i / IN_W % IN_H, channel = i / (IN_W * IN_H);
      if (i >= COUNT) break;
      const int at = channel * PLANE + row * PITCH + column;
      pixels[at] = values[b];
      if (COPIES == 2 && column > 0) pixels[PLANES + at - 1] = values[b];
    }
  }
}

/// Where the window of the tile's output pixel `m` begins: an even element.
BURNISH_DEVICE int window_at(int m) {
  const int column = m % TILE_W * SW;
  return m / TILE_W * (SH * PITCH) + (column & 1) * PLANES + (column & ~1);
}

constexpr int GROUP = VECTOR > 4 ? VECTOR : 4;  // elements that a thread finishes at once

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const Operands p, const Sizes s) {
  const int tile = blockIdx.x, n0 = blockIdx.y * TILE_N;
  const int ow = tile % s.tiles_across * TILE_W, oh = tile / s.tiles_across % s.tiles_down * TILE_H, image = tile / (s.tiles_across * s.tiles_down);
  Pair* const table = reinterpret_cast<Pair*>(shared + B_BYTES);
  uint16_t* const pixels = reinterpret_cast<uint16_t*>(shared + B_BYTES + TABLE_BYTES);
  // Neither weights nor the table depend on the kernels before this one.
  const char* b = weights(p) + int64_t(blockIdx.y) * B_BYTES;
  for (int i = threadIdx.x; i < B_BYTES / 16; i += THREADS) copy_16(shared_address(shared) + i * 16, b + i * 16, true);
  commit_copies();
  make_table(table);
  if (threadIdx.x < TILE_N / 32) fetch_operands(p, s, n0 + threadIdx.x * 32);
  wait_for_inputs(p);
  copy_pixels(pixels, p, s, image, oh * SH - s.pad_h, ow * SW - s.pad_w);
  let_next_start();
  wait_copies<0>();
  __syncthreads();

  const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
  int window[FRAGMENTS_M][2];
#pragma unroll
  for (int i = 0; i < FRAGMENTS_M; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) window[i][half] = window_at(warp * WARP_M + i * 16 + half * 8 + lane / 4);
  float sums[FRAGMENTS_M][FRAGMENTS_N][4] = {};
#pragma unroll 2
  for (int step = 0; step < STEPS; ++step) {
    uint32_t right[FRAGMENTS_N][2];
#pragma unroll
    for (int j = 0; j < FRAGMENTS_N; j += 2) {
      const uint4 two = *reinterpret_cast<const uint4*>(shared + ((step * FRAGMENTS_N + j) * 32 + lane * 2) * 8);
      right[j][0] = two.x; right[j][1] = two.y; right[j + 1][0] = two.z; right[j + 1][1] = two.w;
    }
    const Pair pairs[2] = {table[step * 8 + lane % 4], table[step * 8 + lane % 4 + 4]};
#pragma unroll
    for (int i = 0; i < FRAGMENTS_M; ++i) {
      uint32_t left[4];
#pragma unroll
      for (int e = 0; e < 4; ++e) left[e] = *reinterpret_cast<const uint32_t*>(pixels + window[i][e % 2] + pairs[e / 2].place) & pairs[e / 2].mask;
#pragma unroll
      for (int j = 0; j < FRAGMENTS_N; ++j) Multiply<Element>::run(sums[i][j], left, right[j][0], right[j][1]);
    }
  }
  __syncthreads();

  float* const tile_sums = reinterpret_cast<float*>(shared);
#pragma unroll
  for (int i = 0; i < FRAGMENTS_M; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      float* const row = tile_sums + (warp * WARP_M + i * 16 + half * 8 + lane / 4) * SUM_STRIDE + lane % 4 * 2;
#pragma unroll
      for (int j = 0; j < FRAGMENTS_N; ++j) *reinterpret_cast<float2*>(row + j * 8) = make_float2(sums[i][j][half * 2], sums[i][j][half * 2 + 1]);
    }
  __syncthreads();
  constexpr int PER_ROW = TILE_N / GROUP;
  for (int i = threadIdx.x; i < TILE_M * PER_ROW; i += THREADS) {
    const int m = i / PER_ROW, column = i % PER_ROW * GROUP, h = oh + m / TILE_W, w = ow + m % TILE_W;
    if (h >= s.out_height || w >= s.out_width) continue;
#pragma unroll
    for (int v = 0; v < GROUP; v += VECTOR) {
      if (n0 + column + v >= s.columns) break;
      float part[VECTOR];
#pragma unroll
      for (int j = 0; j < VECTOR; ++j) part[j] = tile_sums[m * SUM_STRIDE + column + v + j];
      epilogue(p, s, (image * s.out_height + h) * s.out_width + w, n0 + column + v, part);
    }
  }
}
