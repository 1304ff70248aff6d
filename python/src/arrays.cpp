#include "arrays.h"

#include <burnish/error.h>
#include <fmt/format.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <optional>

#include "base/error.h"

namespace nb = nanobind;

namespace burnish::python {
namespace {

using Code = nb::dlpack::dtype_code;

struct ElementType {
  DType dtype;
  Code code;
  uint8_t bits;
  bool in_numpy;
  std::string_view name;
};

/// Four-bit integers take a byte each here and in ml_dtypes; DLPack knows them packed only, so they go as
/// bytes.
constexpr ElementType element_types[] = {
    {DType::f32, Code::Float, 32, true, "float32"},
    {DType::f16, Code::Float, 16, true, "float16"},
    {DType::bf16, Code::Bfloat, 16, false, "bfloat16"},
    {DType::f64, Code::Float, 64, true, "float64"},
    {DType::f8e4m3, Code::Float8_E4M3FN, 8, false, "float8_e4m3fn"},
    {DType::f8e5m2, Code::Float8_E5M2, 8, false, "float8_e5m2"},
    {DType::i8, Code::Int, 8, true, "int8"},
    {DType::u8, Code::UInt, 8, true, "uint8"},
    {DType::i16, Code::Int, 16, true, "int16"},
    {DType::u16, Code::UInt, 16, true, "uint16"},
    {DType::i32, Code::Int, 32, true, "int32"},
    {DType::u32, Code::UInt, 32, true, "uint32"},
    {DType::i64, Code::Int, 64, true, "int64"},
    {DType::u64, Code::UInt, 64, true, "uint64"},
    {DType::i4, Code::Int, 8, false, "int4"},
    {DType::u4, Code::UInt, 8, false, "uint4"},
    {DType::boolean, Code::Bool, 8, true, "bool"},
};
static_assert(std::size(element_types) == dtype_count);

const ElementType& element_type(DType dtype) { return element_types[static_cast<size_t>(dtype)]; }

constexpr int dlpack_host = 1, dlpack_cuda = 2, dlpack_cuda_host = 3;

/// The type whose NumPy arrays hold an element, or its bits.
DType carrier(DType dtype) {
  if (element_type(dtype).in_numpy) return dtype;
  if (dtype == DType::i4) return DType::i8;
  return dtype_bytes(dtype) == 1 ? DType::u8 : DType::u16;
}

std::string class_name(nb::handle object) { return nb::cast<std::string>(object.type().attr("__name__")); }

/// Memory that is not where its element type needs it: NumPy makes such arrays from bytes and from packed
/// records.
bool misaligned(const Tensor& tensor) {
  return reinterpret_cast<uintptr_t>(tensor.raw()) % static_cast<uintptr_t>(dtype_bytes(tensor.dtype())) != 0;
}

Tensor tensor_of(const auto& array, const std::string& what) {
  const auto type = array.dtype();
  const std::optional<DType> dtype = from_dlpack(type);
  require(dtype.has_value(), "{}: elements of DLPack's type (code {}, {} bits, {} lanes) are not supported",
          what, type.code, type.bits, type.lanes);
  DeviceId device{array.device_type() == dlpack_cuda_host ? dlpack_host : array.device_type(),
                  array.device_id()};
  if (device.is_host()) device.index = 0;
  require(device.is_host() || device.type == dlpack_cuda,
          "{}: it lies on a device of DLPack's type {}; hand it over on the host, or on a CUDA device", what,
          device.type);
  Shape shape(array.shape_ptr(), array.shape_ptr() + array.ndim());
  return Tensor::view(*dtype, std::move(shape), const_cast<void*>(static_cast<const void*>(array.data())), {},
                      device);
}

/// Reads bits as `wanted` where that is what they stand for.
void reinterpret(Tensor& tensor, DType wanted, const std::string& what) {
  if (in_numpy(wanted) || tensor.dtype() != carrier(wanted)) return;
  if ((wanted == DType::i4 || wanted == DType::u4) && tensor.device().is_host()) {
    const auto* bytes = static_cast<const uint8_t*>(tensor.raw());
    const bool fits = std::all_of(bytes, bytes + tensor.size(), [&](uint8_t byte) {
      return wanted == DType::u4 ? byte < 16 : static_cast<uint8_t>(byte + 8) < 16;
    });
    require(fits, "{}: it has values that do not fit {}", what, numpy_name(wanted));
  }
  tensor = Tensor::view(wanted, tensor.shape(), tensor.raw(), {}, tensor.device());
}

/// An array of a type of ml_dtypes, which NumPy exports neither by DLPack nor as a buffer, as its bits.
nb::object as_bits(nb::handle array, DType wanted) {
  nb::object dtype = nb::getattr(array, "dtype", nb::none());
  if (!nb::hasattr(array, "view") || !nb::hasattr(dtype, "name")) return nb::borrow(array);
  nb::object name = dtype.attr("name");
  if (!nb::isinstance<nb::str>(name) || nb::cast<std::string>(name) != numpy_name(wanted))
    return nb::borrow(array);
  return array.attr("view")(numpy_name(carrier(wanted)));
}

/// Python's buffers of numbers in the other byte order look like any other.
void require_native(nb::handle array, const std::string& what) {
  const nb::object native = nb::getattr(nb::getattr(array, "dtype", nb::none()), "isnative", nb::none());
  require(!native.is(nb::handle(Py_False)), "{}: its numbers are in the other byte order; convert them first",
          what);
}

/// The words of the exporter that refuses, such as PyTorch's about tensors that require gradients.
std::string why_not(nb::handle array) {
  if (!nb::hasattr(array, "__dlpack__"))
    return fmt::format("expected a NumPy array or one with __dlpack__, got {}", class_name(array));
  try {
    array.attr("__dlpack__")();
  } catch (nb::python_error& error) {
    return nb::cast<std::string>(nb::str(error.value()));
  }
  return fmt::format("the {} cannot be read as an array", class_name(array));
}

/// DLPack's protocol has the producer of device memory wait for the stream that reads it; -1 says that the
/// caller has put the work in order already, as when both use PyTorch's current stream.
nb::object without_waiting(nb::handle array) {
  if (!nb::hasattr(array, "__dlpack_device__")) return nb::borrow(array);
  const nb::object device = array.attr("__dlpack_device__")();
  if (nb::cast<int>(device[0]) != dlpack_cuda) return nb::borrow(array);
  return array.attr("__dlpack__")(nb::arg("stream") = -1);
}

/// Memory for the life of the object that `owner` wraps, as Python sees it.
nb::capsule owner_of(Tensor tensor) {
  return nb::capsule(new Tensor(std::move(tensor)),
                     [](void* held) noexcept { delete static_cast<Tensor*>(held); });
}

template <class... Framework>
nb::object share(const Tensor& tensor, nb::handle owner, nb::dlpack::dtype type) {
  const std::vector<size_t> shape(tensor.shape().begin(), tensor.shape().end());
  return nb::cast(
      nb::ndarray<Framework...>(const_cast<void*>(tensor.raw()), shape.size(), shape.data(), owner, nullptr,
                                type, tensor.device().type, tensor.device().index),
      nb::rv_policy::reference);
}

/// burnish.Array: a tensor that NumPy cannot hold.
struct Array {
  Tensor tensor;
  std::shared_ptr<device::Device> device;
  void* stream = nullptr;  // that writes it
};

/// Waits until what was enqueued on the array's stream is done.
void wait_for(const Array& array) {
  if (array.tensor.device().is_host()) return;
  nb::gil_scoped_release unlocked;
  array.device->execute([&] { array.device->wrap_stream(array.stream)->synchronize(); });
}

nb::object to_numpy(nb::handle self) {
  const Array& array = nb::cast<const Array&>(self);
  const nb::dlpack::dtype type = dlpack_type(carrier(array.tensor.dtype()));
  if (array.tensor.device().is_host()) return share<nb::numpy>(array.tensor, self, type);
  wait_for(array);
  const Tensor copy = array.device->to_host(array.tensor);
  return share<nb::numpy>(copy, owner_of(copy), type);
}

nb::object dlpack(nb::handle self, const nb::kwargs& options) {
  const Array& array = nb::cast<const Array&>(self);
  const nb::object stream = options.contains("stream") ? nb::object(options["stream"]) : nb::none();
  const bool same = nb::isinstance<nb::int_>(stream) &&
                    nb::cast<intptr_t>(stream) == reinterpret_cast<intptr_t>(array.stream);
  if (!same) wait_for(array);
  return share<>(array.tensor, self, dlpack_type(array.tensor.dtype()));  // a capsule
}

}  // namespace

std::string_view numpy_name(DType dtype) { return element_type(dtype).name; }
bool in_numpy(DType dtype) { return element_type(dtype).in_numpy; }

nb::dlpack::dtype dlpack_type(DType dtype) {
  return {static_cast<uint8_t>(element_type(dtype).code), element_type(dtype).bits, 1};
}

std::optional<DType> from_dlpack(nb::dlpack::dtype type) {
  for (const ElementType& known : element_types)
    if (dlpack_type(known.dtype) == type && known.dtype != DType::i4 && known.dtype != DType::u4)
      return known.dtype;
  return std::nullopt;
}

Borrowed borrow_array(nb::handle array, DType wanted, const std::string& what) {
  require_native(array, what);
  nb::ndarray<nb::ro, nb::c_contig> view;
  nb::object source = without_waiting(array);
  if (!nb::try_cast(source, view, true)) {
    source = as_bits(array, wanted);
    if (source.is(array) || !nb::try_cast(source, view, true)) fail("{}: {}", what, why_not(array));
  }
  Tensor tensor = tensor_of(view, what);
  reinterpret(tensor, wanted, what);
  if (tensor.device().is_host() && misaligned(tensor)) tensor = tensor.clone();
  return {std::move(tensor), nb::ndarray<nb::ro>(view)};
}

Borrowed borrow_output(nb::handle array, DType wanted, const std::string& what) {
  require_native(array, what);
  nb::ndarray<nb::c_contig> view;
  if (!nb::try_cast(array, view, false)) {
    const nb::object bits = as_bits(array, wanted);
    if (bits.is(array) || !nb::try_cast(bits, view, false))
      fail("{}: expected a writable, contiguous array", what);
  }
  Tensor tensor = tensor_of(view, what);
  reinterpret(tensor, wanted, what);
  require(!misaligned(tensor), "{}: its memory is not aligned to its elements", what);
  return {std::move(tensor), nb::ndarray<nb::ro>(view)};
}

nb::object to_python(Tensor tensor, const std::shared_ptr<device::Device>& device, void* stream) {
  if (!tensor.device().is_host() || !in_numpy(tensor.dtype()))
    return nb::cast(Array{std::move(tensor), device, stream});
  const nb::capsule owner = owner_of(tensor);
  return share<nb::numpy>(tensor, owner, dlpack_type(tensor.dtype()));
}

void bind_array(nb::module_& module) {
  nb::class_<Array>(module, "Array",
                    "A tensor that NumPy cannot hold: one on a GPU, or of bfloat16, float8 or a four-bit "
                    "integer. It exports its\n"
                    "memory by DLPack, as in torch.from_dlpack(array).")
      .def_prop_ro(
          "shape", [](const Array& self) { return nb::tuple(nb::cast(self.tensor.shape())); },
          nb::sig("def shape(self) -> tuple[int, ...]"), "The size of each dimension.")
      .def_prop_ro(
          "dtype", [](const Array& self) { return numpy_name(self.tensor.dtype()); },
          "The element type, as in \"bfloat16\".")
      .def(
          "numpy", &to_numpy, nb::sig("def numpy(self) -> numpy.ndarray"),
          "A NumPy array. Elements of a type that NumPy lacks come as their bits, in unsigned integers as "
          "wide (int4 as\n"
          "int8), which ml_dtypes can view: array.numpy().view(ml_dtypes.bfloat16). From a GPU it is a copy.")
      .def("__dlpack__", &dlpack, nb::sig("def __dlpack__(self, **options: object) -> object"))
      .def("__dlpack_device__",
           [](const Array& self) {
             return std::make_pair(self.tensor.device().type, self.tensor.device().index);
           })
      .def("__repr__", [](const Array& self) {
        return fmt::format(
            "burnish.Array({}, {}, {})", numpy_name(self.tensor.dtype()), shape_text(self.tensor.shape()),
            self.tensor.device().is_host() ? "cpu" : fmt::format("cuda:{}", self.tensor.device().index));
      });
}

}  // namespace burnish::python
