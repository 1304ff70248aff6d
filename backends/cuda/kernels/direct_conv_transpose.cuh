// Transposed convolution: each output sums the inputs whose windows reach it.
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  const int maps = in1_dim(s, 1), channels = in1_dim(s, 0) / GROUPS, first = o[1] / maps * channels, filter[1] = {o[1]};
  Out0 total = initial(p, s, filter);
  const int points = window_points(s);
  for (int i = 0; i < points; ++i) {
    int x[2 + SPATIAL], w[2 + SPATIAL];
    window_point(s, i, w + 2);
    bool reaches = true;
#pragma unroll
    for (int d = 0; d < SPATIAL; ++d) {
      const int at = o[2 + d] + pad_of(s, d) - w[2 + d] * dilation_of(s, d);
      x[2 + d] = at / stride_of(s, d);
      reaches = reaches && at >= 0 && at % stride_of(s, d) == 0 && x[2 + d] < in0_dim(s, 2 + d);
    }
    if (!reaches) continue;
    x[0] = o[0];
    w[1] = o[1] % maps;
    for (int c = 0; c < channels; ++c) {
      x[1] = w[0] = first + c;
      total = wrap_add(total, wrap_mul(Out0(in0(p, s, x)), Out0(in1(p, s, w))));
    }
  }
  out0(p, s, o, total);
}
