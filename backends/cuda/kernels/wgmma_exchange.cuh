// The end of a tile of a warpgroup's product whose sums change hands through shared memory: blocks share the inner dimension
// (SPLIT), and each finishes a part of the rows, or an output needs a window of pixels (POOLED). The right operand is packed in
// an order in which each thread's sums are four neighbours.
//
// Defined before: POOLED, TILE_M, TILE_N, MULTIPLIERS, SPLIT, SHARE; VECTOR (4 at most), Loaded, load_operands() and
// epilogue(); LeftTile with LINE and LINES; Sizes with columns.

/// Four neighbours are a slot of 16 bytes. A block finishes the rows r with r % 8 * SPLIT / 8 its own number, and has a slot
/// for each four of their columns from every block, in the order in which the threads of a warp hold them.
struct Exchange {
  static constexpr int ROWS = TILE_M / SPLIT, NEAR = 8 / SPLIT;  // of each eight rows
  static constexpr int UNITS = TILE_N / 16, SLOTS = ROWS * TILE_N / 4;
  // An output is a row, or a window of two lines by two pixels: those lie in the same block, which has LINE / SPLIT pixels
  // of each line, always pairs of neighbours.
  static constexpr int PIXELS = POOLED ? 4 : 1, OWN_LINE = LINE / SPLIT, PAIRS = POOLED ? OWN_LINE / 2 : 1;
  static constexpr int FINISHED = POOLED ? LINES / 2 * PAIRS : ROWS;
  static_assert(!POOLED || (NEAR % 2 == 0 && LINES % 2 == 0 && LINE % 8 == 0));
  // A thread finishes several outputs' slots, MULTIPLIERS apart; what their ends read of the first few is on its way since
  // before the products where registers are free.
  static constexpr int OUTPUTS = FINISHED * TILE_N / 4, EACH = (OUTPUTS + MULTIPLIERS - 1) / MULTIPLIERS, CHUNK = EACH < 4 ? EACH : 4;
  static constexpr bool EARLY = TILE_N <= 64;
  static constexpr int VECTORS = 4 / VECTOR;

  const LeftTile& tile;
  const int n0, part;
  float4* slots;  // of this block
  Loaded loaded[CHUNK][VECTORS];

  BURNISH_DEVICE Exchange(const Sizes&, const LeftTile& tile, int n0, int part) : tile(tile), n0(n0), part(part) {}

  static BURNISH_DEVICE int slot(int row, int four) { return ((row / NEAR * UNITS + four / 4) * NEAR + row % NEAR) * 4 + four % 4; }
  /// Which of this block's rows it is, for windows the first, and which four of its columns.
  static BURNISH_DEVICE int row_of(int i) { return POOLED ? pixel_row(i / 4 % FINISHED, 0) : i / (4 * NEAR * UNITS) * NEAR + i / 4 % NEAR; }
  static BURNISH_DEVICE int four_of(int i) { return (POOLED ? i / (4 * FINISHED) : i / (4 * NEAR) % UNITS) * 4 + i % 4; }
  static BURNISH_DEVICE int pixel_row(int output, int pixel) { return (output / PAIRS * 2 + pixel / 2) * OWN_LINE + output % PAIRS * 2 + pixel % 2; }

  BURNISH_DEVICE int output_row(const Sizes& s, int i) const {
    const int row = row_of(i);
    return tile.row(s, row / NEAR * 8 + part * NEAR + row % NEAR);
  }
  BURNISH_DEVICE int column(int i) const { return n0 + four_of(i) * 4; }

  BURNISH_DEVICE void load(const Operands& p, const Sizes& s, int first) {
#pragma unroll
    for (int each = 0; each < CHUNK; ++each) {
      const int i = first + each * MULTIPLIERS, row = i < OUTPUTS ? output_row(s, i) : -1;
      if (row < 0) continue;
#pragma unroll
      for (int v = 0; v < VECTORS; ++v)
        if (column(i) + v * VECTOR < s.columns) loaded[each][v] = load_operands(p, s, row, column(i) + v * VECTOR);
    }
  }
  BURNISH_DEVICE void begin(const Operands& p, const Sizes& s) {
    if constexpr (EARLY) load(p, s, threadIdx.x);
  }

  /// For all threads of the block: sums go to the blocks that finish them, on whose `met` they arrive, bytes from others and
  /// warps of its own. `room`: for slots; of a block alone, where its stages were, all of which have been read.
  BURNISH_DEVICE void exchange(const float (&sums)[TILE_N / 2], char* room, int member, uint32_t met) {
    slots = reinterpret_cast<float4*>(room);
    if constexpr (SPLIT == 1) __syncthreads();
    if (threadIdx.x < MULTIPLIERS) give(sums, member, met);
    if constexpr (SPLIT > 1) barrier_wait(met, 0);
    else __syncthreads();
  }

  BURNISH_DEVICE void give(const float (&sums)[TILE_N / 2], int member, uint32_t met) const {
    const int lane = threadIdx.x % 32, near = lane / 4, owner = near / NEAR;
    float4* const own = slots + part * SLOTS + near % NEAR * 4 + lane % 4;
    uint32_t there = 0, barrier = 0;
    if constexpr (SPLIT > 1) {
      there = address_in_block(shared_address(own), owner * SHARE + member);
      barrier = address_in_block(met, owner * SHARE + member);
    }
#pragma unroll
    for (int half = 0; half < 2; ++half)
#pragma unroll
      for (int unit = 0; unit < UNITS; ++unit) {
        const int at = ((threadIdx.x / 32 * 2 + half) * UNITS + unit) * NEAR * 4, i = unit * 8 + half * 2;
        const float4 four = make_float4(sums[i], sums[i + 1], sums[i + 4], sums[i + 5]);
        if (SPLIT == 1 || owner == part) own[at] = four;
        else send(there + at * 16, four, barrier);
      }
    if constexpr (SPLIT > 1) {
      __syncwarp();
      if (lane == 0) barrier_arrive(met);
    }
  }

  BURNISH_DEVICE void run(const Operands& p, const Sizes& s, const float (&)[TILE_N / 2]) {
#pragma unroll 1
    for (int finished = 0; finished < EACH; finished += CHUNK) {
      const int first = threadIdx.x + finished * MULTIPLIERS;
      if (!EARLY || finished > 0) load(p, s, first);
#pragma unroll
      for (int each = 0; each < CHUNK; ++each) {
        const int i = first + each * MULTIPLIERS;
        if (i >= OUTPUTS) break;
        float total[PIXELS][4] = {};
#pragma unroll
        for (int pixel = 0; pixel < PIXELS; ++pixel)
#pragma unroll
          for (int block = 0; block < SPLIT; ++block) {
            const float4 x = slots[block * SLOTS + (POOLED ? slot(pixel_row(i / 4 % FINISHED, pixel), four_of(i)) : i)];
            total[pixel][0] += x.x; total[pixel][1] += x.y; total[pixel][2] += x.z; total[pixel][3] += x.w;
          }
        finish(p, s, i, total, loaded[each]);
      }
    }
  }

  template <int PIXELS>
  BURNISH_DEVICE void finish(const Operands& p, const Sizes& s, int i, const float (&total)[PIXELS][4], const Loaded (&loaded)[VECTORS]) const {
    const int row = output_row(s, i);
    if (row < 0) return;
#pragma unroll
    for (int v = 0; v < VECTORS; ++v) {
      if (column(i) + v * VECTOR >= s.columns) break;
      float part[PIXELS][VECTOR];
#pragma unroll
      for (int pixel = 0; pixel < PIXELS; ++pixel)
#pragma unroll
        for (int j = 0; j < VECTOR; ++j) part[pixel][j] = total[pixel][v * VECTOR + j];
      if constexpr (PIXELS > 1) epilogue(p, s, row, column(i) + v * VECTOR, part, loaded[v]);
      else epilogue(p, s, row, column(i) + v * VECTOR, part[0], loaded[v]);
    }
  }
};
