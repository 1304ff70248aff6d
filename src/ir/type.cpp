#include "ir/type.h"

#include <array>

#include "base/error.h"

namespace burnish::ir {

constexpr std::array<std::string_view, 4> layout_names = {"plain", "nhwc", "c8", "c16"};

std::string_view layout_name(Layout layout) { return layout_names[static_cast<size_t>(layout)]; }

std::optional<Layout> parse_layout(std::string_view name) {
  for (size_t i = 0; i < layout_names.size(); ++i)
    if (layout_names[i] == name) return static_cast<Layout>(i);
  return std::nullopt;
}

std::string TensorType::str() const {
  std::string text = std::string(dtype_name(dtype)) + "[" + dims_text(shape) + "]";
  if (layout != Layout::plain) text += " " + std::string(layout_name(layout));
  if (pitch) text += "/" + std::to_string(pitch);
  return text;
}

int64_t storage_bytes(DType dtype, const Shape& shape, Layout layout, int64_t pitch) {
  if (const int64_t count = element_count(shape); pitch && count > 0) {
    const int64_t channels = shape[1], pixels = count / channels;
    return (element_count({pixels - 1, pitch}) + channels) * dtype_bytes(dtype);
  }
  const int64_t block = layout == Layout::c8 ? 8 : layout == Layout::c16 ? 16 : 1;
  if (block == 1 || shape.size() < 2) return element_count(shape) * dtype_bytes(dtype);
  Shape padded = shape;
  padded[1] = (padded[1] + block - 1) / block * block;
  return element_count(padded) * dtype_bytes(dtype);
}

}  // namespace burnish::ir
