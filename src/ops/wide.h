// Reference kernels written for wide types alone: f16 and bf16 go through f32.
#pragma once

#include "base/dispatch.h"
#include "ops/op_def.h"

namespace burnish::ops {

/// An f32 copy of an f16 or bf16 tensor; any other tensor (or none) as it is.
Tensor widened(const Tensor& tensor);

/// Runs `kernel` with f16 and bf16 inputs widened to f32, and rounds what it makes to the outputs' own types.
void run_widened(const ReferenceCall& call, void (*kernel)(const ReferenceCall&));

/// `.reference(widen<kernel>)`: the kernel sees f32 and f64 (and whatever integers the op takes), no narrow
/// floats.
template <void (*kernel)(const ReferenceCall&)>
void widen(const ReferenceCall& call) {
  run_widened(call, kernel);
}

using WideFloatTypes = Types<float, double>;
/// What contractions compute in; integers wrap, so kernels reinterpret them as unsigned ones.
using WideNumberTypes = Types<float, double, int32_t, uint32_t, int64_t, uint64_t>;

/// T itself for floats, the unsigned type of its width for integers.
template <class T>
struct Wrapping {
  using type = std::make_unsigned_t<T>;
};
template <>
struct Wrapping<float> {
  using type = float;
};
template <>
struct Wrapping<double> {
  using type = double;
};
template <class T>
using wrapping_t = typename Wrapping<T>::type;

/// A tensor's elements as the wrapping type of T. The tensor must hold T.
template <class T>
const wrapping_t<T>* wrapping_data(const Tensor& tensor) {
  return reinterpret_cast<const wrapping_t<T>*>(tensor.data<T>());
}
template <class T>
wrapping_t<T>* wrapping_data(Tensor& tensor) {
  return reinterpret_cast<wrapping_t<T>*>(tensor.data<T>());
}

}  // namespace burnish::ops
