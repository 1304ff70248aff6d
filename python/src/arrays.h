// Tensors to and from Python's arrays, without copies: NumPy, and whatever speaks DLPack.
#pragma once

#include <burnish/tensor.h>
#include <nanobind/ndarray.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "device/device.h"

namespace burnish::python {

/// NumPy's name of an element type, or ml_dtypes' where NumPy has none: "float32", "bfloat16",
/// "float8_e4m3fn", "int4".
std::string_view numpy_name(DType dtype);
/// Whether NumPy itself has this element type.
bool in_numpy(DType dtype);

/// DLPack's code of an element type; four-bit integers, a byte each here, have that of bytes.
nanobind::dlpack::dtype dlpack_type(DType dtype);
/// The element type with DLPack's code; four-bit ones never, their bytes are int8 and uint8 here.
std::optional<DType> from_dlpack(nanobind::dlpack::dtype type);

/// CUDA's legacy default stream, which DLPack's producers write to unless told otherwise; 0 would mean "none
/// given".
inline void* const legacy_stream = reinterpret_cast<void*>(1);

/// An array that Python holds, as a tensor, which views the array's memory while `owner` lives.
struct Borrowed {
  Tensor tensor;
  nanobind::ndarray<nanobind::ro> owner;  ///< to be let go with the GIL held
};

/// Views `array`; one that is not contiguous, or not aligned to its elements, is copied. Where `wanted` is a
/// type that NumPy lacks, an array of unsigned integers as wide holds its bits. Throws Error that starts with
/// `what` ("input 'x'").
Borrowed borrow_array(nanobind::handle array, DType wanted, const std::string& what);

/// The same for an array that is written into: it must be writable and contiguous, since a copy would be of
/// no use.
Borrowed borrow_output(nanobind::handle array, DType wanted, const std::string& what);

/// A NumPy array that shares a host tensor's memory; a tensor on a device, or of a type that NumPy lacks,
/// becomes burnish.Array. `device` is the one that made the tensor, and `stream` the one of its streams that
/// writes it.
nanobind::object to_python(Tensor tensor, const std::shared_ptr<device::Device>& device, void* stream);

/// Adds the class Array.
void bind_array(nanobind::module_& module);

}  // namespace burnish::python
