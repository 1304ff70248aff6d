// Older Fourier transforms, and window functions.
#include "onnx/lower.h"
#include "onnx/lowerings.h"

#include <numbers>

namespace burnish::onnx {
namespace {

namespace def = ops::def;

/// sum over k of coefficients[k] * cos(2 pi k i / n) for i < size; n is the size, or one less where the
/// window is symmetric. Computed in double.
void emit_cosine_window(Lower& node, const std::vector<double>& coefficients) {
  const ir::ValueId given = node.needed_input(0);
  const auto as = [&](ir::ValueId value, DType dtype) {
    return node.dtype(value) == dtype ? value : node.emit(def::cast, {{"to", dtype}}, {value});
  };
  const auto scalar = [&](double value) { return node.add_scalar(DType::f64, value); };
  const ir::ValueId zero = node.add_scalar(DType::i64, 0), one = node.add_scalar(DType::i64, 1);
  const ir::ValueId size = as(given, DType::i64);
  const ir::ValueId period = node.integer("periodic", 1) ? size : node.emit(def::sub, {size, one});
  const ir::ValueId turns =
      node.emit(def::div, {as(node.emit(def::range, {zero, size, one}), DType::f64), as(period, DType::f64)});
  ir::ValueId window = scalar(coefficients[0]);
  for (size_t k = 1; k < coefficients.size(); ++k) {
    const ir::ValueId wave = node.emit(
        def::cos, {node.emit(def::mul, {turns, scalar(2 * std::numbers::pi * static_cast<double>(k))})});
    window = node.emit(def::add, {node.emit(def::mul, {wave, scalar(coefficients[k])}), window});
  }
  node.set_output(0, as(window, node.dtype("output_datatype", DType::f32)));
}

}  // namespace

void lower_hann_window(Lower& node) { emit_cosine_window(node, {0.5, -0.5}); }
void lower_hamming_window(Lower& node) { emit_cosine_window(node, {25.0 / 46, 25.0 / 46 - 1}); }
void lower_blackman_window(Lower& node) { emit_cosine_window(node, {0.42, -0.5, 0.08}); }

/// Opset 17 had the axis as an attribute, with another default.
void lower_old_dft(Lower& node) {
  const bool inverse = node.integer("inverse") != 0, onesided = node.integer("onesided") != 0;
  node.set_output(
      0,
      node.emit(def::dft, {{"axis", node.integer("axis", 1)}, {"inverse", inverse}, {"onesided", onesided}},
                {node.needed_input(0), node.input(1)}));
}

}  // namespace burnish::onnx
