// Resize by ONNX's coordinates (ops/resize.h says the same on the host). axis_of(s, i) gives, DIMS of each: whether the
// dimension is resized, and as bits of floats its scale and the region of interest.
constexpr int HALF_PIXEL = 0, PYTORCH_HALF_PIXEL = 1, ASYMMETRIC = 2, TF_HALF_PIXEL = 3, ALIGN_CORNERS = 4, HALF_PIXEL_SYMMETRIC = 5, CROP = 6;
constexpr int NEAREST = 0, LINEAR = 1, CUBIC = 2;
constexpr int DIMS = IN0_RANK;

/// Products and quotients as the host rounds them: ties choose pixels.
BURNISH_DEVICE float source_of(const Sizes& s, int d, int at) {
  const float x = at, input = in0_dim(s, d), output = out0_dim(s, d), scale = __int_as_float(axis_of(s, DIMS + d));
  const float begin = __int_as_float(axis_of(s, 2 * DIMS + d)), end = __int_as_float(axis_of(s, 3 * DIMS + d));
  const float centre = __fsub_rn(__fdiv_rn(__fadd_rn(x, 0.5f), scale), 0.5f);
  if (COORDINATES == HALF_PIXEL) return centre;
  if (COORDINATES == PYTORCH_HALF_PIXEL) return output > 1 ? centre : 0;
  if (COORDINATES == ASYMMETRIC) return __fdiv_rn(x, scale);
  if (COORDINATES == TF_HALF_PIXEL) return __fdiv_rn(__fadd_rn(x, 0.5f), scale);
  if (COORDINATES == ALIGN_CORNERS) return output > 1 ? __fdiv_rn(__fmul_rn(x, input - 1), __fsub_rn(__fmul_rn(scale, input), 1.0f)) : 0;
  if (COORDINATES == HALF_PIXEL_SYMMETRIC) {
    const float adjustment = __fdiv_rn(output, __fmul_rn(scale, input));
    return __fsub_rn(__fadd_rn(__fmul_rn(input / 2, __fsub_rn(1.0f, adjustment)), __fdiv_rn(__fadd_rn(x, 0.5f), scale)), 0.5f);
  }
  if (output == 1) return __fmul_rn(__fmul_rn(0.5f, __fadd_rn(begin, end)), input - 1);
  return __fadd_rn(__fmul_rn(begin, input - 1), __fdiv_rn(__fmul_rn(__fmul_rn(x, __fsub_rn(end, begin)), input - 1), output - 1));
}

BURNISH_DEVICE int nearest_of(float at, float scale) {
  return int(ROUND == 0 ? ::ceilf(at - 0.5f) : ROUND == 1 ? ::floorf(at + 0.5f) : ROUND == 2 || (ROUND == 4 && scale >= 1) ? ::floorf(at) : ::ceilf(at));
}
BURNISH_DEVICE float weight_of(float distance) {
  const float x = ::fabsf(distance);
  if (MODE == LINEAR) return x < 1 ? 1 - x : 0;
  if (x <= 1) return ((CUBIC_A + 2) * x - (CUBIC_A + 3)) * x * x + 1;
  return x < 2 ? ((CUBIC_A * x - 5 * CUBIC_A) * x + 8 * CUBIC_A) * x - 4 * CUBIC_A : 0;
}

/// The taps of one output coordinate: `count` input coordinates from `base` on, their distances scaled by `shrink`.
struct Taps {
  float at, shrink, factor;
  int base, count;
};
BURNISH_DEVICE float tap_weight(const Sizes& s, int d, const Taps& taps, int i) {
  if (taps.count == 1) return 1;
  if (EXCLUDE_OUTSIDE && (taps.base + i < 0 || taps.base + i >= in0_dim(s, d))) return 0;
  return weight_of((taps.base + i - taps.at) * taps.shrink) * taps.factor;
}

BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  Taps taps[DIMS > 0 ? DIMS : 1];
  int points = 1;
  bool outside = false;
#pragma unroll
  for (int d = 0; d < DIMS; ++d) {
    taps[d] = {0, 1, 1, o[d], 1};
    if (!axis_of(s, d)) continue;
    const int input = in0_dim(s, d);
    const float scale = __int_as_float(axis_of(s, DIMS + d));
    float at = source_of(s, d, o[d]);
    if (COORDINATES == CROP && !(at >= 0 && at <= input - 1)) { outside = true; at = 0; }
    at = at != at ? 0 : at < -1e6f ? -1e6f : at > input + 1e6f ? input + 1e6f : at;
    if (MODE == NEAREST) { taps[d].base = nearest_of(at, scale); continue; }
    const float radius = MODE == CUBIC ? 2 : 1, shrink = ANTIALIAS && scale < 1 ? scale : 1;
    const int first = int(::floorf(__fdiv_rn(-radius, shrink))) + 1;
    taps[d] = {at, shrink, 1, int(::floorf(at)) + first, 2 - 2 * first};
    if (EXCLUDE_OUTSIDE || ANTIALIAS) {
      float total = 0;
      for (int i = 0; i < taps[d].count; ++i) total += tap_weight(s, d, taps[d], i);
      if (total != 0) taps[d].factor = 1 / total;
    }
    points *= taps[d].count;
  }
  int at[DIMS > 0 ? DIMS : 1];
  if (MODE == NEAREST) {
#pragma unroll
    for (int d = 0; d < DIMS; ++d) { const int last = in0_dim(s, d) - 1; at[d] = taps[d].base < 0 ? 0 : taps[d].base > last ? last : taps[d].base; }
    out0(p, s, o, outside ? Out0(OUTSIDE_VALUE) : in0(p, s, at));
    return;
  }
  float sum = 0;
  for (int i = 0; i < points; ++i) {
    int rest = i;
    float weight = 1;
#pragma unroll
    for (int d = DIMS - 1; d >= 0; --d) {
      const int tap = rest % taps[d].count, last = in0_dim(s, d) - 1, place = taps[d].base + tap;
      rest /= taps[d].count;
      weight *= tap_weight(s, d, taps[d], tap);
      at[d] = place < 0 ? 0 : place > last ? last : place;
    }
    sum += weight * float(in0(p, s, at));
  }
  out0(p, s, o, outside ? Out0(OUTSIDE_VALUE) : Out0(sum));
}
