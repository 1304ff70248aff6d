// A row times a matrix of weights: LANES threads take a column, whose weights, packed one column behind the other, are under
// way before the row is made. Defined before: Element, LANES, VECTOR_K (neighbours of the inner dimension in a load), EARLY
// (loads of weights before the row is there), row_operand(), weights(), epilogue() with a VECTOR of 1.
using Raw = Vector<Element, VECTOR_K>;
constexpr int STEP = LANES * VECTOR_K;  // of the inner dimension, from a thread's load to its next

BURNISH_DEVICE Raw read(const Element* from, int k) {
  return k < Sizes::inner ? *reinterpret_cast<const Raw*>(from + k) : Raw{};
}
BURNISH_DEVICE float product(const Raw& a, const Raw& b) {
  float sum = 0;
#pragma unroll
  for (int v = 0; v < VECTOR_K; ++v) sum += widen<Element>(a.element[v]) * widen<Element>(b.element[v]);
  return sum;
}

extern "C" __global__ void __launch_bounds__(128) kernel(const Operands p, const Sizes s) {
  const int lane = threadIdx.x % LANES, n = blockIdx.x * (128 / LANES) + threadIdx.x / LANES;
  const bool valid = n < Sizes::columns;
  const Element* column = weights(p) + int64_t(valid ? n : 0) * Sizes::inner;
  Raw early[EARLY];
#pragma unroll
  for (int i = 0; i < EARLY; ++i) early[i] = read(column, i * STEP + lane * VECTOR_K);
  wait_for_inputs(p);
  let_next_start();
  const Element* row = row_operand(p);
  float sums[1] = {};
#pragma unroll
  for (int i = 0; i < EARLY; ++i) sums[0] += product(early[i], read(row, i * STEP + lane * VECTOR_K));
#pragma unroll 8
  for (int k = EARLY * STEP + lane * VECTOR_K; k < Sizes::inner; k += STEP) sums[0] += product(read(column, k), read(row, k));
#pragma unroll
  for (int offset = LANES / 2; offset > 0; offset /= 2) sums[0] += __shfl_xor_sync(0xffffffffu, sums[0], offset);
  if (lane == 0 && valid) epilogue(p, s, 0, n, sums);
}
