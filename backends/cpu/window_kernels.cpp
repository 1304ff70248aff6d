#include "backends/cpu/window_kernels.h"

#include <algorithm>
#include <limits>

#include "backends/cpu/simd_targets.h"

#define HWY_TARGET_INCLUDE "backends/cpu/window_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace burnish::cpu::HWY_NAMESPACE {
namespace {  // names are this file's own: other files have kernels of the same names

namespace hn = hwy::HWY_NAMESPACE;

// What is done with the pixels of a window, for the channels of one vector.
struct Convolution {
  template <class D>
  static HWY_INLINE hn::Vec<D> start(D d, const WindowCall& call, int64_t channel) {
    return call.bias ? hn::LoadU(d, call.bias + channel) : hn::Zero(d);
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> take(D d, hn::Vec<D> sum, hn::Vec<D> x, const WindowCall& call, int64_t row,
                                    int64_t tap, int64_t channel) {
    return hn::MulAdd(x, hn::LoadU(d, call.weights[row] + tap * call.weight_step + channel), sum);
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> end(D, hn::Vec<D> sum, const WindowCall&, int64_t) {
    return sum;
  }
};

struct Largest {
  template <class D>
  static HWY_INLINE hn::Vec<D> start(D d, const WindowCall&, int64_t) {
    return hn::Set(d, -std::numeric_limits<float>::infinity());
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> take(D, hn::Vec<D> best, hn::Vec<D> x, const WindowCall&, int64_t, int64_t,
                                    int64_t) {
    return hn::IfThenElse(hn::IsNaN(best), best, hn::IfThenElse(hn::Gt(best, x), best, x));
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> end(D, hn::Vec<D> best, const WindowCall&, int64_t) {
    return best;
  }
};

struct Average {
  template <class D>
  static HWY_INLINE hn::Vec<D> start(D d, const WindowCall&, int64_t) {
    return hn::Zero(d);
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> take(D, hn::Vec<D> sum, hn::Vec<D> x, const WindowCall&, int64_t, int64_t,
                                    int64_t) {
    return hn::Add(sum, x);
  }
  template <class D>
  static HWY_INLINE hn::Vec<D> end(D d, hn::Vec<D> sum, const WindowCall& call, int64_t column) {
    return hn::Mul(sum, hn::Set(d, call.row_factor * call.column_factors[column]));
  }
};

/// Calls body(d, channel) for whole vectors of channels, then for narrower ones.
template <class Body>
HWY_INLINE void for_channels(int64_t channels, const Body& body) {
  const hn::ScalableTag<float> d;
  const auto lanes = static_cast<int64_t>(hn::Lanes(d));
  int64_t c = 0;
  for (; c + lanes <= channels; c += lanes) body(d, c);
  const hn::CappedTag<float, 4> d4;
  const auto few = static_cast<int64_t>(hn::Lanes(d4));
  for (; c + few <= channels; c += few) body(d4, c);
  for (; c < channels; ++c) body(hn::CappedTag<float, 1>(), c);
}

/// One output pixel whose window may hang over the image.
template <class Op>
HWY_INLINE void border_pixel(const WindowCall& call, int64_t column) {
  const int64_t start = column * call.stride - call.pad;
  for_channels(call.channels, [&](auto d, int64_t c) HWY_ATTR {
    auto state = Op::start(d, call, c);
    for (int64_t row = 0; row < call.rows; ++row) {
      for (int64_t tap = 0; tap < call.kernel; ++tap) {
        const int64_t at = start + tap * call.dilation;
        if (at < 0 || at >= call.width) continue;
        state = Op::take(d, state, hn::LoadU(d, call.inputs[row] + at * call.pixel + c), call, row, tap, c);
      }
    }
    hn::StoreU(Op::end(d, state, call, column), d, call.output + (column - call.begin) * call.pixel + c);
  });
}

/// `Count` output pixels from `column` on, all inside.
template <class Op, int64_t Count>
HWY_INLINE void inner_pixels(const WindowCall& call, int64_t column) {
  const int64_t start = (column * call.stride - call.pad) * call.pixel, step = call.stride * call.pixel;
  for_channels(call.channels, [&](auto d, int64_t c) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V state[Count];
    for (int64_t t = 0; t < Count; ++t) state[t] = Op::start(d, call, c);
    for (int64_t row = 0; row < call.rows; ++row) {
      const float* x = call.inputs[row] + start + c;
      for (int64_t tap = 0; tap < call.kernel; ++tap, x += call.dilation * call.pixel)
        for (int64_t t = 0; t < Count; ++t)
          state[t] = Op::take(d, state[t], hn::LoadU(d, x + t * step), call, row, tap, c);
    }
    float* y = call.output + (column - call.begin) * call.pixel + c;
    for (int64_t t = 0; t < Count; ++t)
      hn::StoreU(Op::end(d, state[t], call, column + t), d, y + t * call.pixel);
  });
}

/// The same for a convolution of known kernel and stride: each pixel is loaded once for all windows that it
/// is in.
template <int64_t Kernel, int64_t Stride, int64_t Count>
HWY_INLINE void convolve_pixels(const WindowCall& call, int64_t column) {
  const int64_t start = (column * Stride - call.pad) * call.pixel;
  for_channels(call.channels, [&](auto d, int64_t c) HWY_ATTR {
    using V = hn::Vec<decltype(d)>;
    V sums[Count];
    for (int64_t t = 0; t < Count; ++t) sums[t] = Convolution::start(d, call, c);
    for (int64_t row = 0; row < call.rows; ++row) {
      V weights[Kernel];
      for (int64_t k = 0; k < Kernel; ++k)
        weights[k] = hn::LoadU(d, call.weights[row] + k * call.weight_step + c);
      const float* x = call.inputs[row] + start + c;
      for (int64_t i = 0; i < (Count - 1) * Stride + Kernel; ++i) {
        const V value = hn::LoadU(d, x + i * call.pixel);
        for (int64_t t = 0; t < Count; ++t) {
          const int64_t k = i - t * Stride;
          if (k >= 0 && k < Kernel) sums[t] = hn::MulAdd(value, weights[k], sums[t]);
        }
      }
    }
    float* y = call.output + (column - call.begin) * call.pixel + c;
    for (int64_t t = 0; t < Count; ++t) hn::StoreU(sums[t], d, y + t * call.pixel);
  });
}

/// The border one pixel at a time, what lies inside by `inside(column)`, `count` pixels each.
template <class Op, class Inside>
HWY_INLINE void slide(const WindowCall& call, int64_t count, const Inside& inside) {
  const int64_t first_inside = (call.pad + call.stride - 1) / call.stride;
  const int64_t reach = call.width - 1 + call.pad - (call.kernel - 1) * call.dilation;
  const int64_t inside_end = reach < 0 ? 0 : std::min(call.end, reach / call.stride + 1);
  int64_t column = call.begin;
  for (; column < std::min(first_inside, call.end); ++column) border_pixel<Op>(call, column);
  for (; column + count <= inside_end; column += count) inside(column);
  for (; column < inside_end; ++column) inner_pixels<Op, 1>(call, column);
  for (; column < call.end; ++column) border_pixel<Op>(call, column);
}

template <int64_t Kernel, int64_t Stride>
void convolve_row(const WindowCall& call) {
  constexpr int64_t count = HWY_TARGET == HWY_AVX3 && Kernel <= 5 ? 8 : 4;
  slide<Convolution>(call, count,
                     [&](int64_t column) HWY_ATTR { convolve_pixels<Kernel, Stride, count>(call, column); });
}

void depthwise(const WindowCall& call) {
  if (call.dilation == 1 && (call.stride == 1 || call.stride == 2)) {
    const bool one = call.stride == 1;
    if (call.kernel == 3) return one ? convolve_row<3, 1>(call) : convolve_row<3, 2>(call);
    if (call.kernel == 5) return one ? convolve_row<5, 1>(call) : convolve_row<5, 2>(call);
    if (call.kernel == 7) return one ? convolve_row<7, 1>(call) : convolve_row<7, 2>(call);
  }
  slide<Convolution>(call, 4, [&](int64_t column) HWY_ATTR { inner_pixels<Convolution, 4>(call, column); });
}

void largest(const WindowCall& call) {
  slide<Largest>(call, 4, [&](int64_t column) HWY_ATTR { inner_pixels<Largest, 4>(call, column); });
}

void average(const WindowCall& call) {
  slide<Average>(call, 4, [&](int64_t column) HWY_ATTR { inner_pixels<Average, 4>(call, column); });
}

const WindowKernels* kernels() {
  static const WindowKernels all = {depthwise, largest, average};
  return &all;
}

}  // namespace
}  // namespace burnish::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace burnish::cpu {

HWY_EXPORT(kernels);

const WindowKernels& window_kernels() { return *HWY_DYNAMIC_DISPATCH(kernels)(); }

}  // namespace burnish::cpu
#endif
