// burnish inspect: the graph.
#include <fmt/core.h>

#include "build/model.h"
#include "command.h"
#include "options.h"

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
    const Model model = Model::load(options->model);
    fmt::print("{}", ir::print(*model.state().graph));
    return 0;
  };
}

}  // namespace burnish::tool
