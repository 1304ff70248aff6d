// Convolution and matrix product on the tensor cores: rows (pixels) times columns (output channels), summed over
// kernel positions and channels. Stages of 128 bytes of the inner dimension pass through shared memory; a cluster's
// blocks share the inner dimension: each sends its sums to the blocks that finish the rows.
//
// Defined before this text: Element; TILE_M, TILE_N, WARPS_M, WARPS_N, STAGES, SPLIT; CONV, A_PIECE, B_MODE, GROUPED;
// VECTOR, Loaded, load_operands(), epilogue() and fetch_operands(); with BURNISH_PROLOGUE, stage_prologue(), prologue() and STAGED, where what they share lies in
// shared memory; Sizes with rows (output pixels of an image, or of a matrix), total_rows, columns, inner and, for A and B,
// what their modes read.

constexpr int CHUNK = 16 / sizeof(Element);  // elements in 16 bytes
constexpr int TILE_K = 8 * CHUNK;            // of the inner dimension in one stage: 128 bytes
constexpr int THREADS = 32 * WARPS_M * WARPS_N;
constexpr int WARP_M = TILE_M / WARPS_M, WARP_N = TILE_N / WARPS_N;
constexpr int FRAGMENTS_M = WARP_M / 16, FRAGMENTS_N = WARP_N / 8;
constexpr int A_BYTES = TILE_M * 128, B_BYTES = TILE_N * 128;
constexpr int A_LANES = THREADS / 8, A_ROWS = (TILE_M + A_LANES - 1) / A_LANES;
constexpr int B_ROWS = (TILE_N + A_LANES - 1) / A_LANES;
constexpr int COPIED = 0, ELEMENTS = 1, PACKED = 2;  // modes: 16-byte copies, single elements, tiles packed at build
constexpr int PIECE = A_PIECE > 0 ? A_PIECE : CHUNK;  // elements of A that a copy takes; A_PIECE is 0 for single elements

/// Where 16-byte chunk `chunk` of row `row` lies: rows of 128 bytes, their chunks permuted so that eight rows meet all banks.
BURNISH_DEVICE int place(int row, int chunk) { return row * 128 + ((chunk ^ (row & 7)) << 4); }

/// The left operand's rows that this thread loads.
struct Rows {
  int base[A_ROWS];
  int h[A_ROWS], w[A_ROWS];  // the input pixel of kernel position 0; far outside for rows beyond the end
};

BURNISH_DEVICE void find_row(const Sizes& s, int row, int z, int& base, int& h, int& w) {
  if constexpr (CONV) {
    const int image = row / s.rows, pixel = row - image * s.rows;
    const int oh = pixel / s.out_width, ow = pixel - oh * s.out_width;
    h = oh * s.stride_h - s.pad_h;
    w = ow * s.stride_w - s.pad_w;
    base = image * s.a_image + h * s.a_h + w * s.a_w + (GROUPED ? z * s.channels * s.a_c : 0);
    if (row >= s.total_rows) h = -(1 << 20);
  } else {
    base = z * s.a_batch + row * s.a_h;
    h = row < s.total_rows ? 0 : -(1 << 20);
    w = 0;
  }
}

BURNISH_DEVICE bool inside(const Sizes& s, int h, int w) {
  if constexpr (CONV) return unsigned(h) < unsigned(s.height) && unsigned(w) < unsigned(s.width);
  else return h >= 0;
}

/// Where inner index k lies from its row's base, and how many pixels from the row's.
BURNISH_DEVICE int find_inner(const Sizes& s, int k, int& dh, int& dw) {
  dh = dw = 0;
  if constexpr (!CONV) return k * s.a_c;
  const int position = k / s.channels, r = position / s.kernel_w, column = position - r * s.kernel_w;
  dh = r * s.dilation_h;
  dw = column * s.dilation_w;
  return r * s.tap_h + column * s.tap_w + (k - position * s.channels) * s.a_c;
}

BURNISH_DEVICE Element zero_element() { Element e; if constexpr (sizeof(Element) == 4) e = Element{}; else *reinterpret_cast<uint16_t*>(&e) = 0; return e; }

/// One stage of A, by copies: a thread takes one chunk of every row that is its own.
BURNISH_DEVICE void copy_a(const Element* a, const Sizes& s, const Rows& rows, int k0, uint32_t to) {
  const int chunk = threadIdx.x & 7;
#pragma unroll
  for (int piece = 0; piece < CHUNK; piece += PIECE) {
    const int k = k0 + chunk * CHUNK + piece;
    int dh, dw;
    const int step = find_inner(s, k, dh, dw);
#pragma unroll
    for (int i = 0; i < A_ROWS; ++i) {
      const int row = threadIdx.x / 8 + i * A_LANES;
      if (TILE_M % A_LANES != 0 && row >= TILE_M) break;
      const bool valid = k < s.inner && inside(s, rows.h[i] + dh, rows.w[i] + dw);
      const Element* const from = valid ? a + (rows.base[i] + step) : a;
      if constexpr (PIECE == CHUNK) copy_16(to + place(row, chunk), from, valid);
      else copy_few<PIECE * sizeof(Element)>(to + place(row, chunk) + piece * sizeof(Element), from, valid);
    }
  }
}

/// The same element by element, for any channels and strides.
BURNISH_DEVICE void gather_a(const Element* a, const Sizes& s, int m0, int z, int k0, char* to) {
  for (int item = threadIdx.x; item < TILE_M * 8; item += THREADS) {
    const int row = item % TILE_M, chunk = item / TILE_M;
    int base, h, w;
    find_row(s, m0 + row, z, base, h, w);
    Vector<Element, CHUNK> gathered;
#pragma unroll
    for (int e = 0; e < CHUNK; ++e) {
      const int k = k0 + chunk * CHUNK + e;
      int dh, dw;
      const int step = find_inner(s, k, dh, dw);
      const bool valid = k < s.inner && inside(s, h + dh, w + dw);
      gathered.element[e] = valid ? a[base + step] : zero_element();
    }
    *reinterpret_cast<Vector<Element, CHUNK>*>(to + place(row, chunk)) = gathered;
  }
}

#ifdef BURNISH_PROLOGUE
/// The ops before the convolution, on what this thread has copied of a stage of A and what has arrived. Padding and what
/// lies beyond the end stay zero.
BURNISH_DEVICE void prepare_a(const Sizes& s, const Rows& rows, int k0, char* at, const char* staged) {
  const int chunk = threadIdx.x & 7, k = k0 + chunk * CHUNK;
  if (k >= s.inner) return;
  int dh, dw;
  find_inner(s, k, dh, dw);
#pragma unroll
  for (int i = 0; i < A_ROWS; ++i) {
    const int row = threadIdx.x / 8 + i * A_LANES;
    if (TILE_M % A_LANES != 0 && row >= TILE_M) break;
    if (inside(s, rows.h[i] + dh, rows.w[i] + dw))
      prologue(s, staged, CONV ? k % s.channels : k, *reinterpret_cast<Vector<Element, CHUNK>*>(at + place(row, chunk)));
  }
}
#endif

BURNISH_DEVICE void copy_b(const Element* b, const Sizes& s, int n0, int k0, uint32_t to) {
  const int chunk = threadIdx.x & 7, k = k0 + chunk * CHUNK;
#pragma unroll
  for (int i = 0; i < B_ROWS; ++i) {
    const int row = threadIdx.x / 8 + i * A_LANES;
    if (TILE_N % A_LANES != 0 && row >= TILE_N) break;
    const bool valid = k < s.inner && n0 + row < s.columns;
    copy_16(to + place(row, chunk), valid ? b + (n0 + row) * s.b_n + k : b, valid);
  }
}

BURNISH_DEVICE void gather_b(const Element* b, const Sizes& s, int n0, int k0, char* to) {
  for (int item = threadIdx.x; item < TILE_N * 8; item += THREADS) {
    const int row = item % TILE_N, chunk = item / TILE_N, n = n0 + row;
    Vector<Element, CHUNK> gathered;
#pragma unroll
    for (int e = 0; e < CHUNK; ++e) {
      const int k = k0 + chunk * CHUNK + e;
      gathered.element[e] = k < s.inner && n < s.columns ? b[n * s.b_n + k * s.b_k] : zero_element();
    }
    *reinterpret_cast<Vector<Element, CHUNK>*>(to + place(row, chunk)) = gathered;
  }
}

BURNISH_DEVICE void multiply_stage(float (&sums)[FRAGMENTS_M][FRAGMENTS_N][4], uint32_t a, uint32_t b) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
  const int m = warp % WARPS_M * WARP_M, n = warp / WARPS_M * WARP_N;
#pragma unroll
  for (int step = 0; step < 4; ++step) {
    uint32_t left[FRAGMENTS_M][4], right[FRAGMENTS_N / 2][4];
#pragma unroll
    for (int i = 0; i < FRAGMENTS_M; ++i) load_matrices(left[i], a + place(m + i * 16 + (lane & 15), step * 2 + (lane >> 4)));
#pragma unroll
    for (int j = 0; j < FRAGMENTS_N / 2; ++j) load_matrices(right[j], b + place(n + j * 16 + (lane & 7) + ((lane >> 4) << 3), step * 2 + ((lane >> 3) & 1)));
#pragma unroll
    for (int i = 0; i < FRAGMENTS_M; ++i)
#pragma unroll
      for (int j = 0; j < FRAGMENTS_N; ++j) Multiply<Element>::run(sums[i][j], left[i], right[j / 2][j % 2 * 2], right[j / 2][j % 2 * 2 + 1]);
  }
}

extern __shared__ __align__(1024) char shared[];

#if __CUDA_ARCH__ >= 900
constexpr int PARTS = SPLIT;  // of the sums of a tile, one from each block
#else
constexpr int PARTS = 1;
#endif
// Of the parts of a tile, each block of the cluster finishes the rows r with r % 8 / NEAR its own number.
constexpr int ROWS = TILE_M / PARTS, NEAR = 8 / PARTS, EIGHTS = TILE_N / 8;

/// This block's sums, f32, into those of the blocks that finish them, [PARTS][ROWS / NEAR][EIGHTS][NEAR][8], which is the order in
/// which the threads of a warp hold them: those of others arrive on their barrier `met`, as do the warps of their own.
BURNISH_DEVICE void put_sums(const float (&sums)[FRAGMENTS_M][FRAGMENTS_N][4], uint32_t base, int part, uint32_t met) {
  const int lane = threadIdx.x & 31, warp = threadIdx.x / 32;
  const int m = warp % WARPS_M * WARP_M, n = warp / WARPS_M * WARP_N + lane % 4 * 2;
  const int row = lane / 4 % NEAR, owner = lane / 4 / NEAR;
  float* const own = reinterpret_cast<float*>(shared + (base - shared_address(shared)));
#if __CUDA_ARCH__ >= 900
  const uint32_t there = PARTS > 1 ? address_in_block(base, owner) : 0, barrier = PARTS > 1 ? address_in_block(met, owner) : 0;
#endif
#pragma unroll
  for (int i = 0; i < FRAGMENTS_M; ++i)
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int at = part * (ROWS * TILE_N) + (((m / 8 + i * 2 + half) * EIGHTS + n / 8) * NEAR + row) * 8 + n % 8;
#pragma unroll
      for (int j = 0; j < FRAGMENTS_N; ++j) {
        const float x = sums[i][j][half * 2], y = sums[i][j][half * 2 + 1];
#if __CUDA_ARCH__ >= 900
        if (PARTS > 1 && owner != part) {
          send(there + (at + j * (NEAR * 8)) * 4, x, y, barrier);
          continue;
        }
#endif
        *reinterpret_cast<float2*>(own + at + j * (NEAR * 8)) = make_float2(x, y);
      }
    }
#if __CUDA_ARCH__ >= 900
  if constexpr (PARTS > 1) {
    __syncwarp();
    if (lane == 0) barrier_arrive(met);
  }
#endif
}

constexpr int GROUP = VECTOR > 4 ? VECTOR : 4;  // elements that a thread sums and finishes at once

/// What the epilogues of `GROUP` elements of the tile read.
struct Group {
  Loaded loaded[GROUP / VECTOR];

  BURNISH_DEVICE void load(const Operands& p, const Sizes& s, int m0, int n0, int z, int row, int column) {
    if (m0 + row >= s.total_rows) return;
#pragma unroll
    for (int v = 0; v < GROUP; v += VECTOR)
      if (n0 + column + v < s.columns)
        loaded[v / VECTOR] = load_operands(p, s, (GROUPED ? 0 : z * s.total_rows) + m0 + row, (GROUPED ? z * s.columns : 0) + n0 + column + v);
  }
};

/// Finishes `GROUP` elements of the tile. `total` holds their sums.
BURNISH_DEVICE void finish(const Operands& p, const Sizes& s, int m0, int n0, int z, int row, int column, const float (&total)[GROUP], const Group& group) {
  if (m0 + row >= s.total_rows) return;
#pragma unroll
  for (int v = 0; v < GROUP; v += VECTOR) {
    if (n0 + column + v >= s.columns) break;
    float part[VECTOR];
#pragma unroll
    for (int j = 0; j < VECTOR; ++j) part[j] = total[v + j];
    epilogue(p, s, (GROUPED ? 0 : z * s.total_rows) + m0 + row, (GROUPED ? z * s.columns : 0) + n0 + column + v, part, group.loaded[v / VECTOR]);
  }
}

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const Operands p, const Sizes s) {
  const int m0 = blockIdx.x * TILE_M, n0 = blockIdx.y * TILE_N, z = blockIdx.z / SPLIT, part = blockIdx.z % SPLIT;
  const int k_tiles = (s.inner + TILE_K - 1) / TILE_K;
  const int first = part * k_tiles / SPLIT, last = (part + 1) * k_tiles / SPLIT;
  const Element* a = a_operand(p);
  const Element* b = b_operand(p);
  if constexpr (B_MODE == PACKED) b += (int64_t(GROUPED ? z : 0) * s.column_tiles + blockIdx.y) * k_tiles * (TILE_N * TILE_K);
  else b += int64_t(z) * s.b_batch;
  const uint32_t base = shared_address(shared);
  const auto a_place = [&](int stage) { return stage * (A_BYTES + B_BYTES); };
  const auto b_place = [&](int stage) { return stage * (A_BYTES + B_BYTES) + A_BYTES; };

#if __CUDA_ARCH__ >= 900
  constexpr bool BULK = B_MODE == PACKED;
  __shared__ uint64_t arrived[STAGES], met;
  if (threadIdx.x == 0) {
    for (int i = 0; i < STAGES; ++i) barrier_init(shared_address(&arrived[i]), 1);
    barrier_init(shared_address(&met), 1 + THREADS / 32);
    barrier_init_done();
    if constexpr (SPLIT > 1) barrier_expect(shared_address(&met), ROWS * TILE_N * 4 * (SPLIT - 1));
  }
  if constexpr (SPLIT > 1) cluster_meet();
  else __syncthreads();
#else
  constexpr bool BULK = false;
#endif
  const auto load_b = [&](int tile, int stage) {
    if constexpr (B_MODE == PACKED) {
      const Element* from = b + int64_t(tile) * (TILE_N * TILE_K);
#if __CUDA_ARCH__ >= 900
      if (threadIdx.x == 0) {
        barrier_expect(shared_address(&arrived[stage]), B_BYTES);
        copy_bulk(base + b_place(stage), from, B_BYTES, shared_address(&arrived[stage]));
      }
#else
      for (int i = threadIdx.x; i < B_BYTES / 16; i += THREADS) copy_16(base + b_place(stage) + i * 16, from + i * CHUNK, true);
#endif
    } else if constexpr (B_MODE == COPIED) {
      copy_b(b, s, n0, tile * TILE_K, base + b_place(stage));
    } else {
      gather_b(b, s, n0, tile * TILE_K, shared + b_place(stage));
    }
  };
  Rows rows;
  if constexpr (A_PIECE > 0) {
#pragma unroll
    for (int i = 0; i < A_ROWS; ++i) find_row(s, m0 + threadIdx.x / 8 + i * A_LANES, z, rows.base[i], rows.h[i], rows.w[i]);
  }
  const auto load_a = [&](int tile, int stage) {
    if constexpr (A_PIECE > 0) copy_a(a, s, rows, tile * TILE_K, base + a_place(stage));
    else gather_a(a, s, m0, z, tile * TILE_K, shared + a_place(stage));
  };

  // Weights do not depend on the kernels before this one: their first stages are on their way before the wait.
  if constexpr (B_MODE == PACKED) {
#pragma unroll
    for (int i = 0; i < STAGES - 1; ++i)
      if (first + i < last) load_b(first + i, i);
  }
#ifdef BURNISH_PROLOGUE
  if constexpr (STAGED_EARLY) stage_prologue(p, s, shared + STAGED);
#endif
  if (!GROUPED && threadIdx.x < TILE_N / 32) fetch_operands(p, s, n0 + threadIdx.x * 32);
  wait_for_inputs(p);
#ifdef BURNISH_PROLOGUE
  if constexpr (!STAGED_EARLY) stage_prologue(p, s, shared + STAGED);
  __syncthreads();
#endif
#pragma unroll
  for (int i = 0; i < STAGES - 1; ++i) {
    if (first + i < last) {
      if constexpr (B_MODE != PACKED) load_b(first + i, i);
      load_a(first + i, i);
    }
    commit_copies();
  }
  let_next_start();

  // A thread finishes groups of elements of several outputs, THREADS apart; what their ends read of the first few is on its
  // way since before the products where that takes few registers.
  constexpr int PIECES = 8 / GROUP, OUTPUTS = ROWS * TILE_N / GROUP, EACH = (OUTPUTS + THREADS - 1) / THREADS, CHUNK = EACH < 4 ? EACH : 4;
  constexpr bool EARLY = EACH <= 2 && (SPLIT == 1 || PARTS > 1);
  const auto row_of = [&](int i) { return i / (PIECES * NEAR * EIGHTS) * 8 + (PARTS > 1 ? part * NEAR : 0) + i / PIECES % NEAR; };
  const auto column_of = [&](int i) { return i / (PIECES * NEAR) % EIGHTS * 8 + i % PIECES * GROUP; };
  Group groups[CHUNK];
  const auto load = [&](int begin) {
#pragma unroll
    for (int each = 0; each < CHUNK; ++each)
      if (const int i = begin + each * THREADS; i < OUTPUTS) groups[each].load(p, s, m0, n0, z, row_of(i), column_of(i));
  };
  if constexpr (EARLY) load(threadIdx.x);

  float sums[FRAGMENTS_M][FRAGMENTS_N][4] = {};
  int stage = 0, parity = 0;
  for (int tile = first; tile < last; ++tile) {
    wait_copies<STAGES - 2>();
#ifdef BURNISH_PROLOGUE
    prepare_a(s, rows, tile * TILE_K, shared + a_place(stage), shared + STAGED);
#endif
#if __CUDA_ARCH__ >= 900
    if constexpr (BULK) barrier_wait(shared_address(&arrived[stage]), parity);
#endif
    __syncthreads();
    const int next = tile + STAGES - 1, next_stage = stage == 0 ? STAGES - 1 : stage - 1;
    if (next < last) {
      load_b(next, next_stage);
      load_a(next, next_stage);
    }
    commit_copies();
    multiply_stage(sums, base + a_place(stage), base + b_place(stage));
    if (++stage == STAGES) {
      stage = 0;
      parity ^= 1;
    }
  }
  wait_copies<0>();
#if __CUDA_ARCH__ >= 900
  if constexpr (PARTS > 1) {
    put_sums(sums, base + STAGES * (A_BYTES + B_BYTES), part, shared_address(&met));
    barrier_wait(shared_address(&met), 0);
  } else
#endif
  {
    __syncthreads();
    put_sums(sums, base, 0, 0);
    __syncthreads();
  }
  const float* tile_sums = reinterpret_cast<const float*>(shared + (PARTS > 1 ? STAGES * (A_BYTES + B_BYTES) : 0));
#if __CUDA_ARCH__ < 900
  if constexpr (SPLIT > 1) {  // no clusters: sums go to the workspace, and the kernel `meet` finishes them
    float* to = reinterpret_cast<float*>(p.workspace) + ((int64_t(blockIdx.z) * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x) * (TILE_M * TILE_N);
    for (int i = threadIdx.x; i < TILE_M * TILE_N; i += THREADS) to[i] = tile_sums[i];  // in the same order
    return;
  }
#endif
#pragma unroll 1
  for (int finished = 0; finished < EACH; finished += CHUNK) {
    const int begin = threadIdx.x + finished * THREADS;
    if (!EARLY || finished > 0) load(begin);
#pragma unroll
    for (int which = 0; which < CHUNK; ++which) {
      const int i = begin + which * THREADS;
      if (i >= OUTPUTS) break;
      float total[GROUP] = {};
#pragma unroll
      for (int each = 0; each < PARTS; ++each)
#pragma unroll
        for (int v = 0; v < GROUP; v += 4) {
          const float4 x = *reinterpret_cast<const float4*>(tile_sums + each * (ROWS * TILE_N) + i * GROUP + v);
          total[v] += x.x; total[v + 1] += x.y; total[v + 2] += x.z; total[v + 3] += x.w;
        }
      finish(p, s, m0, n0, z, row_of(i), column_of(i), total, groups[which]);
    }
  }
}

#if __CUDA_ARCH__ < 900
/// Adds the parts of each tile in order and finishes them.
extern "C" __global__ void __launch_bounds__(THREADS) meet(const Operands p, const Sizes s) {
  const int m0 = blockIdx.x * TILE_M, n0 = blockIdx.y * TILE_N, z = blockIdx.z;
  const int64_t plane = int64_t(gridDim.x) * gridDim.y * (TILE_M * TILE_N);
  const float* from = reinterpret_cast<const float*>(p.workspace) + int64_t(z) * SPLIT * plane + (int64_t(blockIdx.y) * gridDim.x + blockIdx.x) * (TILE_M * TILE_N);
  constexpr int GROUPS = TILE_M * TILE_N / GROUP, PIECES = 8 / GROUP;
  for (int i = threadIdx.x; i < GROUPS; i += THREADS) {
    float total[GROUP] = {};
    for (int block = 0; block < SPLIT; ++block)
#pragma unroll
      for (int v = 0; v < GROUP; ++v) total[v] += from[block * plane + i * GROUP + v];
    const int row = i / (PIECES * 8 * EIGHTS) * 8 + i / PIECES % 8, column = i / (PIECES * 8) % EIGHTS * 8 + i % PIECES * GROUP;
    Group group;
    group.load(p, s, m0, n0, z, row, column);
    finish(p, s, m0, n0, z, row, column, total, group);
  }
}
#endif
