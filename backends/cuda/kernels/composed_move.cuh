// Several moves of elements as one copy: a thread takes VECTOR neighbours of the result, which are neighbours in the input
// too. Defined before: Element, VECTOR, TOTAL, source(at): where the result's element `at` lies in the input.
extern "C" __global__ void __launch_bounds__(128) kernel(const Operands p, const Sizes) {
  using Raw = Vector<Element, VECTOR>;
  const int at = (blockIdx.x * 128 + threadIdx.x) * VECTOR;
  wait_for_inputs(p);
  let_next_start();
  if (at < TOTAL) *reinterpret_cast<Raw*>(reinterpret_cast<Element*>(p.y0) + at) = *reinterpret_cast<const Raw*>(reinterpret_cast<const Element*>(p.x0) + source(at));
}
