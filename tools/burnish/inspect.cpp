// burnish inspect: the graph.
#include <fmt/core.h>

#include "build/model.h"
#include "command.h"
#include "engines.h"
#include "options.h"
#include "runtime/engine_state.h"

namespace burnish::tool {
namespace {

struct InspectOptions {
  std::string model;
  bool no_passes = false;
};

}  // namespace

Command add_inspect(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("inspect", "The optimised graph, its kernels and its memory map");
  auto options = std::make_shared<InspectOptions>();
  command.add_option("model", options->model, "an .onnx or .burnish file")->required();
  command.add_flag("--no-passes", options->no_passes, "the graph as imported");
  command.footer("\nExamples:\n  burnish inspect model.onnx --no-passes\n");
  auto common = add_common_options(command);
  return [options, common] {
    if (options->no_passes) {
      fmt::print("{}", ir::print(*Model::load(options->model).state().graph));
      return 0;
    }
    const Engine engine = open_engine(options->model, *common);
    const plan::Program& program = *engine.state().program;
    fmt::print("{}", ir::print(*program.graph));
    fmt::print("\n{:28} {:20} {:>10}  {}\n", "kernel", "candidate", "us", "node");
    for (ir::NodeId id : program.graph->order()) {
      const device::Choice& choice = program.choice(id);
      if (!choice.tactic.empty()) fmt::print("{:28} {:20} {:10.1f}  {}\n", choice.tactic, choice.candidate, choice.microseconds, program.graph->node(id).source);
    }
    return 0;
  };
}

}  // namespace burnish::tool
