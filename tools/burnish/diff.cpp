// burnish diff: what differs between two models or engines, or between two ways to run one model.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/dispatch.h"
#include "base/error.h"
#include "build/bisect.h"
#include "build/io.h"
#include "build/model.h"
#include "check.h"
#include "command.h"
#include "engines.h"
#include "graph_diff.h"
#include "ops/seeded_inputs.h"
#include "report.h"
#include "runtime/observe.h"

namespace burnish::tool {
namespace {

using json = nlohmann::ordered_json;

struct DiffOptions {
  std::string a, b;
  std::vector<std::string> devices, precisions;
  bool bisect = false;
  double tolerance = -1;
};

void report_json(const CommonOptions& common, const json& report) {
  if (!common.json.empty())
    write_report(common.json, report);
}

// --- two files ---

/// Differences of two records' parts, member by member.
std::vector<std::string> member_differences(const std::string& prefix, const json& a, const json& b) {
  std::vector<std::string> lines;
  for (const auto& [key, value] : a.items())
    if (!b.contains(key) || b.at(key) != value)
      lines.push_back(fmt::format("{} {}: {} in the first, {} in the second", prefix, key, value.dump(),
                                  b.contains(key) ? b.at(key).dump() : "nothing"));
  for (const auto& [key, value] : b.items())
    if (!a.contains(key))
      lines.push_back(
          fmt::format("{} {}: nothing in the first, {} in the second", prefix, key, value.dump()));
  return lines;
}

/// Kernels by the value that they make.
std::vector<std::string> kernel_differences(const json& a, const json& b) {
  std::vector<std::string> lines;
  std::map<std::string, const json*> others;
  for (const json& kernel : b.at("kernels")) others[kernel.at("value")] = &kernel;
  const auto text = [](const json& kernel) {
    const json& us = kernel.at("us");
    return fmt::format("{} {}{}", kernel.at("tactic").get<std::string>(),
                       kernel.at("candidate").get<std::string>(),
                       us.is_number() ? fmt::format(" ({:.1f} us)", us.get<double>()) : "");
  };
  for (const json& kernel : a.at("kernels")) {
    const auto found = others.find(kernel.at("value"));
    if (found == others.end()) {
      lines.push_back(fmt::format("- kernel {} at {}", text(kernel), kernel.at("node").get<std::string>()));
      continue;
    }
    const json& other = *found->second;
    if (kernel.at("tactic") != other.at("tactic") || kernel.at("candidate") != other.at("candidate"))
      lines.push_back(fmt::format("kernel at {}: {} in the first, {} in the second",
                                  kernel.at("node").get<std::string>(), text(kernel), text(other)));
    others.erase(found);
  }
  for (const json& kernel : b.at("kernels"))
    if (others.contains(kernel.at("value")))
      lines.push_back(fmt::format("+ kernel {} at {}", text(kernel), kernel.at("node").get<std::string>()));
  return lines;
}

std::vector<std::string> file_differences(const DiffOptions& options, const CommonOptions& common) {
  // Two models are compared as they are; an engine with a model means: with what a build makes of it now.
  if (!is_engine_file(options.a) && !is_engine_file(options.b))
    return graph_differences(*Model::load(options.a).state().graph, *Model::load(options.b).state().graph);
  const Engine a = open_engine(options.a, common), b = open_engine(options.b, common);
  std::vector<std::string> lines = graph_differences(*a.state().program->graph, *b.state().program->graph);
  const json first = engine_record(a), second = engine_record(b);
  for (const char* part : {"device", "options"})
    for (std::string& line : member_differences(part, first.at(part), second.at(part)))
      lines.push_back(std::move(line));
  for (std::string& line : kernel_differences(first, second)) lines.push_back(std::move(line));
  return lines;
}

int diff_files(const DiffOptions& options, const CommonOptions& common) {
  const std::vector<std::string> lines = file_differences(options, common);
  if (!common.quiet) {
    for (const std::string& line : lines) fmt::print("{}\n", line);
    fmt::print("{} differences\n", lines.size());
  }
  report_json(common, {{"a", options.a}, {"b", options.b}, {"differences", lines}});
  return lines.empty() ? 0 : 1;
}

// --- one model, two ways ---

/// As numbers of one type, so that FP16 compares with FP32.
Tensor to_f64(const Tensor& tensor) {
  Tensor wide(DType::f64, tensor.shape());
  dispatch(NumberAndBoolTypes{}, tensor.dtype(), [&]<class T>(Type<T>) {
    for (int64_t i = 0; i < tensor.size(); ++i)
      wide.data<double>()[i] = static_cast<double>(tensor.data<T>()[i]);
  });
  return wide;
}

struct Layer {
  std::string value, node;
  Difference apart;
};

/// The values that both make under one name, in the first's order; the outputs last.
std::vector<Layer> compare_layers(const Engine& a, const Engine& b, uint64_t seed) {
  const std::vector<Tensor> inputs = ops::seeded_inputs(*a.state().program->graph, seed);
  session_internal::SessionState first(a), second(b);
  const runtime::ObservedRun one = runtime::observe_run(first, inputs),
                             two = runtime::observe_run(second, inputs);
  const ir::Graph &graph = *a.state().program->graph, &other = *b.state().program->graph;
  std::map<std::string, Tensor> others;
  for (const runtime::ObservedValue& value : two.values) others[other.value(value.id).name] = value.tensor;
  std::vector<Layer> layers;
  const auto add = [&](const std::string& name, const std::string& node, const Tensor& x, Tensor y) {
    if (x.shape() != y.shape() || is_floating(x.dtype()) != is_floating(y.dtype())) return;
    layers.push_back({name, node, difference(to_f64(x), to_f64(y))});
  };
  for (const runtime::ObservedValue& value : one.values) {
    const std::string& name = graph.value(value.id).name;
    const auto found = others.find(name);
    if (value.by_kernel && found != others.end())
      add(name, graph.node(graph.value(value.id).producer).source, value.tensor, found->second);
  }
  for (size_t i = 0; i < one.outputs.size(); ++i)
    add(graph.outputs[i].name, "output", one.outputs[i], two.outputs[i]);
  return layers;
}

int diff_layers(const DiffOptions& options, const CommonOptions& common) {
  const bool by_device = !options.devices.empty();
  const std::vector<std::string>& ways = by_device ? options.devices : options.precisions;
  if (ways.size() != 2)
    throw UsageError(by_device ? "--devices takes two, as in cpu,reference"
                               : "--precisions takes two, as in fp32,fp16");
  if (is_engine_file(options.a))
    throw UsageError(
        fmt::format("'{}' is an engine; --devices and --precisions build a model twice", options.a));
  const Model model = Model::load(options.a);
  std::vector<Engine> engines;
  CommonOptions loosest = common;
  for (const std::string& way : ways) {
    CommonOptions one = common;
    one.force_precision = true;  // what is asked about is the result, not its speed
    if (by_device)
      one.device = way;
    else
      one.precision = {way};
    loosest.precision.insert(loosest.precision.end(), one.precision.begin(), one.precision.end());
    engines.push_back(build_with_progress(model, one));
  }
  const double tolerance =
      options.tolerance >= 0 ? options.tolerance : default_tolerance(loosest, *model.state().graph);
  const std::vector<Layer> layers = compare_layers(engines[0], engines[1], common.seed);
  const auto first = std::find_if(layers.begin(), layers.end(), [&](const Layer& layer) {
    return !(layer.apart.relative_l2 <= tolerance);
  });
  json table = json::array();
  if (!common.quiet) fmt::print("{:>12} {:>12}  {}\n", "relative L2", "largest", "value, node");
  for (const Layer& layer : layers) {
    if (!common.quiet)
      fmt::print("{:12.3g} {:12.3g}  {}, {}\n", layer.apart.relative_l2, layer.apart.largest_absolute,
                 layer.value, layer.node);
    table.push_back({{"value", layer.value},
                     {"node", layer.node},
                     {"relative_l2", layer.apart.relative_l2},
                     {"largest_absolute_error", layer.apart.largest_absolute}});
  }
  const bool parts = first != layers.end();
  if (parts)
    fmt::print("first apart: '{}' at {}, relative L2 {:.3g} (tolerance {:.3g})\n", first->value, first->node,
               first->apart.relative_l2, tolerance);
  else
    fmt::print("no layer is further apart than {:.3g}\n", tolerance);
  report_json(common, {{"ways", ways},
                       {"tolerance", tolerance},
                       {"layers", table},
                       {"first_apart", parts ? json(first->value) : json()}});
  return parts ? 1 : 0;
}

int diff_bisect(const DiffOptions& options, const CommonOptions& common) {
  if (is_engine_file(options.a))
    throw UsageError(
        fmt::format("'{}' is an engine; --bisect builds a model, to stop on the way", options.a));
  const Model model = Model::load(options.a);
  BuildOptions asked = build_options(common);
  asked.force_precision = true;
  const std::shared_ptr<ir::Graph> graph = build_internal::requested_graph(model, asked);
  const double tolerance = options.tolerance >= 0 ? options.tolerance : default_tolerance(common, *graph);
  const build_internal::Culprit culprit =
      build_internal::bisect(model, asked, ops::seeded_inputs(*graph, common.seed), tolerance);
  const bool rewrite = culprit.kind == build_internal::Culprit::Kind::rewrite,
             right = culprit.kind == build_internal::Culprit::Kind::none;
  if (right) {
    fmt::print(
        "the result is right: it lies {:.3g} (relative L2) off the reference, the tolerance is {:.3g}\n",
        culprit.error, tolerance);
  } else {
    fmt::print("the result is off by {:.3g} (relative L2), the tolerance is {:.3g}\n", culprit.error,
               tolerance);
    fmt::print(
        "{} {} of {} makes it so: {}\n  at {}\n  {}{}\n  the error before it is {:.3g}, after it {:.3g}\n",
        rewrite ? "rewrite" : "kernel", culprit.position, culprit.total, culprit.name, culprit.where,
        rewrite ? "which became " : "problem ", culprit.what, culprit.error_before, culprit.error_after);
  }
  report_json(common, {{"kind", right     ? "none"
                                : rewrite ? "rewrite"
                                          : "kernel"},
                       {"error", culprit.error},
                       {"tolerance", tolerance},
                       {"position", culprit.position},
                       {"total", culprit.total},
                       {"name", culprit.name},
                       {"where", culprit.where},
                       {"what", culprit.what},
                       {"error_before", culprit.error_before},
                       {"error_after", culprit.error_after}});
  return right ? 0 : 1;
}

int run(const DiffOptions& options, const CommonOptions& common) {
  const int ways =
      !options.b.empty() + !options.devices.empty() + !options.precisions.empty() + options.bisect;
  if (ways != 1)
    throw UsageError(
        "diff takes one of: a second MODEL or ENGINE, --devices a,b, --precisions a,b, --bisect");
  if (!options.b.empty()) return diff_files(options, common);
  return options.bisect ? diff_bisect(options, common) : diff_layers(options, common);
}

}  // namespace

Command add_diff(CLI::App& app) {
  CLI::App& command = *app.add_subcommand(
      "diff", "What differs between two models or engines, or between two ways to run one");
  auto options = std::make_shared<DiffOptions>();
  command.add_option("a", options->a, "an .onnx or .burnish file")->required();
  command.add_option("b", options->b, "another");
  command.add_option("--devices", options->devices, "two devices: the first layer whose outputs part")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_option("--precisions", options->precisions, "two precisions: likewise")
      ->delimiter(',')
      ->allow_extra_args(false);
  command.add_flag("--bisect", options->bisect, "find the rule or kernel that makes the result wrong");
  command
      .add_option("--tolerance", options->tolerance,
                  "the relative L2 that counts as equal; default: by precision")
      ->check(CLI::NonNegativeNumber);
  command.footer(
      "\nExit code 0 where nothing differs, 1 where something does.\n\nExamples:\n  burnish diff "
      "before.burnish after.burnish\n  burnish diff model.onnx --devices cpu,reference\n"
      "  burnish diff model.onnx --bisect --tune model\n");
  auto common = add_common_options(command);
  return [options, common] { return run(*options, *common); };
}

}  // namespace burnish::tool
