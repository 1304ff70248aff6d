// Recurrent layers: the IR has sequences first, so batch-first ones are transposed.
#include "onnx/lower.h"
#include "onnx/lowerings.h"

namespace burnish::onnx {
namespace {

namespace def = ops::def;

/// Emits `op` on the node's inputs. With layout 1 x and the states come, and the outputs go, batch first.
void emit_recurrent(Lower& node, const ops::OpDef& op) {
  const bool batch_first = node.integer("layout") == 1;
  require(node.input_count() <= static_cast<int>(op.inputs.size()), "it has {} inputs; {} takes {}",
          node.input_count(), node.op_type(), op.inputs.size());
  const auto swapped = [&](ir::ValueId value, std::vector<int64_t> permutation) {
    return batch_first && value ? node.emit(def::transpose, {{"perm", std::move(permutation)}}, {value})
                                : value;
  };
  std::vector<ir::ValueId> inputs;
  for (int i = 0; i < node.input_count(); ++i) {
    const ir::ValueId value = i < 3 ? node.needed_input(i) : node.input(i);
    const bool has_batch = i == 0 || i == 5 || i == 6;  // x, initial_h, initial_c
    inputs.push_back(has_batch ? swapped(value, {1, 0, 2}) : value);
  }
  const int count = std::min(node.output_count(), static_cast<int>(op.outputs.size()));
  const auto made = node.emit_many(op, node.attributes_for(op), inputs, count);
  for (int i = 0; i < count; ++i)
    node.set_output(i, swapped(made[static_cast<size_t>(i)],
                               i == 0 ? std::vector<int64_t>{2, 0, 1, 3} : std::vector<int64_t>{1, 0, 2}));
}

}  // namespace

void lower_rnn(Lower& node) { emit_recurrent(node, def::rnn); }
void lower_gru(Lower& node) { emit_recurrent(node, def::gru); }
void lower_lstm(Lower& node) { emit_recurrent(node, def::lstm); }

}  // namespace burnish::onnx
