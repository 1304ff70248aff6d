// Functions over IR values, as burnish.user_ops traces them: text of the IR.
#pragma once

#include <nanobind/nanobind.h>

namespace burnish::python {

/// Adds the functions trace_types and evaluate_trace.
void bind_traces(nanobind::module_& module);

}  // namespace burnish::python
