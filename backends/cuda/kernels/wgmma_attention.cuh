// Attention on Hopper's warpgroup instructions where all keys of a head fit: softmax(q k^T scale + mask) v with every score
// of a query in registers, so that nothing is scaled twice. A block is one warpgroup: it brings the keys and values of a head
// to shared memory once and takes 64 of its queries after the other; several blocks of a multiprocessor fill each other's
// waits. Scores of the keys beyond the last are minus infinity, values there zeros.
//
// Defined before: kernels/wgmma_attention_parts.cuh, with KEYS of all; TILES (of 64 queries, taken by a block), BLOCKS (of a
// multiprocessor); Sizes with query_blocks.

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) kernel(const Operands p, const Sizes s) {
  const Head head(s, blockIdx.x / s.query_blocks);
  const int first_tile = blockIdx.x % s.query_blocks * TILES, tiles = min(TILES, (s.queries + TILE - 1) / TILE - first_tile);
  const uint32_t q_base = (shared_address(shared) + 1023) & ~1023u, k_base = q_base + Q_BYTES, v_base = k_base + K_BYTES;
  const auto load_queries = [&](int tile) {
    load_rows<TILE, DEPTH>(head.queries(p, s), s.q_row, tile * TILE, s.queries, q_base);
    commit_copies();
  };
  wait_for_inputs(p);
  load_rows<KEYS, DEPTH>(head.keys(p, s), s.k_row, 0, s.keys, k_base);
  load_queries(first_tile);
  load_rows<KEYS, DEPTH_V>(head.values(p, s), s.v_row, 0, s.keys, v_base);
  commit_copies();
  let_next_start();
  __shared__ float key_mask[KEYS];
  if constexpr (MASK != NO_MASK && MASK_BY_KEY) head.bring_mask(p, s, 0, key_mask);

  for (int tile = 0; tile < tiles; ++tile) {
    const int query = (first_tile + tile) * TILE + threadIdx.x / 32 * 16 + threadIdx.x % 32 / 4;
    if (tile == 0) wait_copies<1>();  // the values may still be on their way
    else wait_copies<0>();
    copies_to_products();
    __syncthreads();
    float scores[KEYS / 2];
    products_begin();
#pragma unroll
    for (int step = 0; step < DEPTH / 16; ++step)
      score(scores, operand_at(q_base, 16) + step / 4 * (TILE * 8) + step % 4 * 2, operand_at(k_base, 16) + step / 4 * (KEYS * 8) + step % 4 * 2, step > 0);
    products_commit();
    products_wait<0>();
    products_done(scores);
    if (tile == 0) {
      wait_copies<0>();
      copies_to_products();
    }
    __syncthreads();  // the values are there, and all have read the queries
    if (tile + 1 < tiles) load_queries(first_tile + tile + 1);

    see(scores, p, s, head, query, 0, key_mask);
    const float origin[2] = {origin_of(greatest(scores, 0)), origin_of(greatest(scores, 1))};
    uint32_t weights[KEYS / 16][4];
    float total[2] = {0, 0};
    weights_of(scores, origin, weights, total);
    float sums[DEPTH_V / 2];
#pragma unroll
    for (int i = 0; i < KEYS / 16; ++i) products_ready(weights[i]);
    products_begin();
#pragma unroll
    for (int i = 0; i < KEYS / 16; ++i) weigh(sums, weights[i], operand_at(v_base, KEYS * 128) + i * 128, i > 0);
    products_commit();
    products_wait<0>();
    products_done(sums);
    finish(sums, total, p, s, head, query);
  }
}
