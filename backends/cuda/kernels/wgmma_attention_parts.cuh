// What both kernels of attention on Hopper's warpgroup instructions share. A warpgroup has the scores of 64 queries, a thread
// those of two: element 4 j + 2 r + e is the one of its row r (eight rows apart) and of column 8 j + 2 (lane % 4) + e.
//
// Defined before: what Attention::text() does; GROUPS (warpgroups of a block), KEYS (of one product's scores, 16s), DEPTH and
// DEPTH_V (16s and 32s), MASK_BY_KEY (one mask for all queries); score() and weigh(), products of a warpgroup; Sizes.

constexpr int NO_MASK = 0, BOOLEAN_MASK = 1, ADDED_MASK = 2;
constexpr int NOT_CAUSAL = 0, TOP_LEFT = 1, BOTTOM_RIGHT = 2;
constexpr int THREADS = 128 * GROUPS, TILE = 64 * GROUPS, CHUNK = 8;
constexpr int Q_BYTES = (DEPTH + 63) / 64 * TILE * 128, K_BYTES = (DEPTH + 63) / 64 * KEYS * 128, V_BYTES = (DEPTH_V + 63) / 64 * KEYS * 128;
constexpr float LOG2_E = 1.4426950408889634f;
// Scores are in powers of two. Where nothing is added to them, their scale waits for the exponent.
constexpr bool SCALED = SOFTCAP > 0 || MASK == ADDED_MASK || SCALE <= 0;
constexpr float FACTOR = SCALED ? 1.0f : SCALE * LOG2_E;
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

/// A head of a batch, in its operands.
struct Head {
  int batch, head, key_head, shift;  ///< shift: by causality, query i sees the keys up to i + shift

  BURNISH_DEVICE Head(const Sizes& s, int pair) : batch(pair / s.heads), head(pair % s.heads), key_head(head / s.sharing), shift(CAUSAL == BOTTOM_RIGHT ? s.keys - s.queries : 0) {}
  BURNISH_DEVICE const Element* queries(const Operands& p, const Sizes& s) const { return q_operand(p) + (s.q_offset + batch * s.q_batch + head * s.q_head); }
  BURNISH_DEVICE const Element* keys(const Operands& p, const Sizes& s) const { return k_operand(p) + (s.k_offset + batch * s.k_batch + key_head * s.k_head); }
  BURNISH_DEVICE const Element* values(const Operands& p, const Sizes& s) const { return v_operand(p) + (s.v_offset + batch * s.v_batch + key_head * s.v_head); }
  BURNISH_DEVICE float mask_at(const Operands& p, const Sizes& s, int row, int column) const { return mask(p, batch * s.mask_batch + head * s.mask_head + row * s.mask_row + column * s.mask_key); }

  /// The mask of keys first ... first + KEYS - 1, one for all queries, to shared memory.
  BURNISH_DEVICE void bring_mask(const Operands& p, const Sizes& s, int first, float* key_mask) const {
    for (int i = threadIdx.x; i < KEYS; i += THREADS) key_mask[i] = first + i < s.keys ? mask_at(p, s, 0, first + i) : MINUS_INFINITY;
  }
};

/// Products of keys `first` and on become scores of `query` and the row eight below it: minus infinity where it does not see
/// the key.
BURNISH_DEVICE void see(float (&scores)[KEYS / 2], const Operands& p, const Sizes& s, const Head& head, int query, int first, const float* key_mask) {
#pragma unroll
  for (int i = 0; i < KEYS / 2; ++i) {
    const int within = i / 4 * 8 + (threadIdx.x & 31) % 4 * 2 + i % 2, column = first + within, row = query + i / 2 % 2 * 8;
    float x = scores[i];
    if constexpr (SCALED) x = SOFTCAP > 0 ? (SOFTCAP * LOG2_E) * tanh(x * (SCALE / (SOFTCAP > 0 ? SOFTCAP : 1))) : x * (SCALE * LOG2_E);
    if constexpr (MASK != NO_MASK) {
      const float added = MASK_BY_KEY ? key_mask[within] : head.mask_at(p, s, min(row, s.queries - 1), min(column, s.keys - 1));
      if constexpr (MASK == ADDED_MASK) x += added * LOG2_E;
      x = added == MINUS_INFINITY ? MINUS_INFINITY : x;
    }
    if (first + i / 4 * 8 + 8 > s.keys && column >= s.keys) x = MINUS_INFINITY;
    if (CAUSAL != NOT_CAUSAL && column > row + head.shift) x = MINUS_INFINITY;
    scores[i] = x;
  }
}

/// The greatest score of row `r`, of all four threads that have it.
BURNISH_DEVICE float greatest(const float (&scores)[KEYS / 2], int r) {
  float most = MINUS_INFINITY;
#pragma unroll
  for (int j = 0; j < KEYS / 8; ++j) most = max(most, max(scores[j * 4 + 2 * r], scores[j * 4 + 2 * r + 1]));
  most = max(most, __shfl_xor_sync(0xffffffffu, most, 1));
  return max(most, __shfl_xor_sync(0xffffffffu, most, 2));
}
/// What scores are taken less in the exponent: a row that sees nothing yet has none.
BURNISH_DEVICE float origin_of(float most) { return most == MINUS_INFINITY ? 0 : most * FACTOR; }

/// The scores' exponentials as the left operand of products with values, and added to the thread's totals of both rows: the
/// rows in turn, so that the operand takes its scores' registers.
BURNISH_DEVICE void weights_of(const float (&scores)[KEYS / 2], const float (&origin)[2], uint32_t (&weights)[KEYS / 16][4], float (&total)[2]) {
#pragma unroll
  for (int j = 0; j < KEYS / 8; ++j)
#pragma unroll
    for (int r = 0; r < 2; ++r) {
      const float x = exp2(scores[j * 4 + 2 * r] * FACTOR - origin[r]), y = exp2(scores[j * 4 + 2 * r + 1] * FACTOR - origin[r]);
      total[r] += x + y;
      weights[j / 2][j % 2 * 2 + r] = narrow_pair<Element>(x, y);
    }
}

/// Writes both rows' sums over their totals. Eight neighbours of a row go to one thread, four threads side by side.
BURNISH_DEVICE void finish(float (&sums)[DEPTH_V / 2], float (&total)[2], const Operands& p, const Sizes& s, const Head& head, int query) {
  Element* const y = y_operand(p) + (s.y_offset + head.batch * s.y_batch + head.head * s.y_head);
#pragma unroll
  for (int r = 0; r < 2; ++r) {
    total[r] += __shfl_xor_sync(0xffffffffu, total[r], 1);
    total[r] += __shfl_xor_sync(0xffffffffu, total[r], 2);
    const float factor = total[r] == 0 ? 0 : 1 / total[r];  // a query that sees nothing gets zeros
    const int row = query + r * 8;
#pragma unroll
    for (int group = 0; group < DEPTH_V / 32; ++group) {
      uint32_t words[4];
#pragma unroll
      for (int b = 0; b < 4; ++b) words[b] = narrow_pair<Element>(sums[(group * 4 + b) * 4 + 2 * r] * factor, sums[(group * 4 + b) * 4 + 2 * r + 1] * factor);
      transpose_in_quad(words);
      if (row < s.queries) *reinterpret_cast<uint4*>(y + (row * s.y_row + group * 32 + threadIdx.x % 4 * 8)) = make_uint4(words[0], words[1], words[2], words[3]);
    }
  }
}

extern __shared__ __align__(1024) char shared[];
