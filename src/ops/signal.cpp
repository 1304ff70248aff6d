// Discrete Fourier transforms by their definition, in double, and the mel filter bank.
#include "ops/signal.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/numbers.h"
#include "base/parallel.h"
#include "ops/host.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

using ir::Dim;

/// A complex line in memory: element i at data[i * stride], its imaginary part behind it if it has one.
template <class T>
struct Line {
  T* data;
  int64_t stride;
  bool complex;
};

/// e^(-2 pi i k / n) for k < n.
struct Roots {
  std::vector<double> cosines, sines;
  explicit Roots(int64_t n) {
    for (int64_t k = 0; k < n; ++k) {
      const double angle = 2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n);
      cosines.push_back(std::cos(angle));
      sines.push_back(-std::sin(angle));
    }
  }
  int64_t size() const { return static_cast<int64_t>(cosines.size()); }
};

/// to[k] = sum over i < length of from[i] * weights[i] * root^(i k), for k < bins; conjugate roots and 1/n
/// for the inverse. With `hermitian` the line holds the first n / 2 + 1 of n frequencies whose others mirror
/// them.
template <class T>
void transform(const Roots& roots, Line<const T> from, int64_t length, const T* weights, Line<T> to,
               int64_t bins, bool inverse, bool hermitian) {
  const int64_t n = roots.size(), used = std::min(length, hermitian ? n / 2 + 1 : n);
  for (int64_t k = 0; k < bins; ++k) {
    double real = 0, imaginary = 0;
    for (int64_t i = 0; i < used; ++i) {
      const double weight = weights ? static_cast<double>(weights[i]) : 1;
      const double a = static_cast<double>(from.data[i * from.stride]) * weight;
      const double b = from.complex ? static_cast<double>(from.data[i * from.stride + 1]) * weight : 0;
      const size_t root = static_cast<size_t>(i * k % n);
      const double c = roots.cosines[root], s = inverse ? -roots.sines[root] : roots.sines[root];
      const double twice = hermitian && i > 0 && 2 * i != n ? 2 : 1;
      real += twice * (a * c - b * s);
      imaginary += a * s + b * c;
    }
    const double factor = inverse ? 1 / static_cast<double>(n) : 1;
    to.data[k * to.stride] = static_cast<T>(real * factor);
    if (to.complex) to.data[k * to.stride + 1] = static_cast<T>(imaginary * factor);
  }
}

/// The signal's axis of a tensor whose last dimension holds real and imaginary parts.
int64_t signal_axis(int64_t axis, int64_t rank) {
  const int64_t normal = normalize_axis(axis, rank);
  require(normal != rank - 1, "axis {} is the one that holds real and imaginary parts", axis);
  return normal;
}

void infer_dft(InferContext& context) {
  const auto& attributes = context.attributes<DftAttributes>();
  std::vector<Dim> shape = context.shape(0);
  const int64_t rank = static_cast<int64_t>(shape.size());
  require(rank >= 2 && (shape.back().is(1) || shape.back().is(2)),
          "x is {}; [..., length, ..., 1 or 2] is expected", context.type(0).str());
  const auto given_axis = context.numbers(2);
  const bool real_result = attributes.inverse && attributes.onesided;
  shape.back() = real_result ? 1 : 2;
  if (context.has(2) && !given_axis) {
    for (size_t d = 0; d + 1 < shape.size(); ++d) shape[d] = context.fresh(0, static_cast<int>(d));
    return context.set(0, context.dtype(0), std::move(shape));
  }
  const size_t axis =
      static_cast<size_t>(signal_axis(given_axis ? given_axis->at(0) : attributes.axis, rank));
  Dim length = real_result ? (shape[axis] - 1) * 2 : shape[axis];
  if (context.has(1))
    length = context.contents(1) ? context.contents(1)->at(0) : context.fresh(0, static_cast<int>(axis));
  require(!length.is_constant() || length.constant() >= 1, "the transform has length {}", length.str());
  shape[axis] = attributes.onesided && !attributes.inverse ? floor_div(length, 2) + 1 : length;
  context.set(0, context.dtype(0), std::move(shape));
}

void dft_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<DftAttributes>();
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const size_t axis =
      static_cast<size_t>(signal_axis(call.has(2) ? integer_of(call.inputs[2]) : attributes.axis, x.rank()));
  const int64_t length = x.shape()[axis], bins = y.shape()[axis];
  const int64_t n = call.has(1)                                 ? integer_of(call.inputs[1])
                    : attributes.inverse && attributes.onesided ? 2 * (length - 1)
                                                                : length;
  const Roots roots(n);
  const auto between =
      std::span(x.shape()).subspan(axis + 1, x.shape().size() - axis - 2);  // dimensions inside the signal's
  const int64_t inner = product_of(between), parts_in = x.shape().back(), parts_out = y.shape().back();
  const int64_t lines = x.size() / std::max<int64_t>(1, length * parts_in);
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    parallel_for(lines, 1, [&](int64_t begin, int64_t end) {
      for (int64_t line = begin; line < end; ++line) {
        const int64_t outer = line / inner, place = line % inner;
        transform<T>(
            roots,
            {x.data<T>() + (outer * length * inner + place) * parts_in, inner * parts_in, parts_in == 2},
            length, nullptr,
            {y.data<T>() + (outer * bins * inner + place) * parts_out, inner * parts_out, parts_out == 2},
            bins, attributes.inverse, attributes.inverse && attributes.onesided);
      }
    });
  });
}

void infer_stft(InferContext& context) {
  const std::vector<Dim>& x = context.shape(0);
  require(x.size() == 3 && (x[2].is(1) || x[2].is(2)),
          "the signal is {}; [batch, length, 1 or 2] is expected", context.type(0).str());
  require(!context.has(2) || context.type(2).rank() == 1, "the window is {}; a vector is expected",
          context.has(2) ? context.type(2).str() : "");
  require(context.has(2) || context.has(3), "neither a window nor a frame length is given");
  const auto* step = context.contents(1);
  const auto* given = context.contents(3);
  std::optional<Dim> length;
  if (context.has(3) && given)
    length = given->at(0);
  else if (!context.has(3))
    length = context.shape(2)[0];
  require(!length || !length->is_constant() || length->constant() >= 1, "the frames have length {}",
          length ? length->str() : "");
  require(!step || !step->at(0).is_constant() || step->at(0).constant() >= 1, "the frame step is {}",
          step ? step->at(0).str() : "");
  const Dim frames = step && length ? floor_div(x[1] - *length, step->at(0)) + 1 : context.fresh(0, 1);
  const Dim bins = !length                                         ? context.fresh(0, 2)
                   : context.attributes<StftAttributes>().onesided ? floor_div(*length, 2) + 1
                                                                   : *length;
  context.set(0, context.dtype(0), {x[0], frames, bins, 2});
}

void stft_reference(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const int64_t step = integer_of(call.inputs[1]),
                length = call.has(3) ? integer_of(call.inputs[3]) : call.inputs[2].size();
  require(!call.has(2) || call.inputs[2].size() == length, "the window has {} elements, the frames {}",
          call.has(2) ? call.inputs[2].size() : 0, length);
  const int64_t frames = y.shape()[1], bins = y.shape()[2], parts = x.shape()[2];
  const Roots roots(length);
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    parallel_for(x.shape()[0] * frames, 1, [&](int64_t begin, int64_t end) {
      for (int64_t frame = begin; frame < end; ++frame) {
        const T* from = x.data<T>() + (frame / frames * x.shape()[1] + frame % frames * step) * parts;
        transform<T>(roots, {from, parts, parts == 2}, length,
                     call.has(2) ? call.inputs[2].data<T>() : nullptr,
                     {y.data<T>() + frame * bins * 2, 2, true}, bins, false, false);
      }
    });
  });
}

void infer_mel_weight_matrix(InferContext& context) {
  const auto *bins = context.contents(0), *length = context.contents(1);
  context.set(0, context.attributes<MelWeightMatrixAttributes>().output_datatype,
              {length ? floor_div(length->at(0), 2) + 1 : context.fresh(0, 0),
               bins ? bins->at(0) : context.fresh(0, 1)});
}

/// Triangular filters, evenly spaced in mel, as TensorFlow's linear_to_mel_weight_matrix and ONNX define
/// them.
void mel_weight_matrix_reference(const ReferenceCall& call) {
  const int64_t filters = integer_of(call.inputs[0]), length = integer_of(call.inputs[1]);
  const double rate = number_of(call.inputs[2]), lower = number_of(call.inputs[3]),
               upper = number_of(call.inputs[4]);
  require(rate > 0 && lower >= 0 && upper >= lower,
          "the sample rate {} and the edges {} and {} do not fit together", rate, lower, upper);
  const auto mel = [](double hertz) { return 2595 * std::log10(1 + hertz / 700); };
  const double step = (mel(upper) - mel(lower)) / static_cast<double>(filters + 2);
  const auto bin = [&](int64_t i) {
    const double hertz = 700 * (std::pow(10, (static_cast<double>(i) * step + mel(lower)) / 2595) - 1);
    return whole_part(std::floor((static_cast<double>(length) + 1) * hertz / rate));
  };
  Tensor& y = call.outputs[0];
  const int64_t rows = y.shape()[0];
  dispatch(Types<float, double, int8_t, uint8_t, int16_t, uint16_t, int32_t, uint32_t, int64_t, uint64_t>{},
           y.dtype(), [&]<class T>(Type<T>) {
             std::fill_n(y.data<T>(), y.size(), T(0));
             const auto set = [&](int64_t row, int64_t filter, double value) {
               if (row >= 0 && row < rows) y.data<T>()[row * filters + filter] = static_cast<T>(value);
             };
             for (int64_t i = 0; i < filters; ++i) {
               const int64_t left = bin(i), centre = bin(i + 1), right = bin(i + 2);
               if (left == centre) set(centre, i, 1);
               for (int64_t j = left; left < centre && j <= centre && j < rows; ++j)
                 set(j, i, static_cast<double>(j - left) / static_cast<double>(centre - left));
               for (int64_t j = centre; j < right && j < rows; ++j)
                 set(j, i, static_cast<double>(right - j) / static_cast<double>(right - centre));
             }
           });
}

void infer_det(InferContext& context) {
  const std::vector<Dim>& x = context.shape(0);
  require(x.size() >= 2 && (!x[x.size() - 1].is_constant() || !x[x.size() - 2].is_constant() ||
                            x[x.size() - 1] == x[x.size() - 2]),
          "x is {}; square matrices are expected", context.type(0).str());
  context.set(0, context.dtype(0), {x.begin(), x.end() - 2});
}

/// By elimination with the largest pivot of each column.
double determinant(std::vector<double> a, size_t n) {
  double result = 1;
  for (size_t column = 0; column < n; ++column) {
    size_t pivot = column;
    for (size_t row = column + 1; row < n; ++row)
      if (std::fabs(a[row * n + column]) > std::fabs(a[pivot * n + column])) pivot = row;
    if (a[pivot * n + column] == 0) return 0;
    if (pivot != column) {
      std::swap_ranges(a.begin() + static_cast<int64_t>(pivot * n),
                       a.begin() + static_cast<int64_t>(pivot * n + n),
                       a.begin() + static_cast<int64_t>(column * n));
      result = -result;
    }
    result *= a[column * n + column];
    for (size_t row = column + 1; row < n; ++row) {
      const double factor = a[row * n + column] / a[column * n + column];
      for (size_t j = column; j < n; ++j) a[row * n + j] -= factor * a[column * n + j];
    }
  }
  return result;
}

void det_reference(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  const int64_t n = x.shape().back(), size = n * n;
  dispatch(WideFloatTypes{}, x.dtype(), [&]<class T>(Type<T>) {
    for (int64_t i = 0; i < call.outputs[0].size(); ++i)
      call.outputs[0].data<T>()[i] = static_cast<T>(
          determinant({x.data<T>() + i * size, x.data<T>() + (i + 1) * size}, static_cast<size_t>(n)));
  });
}

}  // namespace

namespace def {

const OpDef dft =
    op<DftAttributes>("dft")
        .input("x")
        .host("dft_length", true)
        .host("axis", true)
        .output("y")
        .infer(infer_dft)
        .reference(widen<dft_reference>)
        .onnx("DFT", 20)
        .tolerance(1e-4, 1e-4)
        .summary(
            "discrete Fourier transform along an axis; the last dimension holds real and imaginary parts");
const OpDef stft =
    op<StftAttributes>("stft")
        .input("signal")
        .host("frame_step")
        .optional("window")
        .host("frame_length", true)
        .output("y")
        .infer(infer_stft)
        .reference(widen<stft_reference>)
        .onnx("STFT", 17)
        .tolerance(1e-4, 1e-4)
        .summary("Fourier transforms of the windowed frames of a signal [batch, length, 1 or 2]");
const OpDef mel_weight_matrix = op<MelWeightMatrixAttributes>("mel_weight_matrix")
                                    .host("num_mel_bins")
                                    .host("dft_length")
                                    .host("sample_rate")
                                    .host("lower_edge_hertz")
                                    .host("upper_edge_hertz")
                                    .output("y")
                                    .infer(infer_mel_weight_matrix)
                                    .reference(widen<mel_weight_matrix_reference>)
                                    .onnx("MelWeightMatrix", 17)
                                    .summary("the matrix that maps a spectrum to mel bins");
const OpDef det = op("det")
                      .input("x")
                      .output("y")
                      .infer(infer_det)
                      .reference(widen<det_reference>)
                      .onnx("Det", 11)
                      .tolerance(1e-4, 1e-5)
                      .summary("determinants of square matrices [..., n, n]");

}  // namespace def
}  // namespace burnish::ops
