#include "ops/host.h"

#include "base/dispatch.h"

namespace burnish::ops {

std::vector<int64_t> integers_of(const Tensor& tensor) {
  require(!is_floating(tensor.dtype()), "expected integers, not {}", dtype_name(tensor.dtype()));
  std::vector<int64_t> values(static_cast<size_t>(tensor.size()));
  dispatch(AllTypes{}, tensor.dtype(), [&]<class T>(Type<T>) {
    const T* data = tensor.data<T>();
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(data[i]);
  });
  return values;
}

std::vector<double> numbers_of(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.size()));
  dispatch(AllTypes{}, tensor.dtype(), [&]<class T>(Type<T>) {
    const T* data = tensor.data<T>();
    for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(data[i]);
  });
  return values;
}

int64_t integer_of(const Tensor& tensor) {
  require(tensor.size() == 1, "expected one number, not shape {}", shape_text(tensor.shape()));
  return integers_of(tensor)[0];
}

double number_of(const Tensor& tensor) {
  require(tensor.size() == 1, "expected one number, not shape {}", shape_text(tensor.shape()));
  return numbers_of(tensor)[0];
}

}  // namespace burnish::ops
