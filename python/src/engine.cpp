#include "engine.h"

#include <burnish/burnish.h>
#include <fmt/format.h>
#include <nanobind/stl/map.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "arrays.h"
#include "base/error.h"
#include "call.h"
#include "runtime/engine_state.h"
#include "session_pool.h"

namespace nb = nanobind;

namespace burnish::python {
namespace {

/// (name, NumPy's name of the element type, one text per dimension).
using Io = std::tuple<std::string, std::string_view, std::vector<std::string>>;
/// (name, NumPy's name of the element type, shape, why it cannot change or nothing).
using Weight = std::tuple<std::string, std::string_view, Shape, std::string>;
using Shapes = std::map<std::string, Shape>;

std::vector<Io> described(const std::vector<IoInfo>& infos) {
  std::vector<Io> all;
  for (const IoInfo& info : infos) all.emplace_back(info.name, numpy_name(info.dtype), info.dims);
  return all;
}

std::map<std::string, ShapeRange> ranges(const Shapes& min, const Shapes& opt, const Shapes& max) {
  std::map<std::string, ShapeRange> all;
  for (const auto& [name, shape] : opt) all[name].opt = shape;
  for (const auto& [name, shape] : min) all[name].min = shape;
  for (const auto& [name, shape] : max) all[name].max = shape;
  for (auto& [name, range] : all) {
    if (!min.contains(name) || !max.contains(name))
      throw UsageError(
          fmt::format("input '{}': a range of shapes needs both min_shapes and max_shapes", name));
    if (!opt.contains(name)) range.opt = range.max;
  }
  return all;
}

std::vector<Precision> precisions(const std::vector<std::string>& names) {
  std::vector<Precision> all;
  for (const std::string& name : names) {
    const std::optional<Precision> precision = parse_precision(name);
    if (!precision)
      throw UsageError(fmt::format("precision '{}': expected fp32, tf32, fp16, bf16, int8 or fp8", name));
    all.push_back(*precision);
  }
  return all;
}

std::function<void(const std::string&)> log_callback(nb::object log) {
  if (log.is_none()) return {};
  return [log](const std::string& line) {
    const nb::gil_scoped_acquire locked;
    log(line);
  };
}

std::function<void(double, const std::string&)> progress_callback(nb::object progress) {
  if (progress.is_none()) return {};
  return [progress](double fraction, const std::string& what) {
    const nb::gil_scoped_acquire locked;
    progress(fraction, what);
  };
}

/// Ctrl-C during a build: Python's handler runs, and what it raises ends the build.
bool interrupted() {
  const nb::gil_scoped_acquire locked;
  if (PyErr_CheckSignals() != 0) throw nb::python_error();
  return false;
}

class PythonEngine {
 public:
  explicit PythonEngine(Engine engine)
      : pool_(std::move(engine)),
        inputs_(pool_.engine().inputs()),
        outputs_(pool_.engine().outputs()),
        output_types_(pool_.engine()) {}

  const Engine& engine() const { return pool_.engine(); }
  std::vector<Io> inputs() const { return described(inputs_); }
  std::vector<Io> outputs() const { return described(outputs_); }

  /// "cpu" or "cuda:1".
  std::string device() const {
    const device::Device& device = *program().device;
    return device.on_host() ? device.info().backend
                            : fmt::format("{}:{}", device.info().backend, device.info().index);
  }

  nb::object call(const Signature& signature, const nb::tuple& arguments) {
    return python::call(pool_, output_types_, program().device->id(), signature, arguments);
  }

  nb::dict run(const nb::dict& inputs, const nb::dict& outputs, std::optional<intptr_t> stream) {
    std::vector<Borrowed> held;
    const TensorMap given = borrow(inputs, inputs_, "input", borrow_array, held);
    TensorMap results = borrow(outputs, outputs_, "output", borrow_output, held);
    const TensorMap into = results;
    const bool on_device = std::any_of(
        held.begin(), held.end(), [](const Borrowed& array) { return !array.tensor.device().is_host(); });
    void* native = stream ? reinterpret_cast<void*>(*stream) : on_device ? legacy_stream : nullptr;
    {
      const nb::gil_scoped_release unlocked;
      pool_.with_session([&](Session& session) {
        if (on_device || stream) session.set_stream(native);
        session.run_into(given, results);
      });
      for (const auto& [name, target] : into) deliver(name, results.at(name), target);
    }
    nb::dict returned;
    for (const IoInfo& info : outputs_) {
      const nb::str name(info.name.c_str(), info.name.size());
      returned[name] = into.contains(info.name)
                           ? nb::object(outputs[name])
                           : to_python(std::move(results.at(info.name)), program().device, native);
    }
    return returned;
  }

  std::vector<Weight> weights() const {
    std::vector<Weight> all;
    for (const WeightInfo& info : engine().weights()) all.emplace_back(info.name, numpy_name(info.dtype), info.shape, info.fixed_by);
    return all;
  }

  std::unique_ptr<PythonEngine> refit(const nb::dict& arrays) const {
    std::map<std::string, DType> dtypes;
    for (const WeightInfo& info : engine().weights()) dtypes.emplace(info.name, info.dtype);
    std::vector<Borrowed> held;
    TensorMap weights;
    for (const auto& [key, array] : arrays) {
      const auto name = nb::cast<std::string>(key);
      const auto known = dtypes.find(name);
      require(known != dtypes.end(), "the model has no weight '{}'", name);
      held.push_back(borrow_array(array, known->second, fmt::format("weight '{}'", name)));
      weights.emplace(name, held.back().tensor);
    }
    const nb::gil_scoped_release unlocked;
    return std::make_unique<PythonEngine>(engine().refit(weights));
  }

 private:
  using Borrow = Borrowed (*)(nb::handle, DType, const std::string&);

  const plan::Program& program() const { return *engine().state().program; }

  /// Tensors of the dict's arrays, by name. `held` keeps them alive.
  static TensorMap borrow(const nb::dict& arrays, const std::vector<IoInfo>& infos, const char* kind,
                          Borrow borrow_one, std::vector<Borrowed>& held) {
    TensorMap tensors;
    for (const auto& [key, array] : arrays) {
      std::string name;
      if (!nb::try_cast(key, name))
        throw UsageError(fmt::format("{}s are a dict from names to arrays; there is a key {}", kind,
                                     nb::cast<std::string>(nb::repr(key))));
      const auto info =
          std::find_if(infos.begin(), infos.end(), [&](const IoInfo& known) { return known.name == name; });
      if (info == infos.end())
        throw UsageError(fmt::format("there is no {} '{}'; there are {}", kind, name, names_of(infos)));
      held.push_back(borrow_one(array, info->dtype, fmt::format("{} '{}'", kind, name)));
      tensors.emplace(std::move(name), held.back().tensor);
    }
    return tensors;
  }

  static std::string names_of(const std::vector<IoInfo>& infos) {
    std::string names;
    for (const IoInfo& info : infos) names += (names.empty() ? "'" : ", '") + info.name + "'";
    return names;
  }

  /// A result that could not be written where the caller wanted it (on the host, from a GPU) is copied there.
  void deliver(const std::string& name, const Tensor& result, const Tensor& target) const {
    if (result.raw() == target.raw()) return;
    require(target.dtype() == result.dtype() && target.shape() == result.shape(),
            "output '{}': expected an array of {} and shape {}, got {} and {}", name,
            numpy_name(result.dtype()), shape_text(result.shape()), numpy_name(target.dtype()),
            shape_text(target.shape()));
    require(target.device().is_host() && result.device().is_host(),
            "output '{}': the array must lie where the engine runs, or, like all inputs, on the host", name);
    std::memcpy(const_cast<void*>(target.raw()), result.raw(), static_cast<size_t>(result.bytes()));
  }

  SessionPool pool_;
  std::vector<IoInfo> inputs_, outputs_;
  OutputTypes output_types_;
};

/// The arrays' bytes, by name; the arrays live as long as the tensors.
TensorMap external_data(const nb::dict& arrays) {
  TensorMap tensors;
  for (const auto& [key, array] : arrays) {
    const auto name = nb::cast<std::string>(key);
    auto* held = new Borrowed(borrow_array(array, DType::u8, fmt::format("external data '{}'", name)));
    const std::shared_ptr<const void> owner(held, [](const Borrowed* borrowed) {
      if (!nb::is_alive()) return;  // the interpreter is gone, and its arrays with it
      const nb::gil_scoped_acquire locked;
      delete borrowed;
    });
    tensors[name] = Tensor::view(DType::u8, {held->tensor.bytes()}, held->tensor.raw(), owner);
  }
  return tensors;
}

std::unique_ptr<PythonEngine> build_engine(
    const nb::object& model, const nb::dict& external, const Shapes& shapes, const Shapes& min_shapes,
    const Shapes& opt_shapes, const Shapes& max_shapes, const std::vector<std::string>& precision,
    const std::string& device, int threads, int streams, const std::map<std::string, std::string>& io,
    const std::optional<std::string>& tuning_cache, bool measure, nb::object progress, nb::object log) {
  BuildOptions options;
  options.device = device;
  options.precision = precisions(precision);
  options.shapes = shapes;
  options.shape_ranges = ranges(min_shapes, opt_shapes, max_shapes);
  options.io = io;
  options.threads = threads;
  options.streams = streams;
  options.tuning_cache = tuning_cache;
  options.measure = measure;
  options.on_progress = progress_callback(std::move(progress));
  options.on_log = log_callback(std::move(log));
  options.cancelled = interrupted;
  const bool in_memory = nb::isinstance<nb::bytes>(model);
  const std::string_view data =
      in_memory ? std::string_view(nb::cast<nb::bytes>(model).c_str(), nb::cast<nb::bytes>(model).size())
                : std::string_view();
  const std::string path = in_memory ? std::string() : nb::cast<std::string>(model);
  const TensorMap weights = external_data(external);
  const nb::gil_scoped_release unlocked;
  const Model loaded = in_memory ? Model::parse(data.data(), data.size(), "", weights) : Model::load(path);
  Engine engine = build(loaded, options);
  interrupted();  // a Ctrl-C that came after the build asked for the last time
  return std::make_unique<PythonEngine>(std::move(engine));
}

std::unique_ptr<PythonEngine> load_engine(const std::string& path, const std::string& device, int threads,
                                          nb::object log) {
  LoadOptions options{.device = device, .threads = threads, .on_log = log_callback(std::move(log))};
  const nb::gil_scoped_release unlocked;
  return std::make_unique<PythonEngine>(Engine::load(path, options));
}

void check_model(const nb::bytes& model, const nb::dict& external) {
  const std::string_view data(model.c_str(), model.size());
  const TensorMap weights = external_data(external);
  const nb::gil_scoped_release unlocked;
  Model::parse(data.data(), data.size(), "", weights);
}

}  // namespace

void bind_engine(nb::module_& module) {
  const nb::call_guard<nb::gil_scoped_release> unlocked;
  module.def("check_model", &check_model, nb::arg("model"), nb::arg("external"),
             nb::sig("def check_model(model: bytes, external: dict[str, object]) -> None"),
             "Imports a model and lets it go: throws Error for what cannot be imported.");
  nb::class_<PythonEngine>(module, "Engine",
                           "An engine, and a session for each thread that runs it at the same time.")
      .def_static(
          "build", &build_engine, nb::arg("model"), nb::arg("external"), nb::kw_only(), nb::arg("shapes"),
          nb::arg("min_shapes"), nb::arg("opt_shapes"), nb::arg("max_shapes"), nb::arg("precision"),
          nb::arg("device"), nb::arg("threads"), nb::arg("streams"), nb::arg("io"),
          nb::arg("tuning_cache").none(), nb::arg("measure"), nb::arg("progress").none(),
          nb::arg("log").none(),
          nb::sig(
              "def build(model: str | bytes, external: dict[str, object], *, shapes: dict[str, list[int]], "
              "min_shapes: dict[str, list[int]], opt_shapes: dict[str, list[int]], "
              "max_shapes: dict[str, list[int]], precision: list[str], device: str, threads: "
              "int, streams: int, io: dict[str, str], tuning_cache: str | None, "
              "measure: bool, progress: collections.abc.Callable[[float, str], object] | None, "
              "log: collections.abc.Callable[[str], object] | None) -> Engine"),
          "Builds from the path of an .onnx file, or its bytes with arrays for its external data, by "
          "location.")
      .def_static("load", &load_engine, nb::arg("path"), nb::arg("device"), nb::arg("threads"),
                  nb::arg("log").none(),
                  nb::sig("def load(path: str, device: str, threads: int, log: "
                          "collections.abc.Callable[[str], object] | None) -> Engine"),
                  "Loads an engine file; an empty device is the one that it was built for.")
      .def(
          "save", [](const PythonEngine& self, const std::string& path) { self.engine().save(path); },
          nb::arg("path"), unlocked, "Writes an engine file, whole or not at all.")
      .def("run", &PythonEngine::run, nb::arg("inputs"), nb::arg("outputs"), nb::arg("stream").none(),
           nb::sig("def run(self, inputs: dict[str, object], outputs: dict[str, object], stream: int | None) "
                   "-> dict[str, typing.Any]"),
           "Runs once: arrays by name in, arrays by name out. Those of `outputs` are written into. `stream` "
           "is the native\n"
           "stream that device memory is ordered on; without it CUDA's legacy default stream.")
      .def("call", &PythonEngine::call, nb::arg("signature"), nb::arg("arguments"),
           nb::sig("def call(self, signature: Signature, arguments: tuple[object, ...]) -> typing.Any"),
           "Runs once with a framework's tensors, as the signature says: a list of tensors, or the one "
           "tensor. None "
           "where a weight\nhas changed, or an argument cannot be read in place.")
      .def("refit", &PythonEngine::refit, nb::arg("weights"),
           nb::sig("def refit(self, weights: dict[str, object]) -> Engine"),
           "An engine with other values in some weights, that shares all else with this one.")
      .def_prop_ro("weights", &PythonEngine::weights,
                   "(name, NumPy's name of the element type, shape, what fixes it or nothing) of each.")
      .def_prop_ro("inputs", &PythonEngine::inputs,
                   "(name, NumPy's name of the element type, one text per dimension) of each.")
      .def_prop_ro("outputs", &PythonEngine::outputs, "As inputs.")
      .def_prop_ro("device", &PythonEngine::device, "Where it runs: \"cpu\", \"cuda:0\".")
      .def_prop_ro(
          "record", [](const PythonEngine& self) { return self.engine().state().record; },
          "What the build wrote down (JSON); empty where there is no record.")
      .def_prop_ro(
          "metadata", [](const PythonEngine& self) { return self.engine().metadata(); },
          "What the model says of itself.");
}

}  // namespace burnish::python
