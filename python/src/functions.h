// Python callables as functions of the host, which host_function nodes call.
#pragma once

#include <nanobind/nanobind.h>

namespace burnish::python {

/// Adds `add_function`. After bind's other exceptions: what a callable raises becomes the cause of an Error.
void bind_functions(nanobind::module_& module);

}  // namespace burnish::python
