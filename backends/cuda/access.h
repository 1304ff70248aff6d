// How kernels walk tensors: the axes of a domain, and the stride of each operand along each of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "ir/type.h"

namespace burnish::cuda {

/// Strides in elements, one per axis of a domain; 0 where the operand is repeated.
using Strides = std::vector<ir::Dim>;

/// The order of a tensor's logical dimensions in memory, outermost first: {0, 2, 3, 1} for nhwc.
std::vector<int> physical_order(int64_t rank, ir::Layout layout);
/// The stride of each logical dimension; a pitch is among them.
Strides logical_strides(const ir::TensorType& type);
/// The strides of `operand`, broadcast to the logical shape `shape`, per logical dimension of `shape`;
/// nullopt where it cannot be told whether a dimension is repeated.
std::optional<Strides> broadcast_strides(const ir::TensorType& operand, const std::vector<ir::Dim>& shape);
/// One stride for the axes first ... last - 1 taken as one; nullopt where the operand is no arithmetic
/// sequence there.
std::optional<ir::Dim> joint_stride(const Strides& strides, const std::vector<ir::Dim>& sizes, size_t first,
                                    size_t last);

/// Axes over which an operation runs and the operands' strides along them.
struct Walk {
  std::vector<ir::Dim> sizes;     ///< outermost first
  std::vector<Strides> operands;  ///< operands[i][axis]
  /// Joins neighbouring axes where every operand allows it, and drops axes of size 1.
  void merge();
};

}  // namespace burnish::cuda
