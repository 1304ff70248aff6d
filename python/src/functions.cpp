#include "functions.h"

#include <nanobind/stl/string.h>

#include <cstring>

#include "arrays.h"
#include "base/error.h"
#include "ops/user.h"

namespace nb = nanobind;

namespace burnish::python {
namespace {

/// What a callable raised, on its way through the core.
class RaisedError : public Error {
 public:
  RaisedError(const std::string& message, nb::python_error raised)
      : Error(message), raised_(std::move(raised)) {}
  nb::python_error& raised() const { return raised_; }

 private:
  mutable nb::python_error raised_;
};

void raise_with_cause(const std::exception_ptr& thrown, void* error_type) {
  try {
    std::rethrow_exception(thrown);
  } catch (const RaisedError& error) {
    error.raised().restore();
    nb::chain_error(static_cast<PyObject*>(error_type), "%s", error.what());
  }
}

/// A result into its place, where it is what was declared.
void take(nb::handle result, Tensor& place, const std::string& what) {
  const Borrowed given = borrow_array(result, place.dtype(), what);
  require(given.tensor.device().is_host(), "{}: it lies on a device; return it on the host", what);
  require(given.tensor.dtype() == place.dtype() && given.tensor.shape() == place.shape(),
          "{}: it has {} and shape {}, where {} and {} are declared", what, numpy_name(given.tensor.dtype()),
          shape_text(given.tensor.shape()), numpy_name(place.dtype()), shape_text(place.shape()));
  if (place.bytes() > 0) std::memcpy(place.raw(), given.tensor.raw(), static_cast<size_t>(place.bytes()));
}

/// The callable gets copies, which it may keep and change.
void run(const std::string& name, nb::handle weak, std::span<const Tensor> inputs,
         std::span<Tensor> outputs) {
  const nb::gil_scoped_acquire locked;
  const std::string what = "function '" + name + "'";
  const nb::object function = weak();
  require(!function.is_none(), "{} is gone: its module keeps it until Python ends", what);
  try {
    nb::list arguments;
    for (const Tensor& input : inputs) arguments.append(to_python(input.clone(), nullptr, nullptr));
    const nb::object returned = function(*nb::tuple(arguments));
    const bool several = nb::isinstance<nb::tuple>(returned) || nb::isinstance<nb::list>(returned);
    const nb::list results = several ? nb::list(returned) : nb::list(nb::make_tuple(returned));
    require(results.size() == outputs.size(), "{}: it gave {} results, where {} are declared", what,
            results.size(), outputs.size());
    for (size_t i = 0; i < outputs.size(); ++i)
      take(results[i], outputs[i], fmt::format("{}: result {}", what, i));
  } catch (nb::python_error& error) {
    if (!error.matches(PyExc_Exception)) throw;  // Ctrl-C, an exit: not the callable's own
    const auto type = nb::cast<std::string>(error.type().attr("__name__")),
               text = nb::cast<std::string>(nb::str(error.value()));
    throw RaisedError(fmt::format("{} raised {}: {}", what, type, text), std::move(error));
  }
}

/// A weak reference is kept: a strong one would keep what the callable's module holds, engines too, beyond
/// Python's end.
int64_t add_function(const std::string& name, const nb::callable& function) {
  const nb::handle weak = nb::weakref(function).release();
  return ops::add_host_function([name, weak](std::span<const Tensor> inputs, std::span<Tensor> outputs) {
    run(name, weak, inputs, outputs);
  });
}

}  // namespace

void bind_functions(nb::module_& module) {
  module.def("add_function", &add_function, nb::arg("name"), nb::arg("function"),
             nb::sig("def add_function(name: str, function: collections.abc.Callable[..., object]) -> int"),
             "Takes a callable over NumPy arrays (burnish.Array for types that NumPy lacks), and gives the "
             "id by which the IR's op host_function calls it as long as it lives.");
  nb::register_exception_translator(raise_with_cause, nb::object(module.attr("Error")).release().ptr());
}

}  // namespace burnish::python
