// burnish._burnish.Engine: an engine and the sessions that run it for Python's threads.
#pragma once

#include <nanobind/nanobind.h>

namespace burnish::python {

/// Adds the class Engine.
void bind_engine(nanobind::module_& module);

}  // namespace burnish::python
