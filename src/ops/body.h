// Ops that compute what their only body does.
#pragma once

#include "ops/op_def.h"

namespace burnish::ops {

/// The outputs have the types that the body's have where its inputs are the node's.
void infer_by_body(InferContext& context);
/// Evaluates the body.
void reference_by_body(const ReferenceCall& call);

}  // namespace burnish::ops
