// The end of a tile of a warpgroup's product out of its threads' registers. The right operand is packed in an order in which
// each thread's sums are neighbours, so that none changes hands.
//
// Defined before: TILE_N; NEIGHBOURS (sums of a thread side by side in a row: 8, or 4 where TILE_N is no multiple of 32);
// VECTOR (NEIGHBOURS at most), Loaded, load_operands() and epilogue(); LeftTile; Sizes with columns.

/// The end of a tile for one thread, which has sums of two rows. What else it reads is on its way at most MOST_AHEAD slices
/// of some columns ahead, those of the first since begin().
template <int MOST_AHEAD>
struct Direct {
  static constexpr int PARTS = NEIGHBOURS / VECTOR, UNIT = 4 * NEIGHBOURS;  // columns of the four threads of a row
  static constexpr int UNITS = TILE_N % 64 == 0 ? 64 / UNIT : 1, SLICES = TILE_N / (UNIT * UNITS), AHEAD = SLICES < MOST_AHEAD ? SLICES : MOST_AHEAD;
  static constexpr int COUNT = UNITS * 2 * PARTS;  // of epilogues in a slice

  int rows[2], first;
  Loaded loaded[AHEAD][COUNT];

  BURNISH_DEVICE Direct(const Sizes& s, const LeftTile& tile, int n0, int) : first(n0 + threadIdx.x % 4 * NEIGHBOURS) {
    const int near = threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
    rows[0] = tile.row(s, near);
    rows[1] = tile.row(s, near + 8);
  }

  BURNISH_DEVICE void begin(const Operands& p, const Sizes& s) {
#pragma unroll
    for (int slice = 0; slice < AHEAD; ++slice) load(p, s, slice);
  }

  static BURNISH_DEVICE int row_of(int i) { return i / PARTS % 2; }
  static BURNISH_DEVICE int unit(int slice, int i) { return slice * UNITS + i / (2 * PARTS); }
  BURNISH_DEVICE int column(int slice, int i) const { return first + unit(slice, i) * UNIT + i % PARTS * VECTOR; }

  BURNISH_DEVICE void load(const Operands& p, const Sizes& s, int slice) {
#pragma unroll
    for (int i = 0; i < COUNT; ++i)  // of some row where a tile has none, so that both rows share what is one for all
      if (column(slice, i) < s.columns) loaded[slice % AHEAD][i] = load_operands(p, s, max(rows[row_of(i)], 0), column(slice, i));
  }

  BURNISH_DEVICE void exchange(const float (&)[TILE_N / 2], char*, int, uint32_t) {}

  BURNISH_DEVICE void run(const Operands& p, const Sizes& s, const float (&sums)[TILE_N / 2]) {
#pragma unroll
    for (int slice = 0; slice < SLICES; ++slice) {
#pragma unroll
      for (int i = 0; i < COUNT; ++i)
        if (rows[row_of(i)] >= 0 && column(slice, i) < s.columns) {
          float part[VECTOR];
#pragma unroll
          for (int j = 0; j < VECTOR; ++j) {
            const int at = i % PARTS * VECTOR + j;  // of the neighbours
            part[j] = sums[(unit(slice, i) * (NEIGHBOURS / 2) + at / 2) * 4 + row_of(i) * 2 + at % 2];
          }
          epilogue(p, s, rows[row_of(i)], column(slice, i), part, loaded[slice % AHEAD][i]);
        }
      if (slice + AHEAD < SLICES) load(p, s, slice + AHEAD);
    }
  }
};
