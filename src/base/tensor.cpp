#include <burnish/tensor.h>

#include <cstdlib>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace burnish {

int64_t element_count(const Shape& shape) {
  int64_t count = 1;
  for (int64_t dim : shape) {
    if (dim < 0) fail("shape {} has a negative dimension", shape_text(shape));
    if (__builtin_mul_overflow(count, dim, &count)) fail("shape {} has too many elements", shape_text(shape));
  }
  return count;
}

std::string shape_text(const Shape& shape) {
  if (shape.empty()) return "scalar";
  std::string text;
  for (int64_t dim : shape) text += (text.empty() ? "" : "x") + std::to_string(dim);
  return text;
}

Tensor::Tensor(DType dtype, Shape shape)
    : dtype_(dtype), defined_(true), shape_(std::move(shape)), size_(element_count(shape_)) {
  constexpr size_t alignment = 64;
  require(size_ < std::numeric_limits<int64_t>::max() / 16, "shape {} has too many elements", shape_text(shape_));
  const size_t size = (static_cast<size_t>(bytes()) + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, size ? size : alignment);
  require(memory != nullptr, "out of memory: {} bytes for a tensor of shape {}", size, shape_text(shape_));
  data_ = memory;
  owner_ = std::shared_ptr<void>(memory, std::free);
}

Tensor Tensor::view(DType dtype, Shape shape, void* data, std::shared_ptr<const void> keep_alive, DeviceId device) {
  Tensor tensor;
  tensor.dtype_ = dtype;
  tensor.defined_ = true;
  tensor.device_ = device;
  tensor.size_ = element_count(shape);
  tensor.shape_ = std::move(shape);
  tensor.data_ = data;
  tensor.owner_ = std::move(keep_alive);
  return tensor;
}

Tensor Tensor::reshaped(Shape shape) const {
  require(element_count(shape) == size_, "cannot view {} elements of shape {} as {}", size_, shape_text(shape_),
          shape_text(shape));
  Tensor tensor = *this;
  tensor.shape_ = std::move(shape);
  return tensor;
}

Tensor Tensor::clone() const {
  if (empty()) return {};
  require(device_.is_host(), "only a tensor on the host can be cloned");
  Tensor copy(dtype_, shape_);
  if (bytes() > 0) std::memcpy(copy.raw(), data_, static_cast<size_t>(bytes()));
  return copy;
}

void Tensor::check_dtype(DType wanted) const {
  if (wanted != dtype_) fail("tensor holds {}, not {}", dtype_name(dtype_), dtype_name(wanted));
}

}  // namespace burnish
