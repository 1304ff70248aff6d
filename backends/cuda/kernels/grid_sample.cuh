// x sampled at the places that a grid gives, -1 to 1 across each dimension (arXiv:1506.02025).
constexpr int SPATIAL = IN0_RANK - 2, NEAREST = 0, LINEAR = 1, ZEROS = 0, BORDER = 1, REFLECTION = 2;
constexpr int SAMPLES = MODE == NEAREST ? 1 : MODE == LINEAR ? 2 : 4;

/// Mirrors a coordinate at both borders until it lies between them.
BURNISH_DEVICE double reflected(double at, double low, double high) {
  const double range = high - low;
  if (range <= 0) return low;
  const double rest = ::fmod(::fabs(at - low), 2 * range);
  return low + (rest <= range ? rest : 2 * range - rest);
}
BURNISH_DEVICE double clamped(double at, double last) { return at < 0 ? 0 : at > last ? last : at; }

/// The pixel at a whole coordinate, or -1 for one that reads zero.
BURNISH_DEVICE int pixel_of(double at, int size, double low, double high) {
  if (at >= 0 && at <= size - 1) return int(at);
  if (PADDING == ZEROS) return -1;
  if (PADDING == REFLECTION) at = ::rint(reflected(at, low, high));
  return int(clamped(at, size - 1));
}

BURNISH_DEVICE void samples_of(double normalized, int size, int* pixels, double* weights) {
  const double low = ALIGN ? 0 : -0.5, high = size - (ALIGN ? 1 : 0.5);
  double at = ALIGN ? (normalized + 1) / 2 * (size - 1) : ((normalized + 1) * size - 1) / 2;
  if (!(::fabs(at) < 1e15)) at = -1e15;
  if (MODE == NEAREST) at = ::rint(at);
  if (MODE <= LINEAR && (at < low || at > high)) {  // a cubic sample moves each of its pixels inside by itself
    if (PADDING == BORDER) at = clamped(at, size - 1);
    if (PADDING == REFLECTION) at = reflected(at, low, high);
  }
  const double base = ::floor(at), t = at - base;
  if (MODE == NEAREST) {
    pixels[0] = pixel_of(at, size, low, high);
    weights[0] = 1;
  } else if (MODE == LINEAR) {
    for (int i = 0; i < 2; ++i) pixels[i] = pixel_of(base + i, size, low, high);
    weights[0] = 1 - t;
    weights[1] = t;
  } else {  // Keys' cubic convolution
    constexpr double a = -0.75;
    for (int i = 0; i < 4; ++i) {
      pixels[i] = pixel_of(base + i - 1, size, low, high);
      const double d = ::fabs(t - (i - 1));
      weights[i] = i == 1 || i == 2 ? ((a + 2) * d - (a + 3)) * d * d + 1 : ((a * d - 5 * a) * d + 8 * a) * d - 4 * a;
    }
  }
}

BURNISH_DEVICE void element(const Operands& p, const Sizes& s, const int* o) {
  int pixels[SPATIAL][4], grid[IN1_RANK], at[IN0_RANK] = {o[0], o[1]}, points = 1;
  double weights[SPATIAL][4], sum = 0;
  grid[0] = o[0];
#pragma unroll
  for (int d = 0; d < SPATIAL; ++d) grid[1 + d] = o[2 + d];
#pragma unroll
  for (int d = 0; d < SPATIAL; ++d) {
    grid[IN1_RANK - 1] = SPATIAL - 1 - d;  // the grid's last dimension is x, y, z: innermost first
    samples_of(double(in1(p, s, grid)), in0_dim(s, 2 + d), pixels[d], weights[d]);
    points *= SAMPLES;
  }
  for (int i = 0; i < points; ++i) {
    int rest = i;
    double weight = 1;
    bool inside = true;
#pragma unroll
    for (int d = SPATIAL - 1; d >= 0; --d) {
      const int sample = rest % SAMPLES;
      rest /= SAMPLES;
      at[2 + d] = pixels[d][sample];
      weight *= weights[d][sample];
      inside = inside && at[2 + d] >= 0;
    }
    if (inside) sum += weight * double(in0(p, s, at));
  }
  out0(p, s, o, Out0(sum));
}
