// Layers that hand a state from token to token: the causal convolution and the linear attention of
// state-space and hybrid language models.
#include <cmath>
#include <limits>

#include "onnx/lower.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {

using namespace ops;

namespace {

int64_t known_dim(const Lower& node, ir::ValueId value, size_t axis, std::string_view what) {
  const ir::TensorType& type = node.type(value);
  require(axis < type.shape.size() && type.shape[axis].is_constant(),
          "{} of type {} must have a known dimension {}", what, type.str(), axis);
  return type.shape[axis].constant();
}

ir::ValueId cast_to(Lower& node, ir::ValueId value, DType dtype) {
  return node.dtype(value) == dtype ? value : node.emit(def::cast, {{"to", dtype}}, {value});
}

ir::ValueId reshape_to(Lower& node, ir::ValueId value, const std::vector<int64_t>& shape) {
  return node.emit(def::reshape, {value, node.add_integers(shape)});
}

}  // namespace

/// A depthwise convolution over the state and the input; the new state is the end of both.
void lower_causal_conv_with_state(Lower& node) {
  const ir::ValueId x = node.needed_input(0), weight = node.needed_input(1), past = node.input(3);
  const int64_t channels = known_dim(node, weight, 0, "the weight"),
                width = known_dim(node, weight, 2, "the weight");
  const std::string activation = node.text("activation", "none");
  require(activation == "none" || activation == "silu" || activation == "swish",
          "activation must be none, silu or swish, not '{}'", activation);
  const ir::ValueId padded = past ? node.emit(def::concat, {{"axis", 2}}, {past, x})
                                  : node.emit(def::pad, {x, node.add_integers({0, 0, width - 1, 0, 0, 0})});
  const ir::ValueId y = node.emit(def::conv, {{"group", channels}}, {padded, weight, node.input(2)});
  node.set_output(0, activation == "none" ? y : node.emit(def::silu, {y}));
  if (!node.wants_output(1)) return;
  constexpr int64_t end = std::numeric_limits<int64_t>::max();
  const int64_t start = width > 1 ? 1 - width : end;
  node.set_output(1, node.emit(def::slice, {padded, node.add_integers({start}), node.add_integers({end}),
                                            node.add_integers({2})}));
}

namespace {

/// What the inputs and attributes of a LinearAttention say.
struct LinearAttention {
  int64_t heads, group, key_size, value_size;  // `group` query heads share one of `heads`
  bool gated, delta;
  double scale;
};

LinearAttention read_linear_attention(Lower& node) {
  const std::string rule = node.text("update_rule", "gated_delta");
  require(rule == "linear" || rule == "gated" || rule == "delta" || rule == "gated_delta",
          "there is no update_rule '{}'", rule);
  LinearAttention layer{};
  layer.gated = rule == "gated" || rule == "gated_delta";
  layer.delta = rule == "delta" || rule == "gated_delta";
  const int64_t query_heads = node.integer("q_num_heads");
  layer.heads = node.integer("kv_num_heads");
  require(layer.heads > 0 && query_heads > 0 && query_heads % layer.heads == 0,
          "q_num_heads ({}) must be a multiple of kv_num_heads ({})", query_heads, layer.heads);
  layer.group = query_heads / layer.heads;
  for (int i = 0; i < 3; ++i)
    require(node.rank(node.needed_input(i)) == 3, "input {} must have three dimensions, not {}", i,
            node.rank(node.input(i)));
  layer.key_size = known_dim(node, node.input(0), 2, "the query") / query_heads;
  layer.value_size = known_dim(node, node.input(2), 2, "the value") / layer.heads;
  const double scale = node.number("scale");
  layer.scale = scale == 0 ? 1 / std::sqrt(static_cast<double>(std::max<int64_t>(1, layer.key_size))) : scale;
  return layer;
}

/// The body of the scan over tokens: state and q, k, v (decay, beta) of one token in; new state and result
/// out. Shapes: state [B,H,dk,dv], q [B,H,G,dk], k [B,H,dk,1], v [B,H,1,dv], decay [B,H,dk or 1,1], beta [B,H
/// or 1,1,1].
std::shared_ptr<ir::Graph> token_step(Lower& node, const LinearAttention& layer, const ir::TensorType& state,
                                      const std::vector<ir::ValueId>& sequences) {
  auto body = std::make_shared<ir::Graph>("token_step_of_" + node.source());
  std::vector<ir::ValueId> in = {body->add_input("state", state)};
  for (ir::ValueId sequence : sequences) {
    ir::TensorType type = node.type(sequence);
    type.shape.erase(type.shape.begin() + 1);
    in.push_back(body->add_input("", type));
  }
  const auto emit = [&](const OpDef& op, std::vector<ir::ValueId> inputs, Settings settings = {}) {
    return node.emit_into(*body, op, make_attributes(op, settings), std::move(inputs), 1)[0];
  };
  const ir::ValueId query = in[1], key = in[2];
  const ir::ValueId decayed = layer.gated ? emit(def::mul, {in[0], emit(def::exp, {in[4]})}) : in[0];
  ir::ValueId value = in[3];
  if (layer.delta) {
    const ir::ValueId row = emit(def::transpose, {key}, {{"perm", std::vector<int64_t>{0, 1, 3, 2}}});
    value = emit(def::mul, {in.back(), emit(def::sub, {value, emit(def::matmul, {row, decayed})})});
  }
  const ir::ValueId written = emit(def::add, {decayed, emit(def::mul, {key, value})});
  body->outputs = {{"state", written}, {"result", emit(def::matmul, {query, written})}};
  return body;
}

}  // namespace

/// A scan over the tokens whose state is the matrix of each head, in float.
void lower_linear_attention(Lower& node) {
  const LinearAttention layer = read_linear_attention(node);
  const DType given = node.dtype(node.needed_input(0)),
              compute = given == DType::f64 ? DType::f64 : DType::f32;
  const auto sequence = [&](int i, const std::vector<int64_t>& shape) {
    return reshape_to(node, cast_to(node, node.needed_input(i), compute), shape);
  };
  std::vector<ir::ValueId> sequences = {sequence(0, {0, 0, layer.heads, layer.group, -1}),
                                        sequence(1, {0, 0, layer.heads, -1, 1}),
                                        sequence(2, {0, 0, layer.heads, 1, -1})};
  if (layer.gated) sequences.push_back(sequence(4, {0, 0, layer.heads, -1, 1}));
  if (layer.delta) sequences.push_back(sequence(5, {0, 0, -1, 1, 1}));

  ir::ValueId state = node.input(3);
  const DType state_type = state ? node.dtype(state) : given;
  if (state) {
    state = cast_to(node, state, compute);
  } else {
    const ir::ValueId batch = node.emit(def::shape, {{"start", 0}, {"end", 1}}, {node.input(0)});
    const ir::ValueId shape =
        node.emit(def::concat, {{"axis", 0}},
                  {batch, node.add_integers({layer.heads, layer.key_size, layer.value_size})});
    state = node.emit(def::expand, {node.add_scalar(compute, 0), shape});
  }
  const auto body = token_step(node, layer, node.type(state), sequences);
  const std::vector<int64_t> along_time(sequences.size(), 1);
  const ir::Attributes attributes =
      make_attributes(def::scan, {{"states", 1},
                                  {"num_scan_inputs", static_cast<int64_t>(sequences.size())},
                                  {"scan_input_axes", along_time},
                                  {"scan_output_axes", std::vector<int64_t>{1}}});
  std::vector<ir::ValueId> inputs = {state};
  inputs.insert(inputs.end(), sequences.begin(), sequences.end());
  const auto made = node.emit_many(def::scan, attributes, inputs, 2, {body});
  const ir::ValueId scaled = node.emit(def::mul, {made[1], node.add_scalar(compute, layer.scale)});
  node.set_output(0, cast_to(node, reshape_to(node, scaled, {0, 0, -1}), given));
  if (node.wants_output(1)) node.set_output(1, cast_to(node, made[0], state_type));
}

}  // namespace burnish::onnx
