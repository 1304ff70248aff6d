// values[1] where the place along AXIS is the index, values[0] elsewhere.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN0_RANK > 0 ? IN0_RANK : 1];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) at[d] = o[d < AXIS ? d : d + 1];
  const double index = double(in0(p, s, at)), depth = out0_dim(s, AXIS), wanted = index < 0 ? index + depth : index;
  const int which[1] = {wanted >= 0 && wanted < depth && int(wanted) == o[AXIS]};
  out0(p, s, o, in2(p, s, which));
}
