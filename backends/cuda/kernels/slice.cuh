// Elements start_of(s, d) + i * step_of(s, d) of each dimension.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN0_RANK > 0 ? IN0_RANK : 1];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) at[d] = start_of(s, d) + o[d] * step_of(s, d);
  out0(p, s, o, in0(p, s, at));
}
