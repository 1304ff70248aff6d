// Reduction of [outer, length, inner] to [outer, inner]. TX threads stand side by side over vectors of `inner` (where inner
// is 1, over the same line, whose vectors then lie along the length), TY over the length, and LINES of such groups over
// `outer`; SPLIT blocks of a cluster share the length, and send their sums to the first one. Sums meet in registers of a
// warp, then in shared memory. Defined before: Element, KIND, THREADS, TX, TY, LINES, SPLIT, VECTOR, ALONG (the vectors lie
// along the length), BATCH (loads that a thread has under way at a time).
constexpr int SUM = 0, MEAN = 1, MAXIMUM = 2, MINIMUM = 3, PRODUCT = 4, L1 = 5, L2 = 6, SQUARES = 7, LOG_SUM = 8;
constexpr int GROUP = TX * TY, WARPS = GROUP > 32 ? GROUP / 32 : 1;  // threads and warps of a line
constexpr int OWN = ALONG ? 1 : VECTOR, COLUMNS = TX * OWN;            // sums of a thread and of a line
using Compute = compute_t<Element>;

template <class T> BURNISH_DEVICE T lowest() {
  if constexpr (is_float<T>) return -__int_as_float(0x7f800000);
  else if constexpr (is_signed<T>) return T(typename Unsigned<T>::type(1) << (sizeof(T) * 8 - 1));
  else return 0;
}
/// What changes nothing when it is joined.
template <class T> BURNISH_DEVICE T neutral() {
  if constexpr (KIND == MAXIMUM) return lowest<T>();
  else if constexpr (KIND == MINIMUM && is_float<T>) return -lowest<T>();
  else if constexpr (KIND == MINIMUM) return T(~lowest<T>());
  else return KIND == PRODUCT ? 1 : 0;
}
BURNISH_DEVICE Compute join(Compute a, Compute b) {
  if constexpr (KIND == MAXIMUM) return max_nan(a, b);
  else if constexpr (KIND == MINIMUM) return min_nan(a, b);
  else if constexpr (KIND == PRODUCT) return wrap_mul(a, b);
  else return wrap_add(a, b);
}
BURNISH_DEVICE Compute prepare(Compute x) {
  if constexpr (KIND == L1) return abs(x);
  else if constexpr (KIND == L2 || KIND == SQUARES) return wrap_mul(x, x);
  else return x;
}
template <class T> BURNISH_DEVICE T conclude(T x, int length) {
  if constexpr (KIND == MEAN) return divide(x, T(length));
  else if constexpr (KIND == L2) return sqrt(x);
  else if constexpr (KIND == LOG_SUM) return log(x);
  else return x;
}

/// The sums of every TY-th step from `begin + y` to `end`, of VECTOR neighbours each; steps are `stride` elements apart.
BURNISH_DEVICE void fold(Compute (&total)[VECTOR], const Element* from, int y, int begin, int end, int64_t stride) {
  for (int first = begin + y; first < end; first += TY * BATCH) {
    Compute values[BATCH][VECTOR];
#pragma unroll
    for (int b = 0; b < BATCH; ++b)
      if (first + b * TY < end) load<Element, VECTOR>(values[b], from + (first + b * TY) * stride);
#pragma unroll
    for (int b = 0; b < BATCH; ++b)
      if (first + b * TY < end)
#pragma unroll
        for (int v = 0; v < VECTOR; ++v) total[v] = join(total[v], prepare(values[b][v]));
  }
}

/// This block's sum of a column, once its warps have left theirs in `parts`, joined by the first block's thread with those
/// of the other blocks; there it returns true.
BURNISH_DEVICE bool meet(Compute& sum, int column, int part, Compute* received, uint64_t* met) {
#if __CUDA_ARCH__ >= 900
  if constexpr (SPLIT > 1) {
    if (part > 0) {
      send(address_in_block(shared_address(&received[(part - 1) * COLUMNS + column]), 0), sum, address_in_block(shared_address(met), 0));
      return false;
    }
    barrier_wait(shared_address(met), 0);
#pragma unroll
    for (int other = 0; other < SPLIT - 1; ++other) sum = join(sum, received[other * COLUMNS + column]);
  }
#endif
  return true;
}

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const Operands p, const Sizes s) {
  const int thread = threadIdx.x % GROUP, line = threadIdx.x / GROUP, x = thread % TX, y = thread / TX;
  const int groups = (s.inner + COLUMNS - 1) / COLUMNS, first = blockIdx.x % groups * COLUMNS;  // groups of columns
  const int64_t outer = int64_t(blockIdx.x / groups) * LINES + line;
  const int part = SPLIT > 1 ? blockIdx.z : 0;
  __shared__ alignas(16) Compute parts[LINES][WARPS][COLUMNS];
  __shared__ alignas(16) Compute received[SPLIT > 1 ? (SPLIT - 1) * COLUMNS : 1];
  __shared__ uint64_t met;
#if __CUDA_ARCH__ >= 900
  if constexpr (SPLIT > 1) {
    if (threadIdx.x == 0) {
      barrier_init(shared_address(&met), 1);
      barrier_init_done();
      if (part == 0) barrier_expect(shared_address(&met), (SPLIT - 1) * COLUMNS * 4);
    }
    cluster_meet();
  }
#endif
  wait_for_inputs(p);
  let_next_start();

  Compute total[VECTOR];
#pragma unroll
  for (int v = 0; v < VECTOR; ++v) total[v] = neutral<Compute>();
  const int steps = ALONG ? s.length / VECTOR : s.length;
  const int begin = int(int64_t(part) * steps / SPLIT), end = int(int64_t(part + 1) * steps / SPLIT);
  const int column = first + x * OWN;
  if (outer < s.outer && column < s.inner)
    fold(total, p.x0 + outer * s.length * s.inner + column, y, begin, end, ALONG ? VECTOR : s.inner);
  if constexpr (ALONG)
#pragma unroll
    for (int v = 1; v < VECTOR; ++v) total[0] = join(total[0], total[v]);
#pragma unroll
  for (int offset = GROUP < 32 ? GROUP / 2 : 16; offset >= TX; offset /= 2)
#pragma unroll
    for (int v = 0; v < OWN; ++v) total[v] = join(total[v], Compute(__shfl_xor_sync(0xffffffffu, total[v], offset)));
  if (thread % 32 < TX)
#pragma unroll
    for (int v = 0; v < OWN; ++v) parts[line][thread / 32][x * OWN + v] = total[v];
  __syncthreads();
  for (int i = thread; i < COLUMNS; i += GROUP) {
    Compute sum = parts[line][0][i];
#pragma unroll
    for (int warp = 1; warp < WARPS; ++warp) sum = join(sum, parts[line][warp][i]);
    if (meet(sum, i, part, received, &met) && outer < s.outer && first + i < s.inner)
      p.y0[outer * s.inner + first + i] = narrow<Element>(conclude(sum, s.length));
  }
}
