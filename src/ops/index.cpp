#include "ops/index.h"

#include "base/dispatch.h"
#include "base/error.h"

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

void for_each_element_place(const Shape& shape, const Tensor& indices, int64_t axis,
                            FunctionRef<void(int64_t)> body) {
  const size_t along = static_cast<size_t>(axis), rank = shape.size();
  for (size_t d = 0; d < rank; ++d)
    require(d == along || indices.shape()[d] <= shape[d], "indices of shape {} reach beyond shape {}",
            shape_text(indices.shape()), shape_text(shape));
  dispatch(Types<int32_t, int64_t>(), indices.dtype(), [&]<class Index>(Type<Index>) {
    const Index* index = indices.data<Index>();
    for (int64_t i = 0; i < indices.size(); ++i) {
      int64_t place = 0, stride = 1, rest = i;
      for (size_t d = rank; d-- > 0; stride *= shape[d]) {
        place += stride * (d == along ? checked_index(index[i], shape[d]) : rest % indices.shape()[d]);
        rest /= indices.shape()[d];
      }
      body(place);
    }
  });
}

void for_each_slice_place(const Shape& shape, const Tensor& indices, int64_t batch_dims,
                          FunctionRef<void(int64_t)> body) {
  const size_t batch_rank = static_cast<size_t>(batch_dims),
               depth = static_cast<size_t>(indices.shape().back());
  int64_t batches = 1, vectors = 1, slice = 1;
  for (size_t d = 0; d + 1 < indices.shape().size(); ++d) vectors *= indices.shape()[d];
  for (size_t d = 0; d < batch_rank; ++d) {
    require(shape[d] == indices.shape()[d], "batch dimensions of {} and {} differ", shape_text(shape),
            shape_text(indices.shape()));
    batches *= shape[d];
  }
  for (size_t d = batch_rank + depth; d < shape.size(); ++d) slice *= shape[d];
  dispatch(Types<int32_t, int64_t>(), indices.dtype(), [&]<class Index>(Type<Index>) {
    const Index* index = indices.data<Index>();
    for (int64_t i = 0; i < vectors; ++i) {
      int64_t place = i / (vectors / batches);  // the batch; 0 where there is one alone
      for (size_t k = 0; k < depth; ++k, ++index) {
        const int64_t size = shape[batch_rank + k];
        place = place * size + checked_index(*index, size);
      }
      body(place * slice);
    }
  });
}

}  // namespace burnish::ops
