// Softmax and norms over the last axis: LANES threads take a row, which stays in registers where its length is known and
// fits. Defined before: Element, KIND, LANES, ROWS (of a block), STEPS (0: the row is read again for each pass), VECTOR,
// epilogue(), read_row(p, s, row, j, x); for norms EPSILON, HAS_SHIFT, load_scale(p, j, v) and load_shift(p, j, v), and AFFINE_EARLY: both
// are weights that fit into registers too, and are there before the row is; Sizes with length and total_rows.
constexpr int SOFTMAX = 0, LOG_SOFTMAX = 1, LAYER_NORM = 2, RMS_NORM = 3;
constexpr int THREADS = LANES * ROWS;

template <bool MAXIMUM> BURNISH_DEVICE float over_row(float x) {
  x = MAXIMUM ? warp_max(x) : warp_sum(x);
  if constexpr (LANES > 32) {
    __shared__ float parts[THREADS / 32];
    __syncthreads();
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = x;
    __syncthreads();
    const int first = threadIdx.x / LANES * (LANES / 32);
    x = parts[first];
#pragma unroll
    for (int i = 1; i < LANES / 32; ++i) x = MAXIMUM ? max_nan(x, parts[first + i]) : x + parts[first + i];
  }
  return x;
}

struct Row {
  const Operands& p;
  const Sizes& s;
  int index, length, lane;
  float kept[STEPS > 0 ? STEPS : 1][VECTOR];

  BURNISH_DEVICE void read() {
    if constexpr (STEPS > 0) {
#pragma unroll
      for (int i = 0; i < STEPS; ++i)
        if (const int j = (i * LANES + lane) * VECTOR; j < length) read_row(p, s, index, j, kept[i]);
    }
  }
  /// Calls visit(i, j, values) for each vector of this thread, the i-th; j is its first column.
  template <class Visit> BURNISH_DEVICE void each(Visit visit) {
    if constexpr (STEPS > 0) {
#pragma unroll
      for (int i = 0; i < STEPS; ++i)
        if (const int j = (i * LANES + lane) * VECTOR; j < length) visit(i, j, kept[i]);
    } else {
      for (int j = lane * VECTOR; j < length; j += LANES * VECTOR) {
        read_row(p, s, index, j, kept[0]);
        visit(0, j, kept[0]);
      }
    }
  }
};

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const Operands p, const Sizes s) {
  const int index = blockIdx.x * ROWS + threadIdx.x / LANES;
  const bool valid = index < s.total_rows;
  Row row = {p, s, index, valid ? s.length : 0, int(threadIdx.x % LANES)};
  constexpr bool NORM = KIND == LAYER_NORM || KIND == RMS_NORM;
  float scale[AFFINE_EARLY ? STEPS : 1][VECTOR], offset[AFFINE_EARLY && HAS_SHIFT ? STEPS : 1][VECTOR];
  if constexpr (AFFINE_EARLY) {
#pragma unroll
    for (int i = 0; i < STEPS; ++i)
      if (const int j = (i * LANES + row.lane) * VECTOR; j < s.length) {
        load_scale(p, j, scale[i]);
        if constexpr (HAS_SHIFT) load_shift(p, j, offset[i]);
      }
  }
  wait_for_inputs(p);
  let_next_start();
  row.read();
  float shift = 0, factor = 1;  // y = (x - shift) * factor, or softmax's exp(x - shift) * factor
  if constexpr (KIND == SOFTMAX || KIND == LOG_SOFTMAX) {
    float largest = __int_as_float(0xff800000), sum = 0;
    row.each([&](int, int, const float (&x)[VECTOR]) {
#pragma unroll
      for (int v = 0; v < VECTOR; ++v) largest = max_nan(largest, x[v]);
    });
    shift = over_row<true>(largest);
    row.each([&](int, int, const float (&x)[VECTOR]) {
#pragma unroll
      for (int v = 0; v < VECTOR; ++v) sum += exp(x[v] - shift);
    });
    sum = over_row<false>(sum);
    factor = KIND == SOFTMAX ? 1.0f / sum : 1.0f;
    if (KIND == LOG_SOFTMAX) shift += log(sum);
  } else {
    float sum = 0;
    if (KIND == LAYER_NORM) {
      row.each([&](int, int, const float (&x)[VECTOR]) {
#pragma unroll
        for (int v = 0; v < VECTOR; ++v) sum += x[v];
      });
      shift = over_row<false>(sum) / s.length;
    }
    float squares = 0;
    row.each([&](int, int, const float (&x)[VECTOR]) {
#pragma unroll
      for (int v = 0; v < VECTOR; ++v) squares += (x[v] - shift) * (x[v] - shift);
    });
    factor = 1.0f / sqrt(over_row<false>(squares) / s.length + EPSILON);
  }
  row.each([&](int i, int j, const float (&x)[VECTOR]) {
    if constexpr (NORM && !AFFINE_EARLY) {
      i = 0;
      load_scale(p, j, scale[0]);
      if constexpr (HAS_SHIFT) load_shift(p, j, offset[0]);
    }
    float y[VECTOR];
#pragma unroll
    for (int v = 0; v < VECTOR; ++v) {
      y[v] = KIND == SOFTMAX ? exp(x[v] - shift) * factor : (x[v] - shift) * factor;
      if constexpr (NORM) y[v] *= scale[i][v];
      if constexpr (NORM && HAS_SHIFT) y[v] += offset[i][v];
    }
    epilogue(p, s, index, j, y);
  });
}
