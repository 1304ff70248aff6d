// A window that slides over the spatial dimensions. Defined before: window_of(s, i), which gives kernel, strides, dilations,
// pads before and pads behind, SPATIAL of each.
BURNISH_DEVICE int kernel_of(const Sizes& s, int d) { return window_of(s, d); }
BURNISH_DEVICE int stride_of(const Sizes& s, int d) { return window_of(s, SPATIAL + d); }
BURNISH_DEVICE int dilation_of(const Sizes& s, int d) { return window_of(s, 2 * SPATIAL + d); }
BURNISH_DEVICE int pad_of(const Sizes& s, int d) { return window_of(s, 3 * SPATIAL + d); }
BURNISH_DEVICE int pad_behind_of(const Sizes& s, int d) { return window_of(s, 4 * SPATIAL + d); }

BURNISH_DEVICE int window_points(const Sizes& s) {
  int points = 1;
#pragma unroll
  for (int d = 0; d < SPATIAL; ++d) points *= kernel_of(s, d);
  return points;
}
/// The coordinates of a point of the window.
BURNISH_DEVICE void window_point(const Sizes& s, int point, int* at) {
#pragma unroll
  for (int d = SPATIAL - 1; d >= 0; --d) {
    at[d] = point % kernel_of(s, d);
    point /= kernel_of(s, d);
  }
}
/// Where output place `o` reads its input at that point; false where that lies outside.
BURNISH_DEVICE bool window_input(const Sizes& s, const int* o, const int* point, int* at) {
  bool inside = true;
#pragma unroll
  for (int d = 0; d < SPATIAL; ++d) {
    at[d] = o[d] * stride_of(s, d) + point[d] * dilation_of(s, d) - pad_of(s, d);
    inside = inside && at[d] >= 0 && at[d] < in0_dim(s, 2 + d);
  }
  return inside;
}
