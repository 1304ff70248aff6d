// x with those updates joined, in their order, whose vector of DEPTH indices names this place's slice.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  Out0 value = in0(p, s, o);
  int count = 1;
#pragma unroll
  for (int d = 0; d + 1 < IN1_RANK; ++d) count *= in1_dim(s, d);
  int which[IN1_RANK], update[IN2_RANK > 0 ? IN2_RANK : 1];
#pragma unroll
  for (int d = DEPTH; d < IN0_RANK; ++d) update[IN1_RANK - 1 + d - DEPTH] = o[d];
  for (int i = 0; i < count; ++i) {
    int rest = i;
#pragma unroll
    for (int d = IN1_RANK - 2; d >= 0; --d) {
      which[d] = update[d] = rest % in1_dim(s, d);
      rest /= in1_dim(s, d);
    }
    bool here = true;
#pragma unroll
    for (int d = 0; d < DEPTH; ++d) {
      which[IN1_RANK - 1] = d;
      const int64_t index = int64_t(in1(p, s, which));
      here = here && (index < 0 ? index + in0_dim(s, d) : index) == o[d];
    }
    if (here) value = join(value, Out0(in2(p, s, update)));
  }
  out0(p, s, o, value);
}
