#include "engines.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "ops/seeded_inputs.h"
#include "plan/segment.h"
#include "runtime/engine_state.h"

namespace burnish::tool {
namespace {

/// A bar that is written over on a terminal; elsewhere a line now and then, once the work has taken a while.
class ProgressLine {
 public:
  explicit ProgressLine(bool quiet) : shown_(!quiet), terminal_(isatty(STDERR_FILENO)), last_(Clock::now()) {}
  ~ProgressLine() {
    if (written_ && terminal_) fmt::print(stderr, "\r{:66}\r", "");
  }
  void show(double fraction, const std::string& what) {
    if (!shown_) return;
    const auto pause = terminal_ ? std::chrono::milliseconds(50) : std::chrono::milliseconds(10'000);
    if (Clock::now() - last_ < pause) return;
    last_ = Clock::now();
    written_ = true;
    if (!terminal_) {
      fmt::print(stderr, "{}: {:.0f}%\n", what, 100 * fraction);
      return;
    }
    constexpr int width = 30;
    const int done = static_cast<int>(fraction * width);
    fmt::print(stderr, "\r{:24} [{:<{}}] {:3.0f}%", what, std::string(static_cast<size_t>(done), '#'), width, 100 * fraction);
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool shown_, terminal_, written_ = false;
  Clock::time_point last_;
};

/// What an engine was built with cannot be asked of it afterwards.
void refuse_build_options(const std::string& path, const CommonOptions& options) {
  const std::pair<const char*, bool> given[] = {{"--precision", !options.precision.empty()}, {"--io", !options.io.empty()}, {"--min-shape", !options.min_shape.empty()},
                                                {"--opt-shape", !options.opt_shape.empty()}, {"--max-shape", !options.max_shape.empty()}, {"--arch", !options.arch.empty()},
                                                {"--rules", !options.rules.empty()}};
  for (const auto& [name, is_given] : given)
    if (is_given) throw UsageError(fmt::format("'{}' is an engine, built already: {} belongs to 'burnish build'", path, name));
}

}  // namespace

bool is_engine_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char start[7] = {};
  return file.read(start, sizeof start) && std::string_view(start, sizeof start) == "BURNISH";
}

Engine open_engine(const std::string& path, const CommonOptions& options) {
  if (is_engine_file(path)) {
    refuse_build_options(path, options);
    LoadOptions load;
    load.device = options.device;
    load.threads = options.threads;
    if (!options.quiet) load.on_log = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
    return Engine::load(path, load);
  }
  return build_with_progress(Model::load(path), options);
}

Engine build_with_progress(const Model& model, const CommonOptions& options) {
  ProgressLine progress(options.quiet);
  BuildOptions asked = build_options(options);
  asked.on_progress = [&](double fraction, const std::string& what) { progress.show(fraction, what); };
  asked.on_log = [&](const std::string& line) {
    if (options.verbose > 0 || (line.starts_with("warning: ") && !options.quiet)) fmt::print(stderr, "{}\n", line);
  };
  return build(model, asked);
}

nlohmann::ordered_json engine_record(const Engine& engine) {
  nlohmann::ordered_json record = nlohmann::ordered_json::parse(engine.state().record, nullptr, false);
  require(record.is_object(), "the engine holds no record of its build (section 'record'): build it again");
  return record;
}

TensorMap complete_inputs(const Engine& engine, TensorMap given, const CommonOptions& options,
                          std::vector<std::string>* made) {
  const ir::Graph& graph = *engine.state().program->graph;
  const BuildOptions asked = build_options(options);
  std::map<std::string, Shape> shapes = asked.shapes;
  for (const auto& [name, format] : asked.io) shapes.erase(name);  // --shape is the model's, the engine's may be another
  for (const auto& [name, tensor] : given) shapes[name] = tensor.shape();
  ir::Bindings bindings;
  for (ir::ValueId id : graph.inputs()) {
    const ir::Value& input = graph.value(id);
    if (const auto shape = shapes.find(input.name); shape != shapes.end())
      with_context([&] { return fmt::format("input '{}'", input.name); },
                   [&] { plan::unify(input.type.shape, shape->second, bindings); });
  }
  for (const auto& [symbol, range] : graph.symbols) bindings.emplace(symbol, range.opt);
  for (ir::ValueId id : graph.inputs()) {
    const ir::Value& input = graph.value(id);
    if (given.contains(input.name)) continue;
    given[input.name] = with_context(
        [&] { return fmt::format("input '{}'", input.name); },
        [&] { return ops::seeded_input(graph, id, ir::evaluate(input.type.shape, bindings), options.seed); });
    if (made) made->push_back(input.name);
  }
  return given;
}

}  // namespace burnish::tool
