// A thread for each element of x: it counts those that come before it along AXIS, and is the result's at that place if
// that is within k. NaN is above every number; of equal ones the first comes first.
BURNISH_DEVICE bool above(In0 a, In0 b) {
  if constexpr (is_float<In0>) { if (a != a) return !(b != b); }
  return a > b;
}
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN0_RANK];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) at[d] = o[d];
  const In0 own = in0(p, s, o);
  const int size = in0_dim(s, AXIS), k = out0_dim(s, AXIS);
  int rank = 0;
  for (at[AXIS] = 0; at[AXIS] < size; ++at[AXIS]) {
    const In0 other = in0(p, s, at);
    const bool first = LARGEST ? above(other, own) : above(own, other), behind = LARGEST ? above(own, other) : above(other, own);
    rank += first || (!behind && at[AXIS] < o[AXIS]);
  }
  if (rank >= k) return;
  at[AXIS] = rank;
  out0(p, s, at, own);
#if GIVES_INDICES
  out1(p, s, at, o[AXIS]);
#endif
}
