// What is known of a value before it exists: element type, symbolic shape, physical layout.
#pragma once

#include <burnish/tensor.h>

#include <string>
#include <vector>

#include "ir/dim.h"

namespace burnish::ir {

/// How the elements of a logical tensor lie in memory. Shapes are always logical (N, C, spatial...).
enum class Layout : uint8_t {
  plain,  ///< row-major
  nhwc,   ///< channels last: N, spatial..., C
  c8,     ///< channels in blocks of 8: N, C/8, spatial..., 8; the last block is padded with zeros
  c16,    ///< likewise in blocks of 16
};

std::string_view layout_name(Layout layout);  ///< "plain", "nhwc", "c8", "c16"
std::optional<Layout> parse_layout(std::string_view name);

struct TensorType {
  DType dtype = DType::f32;
  std::vector<Dim> shape;
  Layout layout = Layout::plain;
  /// Channels last, within a wider tensor: elements from one pixel to the next, more than there are channels.
  /// 0: dense.
  int64_t pitch = 0;

  int64_t rank() const { return static_cast<int64_t>(shape.size()); }
  bool is_constant_shape() const { return constants(shape).has_value(); }
  /// "f32[n,3,224,224]", with " nhwc" and the like behind where the layout is not plain, " nhwc/128" with a
  /// pitch.
  std::string str() const;
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

/// Bytes that a tensor of this type takes, padding of blocked layouts included; with a pitch, what lies
/// between its pixels too, from its first element to its last.
int64_t storage_bytes(DType dtype, const Shape& shape, Layout layout, int64_t pitch = 0);

}  // namespace burnish::ir
