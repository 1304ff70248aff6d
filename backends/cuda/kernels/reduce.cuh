// Reduction of [outer, length, inner] to [outer, inner]: TX threads side by side over vectors of `inner`, the others over
// `length`. Defined before: Element, Output, KIND, TX, VECTOR.
constexpr int SUM = 0, MEAN = 1, MAXIMUM = 2, MINIMUM = 3, PRODUCT = 4, L1 = 5, L2 = 6, SQUARES = 7, LOG_SUM = 8;
constexpr int THREADS = 128, TY = THREADS / TX;
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
  __shared__ Compute parts[TY][TX][VECTOR];
  wait_for_inputs();
  let_next_start();
  const Element* from = p.x0 + int64_t(blockIdx.x) * s.length * s.inner + i;
  Compute total[VECTOR];
  bool any = false;
  if (i < s.inner) {
#pragma unroll 4
    for (int l = y; l < s.length; l += TY) {
      Compute values[VECTOR];
      load<Element, VECTOR>(values, from + int64_t(l) * s.inner);
#pragma unroll
      for (int v = 0; v < VECTOR; ++v) total[v] = any ? join(total[v], prepare(values[v])) : prepare(values[v]);
      any = true;
    }
  }
#pragma unroll
  for (int v = 0; v < VECTOR; ++v) parts[y][x][v] = total[v];
  __syncthreads();
  if (y > 0 || i >= s.inner) return;
  const int lines = s.length < TY ? s.length : TY;
  for (int line = 1; line < lines; ++line)
#pragma unroll
    for (int v = 0; v < VECTOR; ++v) total[v] = join(total[v], parts[line][x][v]);
#pragma unroll
  for (int v = 0; v < VECTOR; ++v) total[v] = conclude(total[v], s.length);
  store<Element, VECTOR>(p.y0 + int64_t(blockIdx.x) * s.inner + i, total);
}
