// Reading host inputs (axes, pads, sizes, scales) in reference kernels.
#pragma once

#include <burnish/tensor.h>

#include <vector>

namespace burnish::ops {

/// The elements of an integer or bool tensor, in order; throws Error for floating types.
std::vector<int64_t> integers_of(const Tensor& tensor);
/// The elements of a tensor of numbers, in order.
std::vector<double> numbers_of(const Tensor& tensor);
/// The only element; throws Error unless there is exactly one.
int64_t integer_of(const Tensor& tensor);
double number_of(const Tensor& tensor);

}  // namespace burnish::ops
