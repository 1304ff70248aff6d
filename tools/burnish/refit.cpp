// burnish refit: an engine with the weights of another file of the model that it was built from.
#include <fmt/core.h>

#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/files.h"
#include "build/model.h"
#include "command.h"
#include "options.h"

namespace burnish::tool {
namespace {

struct RefitOptions {
  std::string engine, model, output;
};

int run(const RefitOptions& options, const CommonOptions& common) {
  LoadOptions load{.device = common.device, .threads = common.threads, .on_log = {}};
  if (!common.quiet) load.on_log = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  const Engine engine = Engine::load(options.engine, load);
  const Model model = Model::load(options.model);
  engine.refit(model.state().weights).save(options.output);
  const auto weights = model.state().weights.size();
  if (!common.quiet) fmt::print("{}: {} with the {} weights of {}\n", options.output, options.engine, weights, options.model);
  if (!common.json.empty()) write_file(common.json, nlohmann::json{{"engine", options.output}, {"weights", weights}}.dump(2) + "\n");
  return 0;
}

}  // namespace

Command add_refit(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("refit", "Put other weights into an engine, without building it again");
  auto options = std::make_shared<RefitOptions>();
  command.add_option("engine", options->engine, "the .burnish file")->required();
  command.add_option("model", options->model, "an .onnx file of the same model: its initializers are the weights, by their names")->required();
  command.add_option("-o,--output", options->output, "the .burnish file to write")->required();
  command.footer("\nExample:\n  burnish refit resnet50.burnish resnet50-trained-on.onnx -o resnet50-new.burnish\n");
  auto common = add_common_options(command);
  return [options, common] { return run(*options, *common); };
}

}  // namespace burnish::tool
