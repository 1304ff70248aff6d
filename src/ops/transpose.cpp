// Ops that are one strided copy: transpose, expand, tile, depth_to_space, space_to_depth.
#include <algorithm>

#include "base/error.h"
#include "ops/data_attributes.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"

namespace burnish::ops::def {
namespace {

using ir::Dim;

std::vector<int64_t> permutation(const TransposeAttributes& attributes, int64_t rank) {
  std::vector<int64_t> perm = attributes.perm;
  if (perm.empty())
    for (int64_t d = rank; d-- > 0;) perm.push_back(d);
  require(static_cast<int64_t>(perm.size()) == rank, "perm names {} dimensions of {}", perm.size(), rank);
  std::vector<bool> seen(perm.size());
  for (int64_t& axis : perm) {
    axis = normalize_axis(axis, rank);
    require(!seen[static_cast<size_t>(axis)], "perm names dimension {} twice", axis);
    seen[static_cast<size_t>(axis)] = true;
  }
  return perm;
}

void infer_transpose(InferContext& context) {
  const auto& input = context.shape(0);
  std::vector<Dim> shape;
  for (int64_t axis : permutation(context.attributes<TransposeAttributes>(), context.type(0).rank()))
    shape.push_back(input[static_cast<size_t>(axis)]);
  context.set(0, context.dtype(0), std::move(shape));
  if (input.size() <= 1 && context.contents(0)) context.set_contents(0, *context.contents(0));
}

void reference_transpose(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const std::vector<int64_t> strides = dense_strides(x.shape());
  Strided from;
  for (int64_t axis : permutation(call.attribute<TransposeAttributes>(), x.rank()))
    from.strides.push_back(strides[static_cast<size_t>(axis)]);
  copy_strided(x.dtype(), y.shape(), x.raw(), from, y.raw(), {0, dense_strides(y.shape())});
}

void infer_expand(InferContext& context) {
  const auto* target = context.contents(1);
  std::vector<Dim> shape;
  if (target) {
    shape = broadcast_shapes(context.shape(0), *target);
    context.set(0, context.dtype(0), shape);
  } else {
    const auto& extent = context.shape(1);
    require(extent.size() == 1 && extent[0].is_constant(),
            "input 'shape' must be a vector of known length, not {}", context.type(1).str());
    for (int i = 0; i < std::max(extent[0].constant(), context.type(0).rank()); ++i)
      shape.push_back(context.fresh(0, i));
    context.set(0, context.dtype(0), std::move(shape));
    return;
  }
  const auto* contents = context.contents(0);
  if (contents && contents->size() == 1 && shape.size() <= 1 && product(shape).is_constant() &&
      product(shape).constant() <= 64)
    context.set_contents(0,
                         std::vector<Dim>(static_cast<size_t>(product(shape).constant()), contents->front()));
}

void reference_expand(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const std::vector<int64_t> strides = dense_strides(x.shape());
  const size_t added = y.shape().size() - x.shape().size();
  Strided from{0, std::vector<int64_t>(y.shape().size(), 0)};
  for (size_t d = 0; d < strides.size(); ++d) {
    require(x.shape()[d] == 1 || x.shape()[d] == y.shape()[d + added], "shape {} does not broadcast to {}",
            shape_text(x.shape()), shape_text(y.shape()));
    if (x.shape()[d] != 1) from.strides[d + added] = strides[d];
  }
  copy_strided(x.dtype(), y.shape(), x.raw(), from, y.raw(), {0, dense_strides(y.shape())});
}

void infer_tile(InferContext& context) {
  std::vector<Dim> shape = context.shape(0);
  const auto* repeats = context.contents(1);
  require(!repeats || repeats->size() == shape.size(), "{} repeats for {} dimensions",
          repeats ? repeats->size() : 0, shape.size());
  for (size_t d = 0; d < shape.size(); ++d)
    shape[d] = repeats ? shape[d] * (*repeats)[d] : context.fresh(0, static_cast<int>(d));
  context.set(0, context.dtype(0), std::move(shape));
}

void reference_tile(const ReferenceCall& call) {
  const Tensor& x = call.inputs[0];
  Tensor& y = call.outputs[0];
  const std::vector<int64_t> inner = dense_strides(x.shape()), outer = dense_strides(y.shape());
  const std::vector<int64_t> repeats = integers_of(call.inputs[1]);
  Shape sizes;  // each dimension as its repeats by its size
  Strided from, to;
  for (size_t d = 0; d < inner.size(); ++d) {
    sizes.insert(sizes.end(), {repeats[d], x.shape()[d]});
    from.strides.insert(from.strides.end(), {0, inner[d]});
    to.strides.insert(to.strides.end(), {outer[d] * x.shape()[d], outer[d]});
  }
  require(element_count(sizes) == y.size(), "the repeats do not give shape {}", shape_text(y.shape()));
  copy_strided(x.dtype(), sizes, x.raw(), from, y.raw(), to);
}

void check_blocks(InferContext& context) {
  const auto& attributes = context.attributes<BlockAttributes>();
  require(context.type(0).rank() == 4, "expected N,C,H,W, not {}", context.type(0).str());
  require(attributes.blocksize > 0, "blocksize must be positive, not {}", attributes.blocksize);
  require(attributes.mode == "DCR" || attributes.mode == "CRD", "mode must be DCR or CRD, not {}",
          attributes.mode);
}

void infer_depth_to_space(InferContext& context) {
  check_blocks(context);
  const auto& x = context.shape(0);
  const Dim block = context.attributes<BlockAttributes>().blocksize;
  require(!x[1].is_constant() || x[1].constant() % (block * block).constant() == 0,
          "{} channels are not a multiple of blocksize squared", x[1].str());
  context.set(0, context.dtype(0), {x[0], exact_div(x[1], block * block), x[2] * block, x[3] * block});
}

void infer_space_to_depth(InferContext& context) {
  check_blocks(context);
  const auto& x = context.shape(0);
  const Dim block = context.attributes<BlockAttributes>().blocksize;
  for (size_t d : {2, 3})
    require(!x[d].is_constant() || x[d].constant() % block.constant() == 0,
            "{} is not a multiple of blocksize", x[d].str());
  context.set(0, context.dtype(0),
              {x[0], x[1] * block * block, exact_div(x[2], block), exact_div(x[3], block)});
}

/// Copies between a deep tensor [n, c*b*b, h, w] and a wide one [n, c, h*b, w*b]; `wide` is the latter's
/// shape.
void copy_blocks(const ReferenceCall& call, const Shape& wide, bool to_wide) {
  const auto& attributes = call.attribute<BlockAttributes>();
  const int64_t b = attributes.blocksize, n = wide[0], c = wide[1], h = wide[2] / b, w = wide[3] / b;
  const bool blocks_first = attributes.mode == "DCR";
  const int64_t channel = blocks_first ? h * w : b * b * h * w, block = blocks_first ? c * h * w : h * w;
  const Shape sizes = {n, c, h, b, w, b};
  const Strided deep{0, {c * b * b * h * w, channel, w, b * block, 1, block}};
  const Strided spread{0, dense_strides(sizes)};
  const Tensor& x = call.inputs[0];
  copy_strided(x.dtype(), sizes, x.raw(), to_wide ? deep : spread, call.outputs[0].raw(),
               to_wide ? spread : deep);
}

void reference_depth_to_space(const ReferenceCall& call) { copy_blocks(call, call.outputs[0].shape(), true); }
void reference_space_to_depth(const ReferenceCall& call) { copy_blocks(call, call.inputs[0].shape(), false); }

}  // namespace

const OpDef transpose = op<TransposeAttributes>("transpose")
                            .input("x")
                            .output("y")
                            .infer(infer_transpose)
                            .reference(reference_transpose)
                            .fusion(Fusion::injective)
                            .onnx("Transpose")
                            .summary("dimension i of the result is dimension perm[i] of x");
const OpDef expand = op("expand")
                         .input("x")
                         .host("shape")
                         .output("y")
                         .infer(infer_expand)
                         .reference(reference_expand)
                         .fusion(Fusion::injective)
                         .summary("x and shape broadcast together");
const OpDef tile = op("tile")
                       .input("x")
                       .host("repeats")
                       .output("y")
                       .infer(infer_tile)
                       .reference(reference_tile)
                       .fusion(Fusion::injective)
                       .onnx("Tile", 6)
                       .summary("x repeated along each dimension");
const OpDef depth_to_space = op<BlockAttributes>("depth_to_space")
                                 .input("x")
                                 .output("y")
                                 .infer(infer_depth_to_space)
                                 .reference(reference_depth_to_space)
                                 .fusion(Fusion::injective)
                                 .onnx("DepthToSpace")
                                 .summary("channels become blocks of pixels");
const OpDef space_to_depth = op<BlockAttributes>("space_to_depth")
                                 .input("x")
                                 .output("y")
                                 .infer(infer_space_to_depth)
                                 .reference(reference_space_to_depth)
                                 .fusion(Fusion::injective)
                                 .onnx("SpaceToDepth")
                                 .summary("blocks of pixels become channels");

}  // namespace burnish::ops::def
