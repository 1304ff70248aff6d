// Reference kernels of recurrent.cpp's ops.
#pragma once

#include "ops/op_def.h"

namespace burnish::ops {

void rnn_reference(const ReferenceCall& call);
void lstm_reference(const ReferenceCall& call);
void gru_reference(const ReferenceCall& call);

/// Throws Error if an activation's name is unknown.
void check_activations(const std::vector<std::string>& names);

}  // namespace burnish::ops
