// Scaled dot-product attention.
#include "ops/attention.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/parallel.h"
#include "ops/gemm.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/strided.h"
#include "ops/table.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

using ir::Dim;

bool may_equal(const Dim& a, const Dim& b) { return !a.is_constant() || !b.is_constant() || a == b; }

void infer_attention(InferContext& context) {
  const auto& attributes = context.attributes<AttentionAttributes>();
  require(
      attributes.causal == "none" || attributes.causal == "top_left" || attributes.causal == "bottom_right",
      "causal is '{}'; none, top_left or bottom_right is expected", attributes.causal);
  const ir::TensorType &q = context.type(0), &k = context.type(1), &v = context.type(2);
  require(q.rank() == 4 && k.rank() == 4 && v.rank() == 4 && q.dtype == k.dtype && q.dtype == v.dtype,
          "q is {}, k is {}, v is {}; [batch, heads, length, size] of one element type is expected", q.str(),
          k.str(), v.str());
  const bool fits = may_equal(q.shape[0], k.shape[0]) && may_equal(k.shape[0], v.shape[0]) &&
                    may_equal(k.shape[1], v.shape[1]) && may_equal(q.shape[3], k.shape[3]) &&
                    may_equal(k.shape[2], v.shape[2]);
  require(fits, "q {}, k {} and v {} do not fit together", q.str(), k.str(), v.str());
  const Dim &heads = q.shape[1], &groups = k.shape[1];
  require(!heads.is_constant() || !groups.is_constant() ||
              (!groups.is(0) && heads.constant() % groups.constant() == 0),
          "{} query heads cannot share {} key heads", heads.str(), groups.str());
  if (context.has(3)) {
    const ir::TensorType& mask = context.type(3);
    require(mask.dtype == DType::boolean || is_integer(mask.dtype) || mask.dtype == q.dtype,
            "the mask is {}; bool, integers or {} are expected", mask.str(), dtype_name(q.dtype));
    const std::vector<Dim> scores = {q.shape[0], heads, q.shape[2], k.shape[2]};
    require(mask.rank() <= 4, "the mask is {}; at most four dimensions are expected", mask.str());
    for (size_t d = 0; d < mask.shape.size(); ++d)
      require(mask.shape[d].is(1) || may_equal(mask.shape[d], scores[d + 4 - mask.shape.size()]),
              "the mask {} does not broadcast to [{}]", mask.str(), ir::dims_text(scores));
  }
  context.set(0, q.dtype, {q.shape[0], heads, q.shape[2], v.shape[3]});
}

/// Which elements of an integer tensor are not zero.
Tensor not_zero(const Tensor& given) {
  Tensor kept(DType::boolean, given.shape());
  dispatch(IntegerTypes{}, given.dtype(), [&]<class T>(Type<T>) {
    std::transform(given.data<T>(), given.data<T>() + given.size(), kept.data<bool>(),
                   [](T element) { return element != 0; });
  });
  return kept;
}

/// A mask with its strides over [batch, heads, queries, keys]; no data: nothing is masked.
struct Mask {
  Tensor tensor;
  std::vector<int64_t> strides = {0, 0, 0, 0};

  explicit Mask(const Tensor& given) : tensor(given) {
    if (given.empty()) return;
    if (is_integer(given.dtype())) tensor = not_zero(given);
    const std::vector<int64_t> dense = dense_strides(given.shape());
    for (size_t d = 0; d < dense.size(); ++d)
      strides[d + 4 - dense.size()] = given.shape()[d] == 1 ? 0 : dense[d];
  }

  /// What is added to a score: -inf where it is not to be seen.
  template <class T>
  T bias(int64_t row_offset, int64_t key) const {
    if (tensor.empty()) return T(0);
    const int64_t at = row_offset + key * strides[3];
    if (tensor.dtype() == DType::boolean)
      return tensor.data<bool>()[at] ? T(0) : -std::numeric_limits<T>::infinity();
    return tensor.data<T>()[at];
  }
};

/// Turns the scores of one query into weights; `visible` is how many keys it may see. A query that sees
/// nothing gets zeros.
template <class T>
void weigh(const AttentionAttributes& attributes, const Mask& mask, int64_t mask_row, T scale,
           int64_t visible, int64_t keys, T* scores) {
  constexpr T hidden = -std::numeric_limits<T>::infinity();
  const T softcap = static_cast<T>(attributes.softcap);
  T largest = hidden;
  for (int64_t j = 0; j < keys; ++j) {
    const T bias = j < visible ? mask.bias<T>(mask_row, j) : hidden;
    T score = scores[j] * scale;
    if (softcap > 0) score = softcap * std::tanh(score / softcap);
    scores[j] = bias == hidden ? hidden : score + bias;
    largest = std::max(largest, scores[j]);
  }
  double sum = 0;
  for (int64_t j = 0; j < keys; ++j) {
    scores[j] = scores[j] == hidden ? T(0) : std::exp(scores[j] - largest);
    sum += static_cast<double>(scores[j]);
  }
  const T factor = sum == 0 ? T(0) : static_cast<T>(1 / sum);
  for (int64_t j = 0; j < keys; ++j) scores[j] *= factor;
}

void attention_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<AttentionAttributes>();
  const Shape &q = call.inputs[0].shape(), &k = call.inputs[1].shape(), &v = call.inputs[2].shape();
  const int64_t heads = q[1], queries = q[2], keys = k[2], size = q[3], value_size = v[3];
  const int64_t sharing = heads / std::max<int64_t>(1, k[1]);  // query heads per key head
  const Mask mask(call.has(3) ? call.inputs[3] : Tensor());
  const int64_t tile = gemm_tile_rows, tiles = (queries + tile - 1) / tile;
  dispatch(WideFloatTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    const T scale =
        static_cast<T>(attributes.scale != 0 ? attributes.scale : 1 / std::sqrt(static_cast<double>(size)));
    parallel_for(q[0] * heads * tiles, 1, [&](int64_t first, int64_t last) {
      std::vector<T> scores(static_cast<size_t>(tile * keys));
      for (int64_t task = first; task < last; ++task) {
        const int64_t begin = task % tiles * tile, rows = std::min(tile, queries - begin);
        const int64_t head = task / tiles % heads, image = task / tiles / heads,
                      pair = image * k[1] + head / sharing;
        const int64_t line = (image * heads + head) * queries + begin;
        gemm<T>(rows, keys, size, {call.inputs[0].data<T>() + line * size, size, 1},
                {call.inputs[1].data<T>() + pair * keys * size, 1, size}, scores.data(), keys);
        for (int64_t i = 0; i < rows; ++i) {
          const int64_t query = begin + i, shift = attributes.causal == "bottom_right" ? keys - queries : 0;
          const int64_t visible = attributes.causal == "none" ? keys : query + shift + 1;
          const int64_t mask_row = image * mask.strides[0] + head * mask.strides[1] + query * mask.strides[2];
          weigh(attributes, mask, mask_row, scale, visible, keys, scores.data() + i * keys);
        }
        gemm<T>(rows, value_size, keys, {scores.data(), keys, 1},
                {call.inputs[2].data<T>() + pair * keys * value_size, value_size, 1},
                call.outputs[0].data<T>() + line * value_size, value_size);
      }
    });
  });
}

}  // namespace

namespace def {

const OpDef attention =
    op<AttentionAttributes>("attention")
        .input("q")
        .input("k")
        .input("v")
        .optional("mask")
        .output("y")
        .infer(infer_attention)
        .reference(widen<attention_reference>)
        .fusion(Fusion::contraction)
        .tolerance(1e-4, 1e-5)
        .summary(
            "softmax(q k^T * scale + mask) v over [batch, heads, length, size]; several "
            "query heads may share a key head; the mask is bool or integers (true, not zero: seen) "
            "or added");

}  // namespace def
}  // namespace burnish::ops
