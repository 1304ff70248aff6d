// Recurrent layers, in ONNX's terms: sequences first, gates in ONNX's order. Their kernels are in
// recurrent_reference.cpp.
#include "ops/recurrent.h"

#include "ops/infer.h"
#include "ops/recurrent_reference.h"
#include "ops/table.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

using ir::Dim;

void check_shape(const InferContext& context, int i, const std::vector<Dim>& expected) {
  if (!context.has(i)) return;
  const std::vector<Dim>& given = context.shape(i);
  bool fits = given.size() == expected.size();
  for (size_t d = 0; fits && d < given.size(); ++d)
    fits = !given[d].is_constant() || !expected[d].is_constant() || given[d] == expected[d];
  require(fits, "input '{}' is {}; [{}] is expected", context.op().inputs[static_cast<size_t>(i)].name,
          context.type(i).str(), ir::dims_text(expected));
}

/// `gates` matrices per direction, `functions` activations per direction, outputs y, y_h and (states == 2)
/// y_c.
void infer_recurrent(InferContext& context, const RecurrentAttributes& attributes, int64_t gates,
                     size_t functions, int states) {
  require(attributes.direction == "forward" || attributes.direction == "reverse" ||
              attributes.direction == "bidirectional",
          "direction is '{}'; forward, reverse or bidirectional is expected", attributes.direction);
  const int64_t directions = attributes.directions();
  require(attributes.activations.empty() ||
              attributes.activations.size() == functions * static_cast<size_t>(directions),
          "{} activations are given; {} are expected for each of {} directions",
          attributes.activations.size(), functions, directions);
  check_activations(attributes.activations);
  require(context.type(0).rank() == 3 && context.type(2).rank() == 3,
          "x is {}, r is {}; three dimensions each are expected", context.type(0).str(),
          context.type(2).str());
  const std::vector<Dim> x = context.shape(0);
  const Dim hidden = context.shape(2)[2];
  check_shape(context, 1, {directions, hidden * gates, x[2]});
  check_shape(context, 2, {directions, hidden * gates, hidden});
  check_shape(context, 3, {directions, hidden * (2 * gates)});
  check_shape(context, 4, {x[1]});
  check_shape(context, 5, {directions, x[1], hidden});
  check_shape(context, 6, {directions, x[1], hidden});
  check_shape(context, 7, {directions, hidden * 3});
  require(!context.has(4) || context.dtype(4) == DType::i32, "sequence_lens is {}; i32 is expected",
          context.has(4) ? dtype_name(context.dtype(4)) : "");
  context.set(0, context.dtype(0), {x[0], directions, x[1], hidden});
  for (int i = 1; i <= states; ++i) context.set(i, context.dtype(0), {directions, x[1], hidden});
}

void infer_rnn(InferContext& context) {
  infer_recurrent(context, context.attributes<RnnAttributes>(), 1, 1, 1);
}
void infer_gru(InferContext& context) {
  infer_recurrent(context, context.attributes<GruAttributes>(), 3, 2, 1);
}
void infer_lstm(InferContext& context) {
  infer_recurrent(context, context.attributes<LstmAttributes>(), 4, 3, 2);
}

template <class Attributes>
OpBuilder recurrent(const char* name, void (*infer)(InferContext&), void (*reference)(const ReferenceCall&),
                    const char* summary) {
  OpBuilder builder = op<Attributes>(name);
  return builder.input("x")
      .input("w")
      .input("r")
      .optional("bias")
      .optional("sequence_lens")
      .optional("initial_h")
      .infer(infer)
      .reference(reference)
      .tolerance(1e-4, 1e-5)
      .summary(summary)
      .output("y")
      .output("y_h");
}

}  // namespace

namespace def {

const OpDef rnn = recurrent<RnnAttributes>("rnn", infer_rnn, widen<rnn_reference>,
                                           "f(x w + h r + bias) over a sequence x [length, batch, input]");
const OpDef gru = recurrent<GruAttributes>(
    "gru", infer_gru, widen<gru_reference>,
    "gated recurrent unit over a sequence x [length, batch, input]; gates z, r, h (arXiv:1406.1078)");
const OpDef lstm = recurrent<LstmAttributes>("lstm", infer_lstm, widen<lstm_reference>,
                                             "long short-term memory over a sequence x [length, batch, "
                                             "input]; gates i, o, f, c; optional peepholes")
                       .optional("initial_c")
                       .optional("peepholes")
                       .output("y_c");

}  // namespace def
}  // namespace burnish::ops
