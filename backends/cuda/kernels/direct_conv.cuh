// Convolution by its definition, for any number of spatial dimensions, groups, and weights that are computed. INTEGER: of
// eight-bit integers with zero points, in i32.
using Sum = Out0;
BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  const int channels = in1_dim(s, 1), filters = out0_dim(s, 1) / GROUPS, first = o[1] / filters * channels, filter[1] = {o[1]};
  Sum total = initial(p, s, filter);
  const Sum x_zero = zero_of_x(p, s), w_zero = zero_of_w(p, s, filter);
  const int points = window_points(s);
  for (int i = 0; i < points; ++i) {
    int x[2 + SPATIAL], w[2 + SPATIAL];
    window_point(s, i, w + 2);
    if (!window_input(s, o + 2, w + 2, x + 2)) continue;
    x[0] = o[0];
    w[0] = o[1];
    for (w[1] = 0; w[1] < channels; ++w[1]) {
      x[1] = first + w[1];
      total = wrap_add(total, wrap_mul(Sum(Sum(in0(p, s, x)) - x_zero), Sum(Sum(in1(p, s, w)) - w_zero)));
    }
  }
  out0(p, s, o, total);
}
