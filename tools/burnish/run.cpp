// burnish run: run once, and look at the values.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/npy.h"
#include "build/io.h"
#include "build/model.h"
#include "check.h"
#include "command.h"
#include "engines.h"
#include "ops/evaluate.h"
#include "options.h"
#include "report.h"
#include "runtime/observe.h"

namespace burnish::tool {
namespace {

using json = nlohmann::ordered_json;

struct RunOptions {
  std::string model;
  std::vector<std::string> inputs, dump;
  std::string output_dir;
  bool check = false;
  double tolerance = -1;  ///< negative: by precision
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
    std::vector<std::string> names;
    for (const IoInfo& info : known) names.push_back(info.name);
    if (std::find(names.begin(), names.end(), name) == names.end())
      throw UsageError(fmt::format("--input: there is no input '{}'{}", name, near_names(name, names)));
    inputs[name] = read_npy(path);
  }
  return inputs;
}

/// The values named by --dump become outputs of the model, so that whatever would have swallowed them leaves
/// them whole.
Model with_dumped_outputs(const Model& model, const std::vector<std::string>& names) {
  auto state = std::make_shared<model_internal::ModelState>(model.state());
  const std::shared_ptr<ir::Graph> graph = model.state().graph->clone();
  std::vector<std::string> known;
  for (ir::NodeId id : graph->order())
    for (ir::ValueId output : graph->node(id).outputs)
      if (output) known.push_back(graph->value(output).name);
  for (const std::string& name : names) {
    const bool output_already = std::any_of(graph->outputs.begin(), graph->outputs.end(),
                                            [&](const ir::Output& output) { return output.name == name; });
    if (name == "all" || output_already) continue;
    const ir::ValueId value = graph->find_value(name);
    if (!value)
      throw UsageError(fmt::format("--dump: the model has no value '{}'{}", name, near_names(name, known)));
    graph->outputs.push_back({name, value});
  }
  state->graph = graph;
  return Model(std::move(state));
}

/// What is run, and what a check goes by.
struct Subject {
  Engine engine;
  std::shared_ptr<const ir::Graph> reference;  ///< the graph as asked for; for an engine file its own graph
  TensorMap inputs;
};

Subject open_subject(const RunOptions& options, CommonOptions common) {
  Subject subject;
  if (is_engine_file(options.model)) {
    subject.engine = open_engine(options.model, common);
    subject.reference = subject.engine.state().program->graph;
    subject.inputs = read_inputs(options, subject.engine.inputs());
    return subject;
  }
  const Model model = with_dumped_outputs(Model::load(options.model), options.dump);
  subject.inputs = read_inputs(options, model.inputs());
  // An open dimension takes the size that the given input has.
  const BuildOptions asked = build_options(common);
  for (const auto& [name, tensor] : subject.inputs) {
    const auto format = asked.io.find(name);
    const Shape shape = format == asked.io.end()
                            ? tensor.shape()
                            : build_internal::model_shape(
                                  build_internal::parse_io_format(name, format->second), tensor.shape());
    if (!asked.shape_ranges.contains(name)) common.shape.push_back(name + "=" + shape_text(shape));
  }
  if (options.check) subject.reference = build_internal::requested_graph(model, build_options(common));
  subject.engine = build_with_progress(model, common);
  return subject;
}

void write_value(const RunOptions& options, const std::string& name, const Tensor& tensor) {
  if (!options.output_dir.empty())
    write_npy((std::filesystem::path(options.output_dir) / file_name(name)).string(), tensor);
}

/// Writes the values that --dump names, and lists them.
json dump_values(const RunOptions& options, const CommonOptions& common, const ir::Graph& graph,
                 const runtime::ObservedRun& run) {
  std::vector<std::string> known;
  for (const runtime::ObservedValue& value : run.values) known.push_back(graph.value(value.id).name);
  for (const ir::Output& output : graph.outputs) known.push_back(output.name);
  for (const std::string& name : options.dump)
    if (name != "all" && std::find(known.begin(), known.end(), name) == known.end())
      throw UsageError(fmt::format(
          "--dump: the engine makes no value '{}' (a kernel may have swallowed it: dump it from the model){}",
          name, near_names(name, known)));
  const bool all = std::find(options.dump.begin(), options.dump.end(), "all") != options.dump.end();
  json list = json::array();
  for (const runtime::ObservedValue& value : run.values) {
    const std::string& name = graph.value(value.id).name;
    if (!all && std::find(options.dump.begin(), options.dump.end(), name) == options.dump.end()) continue;
    write_value(options, name, value.tensor);
    if (!common.quiet)
      fmt::print("value {}: {} {}\n", name, dtype_name(value.tensor.dtype()),
                 shape_text(value.tensor.shape()));
    list.push_back(
        {{"name", name}, {"dtype", dtype_name(value.tensor.dtype())}, {"shape", value.tensor.shape()}});
  }
  return list;
}

/// The error of each output; false where one is too large.
bool check_outputs(const RunOptions& options, const CommonOptions& common, const Subject& subject,
                   const std::vector<Tensor>& outputs, json& report) {
  const double tolerance =
      options.tolerance >= 0 ? options.tolerance : default_tolerance(common, *subject.reference);
  std::vector<Tensor> inputs;
  for (ir::ValueId id : subject.reference->inputs())
    inputs.push_back(subject.inputs.at(subject.reference->value(id).name));
  const std::vector<Tensor> expected = ops::evaluate(*subject.reference, inputs);
  bool right = true;
  for (size_t i = 0; i < expected.size(); ++i) {
    const std::string& name = subject.reference->outputs[i].name;
    const Difference apart = with_context([&] { return fmt::format("output '{}'", name); },
                                          [&] { return difference(outputs[i], expected[i]); });
    const bool good = apart.relative_l2 <= tolerance;
    right = right && good;
    if (!common.quiet || !good)
      fmt::print("{}: largest absolute error {:.3g}, relative L2 {:.3g}{}\n", name, apart.largest_absolute,
                 apart.relative_l2, good ? "" : fmt::format(": above the tolerance {:.3g}", tolerance));
    report["outputs"][i]["largest_absolute_error"] = apart.largest_absolute;
    report["outputs"][i]["relative_l2"] = apart.relative_l2;
  }
  report["tolerance"] = tolerance;
  report["right"] = right;
  return right;
}

int run(const RunOptions& options, const CommonOptions& common) {
  if (!options.dump.empty() && options.output_dir.empty())
    throw UsageError("--dump writes files: say where with --output-dir DIR");
  if (options.tolerance >= 0 && !options.check) throw UsageError("--tolerance is for --check");
  Subject subject = open_subject(options, common);
  std::vector<std::string> made;
  subject.inputs = complete_inputs(subject.engine, std::move(subject.inputs), common, &made);
  if (!common.quiet)
    for (const std::string& name : made)
      fmt::print(stderr, "input '{}' was not given: it is random, from seed {}\n", name, common.seed);
  const ir::Graph& graph = *subject.engine.state().program->graph;
  if (!options.output_dir.empty()) std::filesystem::create_directories(options.output_dir);

  Session session(subject.engine);
  json report = {{"model", options.model}, {"outputs", json::array()}};
  std::vector<Tensor> outputs;
  if (options.dump.empty()) {
    const TensorMap results = session.run(subject.inputs);
    for (const ir::Output& output : graph.outputs) outputs.push_back(results.at(output.name));
  } else {
    std::vector<Tensor> inputs;
    for (ir::ValueId id : graph.inputs()) inputs.push_back(subject.inputs.at(graph.value(id).name));
    runtime::ObservedRun run = runtime::observe_run(session.state(), inputs);
    report["values"] = dump_values(options, common, graph, run);
    outputs = std::move(run.outputs);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::string& name = graph.outputs[i].name;
    if (!common.quiet)
      fmt::print("{}: {} {}\n", name, dtype_name(outputs[i].dtype()), shape_text(outputs[i].shape()));
    write_value(options, name, outputs[i]);
    report["outputs"].push_back(
        {{"name", name}, {"dtype", dtype_name(outputs[i].dtype())}, {"shape", outputs[i].shape()}});
  }
  const bool right = !options.check || check_outputs(options, common, subject, outputs, report);
  if (!common.json.empty())
    write_report(common.json, report);
  return right ? 0 : 1;
}

}  // namespace

Command add_run(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("run", "Run a model or an engine once");
  auto options = std::make_shared<RunOptions>();
  command.add_option("model", options->model, "an .onnx or .burnish file")->required();
  command.add_option("--input", options->inputs, "NAME=FILE.npy; repeatable")->allow_extra_args(false);
  command.add_option("--output-dir", options->output_dir, "write one NAME.npy per output");
  command
      .add_option("--dump", options->dump,
                  "NAME of a value inside the graph, or all: written too; repeatable")
      ->allow_extra_args(false);
  command.add_flag("--check", options->check,
                   "run on the reference too and print each output's error; exit 1 where it is too large");
  command
      .add_option("--tolerance", options->tolerance,
                  "the relative L2 that --check allows; default: by precision")
      ->check(CLI::NonNegativeNumber);
  command.footer(
      "\nExamples:\n  burnish run model.onnx --input x=x.npy --output-dir results\n  burnish run model.onnx "
      "--check --device cpu\n"
      "  burnish run model.onnx --dump /conv1/Conv_output_0 --output-dir values\n");
  auto common = add_common_options(command);
  return [options, common] { return run(*options, *common); };
}

}  // namespace burnish::tool
