// Reference kernels of conv.cpp's ops.
#pragma once

#include "ops/op_def.h"

namespace burnish::ops {

void conv_reference(const ReferenceCall& call);
void conv_transpose_reference(const ReferenceCall& call);
void deform_conv_reference(const ReferenceCall& call);

}  // namespace burnish::ops
