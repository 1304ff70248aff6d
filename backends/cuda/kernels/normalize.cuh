// Each of `rows` runs of `length` neighbours in memory to mean 0 (CENTRED) and variance 1, then a scale and a bias: a block
// takes a row. Defined before: Element, CENTRED, EPSILON, input(p), output(p), scale_at(p, s, row, i), bias_at(p, s, row, i),
// put_statistics(p, row, mean, inverse deviation).
constexpr int THREADS = 256;
using Compute = compute_t<Element>;
using Sum = double;  // as the host sums

/// The sum over the block, in every thread.
BURNISH_DEVICE Sum block_sum(Sum x) {
  __shared__ Sum parts[THREADS];
  __syncthreads();
  parts[threadIdx.x] = x;
  __syncthreads();
  for (int half = THREADS / 2; half > 0; half /= 2) {
    if (threadIdx.x < half) parts[threadIdx.x] += parts[threadIdx.x + half];
    __syncthreads();
  }
  return parts[0];
}

extern "C" __global__ void __launch_bounds__(THREADS) kernel(const Operands p, const Sizes s) {
  const int row = blockIdx.x;
  wait_for_inputs(p);
  let_next_start();
  const Element* x = input(p) + int64_t(row) * s.length;
  Element* y = output(p) + int64_t(row) * s.length;
  Sum mean = 0, variance = 0;
  if (CENTRED) {
    for (int i = threadIdx.x; i < s.length; i += THREADS) mean += Sum(widen<Element>(x[i]));
    mean = block_sum(mean) / s.length;
  }
  for (int i = threadIdx.x; i < s.length; i += THREADS) {
    const Sum deviation = Sum(widen<Element>(x[i])) - mean;
    variance += deviation * deviation;
  }
  const Compute centre = Compute(mean), factor = Compute(1 / ::sqrt(block_sum(variance) / s.length + EPSILON));
  for (int i = threadIdx.x; i < s.length; i += THREADS)
    y[i] = narrow<Element>((widen<Element>(x[i]) - centre) * factor * scale_at(p, s, row, i) + bias_at(p, s, row, i));
  if (threadIdx.x == 0) put_statistics(p, row, centre, factor);
}
