// A function over IR values that Python has traced: one node whose attribute is a graph in the IR's text.
#pragma once

#include <string_view>

namespace burnish::onnx {

class Lower;

/// Not of ONNX: the domain and the op of such nodes, of which the package's `burnish.user_ops` writes the model's.
inline constexpr std::string_view traced_domain = "burnish", traced_op = "traced";

/// Puts the nodes of the attribute "graph" into the node's place, types inferred anew. Throws Error where the text does
/// not parse, or takes another number of inputs.
void lower_traced(Lower& node);

}  // namespace burnish::onnx
