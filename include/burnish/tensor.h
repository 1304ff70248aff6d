// A dense tensor in row-major order, on the host or on a device.
#pragma once

#include <burnish/dtype.h>

#include <memory>
#include <string>
#include <vector>

namespace burnish {

using Shape = std::vector<int64_t>;

/// Where memory lives; the numbers are DLPack's device types (1 CPU, 2 CUDA).
struct DeviceId {
  int32_t type = 1;
  int32_t index = 0;
  bool is_host() const { return type == 1; }
  friend bool operator==(const DeviceId&, const DeviceId&) = default;
};

/// The product of the dimensions; throws Error if one is negative or the product overflows.
int64_t element_count(const Shape& shape);
/// "1x3x224x224"; "scalar" for rank 0.
std::string shape_text(const Shape& shape);

/// Shape, element type and (shared) memory. Copying a Tensor shares its memory; clone() copies it.
class Tensor {
 public:
  /// No tensor at all: an omitted optional input. empty() is true.
  Tensor() = default;
  /// Fresh host memory, aligned to 64 bytes, not initialised.
  Tensor(DType dtype, Shape shape);

  /// A view of memory that somebody else owns; `keep_alive` is held as long as the view lives.
  static Tensor view(DType dtype, Shape shape, void* data, std::shared_ptr<const void> keep_alive = {},
                     DeviceId device = {});
  template <class T>
  static Tensor of(Shape shape, const std::vector<T>& values);
  template <class T>
  static Tensor scalar(T value) {
    return of<T>({}, {value});
  }

  bool empty() const { return data_ == nullptr && !defined_; }
  DType dtype() const { return dtype_; }
  const Shape& shape() const { return shape_; }
  int64_t rank() const { return static_cast<int64_t>(shape_.size()); }
  int64_t size() const { return size_; }  ///< number of elements
  int64_t bytes() const { return size_ * dtype_bytes(dtype_); }
  DeviceId device() const { return device_; }

  void* raw() { return data_; }
  const void* raw() const { return data_; }
  /// Typed access; throws Error when T is not the element type.
  template <class T>
  T* data() {
    check_dtype(dtype_of<T>);
    return static_cast<T*>(data_);
  }
  template <class T>
  const T* data() const {
    check_dtype(dtype_of<T>);
    return static_cast<const T*>(data_);
  }

  /// The same memory with another shape of as many elements.
  Tensor reshaped(Shape shape) const;
  /// A copy in fresh host memory (host tensors only).
  Tensor clone() const;
  /// The owner of the memory, to keep it alive beyond this object.
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  void check_dtype(DType wanted) const;

  DType dtype_ = DType::f32;
  bool defined_ = false;
  DeviceId device_;
  Shape shape_;
  int64_t size_ = 0;
  void* data_ = nullptr;
  std::shared_ptr<const void> owner_;
};

template <class T>
Tensor Tensor::of(Shape shape, const std::vector<T>& values) {
  Tensor tensor(dtype_of<T>, std::move(shape));
  T* data = tensor.data<T>();
  for (int64_t i = 0; i < tensor.size(); ++i) data[i] = values.at(static_cast<size_t>(i));
  return tensor;
}

}  // namespace burnish
