// Each element: those before it along the axis and, unless EXCLUSIVE, itself, added (or multiplied) from the first on.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN0_RANK > 0 ? IN0_RANK : 1], here = 0, size = 1;
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) {
    at[d] = o[d];
    if (d == s.axis0) { here = o[d]; size = in0_dim(s, d); }
  }
  const int count = (REVERSE ? size - 1 - here : here) + (EXCLUSIVE ? 0 : 1);
  Out0 total = PRODUCT ? 1 : 0;
  for (int i = 0; i < count; ++i) {
#pragma unroll
    for (int d = 0; d < IN0_RANK; ++d) if (d == s.axis0) at[d] = REVERSE ? size - 1 - i : i;
    total = PRODUCT ? wrap_mul(total, in0(p, s, at)) : wrap_add(total, in0(p, s, at));
  }
  out0(p, s, o, total);
}
