// x with elements added or cut off: MODE constant, edge, wrap or reflect; begin_of(s, d) elements before dimension d.
BURNISH_DEVICE int wrapped(int at, int period) { at %= period; return at < 0 ? at + period : at; }

BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN0_RANK > 0 ? IN0_RANK : 1];
  bool inside = true;
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) {
    const int size = in0_dim(s, d);
    int i = o[d] - (CENTERED ? (out0_dim(s, d) - size) / 2 : begin_of(s, d));
    if (MODE == 1) i = i < 0 ? 0 : i >= size ? size - 1 : i;
    if (MODE == 2) i = wrapped(i, size);
    if (MODE == 3) {
      i = wrapped(i, size > 1 ? 2 * (size - 1) : 1);
      if (i >= size) i = 2 * (size - 1) - i;
    }
    inside = inside && i >= 0 && i < size;
    at[d] = i;
  }
  out0(p, s, o, inside ? in0(p, s, at) : padding(p, s));
}
