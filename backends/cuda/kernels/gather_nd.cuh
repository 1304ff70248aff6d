// The slice that a vector of indices names, behind BATCH_DIMS shared dimensions.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int which[IN1_RANK], at[IN0_RANK];
#pragma unroll
  for (int d = 0; d + 1 < IN1_RANK; ++d) which[d] = o[d];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) {
    if (d < BATCH_DIMS) at[d] = o[d];
    else if (d < BATCH_DIMS + DEPTH) {
      which[IN1_RANK - 1] = d - BATCH_DIMS;
      at[d] = index_within(int64_t(in1(p, s, which)), in0_dim(s, d));
    } else at[d] = o[IN1_RANK - 1 + d - BATCH_DIMS - DEPTH];
  }
  out0(p, s, o, in0(p, s, at));
}
