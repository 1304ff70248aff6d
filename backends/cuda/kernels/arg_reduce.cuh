// The place of the largest (or smallest) along AXIS: the first, or LAST, of equal ones; the first NaN wins.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN0_RANK];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) at[d] = o[d];
  const int size = in0_dim(s, AXIS);
  In0 holder = in0(p, s, o);
  int64_t best = 0;
  for (at[AXIS] = 1; at[AXIS] < size && holder == holder; ++at[AXIS]) {
    const In0 candidate = in0(p, s, at);
    const bool better = candidate != candidate || (LARGEST ? candidate > holder : candidate < holder);
    if (!better && !(LAST && candidate == holder)) continue;
    best = at[AXIS];
    holder = candidate;
  }
  put(p, s, o, best);
}
