// The extension module burnish._burnish: what the package's Python files stand on.
#include <burnish/burnish.h>
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include "arrays.h"
#include "device/device.h"
#include "engine.h"
#include "functions.h"
#include "signature.h"
#include "traces.h"

namespace nb = nanobind;

namespace burnish::python {
namespace {

/// (the name that options take, the chip's name, its architecture, bytes of memory).
using DeviceRow = std::tuple<std::string, std::string, std::string, int64_t>;

std::vector<DeviceRow> devices() {
  std::vector<DeviceRow> rows;
  for (const std::string& name : device::backend_names()) {
    device::Backend* backend = device::find_backend(name);
    if (!backend) continue;
    for (const device::DeviceInfo& info : backend->devices())
      rows.emplace_back(name == "cuda" ? name + ":" + std::to_string(info.index) : name, info.name, info.arch,
                        info.memory_bytes);
  }
  return rows;
}

}  // namespace
}  // namespace burnish::python

NB_MODULE(_burnish, module) {
  using namespace burnish;
  module.doc() = "Burnish's C++ side; use the package burnish.";
  module.attr("version") = BURNISH_VERSION;
  const nb::exception<Error> error(module, "Error");
  error.doc() =
      "What Burnish refuses or cannot do; the message names the file, node, input or option, and what was "
      "expected.";
  nb::exception<UsageError>(module, "UsageError", error).doc() = "An argument is wrong.";
  python::bind_array(module);
  python::bind_signature(module);
  python::bind_engine(module);
  python::bind_traces(module);
  python::bind_functions(module);
  module.def(
      "devices", &python::devices,
      "(name that options take, the chip's name, its architecture, bytes of memory) of each device here.");
}
