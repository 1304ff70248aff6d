#include "ops/window.h"

#include <algorithm>

#include "base/error.h"

namespace burnish::ops {
namespace {

int64_t entry(const std::vector<int64_t>& list, size_t i, int64_t otherwise) {
  return list.empty() ? otherwise : list[i];
}

bool same(const WindowAttributes& attributes) {
  return attributes.auto_pad == "SAME_UPPER" || attributes.auto_pad == "SAME_LOWER";
}

}  // namespace

void check_window(const WindowAttributes& attributes, size_t spatial_rank) {
  const auto check = [&](const char* name, const std::vector<int64_t>& list, size_t length, int64_t least) {
    require(list.empty() || list.size() == length, "{} has {} entries; {} spatial dimensions need {}", name,
            list.size(), spatial_rank, length);
    for (int64_t value : list)
      require(value >= least, "{} has the entry {}; at least {} is expected", name, value, least);
  };
  check("strides", attributes.strides, spatial_rank, 1);
  check("dilations", attributes.dilations, spatial_rank, 1);
  check("pads", attributes.pads, 2 * spatial_rank, 0);
  require(attributes.auto_pad == "NOTSET" || attributes.auto_pad == "VALID" || same(attributes),
          "auto_pad is '{}'; NOTSET, VALID, SAME_UPPER or SAME_LOWER is expected", attributes.auto_pad);
}

std::vector<ir::Dim> window_outputs(const WindowAttributes& attributes, std::span<const ir::Dim> kernel,
                                    std::span<const ir::Dim> input, bool ceil_mode) {
  const size_t rank = input.size();
  require(kernel.size() == rank, "the window has {} dimensions, the input has {} spatial ones", kernel.size(),
          rank);
  check_window(attributes, rank);
  std::vector<ir::Dim> outputs(rank);
  for (size_t d = 0; d < rank; ++d) {
    const ir::Dim stride = entry(attributes.strides, d, 1);
    if (same(attributes)) {
      outputs[d] = ceil_div(input[d], stride);
      continue;
    }
    const bool padded = attributes.auto_pad == "NOTSET";
    const ir::Dim begin = padded ? entry(attributes.pads, d, 0) : 0,
                  end = padded ? entry(attributes.pads, d + rank, 0) : 0;
    const ir::Dim extent = (kernel[d] - 1) * entry(attributes.dilations, d, 1) + 1;
    const ir::Dim room = input[d] + begin + end - extent;
    require(!room.is_constant() || room.constant() >= 0,
            "a window of extent {} does not fit into dimension {} of size {} with padding", extent.str(), d,
            input[d].str());
    outputs[d] = ceil_mode && padded ? min(ceil_div(room, stride) + 1, ceil_div(input[d] + begin, stride))
                                     : floor_div(room, stride) + 1;
  }
  return outputs;
}

Window resolve_window(const WindowAttributes& attributes, std::span<const int64_t> kernel,
                      std::span<const int64_t> input) {
  const size_t rank = kernel.size();
  check_window(attributes, rank);
  Window window;
  window.kernel.assign(kernel.begin(), kernel.end());
  for (size_t d = 0; d < rank; ++d) {
    window.strides.push_back(entry(attributes.strides, d, 1));
    window.dilations.push_back(entry(attributes.dilations, d, 1));
    int64_t begin = 0, end = 0;
    if (attributes.auto_pad == "NOTSET") {
      begin = entry(attributes.pads, d, 0);
      end = entry(attributes.pads, d + rank, 0);
    } else if (same(attributes)) {
      const int64_t output = (input[d] + window.strides[d] - 1) / window.strides[d];
      const int64_t extent = (kernel[d] - 1) * window.dilations[d] + 1;
      const int64_t total = std::max<int64_t>(0, (output - 1) * window.strides[d] + extent - input[d]);
      begin = attributes.auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
      end = total - begin;
    }
    window.pads_begin.push_back(begin);
    window.pads_end.push_back(end);
  }
  return window;
}

void make_pads_explicit(WindowAttributes& attributes, std::span<const ir::Dim> kernel,
                        std::span<const ir::Dim> input) {
  if (attributes.auto_pad == "NOTSET" || kernel.size() != input.size()) return;
  check_window(attributes, kernel.size());
  Shape extents, sizes;
  for (size_t d = 0; d < kernel.size(); ++d) {
    // With stride 1 every size gets the same padding, so any will do.
    const bool any_size = !same(attributes) || entry(attributes.strides, d, 1) == 1;
    if (!kernel[d].is_constant() || !(input[d].is_constant() || any_size)) return;
    extents.push_back(kernel[d].constant());
    sizes.push_back(input[d].is_constant() ? input[d].constant() : 1);
  }
  const Window window = resolve_window(attributes, extents, sizes);
  attributes.auto_pad = "NOTSET";
  attributes.pads = window.pads_begin;
  attributes.pads.insert(attributes.pads.end(), window.pads_end.begin(), window.pads_end.end());
}

}  // namespace burnish::ops
