#include "ops/index.h"

#include "base/error.h"
#include "ops/host.h"
#include "ops/strided.h"

namespace burnish::ops {

void check_indices(const InferContext& context, int i) {
  const DType dtype = context.dtype(i);
  require(dtype == DType::i64 || dtype == DType::i32, "indices must be i32 or i64, not {}",
          dtype_name(dtype));
}

int64_t checked_index(int64_t index, int64_t size) {
  require(index >= -size && index < size, "index {} is out of range for a dimension of {}", index, size);
  return index < 0 ? index + size : index;
}

std::vector<int64_t> element_places(const Shape& shape, const Tensor& indices, int64_t axis) {
  const std::vector<int64_t> strides = dense_strides(shape);
  std::vector<int64_t> places = integers_of(indices);
  const size_t along = static_cast<size_t>(axis), rank = shape.size();
  for (size_t d = 0; d < rank; ++d)
    require(d == along || indices.shape()[d] <= shape[d], "indices of shape {} reach beyond shape {}",
            shape_text(indices.shape()), shape_text(shape));
  Shape at(rank, 0);
  for (int64_t& place : places) {
    place = checked_index(place, shape[along]) * strides[along];
    for (size_t d = 0; d < rank; ++d)
      if (d != along) place += at[d] * strides[d];
    for (size_t d = rank; d-- > 0;) {
      if (++at[d] < indices.shape()[d]) break;
      at[d] = 0;
    }
  }
  return places;
}

std::vector<int64_t> slice_places(const Shape& shape, const Tensor& indices, int64_t batch_dims) {
  const std::vector<int64_t> strides = dense_strides(shape);
  const int64_t depth = indices.shape().back();
  int64_t batches = 1, batch_stride = 1, vectors = 1;
  for (size_t d = 0; d + 1 < indices.shape().size(); ++d) vectors *= indices.shape()[d];
  for (size_t d = 0; d < shape.size(); ++d)
    (d < static_cast<size_t>(batch_dims) ? batches : batch_stride) *= shape[d];
  for (size_t d = 0; d < static_cast<size_t>(batch_dims); ++d)
    require(shape[d] == indices.shape()[d], "batch dimensions of {} and {} differ", shape_text(shape),
            shape_text(indices.shape()));
  const std::vector<int64_t> numbers = integers_of(indices);
  std::vector<int64_t> places(static_cast<size_t>(vectors), 0);
  for (int64_t i = 0; i < vectors; ++i) {
    int64_t& place = places[static_cast<size_t>(i)];
    place = batch_dims > 0 ? i / (vectors / batches) * batch_stride : 0;
    for (int64_t k = 0; k < depth; ++k) {
      const size_t d = static_cast<size_t>(batch_dims + k);
      place += checked_index(numbers[static_cast<size_t>(i * depth + k)], shape[d]) * strides[d];
    }
  }
  return places;
}

}  // namespace burnish::ops
