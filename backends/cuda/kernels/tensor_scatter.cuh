// A cache with new entries written along AXIS from each batch entry's own start; CIRCULAR: positions wrap round.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  const int batch[1] = {o[0]}, length = in0_dim(s, AXIS);
  int start = 0;
#if WRITE_INDICES
  start = int(in2(p, s, batch));
#endif
  int at[IN0_RANK];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) at[d] = o[d];
  at[AXIS] = o[AXIS] - start;
  if (CIRCULAR) at[AXIS] = (at[AXIS] % length + length) % length;
  const bool written = at[AXIS] >= 0 && at[AXIS] < in1_dim(s, AXIS);
  out0(p, s, o, written ? Out0(in1(p, s, at)) : in0(p, s, o));
}
