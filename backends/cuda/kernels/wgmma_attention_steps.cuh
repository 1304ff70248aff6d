// Attention on Hopper's warpgroup instructions over any number of keys, KEYS of them a step: what a row has summed so far is
// scaled down whenever a greater score comes (Milakov and Gimelshein, "Online normalizer calculation for softmax", 2018; Dao et
// al., "FlashAttention", 2022). A block has 64 queries of a head for each of its warpgroups, which share the keys and values of
// a step; those of the next are on their way meanwhile, and the blocks of a multiprocessor fill each other's waits.
//
// Defined before: kernels/wgmma_attention_parts.cuh; BLOCKS (of a multiprocessor); Sizes with query_blocks.

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) kernel(const Operands p, const Sizes s) {
  const Head head(s, blockIdx.x / s.query_blocks);
  // By causality the last queries see most, so they begin.
  const int tile = CAUSAL != NOT_CAUSAL ? s.query_blocks - 1 - int(blockIdx.x) % s.query_blocks : int(blockIdx.x) % s.query_blocks;
  const int group = threadIdx.x / 128, query = tile * TILE + threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
  const int seen = CAUSAL != NOT_CAUSAL ? min(s.keys, max(min((tile + 1) * TILE, s.queries) + head.shift, 0)) : s.keys, steps = (seen + KEYS - 1) / KEYS;
  const uint32_t q_base = (shared_address(shared) + 1023) & ~1023u, ring = q_base + Q_BYTES;
  const auto keys_of = [&](int step) { return ring + step % 2 * (K_BYTES + V_BYTES); };
  const auto bring = [&](int step) {  // two groups of copies, which may be empty
    if (step < steps) load_rows<KEYS, DEPTH>(head.keys(p, s), s.k_row, step * KEYS, s.keys, keys_of(step));
    commit_copies();
    if (step < steps) load_rows<KEYS, DEPTH_V>(head.values(p, s), s.v_row, step * KEYS, s.keys, keys_of(step) + K_BYTES);
    commit_copies();
  };
  wait_for_inputs(p);
  load_rows<TILE, DEPTH>(head.queries(p, s), s.q_row, tile * TILE, s.queries, q_base);
  bring(0);
  let_next_start();
  __shared__ float key_mask[KEYS];
  float sums[DEPTH_V / 2], total[2] = {0, 0}, most[2] = {MINUS_INFINITY, MINUS_INFINITY};
#pragma unroll
  for (int i = 0; i < DEPTH_V / 2; ++i) sums[i] = 0;

  for (int step = 0; step < steps; ++step) {
    bring(step + 1);
    if constexpr (MASK != NO_MASK && MASK_BY_KEY) head.bring_mask(p, s, step * KEYS, key_mask);
    wait_copies<3>();  // this step's values and all of the next's may still be on their way
    copies_to_products();
    __syncthreads();
    float scores[KEYS / 2];
    products_begin();
#pragma unroll
    for (int i = 0; i < DEPTH / 16; ++i)
      score(scores, operand_at(q_base + group * 64 * 128, 16) + i / 4 * (TILE * 8) + i % 4 * 2, operand_at(keys_of(step), 16) + i / 4 * (KEYS * 8) + i % 4 * 2, i > 0);
    products_commit();
    products_wait<0>();
    products_done(scores);

    see(scores, p, s, head, query, step * KEYS, key_mask);
    float origin[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float before = most[r];
      most[r] = max(before, greatest(scores, r));
      origin[r] = origin_of(most[r]);
      const float kept = exp2(before * FACTOR - origin[r]);
      total[r] *= kept;
#pragma unroll
      for (int j = 0; j < DEPTH_V / 8; ++j) {
        sums[j * 4 + 2 * r] *= kept;
        sums[j * 4 + 2 * r + 1] *= kept;
      }
    }
    uint32_t weights[KEYS / 16][4];
    weights_of(scores, origin, weights, total);
    wait_copies<2>();
    copies_to_products();
    __syncthreads();
    products_done(sums);  // they are written by now
#pragma unroll
    for (int i = 0; i < KEYS / 16; ++i) products_ready(weights[i]);
    products_begin();
#pragma unroll
    for (int i = 0; i < KEYS / 16; ++i) weigh(sums, weights[i], operand_at(keys_of(step) + K_BYTES, KEYS * 128) + i * 128, true);
    products_commit();
    products_wait<0>();
    products_done(sums);
    __syncthreads();  // the next step but one goes where this one's keys and values are
  }
  finish(sums, total, p, s, head, query);
}
