#include "call.h"

#include <algorithm>
#include <cstdlib>

#include "arrays.h"
#include "base/error.h"

namespace nb = nanobind;

namespace burnish::python {
namespace {

struct Release {
  void operator()(DlManaged* tensor) const {
    if (tensor->deleter) tensor->deleter(tensor);
  }
};
using Managed = std::unique_ptr<DlManaged, Release>;

DeviceId device_of(const DlTensor& tensor) {
  constexpr int32_t pinned_host = 3;
  const bool on_host = tensor.device.device_type == pinned_host || tensor.device.device_type == 1;
  return on_host ? DeviceId{} : DeviceId{tensor.device.device_type, tensor.device.device_id};
}

bool is_row_major(const DlTensor& tensor) {
  if (!tensor.strides) return true;
  int64_t expected = 1;
  for (int32_t i = tensor.ndim; i-- > 0;) {
    if (tensor.shape[i] == 0) return true;
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
    expected *= tensor.shape[i];
  }
  return true;
}

/// The tensor that a view shows, if the engine can read it in place.
std::optional<Tensor> in_place(const DlTensor& seen, DeviceId device) {
  const std::optional<DType> dtype = from_dlpack(seen.dtype);
  char* data = static_cast<char*>(seen.data) + seen.byte_offset;
  if (!dtype || device_of(seen) != device || !is_row_major(seen)) return std::nullopt;
  if (reinterpret_cast<uintptr_t>(data) % static_cast<uintptr_t>(dtype_bytes(*dtype)) != 0)
    return std::nullopt;
  return Tensor::view(*dtype, Shape(seen.shape, seen.shape + seen.ndim), data, {}, device);
}

/// An int as the first dimension of a tensor without elements.
std::optional<Tensor> size_tensor(nb::handle argument) {
  if (!PyLong_Check(argument.ptr())) return std::nullopt;
  const int64_t size = PyLong_AsLongLong(argument.ptr());
  if (size < 0) {
    PyErr_Clear();
    return std::nullopt;
  }
  return Tensor(DType::f32, {size, 0});
}

std::optional<TensorMap> inputs_of(const Signature& signature, nb::handle arguments, DeviceId device) {
  TensorMap inputs;
  for (const Slot& slot : signature.inputs()) {
    const nb::handle argument = PyTuple_GET_ITEM(arguments.ptr(), static_cast<Py_ssize_t>(slot.position));
    std::optional<Tensor> tensor;
    if (slot.is_size)
      tensor = size_tensor(argument);
    else if (const std::optional<DlTensor> seen = signature.view(argument))
      tensor = in_place(*seen, device);
    if (!tensor) return std::nullopt;
    inputs.emplace(slot.name, std::move(*tensor));
  }
  return inputs;
}

DlTensor description(const Tensor& tensor) {
  DlTensor described;
  described.data = const_cast<void*>(tensor.raw());
  described.device = {tensor.device().type, tensor.device().index};
  described.dtype = dlpack_type(tensor.dtype());
  described.ndim = static_cast<int32_t>(tensor.rank());
  described.shape = const_cast<int64_t*>(tensor.shape().data());
  return described;
}

/// Memory of the framework's own.
Managed allocate(const ExchangeApi& api, DType dtype, Shape shape, DeviceId device) {
  const Tensor like = Tensor::view(dtype, std::move(shape), nullptr, {}, device);
  DlTensor wanted = description(like);
  DlManaged* made = nullptr;
  std::string problem;
  const auto note = [](void* text, const char*, const char* message) {
    *static_cast<std::string*>(text) = message;
  };
  const int failed = api.allocate(&wanted, &made, &problem, note);
  require(failed == 0 && made, "no memory for a result of shape {}: {}", shape_text(like.shape()), problem);
  return Managed(made);
}

/// A tensor of ours for the framework to hold.
Managed handed_over(Tensor tensor) {
  struct Held {
    DlManaged managed;
    Tensor tensor;
    Shape strides;
  };
  auto* held = new Held{{}, std::move(tensor), {}};
  held->strides.assign(static_cast<size_t>(held->tensor.rank()), 1);
  for (size_t i = held->strides.size(); i-- > 1;)
    held->strides[i - 1] = held->strides[i] * std::max<int64_t>(held->tensor.shape()[i], 1);
  held->managed.context = held;
  held->managed.deleter = [](DlManaged* managed) { delete static_cast<Held*>(managed->context); };
  held->managed.tensor = description(held->tensor);
  held->managed.tensor.strides = held->strides.data();
  return Managed(&held->managed);
}

nb::object to_framework(const ExchangeApi& api, Managed tensor) {
  void* object = nullptr;
  if (api.to_python(tensor.release(), &object) != 0) throw nb::python_error();
  return nb::steal(static_cast<PyObject*>(object));
}

/// The framework's current stream, null on the host.
void* current_stream(const ExchangeApi& api, DeviceId device) {
  if (device.is_host()) return nullptr;
  void* stream = nullptr;
  if (api.current_stream(device.type, device.index, &stream) != 0) throw nb::python_error();
  return stream ? stream : legacy_stream;
}

}  // namespace

OutputTypes::OutputTypes(const Engine& engine) {
  const std::vector<IoInfo> inputs = engine.inputs();
  const auto source = [&](const std::string& dim) -> DimSource {
    if (!dim.empty() && std::all_of(dim.begin(), dim.end(), [](char c) { return c >= '0' && c <= '9'; }))
      return {DimSource::fixed, std::strtoll(dim.c_str(), nullptr, 10), {}, 0};
    for (const IoInfo& input : inputs)
      for (size_t axis = 0; axis < input.dims.size(); ++axis)
        if (input.dims[axis] == dim) return {DimSource::input, 0, input.name, axis};
    return {};
  };
  for (const IoInfo& info : engine.outputs()) {
    Output& output = outputs_[info.name];
    output.dtype = info.dtype;
    for (const std::string& dim : info.dims) output.dims.push_back(source(dim));
  }
}

std::optional<Shape> OutputTypes::shape(const Output& output, const TensorMap& inputs) {
  Shape shape;
  for (const DimSource& dim : output.dims) {
    if (dim.kind == DimSource::unknown) return std::nullopt;
    if (dim.kind == DimSource::fixed) {
      shape.push_back(dim.size);
      continue;
    }
    const Tensor& input = inputs.at(dim.name);
    if (dim.axis >= input.shape().size()) return std::nullopt;  // of a wrong rank: the run says so
    shape.push_back(input.shape()[dim.axis]);
  }
  return shape;
}

nb::object call(SessionPool& pool, const OutputTypes& types, DeviceId device, const Signature& signature,
                nb::handle arguments) {
  if (!signature.matches(arguments)) return nb::none();
  const ExchangeApi& api = *signature.api();
  const std::optional<TensorMap> inputs = inputs_of(signature, arguments, device);
  if (!inputs) return nb::none();

  TensorMap results;
  std::vector<Managed> made;
  for (const std::string& name : signature.outputs()) {
    const OutputTypes::Output& type = types.at(name);
    const std::optional<Shape> shape = OutputTypes::shape(type, *inputs);
    made.push_back(shape ? allocate(api, type.dtype, *shape, device) : nullptr);
    if (shape) results.emplace(name, Tensor::view(type.dtype, *shape, made.back()->tensor.data, {}, device));
  }
  void* stream = current_stream(api, device);
  {
    const nb::gil_scoped_release unlocked;
    pool.with_session([&](Session& session) {
      if (stream) session.set_stream(stream);
      session.run_into(*inputs, results);
    });
  }
  std::vector<nb::object> tensors;
  for (size_t i = 0; i < made.size(); ++i) {
    Managed& tensor = made[i];
    tensors.push_back(to_framework(
        api, tensor ? std::move(tensor) : handed_over(std::move(results.at(signature.outputs()[i])))));
  }
  if (signature.only()) return tensors.front();
  nb::list list;
  for (nb::object& tensor : tensors) list.append(std::move(tensor));
  return list;
}

}  // namespace burnish::python
