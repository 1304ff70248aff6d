// x with those updates joined, in their order, whose index along AXIS is this place: no two threads meet.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  Out0 value = in0(p, s, o);
  int at[IN0_RANK];
  bool inside = true;
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) {
    at[d] = o[d];
    inside = inside && (d == AXIS || o[d] < in1_dim(s, d));
  }
  const int updates = inside ? in1_dim(s, AXIS) : 0, size = in0_dim(s, AXIS);
  for (at[AXIS] = 0; at[AXIS] < updates; ++at[AXIS]) {
    const int64_t index = int64_t(in1(p, s, at));
    if ((index < 0 ? index + size : index) == o[AXIS]) value = join(value, Out0(in2(p, s, at)));
  }
  out0(p, s, o, value);
}
