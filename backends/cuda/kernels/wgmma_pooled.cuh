// The end of a tile of a warpgroup's product out of its threads' registers, where an output is the maximum of a window of two
// by two pixels and a tile's lines have eight: a thread has sums of a pixel and of that below it, the thread four further on
// those beside. The right operand is packed in an order in which each thread's sums are eight neighbours.
//
// Defined before: TILE_N (a multiple of 32); VECTOR (4 at most), Loaded, load_operands() and epilogue(); LeftTile with LINE and LINES; Sizes with columns.

struct Pooled {
  static_assert(LINE == 8 && LINES % 2 == 0);

  static constexpr int UNITS = TILE_N / 32, VECTORS = 4 / VECTOR;

  const bool odd;
  const int row, first;  // of the window's first pixel; of the four columns of each 32 that this thread finishes
  Loaded loaded[UNITS][VECTORS];

  BURNISH_DEVICE Pooled(const Sizes& s, const LeftTile& tile, int n0, int)
      : odd(threadIdx.x / 4 % 2), row(tile.row(s, threadIdx.x / 32 * 16 + threadIdx.x % 32 / 8 * 2)), first(n0 + threadIdx.x % 4 * 8 + odd * 4) {}
  BURNISH_DEVICE void begin(const Operands& p, const Sizes& s) {
#pragma unroll
    for (int unit = 0; unit < UNITS; ++unit)
#pragma unroll
      for (int v = 0; v < VECTORS; ++v)
        if (column(unit, v) < s.columns) loaded[unit][v] = load_operands(p, s, max(row, 0), column(unit, v));
  }
  BURNISH_DEVICE void exchange(const float (&)[TILE_N / 2], char*, int, uint32_t) {}

  BURNISH_DEVICE void run(const Operands& p, const Sizes& s, const float (&sums)[TILE_N / 2]) const {
#pragma unroll
    for (int unit = 0; unit < UNITS; ++unit) {
      float window[4][4];
#pragma unroll
      for (int i = 0; i < 8; ++i) {  // each keeps four columns of both lines, and gives the others away
        const int line = i / 4, at = (unit * 4 + i % 4 / 2) * 4 + line * 2 + i % 2;
        const float low = sums[at], high = sums[at + 8], other = __shfl_xor_sync(0xffffffffu, odd ? low : high, 4);
        window[line * 2][i % 4] = odd ? other : low;
        window[line * 2 + 1][i % 4] = odd ? high : other;
      }
      if (row >= 0) finish(p, s, unit, window);
    }
  }

  BURNISH_DEVICE int column(int unit, int v) const { return first + unit * 32 + v * VECTOR; }

  BURNISH_DEVICE void finish(const Operands& p, const Sizes& s, int unit, const float (&window)[4][4]) const {
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) {
      if (column(unit, v) >= s.columns) break;
      float part[4][VECTOR];
#pragma unroll
      for (int pixel = 0; pixel < 4; ++pixel)
#pragma unroll
        for (int j = 0; j < VECTOR; ++j) part[pixel][j] = window[pixel][v * VECTOR + j];
      epilogue(p, s, row, column(unit, v), part, loaded[unit][v]);
    }
  }
};
