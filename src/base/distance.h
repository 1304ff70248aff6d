// How far two results lie apart.
#pragma once

#include <burnish/tensor.h>

#include <vector>

namespace burnish {

/// The relative L2 distance |result - expected| / |expected| of two tensors of one type and shape, summed in
/// double; absolute where `expected` is all zeros. Infinity where one holds a NaN and the other not, or an
/// infinity that the other does not. The same for any number of threads.
double relative_error(const Tensor& result, const Tensor& expected);

/// The largest of those over pairs of tensors; infinity where a type or shape differs.
double largest_error(const std::vector<Tensor>& results, const std::vector<Tensor>& expected);

}  // namespace burnish
