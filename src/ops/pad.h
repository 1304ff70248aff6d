// The arithmetic of ONNX's Pad and CenterCropPad, shared by the reference and backends.
#pragma once

#include <burnish/tensor.h>

#include <span>
#include <string>
#include <vector>

#include "ops/strided.h"

namespace burnish::ops {

/// Which index of x stands at each index of the padded tensor, by dimension, from the op's inputs 1 (pads)
/// and 3 (axes). Throws Error where they do not fit the shapes.
std::vector<AxisMap> pad_maps(const std::string& mode, const Shape& x, const Shape& padded,
                              std::span<const Tensor> inputs);
std::vector<AxisMap> center_crop_pad_maps(const Shape& x, const Shape& cropped);

}  // namespace burnish::ops
