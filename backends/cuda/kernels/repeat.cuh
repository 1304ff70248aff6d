// x repeated along each dimension; one of size 1 is broadcast.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN0_RANK > 0 ? IN0_RANK : 1];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) at[d] = o[d + OUT0_RANK - IN0_RANK] % in0_dim(s, d);
  out0(p, s, o, in0(p, s, at));
}
