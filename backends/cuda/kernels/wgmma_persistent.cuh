// As wgmma.cuh, for products of many tiles: blocks stay and take one tile after the other. While a warpgroup finishes
// its rows out of registers, the ring fills with the next tile, and another warpgroup multiplies.
//
// Defined before: Element; GROUPS_M, TILE_M, TILE_N (a multiple of 32), STAGES, SHARE_M, SHARE_N, MULTIPLIERS, SHARE; ROWS_FIRST (the tiles of
// all columns before those of the next rows); FETCH (L2 is asked for what the ring takes next); LEAD (steps by which the
// first of two warpgroups is ahead, so that one's end runs under the other's products; or 0); KEPT (the steps, where the right
// operand of all of them is loaded once and stays: there is one tile of columns; or 0); b_operand(p);
// multiply(sums, left, right, add); LeftTile; End; Sizes with columns, column_tiles and row_tiles.

constexpr int THREADS = MULTIPLIERS + 128;
// Of a thread; all start with 168, 128, or 96 of them.
constexpr int FEEDER_REGISTERS = GROUPS_M == 4 ? 24 : 40, MULTIPLIER_REGISTERS = GROUPS_M == 4 ? 112 : GROUPS_M == 3 ? 152 : 232;
static_assert(GROUPS_M >= 2 && GROUPS_M <= 4);
constexpr int A_BYTES = LEFT_ROWS * 128, B_BYTES = TAPS * TILE_N * 128;
constexpr int B_STEP = PADDED_COLUMNS ? PADDED_COLUMNS * 128 : B_BYTES;  // as in wgmma.cuh
constexpr int STAGE_BYTES = A_BYTES + (KEPT ? 0 : B_BYTES), ARRIVING = LEFT_BYTES + (KEPT ? 0 : B_BYTES);
static_assert(!KEPT || SHARE == 1);

struct alignas(64) TensorMap { char bytes[128]; };

extern __shared__ __align__(1024) char shared[];

/// Eight rows of 128 bytes, their chunks permuted as the copy engine does it, lie one behind the other.
BURNISH_DEVICE uint64_t matrix_at(uint32_t address) {
  return uint64_t((address & 0x3ffff) >> 4) | uint64_t(1) << 16 | uint64_t(64) << 32 | uint64_t(1) << 62;
}

/// A place in the ring, and how often it has come round.
struct Stage {
  int at = 0, round = 0;
  BURNISH_DEVICE void advance() {
    if (++at == STAGES) {
      at = 0;
      ++round;
    }
  }
};

/// The tiles that a block takes, in turn with the other clusters of the grid; those of a cluster are neighbours.
struct Tiles {
  int across, count, unit;

  BURNISH_DEVICE Tiles(const Sizes& s) : across((s.column_tiles + SHARE_N - 1) / SHARE_N), count(across * ((s.row_tiles + SHARE_M - 1) / SHARE_M)), unit(blockIdx.x / SHARE) {}
  BURNISH_DEVICE int own() const { return (count - unit + clusters() - 1) / clusters(); }  // from the first on
  BURNISH_DEVICE bool valid() const { return unit < count; }
  BURNISH_DEVICE void advance() { unit += clusters(); }
  BURNISH_DEVICE int row() const { return (ROWS_FIRST ? unit / across : unit % (count / across)) * SHARE_M + blockIdx.x % SHARE_M; }
  BURNISH_DEVICE int column() const { return (ROWS_FIRST ? unit % across : unit / (count / across)) * SHARE_N + blockIdx.x % SHARE / SHARE_M; }
  static BURNISH_DEVICE int clusters() { return gridDim.x / SHARE; }
};

/// A step of one of a block's tiles, as the thread that feeds the ring goes through them.
struct Feed {
  static constexpr int B_SLICE = B_BYTES / SHARE_M;

  const Operands& p;
  const Sizes& s;
  const TensorMap& map;
  const int member_m = blockIdx.x % SHARE_M, member_n = blockIdx.x % SHARE / SHARE_M;  // among those that share
  const int steps;
  Tiles tiles;
  int step = 0;
  LeftTile left;
  const char* right;  // this block's slice

  BURNISH_DEVICE Feed(const Operands& p, const Sizes& s, const TensorMap& map) : p(p), s(s), map(map), steps(LeftTile::steps(s)), tiles(s), left(s, tiles.row()) { begin_right(); }
  BURNISH_DEVICE bool valid() const { return tiles.valid(); }
  BURNISH_DEVICE void advance() {
    right += B_STEP;
    if (++step < steps) return;
    step = 0;
    tiles.advance();
    left = LeftTile(s, tiles.row());
    begin_right();
  }
  BURNISH_DEVICE void begin_right() {  // columns beyond the last tile are computed like it and dropped
    right = reinterpret_cast<const char*>(b_operand(p)) + int64_t(min(tiles.column(), s.column_tiles - 1)) * (PADDED_COLUMNS ? B_BYTES : int64_t(steps) * B_BYTES) + member_m * B_SLICE;
  }

  BURNISH_DEVICE void load_right(uint32_t stage, uint32_t barrier) const {
    if constexpr (KEPT > 0) return;
    constexpr uint16_t every = (1 << SHARE_M) - 1;  // of the blocks that share it
    if constexpr (SHARE_M > 1) copy_bulk_to_all(stage + A_BYTES + member_m * B_SLICE, right, B_SLICE, barrier, every << member_n * SHARE_M);
    else copy_bulk(stage + A_BYTES, right, B_BYTES, barrier);
  }
  BURNISH_DEVICE void load_left(uint32_t stage, uint32_t barrier) const {
    uint16_t blocks = 0;
    for (int i = 0; i < SHARE_N; ++i) blocks |= 1 << (i * SHARE_M + member_m);
    left.load(s, &map, step, stage, barrier, member_n, blocks);
  }
  /// Asks L2 for both, of which other blocks read the same: for those the first of them asks.
  BURNISH_DEVICE void fetch() const {
    if (tiles.column() < SHARE_N) left.fetch(s, &map, step, member_n);
    if (!KEPT && tiles.row() < SHARE_M) fetch_bulk(right, B_SLICE);
  }
};

extern "C" __global__ void __launch_bounds__(THREADS, 1) kernel(const Operands p, const Sizes s, const __grid_constant__ TensorMap left) {
  const int steps = LeftTile::steps(s);
  const uint32_t kept = (shared_address(shared) + 1023) & ~1023u, base = kept + KEPT * B_BYTES;
  __shared__ uint64_t full[STAGES], empty[STAGES], led, all_kept;
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; ++i) {
      barrier_init(shared_address(&full[i]), 1);
      barrier_init(shared_address(&empty[i]), GROUPS_M * SHARE);
    }
    barrier_init(shared_address(&led), 1);
    barrier_init(shared_address(&all_kept), 1);
    barrier_init_done();
  }
  if constexpr (SHARE > 1) cluster_meet();
  else __syncthreads();

  Stage stage;
  if (threadIdx.x >= MULTIPLIERS) {
    give_registers_back<FEEDER_REGISTERS>();
    if (threadIdx.x == MULTIPLIERS) {
      // Weights do not depend on the kernels before this one: all that fit are on their way before the wait.
      fetch_map(&left);
      if constexpr (KEPT > 0) {
        barrier_expect(shared_address(&all_kept), KEPT * B_BYTES);
        for (int i = 0; i < KEPT; ++i) copy_bulk(kept + i * B_BYTES, reinterpret_cast<const char*>(b_operand(p)) + i * B_STEP, B_BYTES, shared_address(&all_kept));
      }
      Feed feed(p, s, left), next = feed;  // by a ring's length
      for (int i = 0; i < STAGES && next.valid(); ++i, next.advance()) {
        barrier_expect(shared_address(&full[i]), ARRIVING);
        next.load_right(base + i * STAGE_BYTES, shared_address(&full[i]));
      }
      wait_for_inputs(p);
      let_next_start();
      for (; feed.valid(); feed.advance(), stage.advance()) {
        const uint32_t to = base + stage.at * STAGE_BYTES, barrier = shared_address(&full[stage.at]);
        if (stage.round > 0) {
          barrier_wait(shared_address(&empty[stage.at]), (stage.round & 1) ^ 1);
          barrier_expect(barrier, ARRIVING);
          feed.load_right(to, barrier);
        }
        feed.load_left(to, barrier);
        if (FETCH && next.valid()) {
          next.fetch();
          next.advance();
        }
      }
    }
    __syncwarp();
  } else {
    take_registers<MULTIPLIER_REGISTERS>();
    wait_for_inputs(p);
    let_next_start();
    const int group = threadIdx.x / 128;
    Tiles tiles(s);
    // So that warpgroups end a tile one after the other, each begins it LEAD steps behind the one before, while
    // the ring is what keeps that one from going further than a tile ahead.
    const bool leads = LEAD > 0 && group == 0 && steps > STAGES, follows = LEAD > 0 && group == 1 && steps > STAGES;
    int refilled = tiles.own() * steps - STAGES;  // steps after which their stage is filled again
    const auto release = [&](int at) {  // to all blocks that write into this one's stage, who wait for it
      if (refilled-- > 0 && threadIdx.x % 128 < SHARE) {
        if constexpr (SHARE > 1) barrier_arrive_in_block(shared_address(&empty[at]), threadIdx.x % 128);
        else barrier_arrive(shared_address(&empty[at]));
      }
    };
    if constexpr (KEPT > 0) barrier_wait(shared_address(&all_kept), 0);
    for (int tile = 0; tiles.valid(); tiles.advance(), ++tile) {
      End end(s, LeftTile(s, tiles.row()), tiles.column() * TILE_N, 0);
      end.begin(p, s);
      float sums[TILE_N / 2];
      int before = 0;
      if (follows) barrier_wait(shared_address(&led), tile & 1);
      for (int i = 0; i < steps; ++i, stage.advance()) {
        barrier_wait(shared_address(&full[stage.at]), stage.round & 1);
        const uint32_t at = base + stage.at * STAGE_BYTES;
        const uint64_t a = matrix_at(at + group * 64 * 128), b = matrix_at(KEPT ? kept + i * B_BYTES : at + A_BYTES);
        products_begin();
#pragma unroll
        for (int tap = 0; tap < TAPS; ++tap)
#pragma unroll
          for (int step = 0; step < 4; ++step) multiply(sums, a + tap * (TAP_ROWS * 8) + step * 2, b + tap * (TILE_N * 8) + step * 2, i + tap + step > 0);  // 32 bytes on
        products_commit();
        if (leads && i == LEAD - 1 && threadIdx.x == 0) barrier_arrive(shared_address(&led));
        if constexpr (STAGES > 1) {
          products_wait<1>();
          if (i > 0) release(before);
          before = stage.at;
        } else {  // no place for the next step's products beside this one's
          products_wait<0>();
          release(0);
        }
      }
      products_wait<0>();
      products_done(sums);
      if constexpr (STAGES > 1) release(before);
      end.run(p, s, sums);
      __syncwarp();
    }
  }
  if constexpr (SHARE > 1) cluster_meet();  // no block leaves while others still write to its shared memory
}
