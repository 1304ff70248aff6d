// y[outer, index, inner] = x[outer, indices[index], inner]. A thread takes VECTOR elements of inner. Defined before:
// Element (an unsigned type of the width), Index, x_of(p), indices_of(p), y_of(p).
extern "C" __global__ void __launch_bounds__(128) kernel(const Operands p, const Sizes s) {
  const int vectors = s.inner / VECTOR, item = blockIdx.x * 128 + threadIdx.x;
  wait_for_inputs(p);
  let_next_start();
  if (item >= s.outer * s.count * vectors) return;
  const int i = item % vectors * VECTOR, rest = item / vectors;
  const int at = rest % s.count, outer = rest / s.count;
  int64_t index = indices_of(p)[at];
  if (index < 0) index += s.axis;
  // An index outside stays inside memory: the last or first slice is read.
  index = index < 0 ? 0 : index >= s.axis ? s.axis - 1 : index;
  Element values[VECTOR];
  load<Element, VECTOR>(values, x_of(p) + (int64_t(outer) * s.axis + index) * s.inner + i);
  store<Element, VECTOR>(y_of(p) + int64_t(rest) * s.inner + i, values);
}
