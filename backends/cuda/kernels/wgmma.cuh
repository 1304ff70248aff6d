// Matrix product on Hopper's warpgroup instructions: rows times columns, both of 16 bits, with a fused end. One warp
// feeds a ring of stages: the left operand by tensor copies, the right one, packed at build, by bulk copies; warpgroups
// of 64 rows each multiply out of shared memory. Blocks of a cluster may share a tile of either operand, or of both, which
// they load for each other (SHARE_M: neighbours in rows share the right one, SHARE_N: in columns the left one), and may
// share the inner dimension (SPLIT): each then sends its sums to the blocks that finish the rows.
//
// Defined before: Element; GROUPS_M (warpgroups), TILE_M (their rows), TILE_N, STAGES, SHARE_M, SHARE_N, SPLIT, MULTIPLIERS (threads),
// SHARE (blocks that share either); PADDED_COLUMNS (of the right operand, where its inner tiles hold all columns; 0 where column tiles hold all inner tiles); End, which is wgmma_exchange.cuh's or wgmma_direct.cuh's; fetch_operands(); b_operand(p);
// multiply(sums, left, right, add); LeftTile, as wgmma_rows.cuh describes it; Sizes with columns and column_tiles.

constexpr int THREADS = MULTIPLIERS + 32;
constexpr int A_BYTES = LEFT_ROWS * 128, B_BYTES = TAPS * TILE_N * 128, STAGE_BYTES = A_BYTES + B_BYTES;
constexpr int B_STEP = PADDED_COLUMNS ? PADDED_COLUMNS * 128 : B_BYTES;  // from one step of the right operand to the next

struct alignas(64) TensorMap { char bytes[128]; };

extern __shared__ __align__(1024) char shared[];

/// Eight rows of 128 bytes, their chunks permuted as the copy engine does it, lie one behind the other.
BURNISH_DEVICE uint64_t matrix_at(uint32_t address) {
  return uint64_t((address & 0x3ffff) >> 4) | uint64_t(1) << 16 | uint64_t(64) << 32 | uint64_t(1) << 62;
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
    barrier_init(shared_address(&met), 1 + MULTIPLIERS / 32);
    barrier_init_done();
    if constexpr (SPLIT > 1) barrier_expect(shared_address(&met), TILE_M / SPLIT * TILE_N * 4 * (SPLIT - 1));
  }
  if constexpr (SHARE * SPLIT > 1) cluster_meet();
  else __syncthreads();

  End end(s, tile_of_left, n0, part);
  float sums[TILE_N / 2] = {};
  if (threadIdx.x >= MULTIPLIERS) {
    if (threadIdx.x == MULTIPLIERS) {
      fetch_map(&left);
      // Columns beyond the last tile are computed like it and dropped.
      const char* b = reinterpret_cast<const char*>(b_operand(p)) + int64_t(min(n_tile, s.column_tiles - 1)) * (PADDED_COLUMNS ? B_BYTES : int64_t(steps) * B_BYTES) + int64_t(first) * B_STEP;
      constexpr int B_SLICE = B_BYTES / SHARE_M;
      uint16_t left_blocks = 0, right_blocks = 0;  // that share this one's tile of either
      for (int i = 0; i < SHARE_N; ++i) left_blocks |= 1 << (part * SHARE + i * SHARE_M + member_m);
      for (int i = 0; i < SHARE_M; ++i) right_blocks |= 1 << (part * SHARE + member_n * SHARE_M + i);
      const auto load_b = [&](int i) {
        const uint32_t to = base + i % STAGES * STAGE_BYTES + A_BYTES + member_m * B_SLICE, barrier = shared_address(&full[i % STAGES]);
        const char* from = b + int64_t(i) * B_STEP + member_m * B_SLICE;
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
    end.begin(p, s);
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

  end.exchange(sums, shared + (base - shared_address(shared)) + (SPLIT > 1 ? STAGES * STAGE_BYTES : 0), member, shared_address(&met));
  if (threadIdx.x < MULTIPLIERS) end.run(p, s, sums);
  if constexpr (SHARE > 1) cluster_meet();  // no block leaves while others still arrive on its barriers
}
