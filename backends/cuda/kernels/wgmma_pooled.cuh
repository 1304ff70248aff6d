// The end of a tile of a warpgroup's product out of its threads' registers, where an output is the maximum of a window of two
// by two pixels and a tile's lines have eight: a thread has sums of a pixel and of that below it, the thread four further on
// those beside. The right operand is packed in an order in which each thread's sums are eight neighbours.
//
// Defined before: TILE_N (a multiple of 32); VECTOR (4 at most), Loaded and epilogue(); LeftTile with LINE and LINES; Sizes with columns.

struct Pooled {
  static_assert(LINE == 8 && LINES % 2 == 0);

  const bool odd;
  const int row, first;  // of the window's first pixel; of the four columns of each 32 that this thread finishes

  BURNISH_DEVICE Pooled(const Sizes& s, const LeftTile& tile, int n0, int)
      : odd(threadIdx.x / 4 % 2), row(tile.row(s, threadIdx.x / 32 * 16 + threadIdx.x % 32 / 8 * 2)), first(n0 + threadIdx.x % 4 * 8 + odd * 4) {}
  BURNISH_DEVICE void begin(const Operands&, const Sizes&) {}
  BURNISH_DEVICE void exchange(const float (&)[TILE_N / 2], char*, int, uint32_t) {}

  BURNISH_DEVICE void run(const Operands& p, const Sizes& s, const float (&sums)[TILE_N / 2]) const {
#pragma unroll
    for (int unit = 0; unit < TILE_N / 32; ++unit) {
      float window[4][4];
#pragma unroll
      for (int i = 0; i < 8; ++i) {  // each keeps four columns of both lines, and gives the others away
        const int line = i / 4, at = (unit * 4 + i % 4 / 2) * 4 + line * 2 + i % 2;
        const float low = sums[at], high = sums[at + 8], other = __shfl_xor_sync(0xffffffffu, odd ? low : high, 4);
        window[line * 2][i % 4] = odd ? other : low;
        window[line * 2 + 1][i % 4] = odd ? high : other;
      }
      if (row >= 0) finish(p, s, first + unit * 32, window);
    }
  }

  static constexpr int VECTORS = 4 / VECTOR;
  BURNISH_DEVICE void finish(const Operands& p, const Sizes& s, int column, const float (&window)[4][4]) const {
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) {
      if (column + v * VECTOR >= s.columns) break;
      float part[4][VECTOR];
#pragma unroll
      for (int pixel = 0; pixel < 4; ++pixel)
#pragma unroll
        for (int j = 0; j < VECTOR; ++j) part[pixel][j] = window[pixel][v * VECTOR + j];
      epilogue(p, s, row, column + v * VECTOR, part, Loaded{});
    }
  }
};
