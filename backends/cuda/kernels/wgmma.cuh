// Matrix product on Hopper's warpgroup instructions: rows times columns, both of 16 bits, with a fused end. One warp
// feeds a ring of stages: the left operand by tensor copies, the right one, packed at build, by bulk copies; warpgroups
// of 64 rows each multiply out of shared memory. Blocks of a cluster may share a tile of either operand, or of both, which
// they load for each other (SHARE_M: neighbours in rows share the right one, SHARE_N: in columns the left one), and may
// share the inner dimension (SPLIT): each then sends its sums to the blocks that finish the rows.
//
// Defined before: Element; POOLED (the epilogue takes windows of two by two pixels); GROUPS_M (warpgroups), TILE_M (their
// rows), TILE_N, STAGES, SHARE_M, SHARE_N, SPLIT; VECTOR, Loaded, load_operands(), epilogue() and fetch_operands(); b_operand(p); multiply(sums, left,
// right, add); LeftTile, as wgmma_rows.cuh describes it; Sizes with columns and
// column_tiles.

constexpr int MULTIPLIERS = 128 * GROUPS_M, THREADS = MULTIPLIERS + 32;
constexpr int A_BYTES = LEFT_ROWS * 128, B_BYTES = TAPS * TILE_N * 128, STAGE_BYTES = A_BYTES + B_BYTES;
constexpr int SHARE = SHARE_M * SHARE_N;
constexpr int SUM_STRIDE = TILE_N + 4;

struct alignas(64) TensorMap { char bytes[128]; };

extern __shared__ __align__(1024) char shared[];

/// Eight rows of 128 bytes, their chunks permuted as the copy engine does it, lie one behind the other.
BURNISH_DEVICE uint64_t matrix_at(uint32_t address) {
  return uint64_t((address & 0x3ffff) >> 4) | uint64_t(1) << 16 | uint64_t(64) << 32 | uint64_t(1) << 62;
}

constexpr int GROUP = VECTOR > 4 ? VECTOR : 4;  // elements that a thread sums and finishes at once

/// What the epilogues of `GROUP` elements of one output read.
struct Group {
  Loaded loaded[GROUP / VECTOR];

  BURNISH_DEVICE void load(const Operands& p, const Sizes& s, int row, int column) {
    if (row < 0) return;
#pragma unroll
    for (int v = 0; v < GROUP; v += VECTOR)
      if (column + v < s.columns) loaded[v / VECTOR] = load_operands(p, s, row, column + v);
  }
};

/// Finishes `GROUP` elements of one output, from the sums of `row` or of the window of pixels that begins there.
template <int PIXELS>
BURNISH_DEVICE void finish(const Operands& p, const Sizes& s, int row, int column, const float (&total)[PIXELS][GROUP], const Group& group) {
  if (row < 0) return;
#pragma unroll
  for (int v = 0; v < GROUP; v += VECTOR) {
    if (column + v >= s.columns) break;
    float part[PIXELS][VECTOR];
#pragma unroll
    for (int i = 0; i < PIXELS; ++i)
#pragma unroll
      for (int j = 0; j < VECTOR; ++j) part[i][j] = total[i][v + j];
    if constexpr (PIXELS > 1) epilogue(p, s, row, column + v, part, group.loaded[v / VECTOR]);
    else epilogue(p, s, row, column + v, part[0], group.loaded[v / VECTOR]);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const Operands p, const Sizes s, const __grid_constant__ TensorMap left) {
  const int n_tile = blockIdx.y, part = blockIdx.z, n0 = n_tile * TILE_N;
  const LeftTile tile_of_left(s, blockIdx.x);
  const int steps = LeftTile::steps(s), first = part * steps / SPLIT, count = (part + 1) * steps / SPLIT - first;
  const int member_m = blockIdx.x % SHARE_M, member_n = blockIdx.y % SHARE_N, member = member_n * SHARE_M + member_m;  // among those that share
  const uint32_t base = (shared_address(shared) + 1023) & ~1023u;
  __shared__ uint64_t full[STAGES], empty[STAGES], met;
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; ++i) {
      barrier_init(shared_address(&full[i]), 1);
      barrier_init(shared_address(&empty[i]), GROUPS_M * SHARE);
    }
    barrier_init(shared_address(&met), 1);
    barrier_init_done();
    if constexpr (SPLIT > 1) barrier_expect(shared_address(&met), TILE_M * TILE_N * 4);
  }
  if constexpr (SHARE * SPLIT > 1) cluster_meet();
  else __syncthreads();

  constexpr int ROWS = TILE_M / SPLIT, NEAR = 8 / SPLIT;  // of each eight rows
  // An output is a row, or a window of two lines by two pixels: those lie in the same block, which has LINE / SPLIT pixels
  // of each line, always pairs of neighbours.
  constexpr int PER_ROW = TILE_N / GROUP, PIXELS = POOLED ? 4 : 1, OWN_LINE = LINE / SPLIT, PAIRS = POOLED ? OWN_LINE / 2 : 1;
  constexpr int FINISHED = POOLED ? LINES / 2 * PAIRS : ROWS;
  static_assert(!POOLED || (NEAR % 2 == 0 && LINES % 2 == 0 && LINE % 8 == 0));
  const auto pixel_row = [](int output, int pixel) {  // of this block's
    return POOLED ? (output / PAIRS * 2 + pixel / 2) * OWN_LINE + output % PAIRS * 2 + pixel % 2 : output;
  };
  // A thread finishes groups of elements of several outputs, MULTIPLIERS apart; what their ends read of the first few is on
  // its way since before the products where registers are free.
  constexpr int OUTPUTS = FINISHED * PER_ROW, EACH = (OUTPUTS + MULTIPLIERS - 1) / MULTIPLIERS, CHUNK = EACH < 4 ? EACH : 4;
  constexpr bool EARLY = TILE_N <= 64;
  const auto row_of = [&](int i) {
    const int row = pixel_row(i / PER_ROW, 0);
    return tile_of_left.row(s, row / NEAR * 8 + part * NEAR + row % NEAR);
  };
  Group groups[CHUNK];
  const auto load = [&](int begin) {
#pragma unroll
    for (int each = 0; each < CHUNK; ++each)
      if (const int i = begin + each * MULTIPLIERS; i < OUTPUTS) groups[each].load(p, s, row_of(i), n0 + i % PER_ROW * GROUP);
  };

  float sums[TILE_N / 2] = {};
  if (threadIdx.x >= MULTIPLIERS) {
    if (threadIdx.x == MULTIPLIERS) {
      fetch_map(&left);
      // Columns beyond the last tile are computed like it and dropped.
      const char* b = reinterpret_cast<const char*>(b_operand(p)) + (int64_t(min(n_tile, s.column_tiles - 1)) * steps + first) * B_BYTES;
      constexpr int B_SLICE = B_BYTES / SHARE_M;
      uint16_t left_blocks = 0, right_blocks = 0;  // that share this one's tile of either
      for (int i = 0; i < SHARE_N; ++i) left_blocks |= 1 << (part * SHARE + i * SHARE_M + member_m);
      for (int i = 0; i < SHARE_M; ++i) right_blocks |= 1 << (part * SHARE + member_n * SHARE_M + i);
      const auto load_b = [&](int i) {
        const uint32_t to = base + i % STAGES * STAGE_BYTES + A_BYTES + member_m * B_SLICE, barrier = shared_address(&full[i % STAGES]);
        const char* from = b + int64_t(i) * B_BYTES + member_m * B_SLICE;
        if constexpr (SHARE_M > 1) copy_bulk_to_all(to, from, B_SLICE, barrier, right_blocks);
        else copy_bulk(to, from, B_BYTES, barrier);
      };
      const auto load_a = [&](int i) {
        tile_of_left.load(s, &left, first + i, base + i % STAGES * STAGE_BYTES, shared_address(&full[i % STAGES]), member_n, left_blocks);
      };
      // Weights do not depend on the kernels before this one: all that fit are on their way before the wait.
      for (int i = 0; i < min(count, STAGES); ++i) {
        barrier_expect(shared_address(&full[i]), LEFT_BYTES + B_BYTES);
        load_b(i);
      }
      wait_for_inputs();
      for (int i = 0; i < min(count, STAGES); ++i) load_a(i);
      let_next_start();
      // What the copy engine is asked for comes in turn: weights of kernels behind this one between this one's steps.
      Ahead ahead(p.ahead, p.ahead_bytes, max(count - STAGES, 1));
      if (count <= STAGES) ahead.fetch();
      for (int i = STAGES; i < count; ++i) {
        ahead.fetch();
        barrier_wait(shared_address(&empty[i % STAGES]), (i / STAGES & 1) ^ 1);
        barrier_expect(shared_address(&full[i % STAGES]), LEFT_BYTES + B_BYTES);
        load_b(i);
        load_a(i);
      }
    }
    __syncwarp();
  } else {
    if (threadIdx.x < (TILE_N + 31) / 32) fetch_operands(p, s, n0 + threadIdx.x * 32);
    wait_for_inputs();
    let_next_start();
    if constexpr (EARLY) load(threadIdx.x);
    const int group = threadIdx.x / 128;
    const auto release = [&](int i) {  // to all blocks that write into this one's stage
      if (threadIdx.x % 128 < SHARE) {
        if constexpr (SHARE > 1) barrier_arrive_in_block(shared_address(&empty[i % STAGES]), part * SHARE + threadIdx.x % 128);
        else barrier_arrive(shared_address(&empty[i % STAGES]));
      }
    };
    for (int i = 0; i < count; ++i) {
      barrier_wait(shared_address(&full[i % STAGES]), i / STAGES & 1);
      const uint32_t stage = base + i % STAGES * STAGE_BYTES;
      const uint64_t a = matrix_at(stage + group * 64 * 128), b = matrix_at(stage + A_BYTES);
      products_begin();
#pragma unroll
      for (int tap = 0; tap < TAPS; ++tap)
#pragma unroll
        for (int step = 0; step < 4; ++step) multiply(sums, a + tap * (TAP_ROWS * 8) + step * 2, b + tap * (TILE_N * 8) + step * 2, true);  // 32 bytes on
      products_commit();
      // A step's products run on beside the next one's, which a single stage has no place for.
      constexpr int BEHIND = STAGES > 1 ? 1 : 0;
      products_wait<BEHIND>();
      // Only what is filled again: who fills it waits for the arrival, so none is on its way when its block leaves.
      if (i >= BEHIND && i - BEHIND + STAGES < count) release(i - BEHIND);
    }
    products_wait<0>();
    products_done(sums);
  }

  // Sums as a tile [SPLIT][ROWS][SUM_STRIDE] of f32: of a split, each block finishes the rows r with r % 8 * SPLIT / 8
  // its own number, and gets them from all; alone, where the stages were, all of which have been read.
  const uint32_t tile_base = base + (SPLIT > 1 ? STAGES * STAGE_BYTES : 0);
  float* const tile = reinterpret_cast<float*>(shared + (tile_base - shared_address(shared)));
  const int slab = threadIdx.x / 32 * 16, near = threadIdx.x % 32 / 4, owner = near / NEAR, pair = threadIdx.x % 4 * 2;
  const auto own_row = [&](int row) { return row / 8 * NEAR + row % NEAR; };
  if constexpr (SPLIT == 1) __syncthreads();
  if (threadIdx.x < MULTIPLIERS) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int at = (part * ROWS + own_row(slab + half * 8 + near)) * SUM_STRIDE + pair;
      if constexpr (SPLIT > 1) {
        const uint32_t there = address_in_block(tile_base, owner * SHARE + member) + at * 4, barrier = address_in_block(shared_address(&met), owner * SHARE + member);
#pragma unroll
        for (int j = 0; j < TILE_N / 8; ++j) send(there + j * 32, sums[j * 4 + half * 2], sums[j * 4 + half * 2 + 1], barrier);
      } else {
#pragma unroll
        for (int j = 0; j < TILE_N / 8; ++j) *reinterpret_cast<float2*>(tile + at + j * 8) = make_float2(sums[j * 4 + half * 2], sums[j * 4 + half * 2 + 1]);
      }
    }
  }
  if constexpr (SPLIT > 1) barrier_wait(shared_address(&met), 0);
  else __syncthreads();
  if (threadIdx.x < MULTIPLIERS) {
#pragma unroll 1
    for (int finished = 0; finished < EACH; finished += CHUNK) {
      const int begin = threadIdx.x + finished * MULTIPLIERS;
      if (!EARLY || finished > 0) load(begin);
#pragma unroll
      for (int each = 0; each < CHUNK; ++each) {
        const int i = begin + each * MULTIPLIERS;
        if (i >= OUTPUTS) break;
        const int output = i / PER_ROW, column = i % PER_ROW * GROUP;
        float total[PIXELS][GROUP] = {};
#pragma unroll
        for (int pixel = 0; pixel < PIXELS; ++pixel)
#pragma unroll
          for (int block = 0; block < SPLIT; ++block)
#pragma unroll
            for (int v = 0; v < GROUP; v += 4) {
              const float4 x = *reinterpret_cast<const float4*>(tile + (block * ROWS + pixel_row(output, pixel)) * SUM_STRIDE + column + v);
              total[pixel][v] += x.x; total[pixel][v + 1] += x.y; total[pixel][v + 2] += x.z; total[pixel][v + 3] += x.w;
            }
        finish(p, s, row_of(i), n0 + column, total, groups[each]);
      }
    }
  }
  if constexpr (SHARE > 1) cluster_meet();  // no block leaves while others still arrive on its barriers
}
