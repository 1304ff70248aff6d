// Rotary embeddings, as rotations of pairs by slices and products.
#include "onnx/lower.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {
namespace {

namespace def = ops::def;
using ir::ValueId;
using Axes = std::vector<int64_t>;

ValueId slice_last(Lower& node, ValueId value, int64_t start, int64_t end, int64_t step = 1) {
  return node.emit(def::slice, {value, node.add_integers({start}), node.add_integers({end}),
                                node.add_integers({-1}), node.add_integers({step})});
}

ValueId join_last(Lower& node, ValueId a, ValueId b) {
  return node.emit(def::concat, {{"axis", -1}}, {a, b});
}

/// The rotations' sines or cosines as [batch, length, 1, pairs].
ValueId angles(Lower& node, ValueId cache) {
  const ValueId positions = node.input(3);
  const ValueId chosen = positions ? node.emit(def::gather, {{"axis", 0}}, {cache, positions}) : cache;
  return node.emit(def::unsqueeze, {{"axes", Axes{2}}}, {chosen});
}

}  // namespace

void lower_rotary_embedding(Lower& node) {
  const ValueId input = node.needed_input(0);
  const bool by_heads =
      node.rank(input) == 4;  // [batch, heads, length, size], else [batch, length, heads * size]
  require(by_heads || node.rank(input) == 3, "the input is {}; three or four dimensions are expected",
          node.type(input).str());
  require(by_heads || node.integer("num_heads") >= 1,
          "num_heads must be given for an input of three dimensions");
  const Axes swap = {0, 2, 1, 3};
  const ValueId x =
      by_heads ? node.emit(def::transpose, {{"perm", swap}}, {input})
               : node.emit(def::reshape, {input, node.add_integers({0, 0, node.integer("num_heads"), -1})});
  const ir::Dim size = node.type(x).shape[3];
  require(size.is_constant(), "the head size is {}; a number is expected", size.str());
  const int64_t given = node.integer("rotary_embedding_dim"), rotated = given == 0 ? size.constant() : given;
  require(rotated > 0 && rotated % 2 == 0 && rotated <= size.constant(),
          "{} of {} elements cannot be rotated in pairs", rotated, size.constant());
  const bool interleaved = node.integer("interleaved") != 0;
  const ValueId cosine = angles(node, node.needed_input(1)), sine = angles(node, node.needed_input(2));
  const ValueId first =
      interleaved ? slice_last(node, x, 0, rotated, 2) : slice_last(node, x, 0, rotated / 2);
  const ValueId second =
      interleaved ? slice_last(node, x, 1, rotated, 2) : slice_last(node, x, rotated / 2, rotated);
  const auto product = [&](ValueId a, ValueId b) { return node.emit(def::mul, {a, b}); };
  ValueId real = node.emit(def::sub, {product(first, cosine), product(second, sine)});
  ValueId imaginary = node.emit(def::add, {product(first, sine), product(second, cosine)});
  ValueId result;
  if (interleaved) {
    real = node.emit(def::unsqueeze, {{"axes", Axes{4}}}, {real});
    imaginary = node.emit(def::unsqueeze, {{"axes", Axes{4}}}, {imaginary});
    result =
        node.emit(def::reshape, {join_last(node, real, imaginary), node.add_integers({0, 0, 0, rotated})});
  } else {
    result = join_last(node, real, imaginary);
  }
  if (rotated < size.constant())
    result = join_last(node, result, slice_last(node, x, rotated, size.constant()));
  node.set_output(0, by_heads ? node.emit(def::transpose, {{"perm", swap}}, {result})
                              : node.emit(def::reshape, {result, node.add_integers({0, 0, -1})}));
}

}  // namespace burnish::onnx
