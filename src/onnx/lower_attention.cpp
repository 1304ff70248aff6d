// ONNX's Attention: heads split and merged, the cache concatenated, and whatever the core op does not know
// made into a mask.
#include <cmath>
#include <optional>

#include "onnx/lower.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {
namespace {

namespace def = ops::def;
using ir::Dim;
using ir::ValueId;

/// [batch, length, heads * size] to [batch, heads, length, size]; four dimensions stay.
ValueId split_heads(Lower& node, ValueId value, const char* heads) {
  if (node.rank(value) == 4) return value;
  require(node.rank(value) == 3, "an input is {}; three or four dimensions are expected",
          node.type(value).str());
  require(node.integer(heads) >= 1, "{} must be given for inputs of three dimensions", heads);
  const ValueId split = node.emit(def::reshape, {value, node.add_integers({0, 0, node.integer(heads), -1})});
  return node.emit(def::transpose, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}, {split});
}

/// The heads of keys or values [batch, heads, length, size], repeated for the query heads that share them.
ValueId repeat_heads(Lower& node, ValueId queries, ValueId value) {
  const Dim heads = node.type(queries).shape[1], groups = node.type(value).shape[1],
            size = node.type(value).shape[3];
  require(heads.is_constant() && groups.is_constant() && size.is_constant() && !groups.is(0),
          "the scores can be made only for a fixed number of heads of fixed size");
  const int64_t sharing = heads.constant() / groups.constant();
  if (sharing <= 1) return value;
  const ValueId single = node.emit(def::unsqueeze, {{"axes", std::vector<int64_t>{2}}}, {value});
  const ValueId several =
      node.emit(def::concat, {{"axis", 2}}, std::vector<ValueId>(static_cast<size_t>(sharing), single));
  return node.emit(def::reshape, {several, node.add_integers({0, heads.constant(), -1, size.constant()})});
}

/// Everything that the parts of one Attention node share.
class AttentionLowering {
 public:
  explicit AttentionLowering(Lower& node)
      : node_(node),
        q_(split_heads(node, node.needed_input(0), "q_num_heads")),
        k_(split_heads(node, node.needed_input(1), "kv_num_heads")),
        v_(split_heads(node, node.needed_input(2), "kv_num_heads")),
        new_keys_(node.type(k_).shape[2]),
        dtype_(node.dtype(q_)) {
    const ValueId past_key = node.input(4), past_value = node.input(5);
    require(static_cast<bool>(past_key) == static_cast<bool>(past_value),
            "past_key and past_value belong together");
    require(!past_key || !node.input(6), "nonpad_kv_seqlen and a past cannot be combined");
    if (!past_key) return;
    k_ = node.emit(def::concat, {{"axis", 2}}, {past_key, k_});
    v_ = node.emit(def::concat, {{"axis", 2}}, {past_value, v_});
  }

  void run() {
    const std::string causal = causal_mode();
    const ValueId mask = combined_mask(node_.integer("is_causal") != 0 && causal == "none");
    ValueId y = node_.emit(
        def::attention,
        {{"scale", node_.number("scale")}, {"causal", causal}, {"softcap", node_.number("softcap")}},
        {q_, k_, v_, mask});
    if (node_.rank(node_.input(0)) == 3) {
      y = node_.emit(def::transpose, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}, {y});
      y = node_.emit(def::reshape, {y, node_.add_integers({0, 0, -1})});
    }
    node_.set_output(0, y);
    node_.set_output(1, k_);
    node_.set_output(2, v_);
    if (node_.wants_output(3)) node_.set_output(3, scores(causal == "none" ? mask : combined_mask(true)));
  }

 private:
  /// The core op's form of is_causal; "none" also where only a mask can say it.
  std::string causal_mode() const {
    if (node_.integer("is_causal") == 0 || node_.input(6)) return "none";
    if (!node_.input(4)) return "top_left";
    // The past comes before the first query, which is the same if there are as many queries as new keys.
    return node_.type(q_).shape[2] == new_keys_ ? "bottom_right" : "none";
  }

  /// The size of a dimension, as an i64 scalar.
  ValueId length_of(ValueId value, int64_t axis) {
    const ValueId size = node_.emit(def::shape, {{"start", axis}, {"end", axis + 1}}, {value});
    return node_.emit(def::squeeze, {{"axes", std::vector<int64_t>{0}}}, {size});
  }
  ValueId count_to(ValueId size) {
    return node_.emit(def::range, {node_.add_scalar(DType::i64, 0), size, node_.add_scalar(DType::i64, 1)});
  }

  /// Which keys each query may see, where causality or windows or padding say so; empty: all.
  ValueId allowed(bool causal) {
    const int64_t left = node_.integer("left_window_size", -1),
                  right = node_.integer("right_window_size", -1);
    const ValueId lengths = node_.input(6);
    ValueId result;
    const auto restrict_to = [&](ValueId condition) {
      result = result ? node_.emit(def::logical_and, {result, condition}) : condition;
    };
    const ValueId keys = count_to(length_of(k_, 2));
    const ValueId per_image =
        lengths ? node_.emit(def::unsqueeze, {{"axes", std::vector<int64_t>{1, 2, 3}}}, {lengths})
                : ValueId{};
    if (causal || left >= 0 || right >= 0) {
      const ValueId queries =
          node_.emit(def::unsqueeze, {{"axes", std::vector<int64_t>{1}}}, {count_to(length_of(q_, 2))});
      ValueId place = queries;  // of each query among the keys
      if (lengths)
        place = node_.emit(def::add, {queries, node_.emit(def::sub, {per_image, length_of(q_, 2)})});
      else if (node_.input(4))
        place = node_.emit(def::add, {queries, length_of(node_.input(4), 2)});
      const ValueId distance = node_.emit(def::sub, {place, keys});
      const auto at_least = [&](int64_t bound) {
        return node_.emit(def::greater_or_equal,
                          {distance, node_.add_scalar(DType::i64, static_cast<double>(bound))});
      };
      if (causal) restrict_to(at_least(0));
      if (left >= 0)
        restrict_to(node_.emit(def::less_or_equal,
                               {distance, node_.add_scalar(DType::i64, static_cast<double>(left))}));
      if (right >= 0) restrict_to(at_least(-right));
    }
    if (lengths) restrict_to(node_.emit(def::less, {keys, per_image}));
    return result;
  }

  /// The given mask, made as long as the keys: what it lacks is not to be seen.
  ValueId given_mask() {
    const ValueId mask = node_.input(3);
    if (!mask || node_.rank(mask) == 0) return mask;
    const Dim missing = node_.type(k_).shape[2] - node_.type(mask).shape.back();
    if (!missing.is_constant() || missing.constant() <= 0) return mask;
    std::vector<int64_t> pads(static_cast<size_t>(2 * node_.rank(mask)), 0);
    pads.back() = missing.constant();
    const DType dtype = node_.dtype(mask);
    require(dtype == DType::boolean || is_floating(dtype),
            "attn_mask is {}; to be made as long as the keys it must be bool or a float", dtype_name(dtype));
    return node_.emit(def::pad, {mask, node_.add_integers(pads),
                                 node_.add_scalar(dtype, dtype == DType::boolean ? 0 : -INFINITY)});
  }

  ValueId combined_mask(bool causal) {
    const ValueId mask = given_mask();
    const bool windows =
        node_.integer("left_window_size", -1) >= 0 || node_.integer("right_window_size", -1) >= 0;
    if (!causal && !windows && !node_.input(6)) return mask;
    const ValueId visible = allowed(causal);
    if (!mask) return visible;
    if (node_.dtype(mask) == DType::boolean) return node_.emit(def::logical_and, {mask, visible});
    return node_.emit(def::where, {visible, mask, node_.add_scalar(dtype_, -INFINITY)});
  }

  /// The fourth output: the scores at the stage that qk_matmul_output_mode names.
  ValueId scores(ValueId mask) {
    const auto constant = [&](double value) { return node_.add_scalar(dtype_, value); };
    const int64_t mode = node_.integer("qk_matmul_output_mode");
    require(mode >= 0 && mode <= 3, "qk_matmul_output_mode is {}; 0 to 3 is expected", mode);
    double scale = node_.number("scale");
    const Dim size = node_.type(q_).shape[3];
    if (scale == 0) scale = 1 / std::sqrt(static_cast<double>(size.constant()));
    ValueId result = node_.emit(def::matmul, {{"transpose_b", true}}, {q_, repeat_heads(node_, q_, k_)});
    result = node_.emit(def::mul, {result, constant(scale)});
    if (mode == 0) return result;
    if (const double cap = node_.number("softcap"); cap > 0)
      result = node_.emit(
          def::mul, {node_.emit(def::tanh, {node_.emit(def::div, {result, constant(cap)})}), constant(cap)});
    if (mode == 1) return result;
    if (mask) {
      const bool boolean = node_.dtype(mask) == DType::boolean;
      const ValueId hidden = constant(-INFINITY);
      result =
          boolean ? node_.emit(def::where, {mask, result, hidden}) : node_.emit(def::add, {result, mask});
    }
    if (mode == 2) return result;
    // A query that sees no key gets zeros.
    const ValueId weights = node_.emit(def::softmax, {{"axis", -1}}, {result});
    const ValueId largest = node_.emit(def::reduce_max, {{"axes", std::vector<int64_t>{-1}}}, {result});
    const ValueId blind = node_.emit(def::equal, {largest, constant(-INFINITY)});
    return node_.emit(def::where, {blind, constant(0), weights});
  }

  Lower& node_;
  ValueId q_, k_, v_;
  Dim new_keys_;
  DType dtype_;
};

}  // namespace

void lower_attention(Lower& node) { AttentionLowering(node).run(); }

/// Attention whose scores and weights pass through subgraphs of the model; without any it is the core op.
void lower_flex_attention(Lower& node) {
  const ValueId q = node.needed_input(0), k = node.needed_input(1), v = node.needed_input(2);
  // The core op checks the types and the scale's default, so it is inferred even where it is not kept.
  const ValueId whole = node.emit(def::attention, {{"scale", node.number("scale")}}, {q, k, v});
  if (!node.has("score_mod") && !node.has("prob_mod")) return node.set_output(0, whole);
  const DType dtype = node.dtype(q),
              precision = node.dtype("softmax_precision", dtype == DType::f64 ? DType::f64 : DType::f32);
  const auto as = [&](ValueId value, DType to) {
    return node.dtype(value) == to ? value : node.emit(def::cast, {{"to", to}}, {value});
  };
  const auto modified = [&](ValueId value, const char* attribute) {
    if (!node.has(attribute)) return value;
    const std::vector<ValueId> made = node.inline_body(attribute, {value});
    require(made.size() == 1, "{} must give one tensor", attribute);
    return made[0];
  };
  const Dim size = node.type(q).shape[3];
  const double scale = node.number("scale", 1 / std::sqrt(static_cast<double>(size.constant())));
  const ValueId products = node.emit(def::matmul, {{"transpose_b", true}},
                                     {as(q, precision), as(repeat_heads(node, q, k), precision)});
  const ValueId scores =
      modified(node.emit(def::mul, {products, node.add_scalar(precision, scale)}), "score_mod");
  const ValueId weights = modified(node.emit(def::softmax, {{"axis", -1}}, {scores}), "prob_mod");
  node.set_output(0, node.emit(def::matmul, {as(weights, dtype), repeat_heads(node, q, v)}));
}

}  // namespace burnish::onnx
