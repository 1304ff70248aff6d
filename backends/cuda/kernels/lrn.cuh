// x / (bias + alpha / size * sum of squares over neighbouring channels)^beta.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int at[IN0_RANK];
#pragma unroll
  for (int d = 0; d < IN0_RANK; ++d) at[d] = o[d];
  const int channels = in0_dim(s, 1), first = o[1] - (WIDTH - 1) / 2, last = o[1] + WIDTH / 2;
  float squares = 0;
  for (at[1] = first < 0 ? 0 : first; at[1] <= last && at[1] < channels; ++at[1]) {
    const float x = float(in0(p, s, at));
    squares += x * x;
  }
  out0(p, s, o, Out0(in0(p, s, o) / Out0(::powf(BIAS + ALPHA * squares, BETA))));
}
