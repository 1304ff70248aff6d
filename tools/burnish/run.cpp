// burnish run: run once.
#include <fmt/core.h>

#include <algorithm>
#include <filesystem>

#include "base/error.h"
#include "base/npy.h"
#include "command.h"
#include "engines.h"
#include "options.h"

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

/// The files of --input, checked against what the model or engine takes.
TensorMap read_inputs(const RunOptions& options, const std::vector<IoInfo>& known) {
  TensorMap inputs;
  for (const std::string& text : options.inputs) {
    const auto [name, path] = parse_assignment("--input", text);
    if (std::none_of(known.begin(), known.end(), [&, &wanted = name](const IoInfo& info) { return info.name == wanted; }))
      throw UsageError(fmt::format("--input: there is no input '{}'", name));
    inputs[name] = read_npy(path);
  }
  return inputs;
}

/// An open dimension takes the size that the given input has.
Engine engine_for(const RunOptions& options, CommonOptions common, TensorMap& inputs) {
  if (is_engine_file(options.model)) {
    Engine engine = open_engine(options.model, common);
    inputs = read_inputs(options, engine.inputs());
    return engine;
  }
  inputs = read_inputs(options, Model::load(options.model).inputs());
  for (const auto& [name, tensor] : inputs) common.shape.push_back(name + "=" + shape_text(tensor.shape()));
  return open_engine(options.model, common);
}

int run(const RunOptions& options, const CommonOptions& common) {
  TensorMap inputs;
  const Engine engine = engine_for(options, common, inputs);
  std::vector<std::string> made;
  inputs = complete_inputs(engine, std::move(inputs), common, &made);
  if (!common.quiet)
    for (const std::string& name : made) fmt::print(stderr, "input '{}' was not given: it is random, from seed {}\n", name, common.seed);
  const TensorMap outputs = Session(engine).run(inputs);
  if (!options.output_dir.empty()) std::filesystem::create_directories(options.output_dir);
  for (const IoInfo& info : engine.outputs()) {
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
