// burnish run: run once.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/npy.h"
#include "command.h"
#include "options.h"
#include "runner.h"

namespace burnish::tool {
namespace {

struct RunOptions {
  std::string model;
  std::vector<std::string> inputs;
  std::string output_dir;
};

/// Names of values as names of files.
std::string file_name(std::string name) {
  std::replace_if(
      name.begin(), name.end(), [](char c) { return c == '/' || c == ':'; }, '_');
  return name + ".npy";
}

int run(const RunOptions& options, const CommonOptions& common) {
  const Model model = Model::load(options.model);
  TensorMap inputs;
  for (const std::string& text : options.inputs) {
    const auto [name, path] = parse_assignment("--input", text);
    const std::vector<IoInfo> known = model.inputs();
    if (std::none_of(known.begin(), known.end(),
                     [&, &wanted = name](const IoInfo& info) { return info.name == wanted; }))
      throw UsageError(fmt::format("--input: the model has no input '{}'", name));
    inputs[name] = read_npy(path);
  }
  const TensorMap outputs = make_runner(model, common).run(inputs);
  if (!options.output_dir.empty()) std::filesystem::create_directories(options.output_dir);
  for (const IoInfo& info : model.outputs()) {
    const Tensor& output = outputs.at(info.name);
    if (!common.quiet)
      fmt::print("{}: {} {}\n", info.name, dtype_name(output.dtype()), shape_text(output.shape()));
    if (!options.output_dir.empty())
      write_npy((std::filesystem::path(options.output_dir) / file_name(info.name)).string(), output);
  }
  return 0;
}

}  // namespace

Command add_run(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("run", "Run a model or an engine once");
  auto options = std::make_shared<RunOptions>();
  command.add_option("model", options->model, "an .onnx or .burnish file")->required();
  command.add_option("--input", options->inputs, "NAME=FILE.npy; repeatable")->allow_extra_args(false);
  command.add_option("--output-dir", options->output_dir, "write one NAME.npy per output");
  command.footer("\nExamples:\n  burnish run model.onnx --input x=x.npy --output-dir results\n");
  auto common = add_common_options(command);
  return [options, common] { return run(*options, *common); };
}

}  // namespace burnish::tool
