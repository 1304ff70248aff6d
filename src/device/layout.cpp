#include "device/layout.h"

#include <cstring>

#include "base/dispatch.h"

namespace burnish::device {
namespace {

/// Calls body(plain index, laid-out index) for every element of a tensor of rank >= 2.
template <class Body>
void for_each_element(const Shape& shape, ir::Layout layout, Body&& body) {
  const int64_t batch = shape[0], channels = shape[1];
  int64_t pixels = 1;
  for (size_t d = 2; d < shape.size(); ++d) pixels *= shape[d];
  const int64_t block = layout == ir::Layout::c8 ? 8 : layout == ir::Layout::c16 ? 16 : channels;
  const int64_t blocks = channels == 0 ? 0 : (channels + block - 1) / block;
  for (int64_t n = 0; n < batch; ++n)
    for (int64_t c = 0; c < channels; ++c)
      for (int64_t p = 0; p < pixels; ++p)
        body((n * channels + c) * pixels + p, ((n * blocks + c / block) * pixels + p) * block + c % block);
}

}  // namespace

Tensor to_layout(const Tensor& plain, ir::Layout layout) {
  const int64_t bytes = ir::storage_bytes(plain.dtype(), plain.shape(), layout);
  Tensor laid(DType::u8, {bytes});
  if (layout == ir::Layout::plain || plain.rank() < 2) {
    if (bytes > 0) std::memcpy(laid.raw(), plain.raw(), static_cast<size_t>(bytes));
    return laid;
  }
  std::memset(laid.raw(), 0, static_cast<size_t>(bytes));
  dispatch_bytes(plain.dtype(), [&]<class T>(Type<T>) {
    const T* from = static_cast<const T*>(plain.raw());
    T* to = static_cast<T*>(laid.raw());
    for_each_element(plain.shape(), layout, [&](int64_t p, int64_t l) { to[l] = from[p]; });
  });
  return laid;
}

Tensor from_layout(const void* data, DType dtype, const Shape& shape, ir::Layout layout) {
  Tensor plain(dtype, shape);
  if (layout == ir::Layout::plain || shape.size() < 2) {
    if (plain.bytes() > 0) std::memcpy(plain.raw(), data, static_cast<size_t>(plain.bytes()));
    return plain;
  }
  dispatch_bytes(dtype, [&]<class T>(Type<T>) {
    const T* from = static_cast<const T*>(data);
    T* to = static_cast<T*>(plain.raw());
    for_each_element(shape, layout, [&](int64_t p, int64_t l) { to[p] = from[l]; });
  });
  return plain;
}

}  // namespace burnish::device
