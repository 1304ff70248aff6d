// Pooling over any number of dimensions: KIND the largest (with its index), the mean, or the p-norm of each window.
constexpr int MAXIMUM = 0, MEAN = 1, NORM = 2;
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  const int points = window_points(s);
  In0 largest = In0(LOWEST);
  int64_t winner = -1;
  double sum = 0;
  int count = 0;
  for (int i = 0; i < points; ++i) {
    int point[SPATIAL], at[2 + SPATIAL];
    window_point(s, i, point);
    if (!window_input(s, o + 2, point, at + 2)) continue;
    at[0] = o[0];
    at[1] = o[1];
    const In0 value = in0(p, s, at);
    ++count;
    if (KIND == MEAN) sum += double(value);
    if (KIND == NORM) sum += ::pow(::fabs(double(value)), double(P));
    if (KIND == MAXIMUM && (winner < 0 || value > largest || value != value) && largest == largest) {
      largest = value;
      winner = 0;
#pragma unroll
      for (int d = 0; d < SPATIAL; ++d) {
        const int axis = COLUMN_MAJOR ? SPATIAL - 1 - d : d;
        winner = winner * in0_dim(s, 2 + axis) + at[2 + axis];
      }
    }
  }
  if (KIND == MAXIMUM) {
    out0(p, s, o, Out0(largest));
#if GIVES_INDICES
    int64_t plane = int64_t(o[0]) * in0_dim(s, 1) + o[1];
#pragma unroll
    for (int d = 0; d < SPATIAL; ++d) plane *= in0_dim(s, 2 + d);
    out1(p, s, o, winner < 0 ? -1 : plane + winner);
#endif
    return;
  }
  if (KIND == MEAN && COUNT_PADDING) {
    count = 1;
#pragma unroll
    for (int d = 0; d < SPATIAL; ++d) {
      const int room = in0_dim(s, 2 + d) + pad_behind_of(s, d) - (o[2 + d] * stride_of(s, d) - pad_of(s, d));
      const int fit = (room + dilation_of(s, d) - 1) / dilation_of(s, d);
      count *= fit < kernel_of(s, d) ? fit : kernel_of(s, d);
    }
  }
  out0(p, s, o, Out0(KIND == MEAN ? sum / count : ::pow(sum, 1 / double(P))));
}
