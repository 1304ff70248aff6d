#include "traces.h"

#include <fmt/format.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "base/error.h"
#include "ops/evaluate.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace nb = nanobind;

namespace burnish::python {
namespace {

/// (the IR's name of the element type, one text per dimension).
using Type = std::pair<std::string_view, std::vector<std::string>>;

std::shared_ptr<ir::Graph> typed(const std::string& text) {
  std::shared_ptr<ir::Graph> graph = ir::parse(text, ops::op_lookup());
  ops::infer(*graph);
  return graph;
}

std::vector<Type> trace_types(const std::string& text) {
  const std::shared_ptr<ir::Graph> graph = typed(text);
  std::vector<Type> types;
  for (const ir::Output& output : graph->outputs) {
    const ir::TensorType& type = graph->value(output.value).type;
    std::vector<std::string> dims;
    for (const ir::Dim& dim : type.shape) dims.push_back(dim.str());
    types.emplace_back(dtype_name(type.dtype), std::move(dims));
  }
  return types;
}

nb::list evaluate_trace(const std::string& text, const nb::list& arrays) {
  const std::shared_ptr<ir::Graph> graph = typed(text);
  require(graph->inputs().size() == arrays.size(), "the graph takes {} inputs, not {}", graph->inputs().size(), arrays.size());
  std::vector<Borrowed> held;
  std::vector<Tensor> inputs;
  for (size_t i = 0; i < arrays.size(); ++i) {
    held.push_back(borrow_array(arrays[i], graph->value(graph->inputs()[i]).type.dtype, fmt::format("input {}", i)));
    inputs.push_back(held.back().tensor);
  }
  nb::list results;
  for (Tensor& result : ops::evaluate(*graph, inputs)) results.append(to_python(result.clone(), nullptr, nullptr));
  return results;
}

}  // namespace

void bind_traces(nb::module_& module) {
  module.def("trace_types", &trace_types, nb::arg("text"), "The types of the results of a graph in the IR's text, inferred: (element type, dimensions) each.");
  module.def("evaluate_trace", &evaluate_trace, nb::arg("text"), nb::arg("arrays"),
             nb::sig("def evaluate_trace(text: str, arrays: list[object]) -> list[typing.Any]"), "Runs such a graph on the reference kernels, on the host.");
}

}  // namespace burnish::python
