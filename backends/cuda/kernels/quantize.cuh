// x / scale + zero point within the result's range (QUANTIZE), or (x - zero point) * scale. One scale, one along AXIS, or
// one for each block of BLOCK elements along it (0: as many as the scales' number says).
constexpr int ONE = 0, VECTOR_OF = 1, BLOCKS = 2;
BURNISH_DEVICE void scale_place(const Sizes& s, const int* o, int* at) {
#pragma unroll
  for (int d = 0; d < IN1_RANK; ++d) {
    if (GRANULARITY == ONE) at[d] = 0;
    else if (GRANULARITY == VECTOR_OF) at[d] = o[AXIS];
    else {
      const int count = in1_dim(s, AXIS), block = BLOCK > 0 ? BLOCK : (in0_dim(s, AXIS) + count - 1) / count;
      at[d] = d == AXIS ? o[d] / block : o[d];
    }
  }
}

BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN1_RANK > 0 ? IN1_RANK : 1] = {};
  scale_place(s, o, at);
#if QUANTIZE
  const Precision quotient = rounded(Precision(in0(p, s, o)) / Precision(in1(p, s, at)));
#if TO_FLOAT8
  const float value = float(quotient) + zero_of(p, s, at);
  p.y0[out0_offset(s, o)] = to_float8(value);
#else
  double value = ::rint(double(quotient)) + double(zero_of(p, s, at));
  value = value != value ? 0 : value < double(LOWEST) ? double(LOWEST) : value > double(HIGHEST) ? double(HIGHEST) : value;
  out0(p, s, o, Out0(int64_t(value)));
#endif
#else
  const double difference = double(in0(p, s, o)) - double(zero_of(p, s, at));
  out0(p, s, o, Out0(difference) * Out0(in1(p, s, at)));
#endif
}
