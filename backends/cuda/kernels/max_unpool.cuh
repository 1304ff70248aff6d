// Zeros, but for the elements that indices put here; they count in the shape pooled_of(s, d).
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int64_t own = 0;
  bool inside = true;
#pragma unroll
  for (int d = 0; d < OUT0_RANK; ++d) {
    const int size = d < 2 ? in0_dim(s, d) : pooled_of(s, d - 2);
    inside = inside && o[d] < size;
    own = own * size + o[d];
  }
  int count = 1, at[IN0_RANK] = {o[0], o[1]};
#pragma unroll
  for (int d = 2; d < IN0_RANK; ++d) count *= in0_dim(s, d);
  Out0 value = 0;
  for (int i = 0; inside && i < count; ++i) {
    int rest = i;
#pragma unroll
    for (int d = IN0_RANK - 1; d >= 2; --d) {
      at[d] = rest % in0_dim(s, d);
      rest /= in0_dim(s, d);
    }
    if (in1(p, s, at) == own) value = in0(p, s, at);
  }
  out0(p, s, o, value);
}
