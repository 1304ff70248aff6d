#include "signature.h"

#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <cstring>

namespace nb = nanobind;

namespace burnish::python {
namespace {

/// Names that are looked up at every call, made once.
struct Names {
  nb::object requires_grad = nb::steal(PyUnicode_InternFromString("requires_grad"));
  nb::object is_neg = nb::steal(PyUnicode_InternFromString("is_neg"));
  nb::object version = nb::steal(PyUnicode_InternFromString("_version"));
};

/// Never freed: at exit the interpreter may be gone before it.
const Names& names() {
  static const Names* made = new Names;
  return *made;
}

bool is_false(PyObject* value) {
  const bool answer = value == Py_False;
  Py_XDECREF(value);
  return answer;
}

/// How often the tensor was written to, as PyTorch counts; -1 where it does not (tensors made for inference).
int64_t version_of(nb::handle tensor) {
  const nb::object version = nb::steal(PyObject_GetAttr(tensor.ptr(), names().version.ptr()));
  if (!version.is_valid()) {
    PyErr_Clear();
    return -1;
  }
  return PyLong_AsLongLong(version.ptr());
}

/// PyTorch traces sizes of 0 and 1 apart from all others.
bool is_general_size(nb::handle argument) {
  if (!PyLong_Check(argument.ptr())) return false;
  int overflow = 0;
  return PyLong_AsLongLongAndOverflow(argument.ptr(), &overflow) >= 2;
}

}  // namespace

Signature::Signature(nb::handle type, const std::vector<SlotRow>& inputs, std::vector<std::string> outputs,
                     bool only, size_t arguments, const std::vector<std::pair<size_t, nb::object>>& fixed,
                     const std::vector<std::pair<size_t, double>>& scalars)
    : type_(nb::borrow(type)),
      api_(exchange_api(type)),
      outputs_(std::move(outputs)),
      only_(only),
      arguments_(arguments) {
  for (const auto& [position, name, is_size] : inputs) inputs_.push_back({position, name, is_size});
  for (const auto& [position, value] : scalars) scalars_.push_back({position, value});
  if (!api_) return;
  for (const auto& [position, tensor] : fixed) {
    const std::optional<DlTensor> seen = raw_view(tensor);
    fixed_.push_back({position, tensor, version_of(tensor), seen ? seen->data : nullptr});
  }
}

std::optional<DlTensor> Signature::raw_view(nb::handle tensor) const {
  DlTensor seen;
  if (api_->view(tensor.ptr(), &seen) == 0) return seen;
  PyErr_Clear();
  return std::nullopt;
}

bool Signature::matches(nb::handle arguments) const {
  if (!api_ || static_cast<size_t>(PyTuple_GET_SIZE(arguments.ptr())) != arguments_) return false;
  const auto argument = [&](size_t i) {
    return nb::handle(PyTuple_GET_ITEM(arguments.ptr(), static_cast<Py_ssize_t>(i)));
  };
  for (const Fixed& weight : fixed_) {
    if (!argument(weight.position).is(weight.tensor) || version_of(weight.tensor) != weight.version)
      return false;
    const std::optional<DlTensor> seen = raw_view(weight.tensor);
    if ((seen ? seen->data : nullptr) != weight.data) return false;
  }
  for (const Slot& slot : inputs_)
    if (slot.is_size && !is_general_size(argument(slot.position))) return false;
  for (const Scalar& scalar : scalars_) {
    const nb::handle given = argument(scalar.position);
    if (PyLong_Check(given.ptr())) {
      if (PyLong_AsDouble(given.ptr()) != scalar.value) return false;
      continue;
    }
    const std::optional<DlTensor> seen = raw_view(given);
    if (!seen || seen->ndim != 0 ||
        std::memcmp(static_cast<const char*>(seen->data) + seen->byte_offset, &scalar.value,
                    sizeof scalar.value) != 0)
      return false;
  }
  return true;
}

std::optional<DlTensor> Signature::view(nb::handle argument) const {
  if (argument.type().ptr() != type_.ptr()) return std::nullopt;
  if (!is_false(PyObject_GetAttr(argument.ptr(), names().requires_grad.ptr())) ||
      !is_false(PyObject_CallMethodNoArgs(argument.ptr(), names().is_neg.ptr()))) {
    PyErr_Clear();
    return std::nullopt;
  }
  return raw_view(argument);
}

void bind_signature(nb::module_& module) {
  nb::class_<Signature>(module, "Signature", "Which of a call's arguments become which inputs of an engine.")
      .def(nb::init<nb::handle, const std::vector<Signature::SlotRow>&, std::vector<std::string>, bool,
                    size_t, const std::vector<std::pair<size_t, nb::object>>&,
                    const std::vector<std::pair<size_t, double>>&>(),
           nb::arg("type"), nb::arg("inputs"), nb::arg("outputs"), nb::arg("only"), nb::arg("arguments"),
           nb::arg("fixed"), nb::arg("scalars"),
           nb::sig(
               "def __init__(self, type: type, inputs: list[tuple[int, str, bool]], outputs: list[str], "
               "only: bool, "
               "arguments: int, fixed: list[tuple[int, object]], scalars: list[tuple[int, float]]) -> None"),
           "`inputs`: (position among the arguments, the engine's input, whether it is an int that stands "
           "for a size); "
           "`outputs` in the\norder of the results; `only`: the one result comes by itself; `fixed`: tensors "
           "that must "
           "be at these positions, unchanged;\n`scalars`: values that tensors of one f64 must have.")
      .def("matches", &Signature::matches, nb::arg("arguments"),
           nb::sig("def matches(self, arguments: tuple[object, ...]) -> bool"),
           "Whether weights and floats that the engine was compiled for are still the same.");
}

}  // namespace burnish::python
