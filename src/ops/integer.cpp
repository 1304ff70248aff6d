// matmul_integer and conv_integer: products of eight-bit integers, exact in i32.
#include "base/dispatch.h"
#include "base/error.h"
#include "ops/contraction.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

void check_eight_bits(const InferContext& context) {
  for (int i = 0; i < 2; ++i) {
    const DType dtype = context.dtype(i);
    require(dtype == DType::i8 || dtype == DType::u8, "input {} must be i8 or u8, not {}", i,
            dtype_name(dtype));
    require(!context.has(i + 2) || context.dtype(i + 2) == dtype, "the zero point of input {} must be {}", i,
            dtype_name(dtype));
  }
}

/// x - zero in i32; `zero` holds one number, or one for each index of dimension `axis` of x.
Tensor centered(const Tensor& x, const Tensor& zero, size_t axis) {
  Tensor y(DType::i32, x.shape());
  int64_t inner = 1;
  for (size_t d = axis + 1; d < x.shape().size(); ++d) inner *= x.shape()[d];
  require(zero.empty() || zero.size() == 1 || (axis < x.shape().size() && zero.size() == x.shape()[axis]),
          "{} zero points for shape {}", zero.size(), shape_text(x.shape()));
  dispatch(Types<int8_t, uint8_t>{}, x.dtype(), [&]<class T>(Type<T>) {
    const T* zeros = zero.empty() ? nullptr : zero.data<T>();
    for (int64_t i = 0; i < x.size(); ++i) {
      const int32_t offset = zeros ? zeros[zero.size() == 1 ? 0 : i / inner % zero.size()] : 0;
      y.data<int32_t>()[i] = x.data<T>()[i] - offset;
    }
  });
  return y;
}

Tensor zero_point(const ReferenceCall& call, size_t i) { return call.has(i) ? call.inputs[i] : Tensor(); }

/// A batched zero point [batch..., M, 1] or [batch..., 1, N] is not one for each index of a dimension.
void check_vector(const InferContext& context, int i) {
  if (!context.has(i)) return;
  require(context.type(i).rank() <= 1 || product(context.shape(i)).is(1),
          "zero points must be one number or a vector, not {}", context.type(i).str());
}

std::vector<Dim> matmul_shape(std::vector<Dim> a, std::vector<Dim> b) {
  require(!a.empty() && !b.empty(), "a scalar cannot be multiplied");
  const bool row = a.size() == 1, column = b.size() == 1;
  if (row) a.insert(a.begin(), Dim(1));
  if (column) b.push_back(1);
  const Dim &depth = a.back(), &rows = b[b.size() - 2];
  require(!depth.is_constant() || !rows.is_constant() || depth == rows, "cannot multiply [{}] by [{}]",
          ir::dims_text(a), ir::dims_text(b));
  std::vector<Dim> shape = broadcast_shapes({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2});
  if (!row) shape.push_back(a[a.size() - 2]);
  if (!column) shape.push_back(b.back());
  return shape;
}

void infer_matmul_integer(InferContext& context) {
  check_eight_bits(context);
  check_vector(context, 2);
  check_vector(context, 3);
  context.set(0, DType::i32, matmul_shape(context.shape(0), context.shape(1)));
}

void reference_matmul_integer(const ReferenceCall& call) {
  const Tensor &a = call.inputs[0], &b = call.inputs[1];
  const size_t row = a.rank() > 1 ? static_cast<size_t>(a.rank() - 2) : 0,
               column = static_cast<size_t>(b.rank() - 1);
  const Tensor inputs[] = {centered(a, zero_point(call, 2), row), centered(b, zero_point(call, 3), column)};
  matmul.reference({matmul, matmul.default_attributes, inputs, call.outputs, {}});
}

void infer_conv_integer(InferContext& context) {
  check_eight_bits(context);
  check_vector(context, 2);
  check_vector(context, 3);
  const std::vector<Dim>&x = context.shape(0), &w = context.shape(1);
  require(x.size() >= 3 && w.size() == x.size(),
          "expected [N,C,spatial...] and weights of that rank, not {} and {}", context.type(0).str(),
          context.type(1).str());
  std::vector<Dim> shape = {x[0], w[0]};
  for (const Dim& dim :
       window_outputs(context.attributes<ConvAttributes>(), std::span(w).subspan(2), std::span(x).subspan(2)))
    shape.push_back(dim);
  context.set(0, DType::i32, std::move(shape));
}

void reference_conv_integer(const ReferenceCall& call) {
  const Tensor inputs[] = {centered(call.inputs[0], zero_point(call, 2), 0),
                           centered(call.inputs[1], zero_point(call, 3), 0)};
  require(!call.has(2) || call.inputs[2].size() == 1, "x has one zero point, not {}", call.inputs[2].size());
  conv.reference({conv, call.attributes, inputs, call.outputs, {}});
}

}  // namespace

const OpDef matmul_integer =
    op("matmul_integer")
        .input("a")
        .input("b")
        .optional("a_zero_point")
        .optional("b_zero_point")
        .output("y")
        .infer(infer_matmul_integer)
        .reference(reference_matmul_integer)
        .fusion(Fusion::contraction)
        .onnx("MatMulInteger", 10)
        .summary(
            "(a - a_zero_point) times (b - b_zero_point) in i32; zero points per row of a, per column of b");
const OpDef conv_integer = op<ConvAttributes>("conv_integer")
                               .input("x")
                               .input("w")
                               .optional("x_zero_point")
                               .optional("w_zero_point")
                               .output("y")
                               .infer(infer_conv_integer)
                               .reference(reference_conv_integer)
                               .fusion(Fusion::contraction)
                               .onnx("ConvInteger", 10)
                               .summary(
                                   "the convolution of x - x_zero_point with w - w_zero_point in i32; zero "
                                   "points of w per output channel");

}  // namespace burnish::ops::def
