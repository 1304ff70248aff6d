// Types of a node's outputs, from those of its inputs.
#pragma once

#include "ops/op_def.h"

namespace burnish::ops {

/// Sets types and contents of the outputs of `node`. Throws Error that names the node's source and op.
void infer(ir::Graph& graph, ir::NodeId node);
/// The same for every node in order.
void infer(ir::Graph& graph);

/// Puts expressions in the place of symbols in the types of the graph's inputs, its bodies' included (a symbol means the
/// same in a graph and its bodies), and infers all types anew.
void substitute(ir::Graph& graph, const std::map<std::string, ir::Dim, std::less<>>& replacements);

/// Adds a node and infers its types. `source` names the model's node(s).
ir::NodeId add_node(ir::Graph& graph, const OpDef& op, ir::Attributes attributes, std::vector<ir::ValueId> inputs,
                    int output_count = 1, const std::string& source = "", const std::vector<std::string>& names = {},
                    ir::NodeId before = {});

/// What a value holds if that is a small integer tensor whose contents are known: those of inference, or a constant's.
std::optional<std::vector<ir::Dim>> known_contents(const ir::Graph& graph, ir::ValueId value);

// --- pieces that many ops share ---
/// -rank <= axis < rank, counted from the end where negative; throws Error otherwise.
int64_t normalize_axis(int64_t axis, int64_t rank);
/// NumPy's multidirectional broadcasting.
std::vector<ir::Dim> broadcast_shapes(const std::vector<ir::Dim>& a, const std::vector<ir::Dim>& b);
/// Output 0 has input 0's type.
void infer_same(InferContext& context);
/// Output 0: all inputs broadcast together, element type of input 0.
void infer_broadcast(InferContext& context);

}  // namespace burnish::ops
