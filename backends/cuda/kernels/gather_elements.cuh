// Elements at the index's own place but along AXIS, where the index tells; one outside stays inside memory.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN0_RANK];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) at[d] = o[d];
  at[AXIS] = index_within(int64_t(in1(p, s, o)), in0_dim(s, AXIS));
  out0(p, s, o, in0(p, s, at));
}
