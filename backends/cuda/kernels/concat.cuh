// Parts joined along an axis, and what follows element by element. A thread makes VECTOR neighbours of one row of the result,
// which is the parts' rows one behind the other. Defined before: Element, VECTOR, source(p, s, row, at), finish(p, s, row, at,
// joined).
extern "C" __global__ void __launch_bounds__(128) kernel(const Operands p, const Sizes s) {
  const int vectors = s.width / VECTOR, item = blockIdx.x * 128 + threadIdx.x;
  wait_for_inputs(p);
  let_next_start();
  if (item >= s.rows * vectors) return;
  const int row = item / vectors, at = item % vectors * VECTOR;
  compute_t<Element> joined[VECTOR];
  load<Element, VECTOR>(joined, source(p, s, row, at));
  finish(p, s, row, at, joined);
}
