// A thread for each element of the domain, in the order in which the first result lies in memory. Defined before:
// element(p, s, o), place(s, i, o), which gives the coordinates of the i-th.
extern "C" __global__ void __launch_bounds__(128) kernel(const Operands p, const Sizes s) {
  const int i = blockIdx.x * 128 + threadIdx.x;
  wait_for_inputs(p);
  let_next_start();
  if (i >= s.total) return;
  int o[DOMAIN_RANK > 0 ? DOMAIN_RANK : 1];
  place(s, i, o);
  element(p, s, o);
}
