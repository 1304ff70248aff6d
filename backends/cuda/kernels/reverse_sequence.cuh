// Each sequence reversed over its own length.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  const int batch[1] = {o[BATCH_AXIS]};
  const int length = int(in1(p, s, batch));
  int at[IN0_RANK];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) at[d] = o[d];
  if (o[TIME_AXIS] < length && length <= in0_dim(s, TIME_AXIS)) at[TIME_AXIS] = length - 1 - o[TIME_AXIS];
  out0(p, s, o, in0(p, s, at));
}
