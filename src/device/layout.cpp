#include "device/layout.h"

#include <algorithm>
#include <cstring>

#include "base/dispatch.h"
#include "base/parallel.h"

namespace burnish::device {
namespace {

int64_t block_of(ir::Layout layout) { return layout == ir::Layout::c8 ? 8 : layout == ir::Layout::c16 ? 16 : 1; }

bool divides(int64_t block, const ir::Dim& dim) { return block == 1 || (dim.is_constant() && dim.constant() % block == 0); }

/// Calls body(plain index, laid-out index) for every element of a tensor of rank >= 2, in parallel.
template <class Body>
void for_each_element(const Shape& shape, ir::Layout layout, int64_t pitch, Body&& body) {
  const int64_t batch = shape[0], channels = shape[1];
  int64_t pixels = 1;
  for (size_t d = 2; d < shape.size(); ++d) pixels *= shape[d];
  const int64_t block = layout == ir::Layout::nhwc ? channels : block_of(layout);
  const int64_t row = pitch ? pitch : block;
  const int64_t blocks = channels == 0 ? 0 : (channels + block - 1) / block;
  constexpr int64_t grain = 1 << 14;
  parallel_for(batch * channels, grain / std::max<int64_t>(1, pixels), [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) {
      const int64_t n = plane / channels, c = plane % channels;
      for (int64_t p = 0; p < pixels; ++p)
        body(plane * pixels + p, ((n * blocks + c / block) * pixels + p) * row + c % block);
    }
  });
}

/// Logical dimensions, outermost in memory first.
std::vector<size_t> memory_order(size_t rank, ir::Layout layout) {
  std::vector<size_t> order;
  for (size_t d = 0; d < rank; ++d)
    if (d != 1 || layout != ir::Layout::nhwc) order.push_back(d);
  if (layout == ir::Layout::nhwc && rank > 1) order.push_back(1);
  return order;
}

}  // namespace

bool lies_alike(const std::vector<ir::Dim>& shape, ir::Layout a, ir::Layout b) {
  if (a == b || shape.size() < 2) return true;
  // With one pixel there are only channels, in their order, unless the last block is padded.
  for (size_t d = 2; d < shape.size(); ++d)
    if (!shape[d].is(1)) return false;
  return divides(block_of(a), shape[1]) && divides(block_of(b), shape[1]);
}

bool transposes_in_memory(const std::vector<ir::Dim>& shape, const std::vector<int64_t>& perm, ir::Layout from, ir::Layout to) {
  if (block_of(from) > 1 || block_of(to) > 1) return false;
  // The input's dimensions in the order in which each side has them in memory.
  std::vector<int64_t> before, after;
  for (size_t d : memory_order(shape.size(), from)) before.push_back(static_cast<int64_t>(d));
  for (size_t d : memory_order(shape.size(), to)) after.push_back(perm.empty() ? static_cast<int64_t>(shape.size() - 1 - d) : perm[d]);
  const auto is_one = [&](int64_t d) { return shape[static_cast<size_t>(d)].is(1); };
  std::erase_if(before, is_one);
  std::erase_if(after, is_one);
  return before == after;
}

std::vector<std::array<ir::Layout, 2>> layouts_without_moves(const std::vector<ir::Dim>& shape, const std::vector<int64_t>& perm) {
  std::vector<std::array<ir::Layout, 2>> found;
  if (shape.size() < 3) return found;
  for (ir::Layout from : {ir::Layout::nhwc, ir::Layout::plain})
    for (ir::Layout to : {ir::Layout::nhwc, ir::Layout::plain})
      if (transposes_in_memory(shape, perm, from, to)) found.push_back({from, to});
  return found;
}

bool concatenates_in_memory(std::span<const std::vector<ir::Dim>> parts, int64_t axis, ir::Layout layout) {
  if (layout == ir::Layout::nhwc || (layout != ir::Layout::plain && axis != 1)) return false;
  for (const std::vector<ir::Dim>& part : parts) {
    for (int64_t d = 0; d < axis; ++d)
      if (!part[static_cast<size_t>(d)].is(1)) return false;
    if (!divides(block_of(layout), part[static_cast<size_t>(axis)])) return false;
  }
  return true;
}

Tensor to_layout(const Tensor& plain, ir::Layout layout, int64_t pitch) {
  const int64_t bytes = ir::storage_bytes(plain.dtype(), plain.shape(), layout, pitch);
  Tensor laid(DType::u8, {bytes});
  if (layout == ir::Layout::plain || plain.rank() < 2) {
    if (bytes > 0) std::memcpy(laid.raw(), plain.raw(), static_cast<size_t>(bytes));
    return laid;
  }
  std::memset(laid.raw(), 0, static_cast<size_t>(bytes));
  dispatch_bytes(plain.dtype(), [&]<class T>(Type<T>) {
    const T* from = static_cast<const T*>(plain.raw());
    T* to = static_cast<T*>(laid.raw());
    for_each_element(plain.shape(), layout, pitch, [&](int64_t p, int64_t l) { to[l] = from[p]; });
  });
  return laid;
}

Tensor from_layout(const void* data, DType dtype, const Shape& shape, ir::Layout layout, int64_t pitch) {
  Tensor plain(dtype, shape);
  if (layout == ir::Layout::plain || shape.size() < 2) {
    if (plain.bytes() > 0) std::memcpy(plain.raw(), data, static_cast<size_t>(plain.bytes()));
    return plain;
  }
  dispatch_bytes(dtype, [&]<class T>(Type<T>) {
    const T* from = static_cast<const T*>(data);
    T* to = static_cast<T*>(plain.raw());
    for_each_element(shape, layout, pitch, [&](int64_t p, int64_t l) { to[p] = from[l]; });
  });
  return plain;
}

}  // namespace burnish::device
