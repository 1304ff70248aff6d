// Whether a graph that somebody else wrote down says of its values what its ops say.
#pragma once

#include "ir/graph.h"

namespace burnish::ops {

/// Infers the type of every value anew, bodies' included, and compares: element types and ranks must agree,
/// and dimensions where inference knows them (those that depend on data are taken as written). Layouts are
/// left alone. Sets the contents of small integer tensors, which text does not hold. Throws Error that names
/// the node.
///
/// Kernels trust types: without this a damaged or hostile engine could make one write beyond its buffer.
void check_types(ir::Graph& graph);

}  // namespace burnish::ops
