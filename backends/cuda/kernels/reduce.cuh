// Reduction of [outer, length, inner] to [outer, inner]: TX threads side by side over vectors of `inner`, the others over
// `length`; SPLIT blocks of a cluster share the length and meet in the first one's registers. Defined before: Element, KIND,
// THREADS, TX, VECTOR, SPLIT.
constexpr int SUM = 0, MEAN = 1, MAXIMUM = 2, MINIMUM = 3, PRODUCT = 4, L1 = 5, L2 = 6, SQUARES = 7, LOG_SUM = 8;
constexpr int TY = THREADS / TX;
using Compute = compute_t<Element>;

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
BURNISH_DEVICE Compute conclude(Compute x, int length) {
  if constexpr (KIND == MEAN) return divide(x, Compute(length));
  else if constexpr (KIND == L2) return sqrt(x);
  else if constexpr (KIND == LOG_SUM) return log(x);
  else return x;
}

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const Operands p, const Sizes s) {
  const int x = threadIdx.x % TX, y = threadIdx.x / TX, i = (blockIdx.y * TX + x) * VECTOR;
  const int part = SPLIT > 1 ? blockIdx.z : 0;
  const int begin = int(int64_t(part) * s.length / SPLIT), end = int(int64_t(part + 1) * s.length / SPLIT);
  __shared__ Compute parts[TY][TX][VECTOR];
  wait_for_inputs();
  let_next_start();
  const Element* from = p.x0 + int64_t(blockIdx.x) * s.length * s.inner + i;
  Compute total[VECTOR];
  bool any = false;
  if (i < s.inner) {
#pragma unroll 4
    for (int l = begin + y; l < end; l += TY) {
      Compute values[VECTOR];
      load<Element, VECTOR>(values, from + int64_t(l) * s.inner);
#pragma unroll
      for (int v = 0; v < VECTOR; ++v) total[v] = any ? join(total[v], prepare(values[v])) : prepare(values[v]);
      any = true;
    }
  }
#pragma unroll
  for (int v = 0; v < VECTOR; ++v) parts[y][x][v] = total[v];
  const int lines = end - begin < TY ? end - begin : TY;
  for (int half = TY / 2; half > 0; half /= 2) {
    __syncthreads();
    if (y < half && y + half < lines)
#pragma unroll
      for (int v = 0; v < VECTOR; ++v) parts[y][x][v] = join(parts[y][x][v], parts[y + half][x][v]);
  }
  __syncthreads();
#if __CUDA_ARCH__ >= 900
  if constexpr (SPLIT > 1) {
    cluster_sync();
    if (part == 0 && y == 0 && i < s.inner) {
      for (int block = 1; block < SPLIT; ++block)
#pragma unroll
        for (int v = 0; v < VECTOR; ++v)
          parts[0][x][v] = join(parts[0][x][v], load_float_from_block(address_in_block(shared_address(&parts[0][x][v]), block)));
    }
    cluster_sync();  // no block leaves while another reads its sums
  }
#endif
  if (y > 0 || part > 0 || i >= s.inner) return;
#pragma unroll
  for (int v = 0; v < VECTOR; ++v) total[v] = conclude(parts[0][x][v], s.length);
  store<Element, VECTOR>(p.y0 + int64_t(blockIdx.x) * s.inner + i, total);
}
