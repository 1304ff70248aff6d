// Convolutions: declarations. Their kernels are in conv_reference.cpp.
#include "ops/contraction.h"
#include "ops/conv_reference.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

using ir::Dim;

std::vector<Dim> spatial(const std::vector<Dim>& shape) { return {shape.begin() + 2, shape.end()}; }

/// x [N, C, spatial...], w of the same rank, one element type, and a bias of `channels` if there is one.
void check_operands(const InferContext& context, int bias, const Dim& channels) {
  const ir::TensorType &x = context.type(0), &w = context.type(1);
  require(x.rank() >= 3, "x has rank {}; [N, C, spatial...] is expected", x.rank());
  require(w.rank() == x.rank(), "x has rank {}, the weights have rank {}", x.rank(), w.rank());
  require(w.dtype == x.dtype, "x is {}, the weights are {}", dtype_name(x.dtype), dtype_name(w.dtype));
  if (!context.has(bias)) return;
  const ir::TensorType& b = context.type(bias);
  require(b.dtype == x.dtype, "x is {}, the bias is {}", dtype_name(x.dtype), dtype_name(b.dtype));
  require(b.rank() == 1 && (b.shape[0] == channels || !b.shape[0].is_constant() || !channels.is_constant()),
          "the bias is {}; one number for each of {} output channels is expected", b.str(), channels.str());
}

void check_groups(const char* what, const Dim& channels, int64_t group) {
  require(group >= 1, "group is {}", group);
  require(!channels.is_constant() || channels.constant() % group == 0, "{} {} cannot be split into {} groups",
          channels.str(), what, group);
}

/// Of conv and deform_conv: weights [M, C / group, kernel...]. Gives the result's shape, which nobody may want.
std::vector<Dim> infer_convolution(InferContext& context, const WindowAttributes& window, int64_t group, int bias) {
  const std::vector<Dim> x = context.shape(0), w = context.shape(1);
  check_operands(context, bias, w.at(0));
  check_groups("input channels", x[1], group);
  check_groups("output channels", w[0], group);
  require(!x[1].is_constant() || !w[1].is_constant() || x[1] == w[1] * group,
          "x has {} channels, the weights take {} in each of {} groups", x[1].str(), w[1].str(), group);
  std::vector<Dim> shape = {x[0], w[0]};
  for (const Dim& dim : window_outputs(window, spatial(w), spatial(x))) shape.push_back(dim);
  context.set(0, context.dtype(0), shape);
  return shape;
}

void infer_conv(InferContext& context) {
  const auto& attributes = context.attributes<ConvAttributes>();
  infer_convolution(context, attributes, attributes.group, 2);
}

void infer_deform_conv(InferContext& context) {
  const auto& attributes = context.attributes<DeformConvAttributes>();
  require(context.type(0).rank() == 4, "x is {}; deform_conv takes [N, C, H, W]", context.type(0).str());
  require(attributes.offset_group >= 1, "offset_group is {}", attributes.offset_group);
  check_groups("input channels", context.shape(0)[1], attributes.offset_group);
  const std::vector<Dim> output = infer_convolution(context, attributes, attributes.group, 3);
  const std::vector<Dim>& w = context.shape(1);
  const Dim points = w[2] * w[3] * attributes.offset_group;
  const auto check = [&](int input, const Dim& channels) {
    const std::vector<Dim> expected = {output[0], channels, output[2], output[3]};
    const auto wanted = constants(expected), given = constants(context.shape(input));
    require(!wanted || !given || *wanted == *given, "input {} is {}; [{}] is expected", input,
            context.type(input).str(), ir::dims_text(expected));
  };
  check(2, points * 2);
  if (context.has(4)) check(4, points);
}

void infer_conv_transpose(InferContext& context) {
  const auto& attributes = context.attributes<ConvTransposeAttributes>();
  const std::vector<Dim> x = context.shape(0), w = context.shape(1);
  const size_t rank = x.size() >= 2 ? x.size() - 2 : 0;
  check_operands(context, 2, w.size() < 2 ? Dim(0) : w[1] * attributes.group);
  check_groups("input channels", x[1], attributes.group);
  require(!x[1].is_constant() || !w[0].is_constant() || x[1] == w[0],
          "x has {} channels, the weights take {}", x[1].str(), w[0].str());
  check_window(attributes, rank);
  const auto check_list = [&](const char* name, const std::vector<int64_t>& list) {
    require(list.empty() || list.size() == rank, "{} has {} entries for {} spatial dimensions", name,
            list.size(), rank);
  };
  check_list("output_padding", attributes.output_padding);
  check_list("output_shape", attributes.output_shape);
  std::vector<Dim> shape = {x[0], w[1] * attributes.group};
  for (size_t d = 0; d < rank; ++d) {
    const int64_t stride = attributes.strides.empty() ? 1 : attributes.strides[d];
    const int64_t dilation = attributes.dilations.empty() ? 1 : attributes.dilations[d];
    const int64_t extra = attributes.output_padding.empty() ? 0 : attributes.output_padding[d];
    Dim size = (x[d + 2] - 1) * stride + extra + (w[d + 2] - 1) * dilation + 1;
    if (!attributes.output_shape.empty())
      size = attributes.output_shape[d];
    else if (attributes.auto_pad.starts_with("SAME"))
      size = x[d + 2] * stride;
    else if (attributes.auto_pad == "NOTSET" && !attributes.pads.empty())
      size = size - attributes.pads[d] - attributes.pads[d + rank];
    shape.push_back(size);
  }
  context.set(0, context.dtype(0), std::move(shape));
}

}  // namespace

Window resolve_transposed_window(const ConvTransposeAttributes& attributes, std::span<const int64_t> kernel,
                                 std::span<const int64_t> input, std::span<const int64_t> output) {
  WindowAttributes moves = attributes;
  const bool follow = !attributes.output_shape.empty() || attributes.auto_pad.starts_with("SAME");
  if (follow) moves.auto_pad = "VALID";
  Window window = resolve_window(moves, kernel, input);
  if (!follow) return window;
  for (size_t d = 0; d < window.rank(); ++d) {
    const int64_t extra = attributes.output_padding.empty() ? 0 : attributes.output_padding[d];
    const int64_t full =
        (input[d] - 1) * window.strides[d] + extra + (kernel[d] - 1) * window.dilations[d] + 1;
    const int64_t total = std::max<int64_t>(0, full - output[d]);
    window.pads_begin[d] = attributes.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    window.pads_end[d] = total - window.pads_begin[d];
  }
  return window;
}

namespace def {

const OpDef conv = op<ConvAttributes>("conv")
                       .input("x")
                       .input("w")
                       .optional("bias")
                       .output("y")
                       .infer(infer_conv)
                       .reference(widen<conv_reference>)
                       .fusion(Fusion::contraction)
                       .tolerance(1e-4, 1e-5)
                       .summary(
                           "convolution of x [N, C, spatial...] with w [M, C / group, kernel...], any number "
                           "of spatial dimensions");
const OpDef conv_transpose =
    op<ConvTransposeAttributes>("conv_transpose")
        .input("x")
        .input("w")
        .optional("bias")
        .output("y")
        .infer(infer_conv_transpose)
        .reference(widen<conv_transpose_reference>)
        .fusion(Fusion::contraction)
        .onnx("ConvTranspose")
        .tolerance(1e-4, 1e-5)
        .summary("transposed convolution of x [N, C, spatial...] with w [C, M / group, kernel...]");
const OpDef deform_conv =
    op<DeformConvAttributes>("deform_conv")
        .input("x")
        .input("w")
        .input("offset")
        .optional("bias")
        .optional("mask")
        .output("y")
        .infer(infer_deform_conv)
        .reference(widen<deform_conv_reference>)
        .fusion(Fusion::contraction)
        .onnx("DeformConv", 19)
        .tolerance(1e-4, 1e-5)
        .summary("convolution at offset, bilinearly sampled, masked points (arXiv:1811.11168)");

}  // namespace def
}  // namespace burnish::ops
