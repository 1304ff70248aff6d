// Attention on Hopper's warpgroup instructions where all keys of a head fit: softmax(q k^T scale + mask) v with every score
// of a query in registers, so that nothing is scaled twice. A block is one warpgroup: it brings the keys and values of a head
// to shared memory once and takes 64 of its queries after the other; several blocks of a multiprocessor fill each other's
// waits. Scores of the keys beyond the last are minus infinity, values there zeros.
//
// Defined before: what Attention::text() does; KEYS (of all, whole products), DEPTH and DEPTH_V (16s and 32s), TILES (of 64
// queries, taken by a block), MASK_BY_KEY (one mask for all queries), BLOCKS (of a multiprocessor); score() and weigh(), products of the warpgroup; Sizes with
// query_blocks.

constexpr int NO_MASK = 0, BOOLEAN_MASK = 1, ADDED_MASK = 2;
constexpr int NOT_CAUSAL = 0, TOP_LEFT = 1, BOTTOM_RIGHT = 2;
constexpr int THREADS = 128, TILE = 64, CHUNK = 8;
constexpr int Q_BYTES = (DEPTH + 63) / 64 * TILE * 128, K_BYTES = (DEPTH + 63) / 64 * KEYS * 128, V_BYTES = (DEPTH_V + 63) / 64 * KEYS * 128;
constexpr float LOG2_E = 1.4426950408889634f;
#define MINUS_INFINITY __int_as_float(0xff800000)

BURNISH_DEVICE float exp2(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

/// Rows first ... first + ROWS - 1 of a matrix to shared memory, zeros where it has none: parts of 64 columns, each rows of
/// 128 bytes whose chunks are permuted as the warpgroup's products read them. A thread keeps its chunk of a row and its place
/// among eight rows, so that its copies lie at one distance from each other, here and there.
template <int ROWS, int COLUMNS> BURNISH_DEVICE void load_rows(const Element* from, int row_stride, int first, int rows, uint32_t to) {
  constexpr int CHUNKS = COLUMNS / CHUNK, STEP = THREADS / CHUNKS / 8 * 8;
  const int row = int(threadIdx.x) / CHUNKS, chunk = int(threadIdx.x) % CHUNKS;
  if (THREADS > STEP * CHUNKS && row >= STEP) return;
  const Element* const source = from + (int64_t(first + row) * row_stride + chunk * CHUNK);
  const uint32_t target = to + (chunk / 8 * ROWS + row) * 128 + (chunk % 8 ^ row % 8) * 16;
#pragma unroll
  for (int n = 0; n < ROWS; n += STEP) {
    if (ROWS % STEP != 0 && n + row >= ROWS) break;
    copy_16(target + n * 128, source + int64_t(n) * row_stride, first + n + STEP <= rows || first + n + row < rows);
  }
}

/// Descriptor of a product's operand: groups of eight rows of 128 bytes one behind the other, `part` bytes from one part of
/// 64 columns to the next (which only an operand whose columns are not the inner dimension spans in one product).
BURNISH_DEVICE uint64_t operand_at(uint32_t address, int part) {
  return uint64_t((address & 0x3ffff) >> 4) | uint64_t(part >> 4) << 16 | uint64_t(64) << 32 | uint64_t(1) << 62;
}

/// Lane q of each four has words of blocks 0 ... 3; it gets the words of block q from lanes 0 ... 3.
BURNISH_DEVICE void transpose_in_quad(uint32_t (&words)[4]) {
#pragma unroll
  for (int bit = 1; bit < 4; bit *= 2)
#pragma unroll
    for (int i = 0; i < 4; ++i) {
      if (i & bit) continue;
      const bool upper = threadIdx.x & bit;
      const uint32_t got = __shfl_xor_sync(0xffffffffu, upper ? words[i] : words[i | bit], bit);
      (upper ? words[i] : words[i | bit]) = got;
    }
}

extern __shared__ __align__(1024) char shared[];

extern "C" __global__ void __launch_bounds__(THREADS, BLOCKS) kernel(const Operands p, const Sizes s) {
  const int pair = blockIdx.x / s.query_blocks, first_tile = blockIdx.x % s.query_blocks * TILES;
  const int head = pair % s.heads, batch = pair / s.heads, key_head = head / s.sharing;
  const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
  const int tiles = min(TILES, (s.queries + TILE - 1) / TILE - first_tile);
  const int shift = CAUSAL == BOTTOM_RIGHT ? s.keys - s.queries : 0;
  const uint32_t q_base = (shared_address(shared) + 1023) & ~1023u, k_base = q_base + Q_BYTES, v_base = k_base + K_BYTES;
  const auto load_queries = [&](int tile) {
    load_rows<TILE, DEPTH>(q_operand(p) + (s.q_offset + batch * s.q_batch + head * s.q_head), s.q_row, tile * TILE, s.queries, q_base);
    commit_copies();
  };
  const auto mask_at = [&](int row, int column) { return mask(p, batch * s.mask_batch + head * s.mask_head + row * s.mask_row + column * s.mask_key); };
  wait_for_inputs(p);
  load_rows<KEYS, DEPTH>(k_operand(p) + (s.k_offset + batch * s.k_batch + key_head * s.k_head), s.k_row, 0, s.keys, k_base);
  load_queries(first_tile);
  load_rows<KEYS, DEPTH_V>(v_operand(p) + (s.v_offset + batch * s.v_batch + key_head * s.v_head), s.v_row, 0, s.keys, v_base);
  commit_copies();
  let_next_start();
  __shared__ float key_mask[KEYS];  // where it is one for all queries
  if constexpr (MASK != NO_MASK && MASK_BY_KEY)
    for (int i = threadIdx.x; i < KEYS; i += THREADS) key_mask[i] = i < s.keys ? mask_at(0, i) : MINUS_INFINITY;

  for (int tile = 0; tile < tiles; ++tile) {
    const int first = (first_tile + tile) * TILE + warp * 16, query = first + lane / 4;  // of the warp; the thread's first row, the second is 8 below
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

    uint32_t weights[KEYS / 16][4];
    float total[2] = {0, 0};
    // Scores in powers of two. Where nothing is added to them, their scale goes into the exponent below.
    constexpr bool SCALED = SOFTCAP > 0 || MASK == ADDED_MASK || SCALE <= 0;
    constexpr float FACTOR = SCALED ? 1.0f : SCALE * LOG2_E;
#pragma unroll
    for (int i = 0; i < KEYS / 2; ++i) {
      const int column = i / 4 * 8 + lane % 4 * 2 + i % 2, row = query + i / 2 % 2 * 8;
      float x = scores[i];
      if constexpr (SCALED) x = SOFTCAP > 0 ? (SOFTCAP * LOG2_E) * tanh(x * (SCALE / (SOFTCAP > 0 ? SOFTCAP : 1))) : x * (SCALE * LOG2_E);
      if constexpr (MASK != NO_MASK) {
        const float added = MASK_BY_KEY ? key_mask[column] : mask_at(min(row, s.queries - 1), min(column, s.keys - 1));
        if constexpr (MASK == ADDED_MASK) x += added * LOG2_E;
        x = added == MINUS_INFINITY ? MINUS_INFINITY : x;
      }
      if (i / 4 * 8 + 8 > s.keys && column >= s.keys) x = MINUS_INFINITY;
      if (CAUSAL != NOT_CAUSAL && column > row + shift) x = MINUS_INFINITY;
      scores[i] = x;
    }
    float origin[2];
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float most = MINUS_INFINITY;
#pragma unroll
      for (int j = 0; j < KEYS / 8; ++j) most = max(most, max(scores[j * 4 + 2 * r], scores[j * 4 + 2 * r + 1]));
      most = max(most, __shfl_xor_sync(0xffffffffu, most, 1));
      most = max(most, __shfl_xor_sync(0xffffffffu, most, 2));
      origin[r] = most == MINUS_INFINITY ? 0 : most * FACTOR;
    }
#pragma unroll
    for (int j = 0; j < KEYS / 8; ++j)  // both rows of a product's operand, so that it takes its scores' registers
#pragma unroll
      for (int r = 0; r < 2; ++r) {
        const float x = exp2(scores[j * 4 + 2 * r] * FACTOR - origin[r]), y = exp2(scores[j * 4 + 2 * r + 1] * FACTOR - origin[r]);
        total[r] += x + y;
        weights[j / 2][j % 2 * 2 + r] = narrow_pair<Element>(x, y);
      }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      total[r] += __shfl_xor_sync(0xffffffffu, total[r], 1);
      total[r] += __shfl_xor_sync(0xffffffffu, total[r], 2);
    }
    float sums[DEPTH_V / 2];
#pragma unroll
    for (int i = 0; i < KEYS / 16; ++i) products_ready(weights[i]);
    products_begin();
#pragma unroll
    for (int i = 0; i < KEYS / 16; ++i) weigh(sums, weights[i], operand_at(v_base, KEYS * 128) + i * 128, i > 0);
    products_commit();
    products_wait<0>();
    products_done(sums);

    // Eight neighbours of a row go to one thread, four threads side by side.
    Element* const y = y_operand(p) + (s.y_offset + batch * s.y_batch + head * s.y_head);
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float factor = total[r] == 0 ? 0 : 1 / total[r];  // a query that sees nothing gets zeros
      const int row = query + r * 8;
#pragma unroll
      for (int group = 0; group < DEPTH_V / 32; ++group) {
        uint32_t words[4];
#pragma unroll
        for (int b = 0; b < 4; ++b) words[b] = narrow_pair<Element>(sums[(group * 4 + b) * 4 + 2 * r] * factor, sums[(group * 4 + b) * 4 + 2 * r + 1] * factor);
        transpose_in_quad(words);
        if (row < s.queries) *reinterpret_cast<uint4*>(y + (row * s.y_row + group * 32 + lane % 4 * 8)) = make_uint4(words[0], words[1], words[2], words[3]);
      }
    }
  }
}
