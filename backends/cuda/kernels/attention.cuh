// Attention: softmax(q k^T scale + mask) v in one pass over the keys, with a running maximum and sum (Dao et al.,
// FlashAttention, 2022). A warp takes 16 queries; the warps of a block share the queries, and the keys of each step,
// whose parts meet at the end. Where all keys fit, every stage is loaded at once and nothing is waited for twice.
//
// Defined before: Element; MASK and mask(p, s, place) where there is one; WARPS_Q, WARPS_K, KEYS (of a warp in one
// step), STAGES; DEPTH and DEPTH_V (head sizes, padded to whole products); Q_COPIED, K_COPIED, V_COPIED (16-byte
// copies; else single elements); VECTOR (of stores); CAUSAL; SCALE, SOFTCAP; q_operand(p), ..., y_operand(p); Sizes.

constexpr int NO_MASK = 0, BOOLEAN_MASK = 1, ADDED_MASK = 2;
constexpr int NOT_CAUSAL = 0, TOP_LEFT = 1, BOTTOM_RIGHT = 2;
constexpr int CHUNK = 16 / sizeof(Element);
constexpr int THREADS = 32 * WARPS_Q * WARPS_K;
constexpr int TILE_Q = 16 * WARPS_Q, TILE_KEYS = KEYS * WARPS_K;
constexpr int CHUNKS = DEPTH / CHUNK, CHUNKS_V = DEPTH_V / CHUNK;
constexpr int PITCH = (CHUNKS | 1) * 16, PITCH_V = (CHUNKS_V | 1) * 16;  // odd in chunks: eight rows meet all banks
constexpr int Q_BYTES = TILE_Q * PITCH, K_BYTES = TILE_KEYS * PITCH, V_BYTES = TILE_KEYS * PITCH_V;
constexpr int STEPS = DEPTH * int(sizeof(Element)) / 32;  // of 32 bytes of the inner dimension
constexpr int BLOCKS_V = DEPTH_V / 8;
constexpr int SUM_PITCH = DEPTH_V + 4;
constexpr float LOG2_E = 1.4426950408889634f;
#define MINUS_INFINITY __int_as_float(0xff800000)

BURNISH_DEVICE float exp2(float x) { float y; asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x)); return y; }

/// Rows first ... first + ROWS - 1 of a matrix to shared memory, zeros where it has none.
template <int ROWS, int ROW_CHUNKS, int ROW_PITCH, bool COPIED>
BURNISH_DEVICE void load_rows(const Element* from, int row_stride, int column_stride, int first, int rows, int columns, char* to) {
  for (int i = threadIdx.x; i < ROWS * ROW_CHUNKS; i += THREADS) {
    const int row = i / ROW_CHUNKS, column = i % ROW_CHUNKS * CHUNK;
    const bool inside = first + row < rows;
    char* place = to + row * ROW_PITCH + column * int(sizeof(Element));
    if constexpr (COPIED) {
      const bool valid = inside && column < columns;
      copy_16(shared_address(place), valid ? from + ((first + row) * row_stride + column) : from, valid);
    } else {
      Vector<Element, CHUNK> gathered;
#pragma unroll
      for (int e = 0; e < CHUNK; ++e)
        gathered.element[e] = inside && column + e < columns ? from[(first + row) * row_stride + (column + e) * column_stride] : narrow<Element>(0);
      *reinterpret_cast<Vector<Element, CHUNK>*>(place) = gathered;
    }
  }
}

/// sums += weights * values over a warp's keys; the weights come as products give their results.
template <class T> BURNISH_DEVICE void weigh_values(float (&sums)[BLOCKS_V][4], const float (&weights)[KEYS / 8][4], const char* values) {
  const int lane = threadIdx.x & 31;
  if constexpr (sizeof(T) == 2) {
#pragma unroll
    for (int i = 0; i < KEYS / 16; ++i) {
      const uint32_t left[4] = {narrow_pair<T>(weights[2 * i][0], weights[2 * i][1]), narrow_pair<T>(weights[2 * i][2], weights[2 * i][3]),
                                narrow_pair<T>(weights[2 * i + 1][0], weights[2 * i + 1][1]), narrow_pair<T>(weights[2 * i + 1][2], weights[2 * i + 1][3])};
      const uint32_t row = shared_address(values + (i * 16 + (lane & 15)) * PITCH_V + (lane >> 4) * 16);
#pragma unroll
      for (int j = 0; j < BLOCKS_V; j += 2) {
        uint32_t right[4];
        load_matrices_transposed(right, row + j * 16);
        Multiply<T>::run(sums[j], left, right[0], right[1]);
        Multiply<T>::run(sums[j + 1], left, right[2], right[3]);
      }
    }
  } else {  // eight keys a product, in an order in which a lane has the weights it needs: 0, 2, 4, 6, 1, 3, 5, 7
#pragma unroll
    for (int i = 0; i < KEYS / 8; ++i) {
      const uint32_t left[4] = {__float_as_uint(weights[i][0]), __float_as_uint(weights[i][2]), __float_as_uint(weights[i][1]), __float_as_uint(weights[i][3])};
      const char* row = values + (i * 8 + lane % 4 * 2) * PITCH_V + lane / 4 * 4;
#pragma unroll
      for (int j = 0; j < BLOCKS_V; ++j)
        Multiply<T>::run(sums[j], left, *reinterpret_cast<const uint32_t*>(row + j * 32), *reinterpret_cast<const uint32_t*>(row + PITCH_V + j * 32));
    }
  }
}

extern __shared__ __align__(128) char shared[];

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const Operands p, const Sizes s) {
  const int tile_q = blockIdx.x % s.query_tiles, pair = blockIdx.x / s.query_tiles;
  const int head = pair % s.heads, batch = pair / s.heads, key_head = head / s.sharing;
  const int lane = threadIdx.x & 31, warp = threadIdx.x / 32, warp_q = warp % WARPS_Q, warp_k = warp / WARPS_Q;
  const int query = tile_q * TILE_Q + warp_q * 16 + lane / 4;  // this thread's first row; the second is 8 below
  const int shift = CAUSAL == BOTTOM_RIGHT ? s.keys - s.queries : 0;
  int tiles = (s.keys + TILE_KEYS - 1) / TILE_KEYS;
  if (CAUSAL != NOT_CAUSAL) {  // what the last query of the tile sees
    const int seen = min(tile_q * TILE_Q + TILE_Q, s.queries) + shift;
    tiles = min(tiles, max(0, (seen + TILE_KEYS - 1) / TILE_KEYS));
  }
  char* const stages = shared + Q_BYTES;
  const auto load_keys = [&](int tile) {
    load_rows<TILE_KEYS, CHUNKS, PITCH, K_COPIED>(k_operand(p) + (s.k_offset + batch * s.k_batch + key_head * s.k_head), s.k_row, s.k_column,
                                                  tile * TILE_KEYS, s.keys, s.depth, stages + tile % STAGES * (K_BYTES + V_BYTES));
  };
  const auto load_values = [&](int tile) {
    load_rows<TILE_KEYS, CHUNKS_V, PITCH_V, V_COPIED>(v_operand(p) + (s.v_offset + batch * s.v_batch + key_head * s.v_head), s.v_row, s.v_column,
                                                      tile * TILE_KEYS, s.keys, s.depth_v, stages + tile % STAGES * (K_BYTES + V_BYTES) + K_BYTES);
  };
  // What is added to the scores, in powers of two, and minus infinity where nothing is seen.
  float bias[MASK == NO_MASK ? 1 : KEYS / 8][4];
  const auto load_mask = [&](int tile) {
    if constexpr (MASK != NO_MASK) {
      const int key = tile * TILE_KEYS + warp_k * KEYS + lane % 4 * 2;
#pragma unroll
      for (int j = 0; j < KEYS / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int row = min(query + e / 2 * 8, s.queries - 1), column = min(key + j * 8 + e % 2, s.keys - 1);
          bias[j][e] = mask(p, batch * s.mask_batch + head * s.mask_head + row * s.mask_row + column * s.mask_key);
        }
    }
  };

  if (MASK_IS_WEIGHT) load_mask(0);
  wait_for_inputs(p);
  load_rows<TILE_Q, CHUNKS, PITCH, Q_COPIED>(q_operand(p) + (s.q_offset + batch * s.q_batch + head * s.q_head), s.q_row, s.q_column,
                                             tile_q * TILE_Q, s.queries, s.depth, shared);
#pragma unroll
  for (int i = 0; i < STAGES; ++i) {
    if (i < tiles) load_keys(i);
    commit_copies();
    if (i < tiles) load_values(i);
    commit_copies();
  }
  let_next_start();

  float sums[BLOCKS_V][4] = {};
  float largest[2] = {MINUS_INFINITY, MINUS_INFINITY}, total[2] = {0, 0};  // of the thread's two rows; totals of its columns only
  for (int tile = 0; tile < tiles; ++tile) {
    const char* keys = stages + tile % STAGES * (K_BYTES + V_BYTES) + warp_k * KEYS * PITCH;
    const char* values = stages + tile % STAGES * (K_BYTES + V_BYTES) + K_BYTES + warp_k * KEYS * PITCH_V;
    if (!MASK_IS_WEIGHT || tile > 0) load_mask(tile);
    wait_copies<2 * STAGES - 1>();
    __syncthreads();
    float scores[KEYS / 8][4] = {};
#pragma unroll
    for (int step = 0; step < STEPS; ++step) {
      uint32_t left[4], right[4];
      load_matrices(left, shared_address(shared + (warp_q * 16 + (lane & 15)) * PITCH + step * 32 + (lane >> 4) * 16));
#pragma unroll
      for (int j = 0; j < KEYS / 8; j += 2) {
        load_matrices(right, shared_address(keys + (j * 8 + (lane & 7) + ((lane >> 4) << 3)) * PITCH + step * 32 + ((lane >> 3) & 1) * 16));
        Multiply<Element>::run(scores[j], left, right[0], right[1]);
        Multiply<Element>::run(scores[j + 1], left, right[2], right[3]);
      }
    }
    // Scores in powers of two. Where nothing is added to them, their scale goes into the exponent below.
    constexpr bool SCALED = SOFTCAP > 0 || MASK == ADDED_MASK || SCALE <= 0;
    constexpr float FACTOR = SCALED ? 1.0f : SCALE * LOG2_E;
    if constexpr (SCALED || MASK != NO_MASK) {
#pragma unroll
      for (int j = 0; j < KEYS / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          float score = scores[j][e];
          if constexpr (SCALED) score = SOFTCAP > 0 ? (SOFTCAP * LOG2_E) * tanh(score * (SCALE / (SOFTCAP > 0 ? SOFTCAP : 1))) : score * (SCALE * LOG2_E);
          if constexpr (MASK == ADDED_MASK) score += bias[j][e] * LOG2_E;
          if constexpr (MASK != NO_MASK) score = bias[j][e] == MINUS_INFINITY ? MINUS_INFINITY : score;
          scores[j][e] = score;
        }
    }
    if (CAUSAL != NOT_CAUSAL || (tile + 1) * TILE_KEYS > s.keys) {
      const int key = tile * TILE_KEYS + warp_k * KEYS + lane % 4 * 2;
#pragma unroll
      for (int j = 0; j < KEYS / 8; ++j)
#pragma unroll
        for (int e = 0; e < 4; ++e) {
          const int column = key + j * 8 + e % 2;
          if (column >= s.keys || (CAUSAL != NOT_CAUSAL && column > query + e / 2 * 8 + shift)) scores[j][e] = MINUS_INFINITY;
        }
    }
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      float best = MINUS_INFINITY;
#pragma unroll
      for (int j = 0; j < KEYS / 8; ++j) best = max(best, max(scores[j][2 * r], scores[j][2 * r + 1]));
      best = max(best, __shfl_xor_sync(0xffffffffu, best, 1));
      best = max(best, __shfl_xor_sync(0xffffffffu, best, 2));
      const float now = max(largest[r], best * FACTOR), origin = now == MINUS_INFINITY ? 0 : now;
      const float shrink = exp2(largest[r] - origin);
      total[r] *= shrink;
#pragma unroll
      for (int j = 0; j < KEYS / 8; ++j)
#pragma unroll
        for (int e = 2 * r; e < 2 * r + 2; ++e) total[r] += scores[j][e] = exp2(scores[j][e] * FACTOR - origin);
#pragma unroll
      for (int j = 0; j < BLOCKS_V; ++j) {
        sums[j][2 * r] *= shrink;
        sums[j][2 * r + 1] *= shrink;
      }
      largest[r] = now;
    }
    wait_copies<2 * STAGES - 2>();
    __syncthreads();
    weigh_values<Element>(sums, scores, values);
    if (tile + STAGES < tiles) {
      __syncthreads();  // before the stage is written again
      load_keys(tile + STAGES);
      commit_copies();
      load_values(tile + STAGES);
    } else {
      commit_copies();
    }
    commit_copies();
  }

  // Each warp's sums with the row's maximum and total go to shared memory; then all threads put the parts together.
  wait_copies<0>();
  __syncthreads();
  float* const parts = reinterpret_cast<float*>(shared);                       // [WARPS_K][TILE_Q][SUM_PITCH]
  float2* const scales = reinterpret_cast<float2*>(parts + WARPS_K * TILE_Q * SUM_PITCH);  // [WARPS_K][TILE_Q]
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    const int row = warp_q * 16 + lane / 4 + r * 8;
    total[r] += __shfl_xor_sync(0xffffffffu, total[r], 1);
    total[r] += __shfl_xor_sync(0xffffffffu, total[r], 2);
    if (lane % 4 == 0) scales[warp_k * TILE_Q + row] = make_float2(largest[r], total[r]);
    float* to = parts + (warp_k * TILE_Q + row) * SUM_PITCH + lane % 4 * 2;
#pragma unroll
    for (int j = 0; j < BLOCKS_V; ++j) *reinterpret_cast<float2*>(to + j * 8) = make_float2(sums[j][2 * r], sums[j][2 * r + 1]);
  }
  __syncthreads();
  Element* const y = y_operand(p) + (batch * s.y_batch + head * s.y_head);
  constexpr int PER_ROW = DEPTH_V / VECTOR;
  for (int i = threadIdx.x; i < TILE_Q * PER_ROW; i += THREADS) {
    const int row = i / PER_ROW, column = i % PER_ROW * VECTOR, at = tile_q * TILE_Q + row;
    if (at >= s.queries || column >= s.depth_v) continue;
    float most = MINUS_INFINITY, sum = 0, result[VECTOR] = {};
#pragma unroll
    for (int w = 0; w < WARPS_K; ++w) most = max(most, scales[w * TILE_Q + row].x);
    most = most == MINUS_INFINITY ? 0 : most;
#pragma unroll
    for (int w = 0; w < WARPS_K; ++w) {
      const float2 scale = scales[w * TILE_Q + row];
      const float weight = exp2(scale.x - most);
      sum += scale.y * weight;
#pragma unroll
      for (int v = 0; v < VECTOR; ++v) result[v] += parts[(w * TILE_Q + row) * SUM_PITCH + column + v] * weight;
    }
    const float factor = sum == 0 ? 0 : 1 / sum;  // a query that sees nothing gets zeros
#pragma unroll
    for (int v = 0; v < VECTOR; ++v) result[v] *= factor;
    if constexpr (VECTOR > 1) store<Element, VECTOR>(y + (at * s.y_row + column), result);
    else y[at * s.y_row + column * s.y_column] = narrow<Element>(result[0]);
  }
}
