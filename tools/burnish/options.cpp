#include "options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "base/files.h"
#include <charconv>

namespace burnish::tool {
namespace {

constexpr const char* group = "Options of all commands";

std::map<std::string, Shape> parse_shapes(const std::string& option, const std::vector<std::string>& texts) {
  std::map<std::string, Shape> shapes;
  for (const std::string& text : texts) {
    const auto [name, shape] = parse_assignment(option, text);
    shapes[name] = parse_shape(option, shape);
  }
  return shapes;
}

}  // namespace

std::shared_ptr<CommonOptions> add_common_options(CLI::App& app) {
  auto options = std::make_shared<CommonOptions>();
  CommonOptions& o = *options;
  app.add_option("--device", o.device,
                 "cpu, cuda, cuda:1 or reference; default: cuda where a GPU is, else cpu")
      ->group(group);
  app.add_option("--precision", o.precision,
                 "what may be used beside fp32: tf32, fp16, bf16, int8, fp8 (comma-separated)")
      ->delimiter(',')
      ->group(group);
  app.add_option("--shape", o.shape, "NAME=1x3x224x224 fixes an input's shape; repeatable")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--min-shape", o.min_shape, "NAME=SHAPE, the smallest shape of a dynamic input")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--opt-shape", o.opt_shape, "NAME=SHAPE, the shape to tune for")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--max-shape", o.max_shape, "NAME=SHAPE, the largest shape")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--io", o.io,
                 "NAME=fp16:nhwc, the type and layout in which an input or output is handed over")
      ->allow_extra_args(false)
      ->group(group);
  app.add_option("--threads", o.threads, "CPU threads in all; default: what the process may use")
      ->check(CLI::Range(1, 4096))
      ->group(group);
  app.add_option("--streams", o.streams, "the most GPU streams; default: chosen by measuring")
      ->check(CLI::Range(1, 64))
      ->group(group);
  app.add_option("--tuning-cache", o.tuning_cache,
                 "a file, or none; default: in the user's cache folder, or the one that BURNISH_CACHE names")
      ->group(group);
  app.add_option("--tune", o.tune, "measure: time the candidates; model: take the first choice untimed")
      ->check(CLI::IsMember({"measure", "model"}))
      ->group(group);
  app.add_option("--arch", o.arch, "CUDA: compile for this architecture (sm_80)")->group(group);
  app.add_option("--rules", o.rules, "a file of more rewrite rules, in the language of Burnish's own")->group(group);
  app.add_option("--seed", o.seed, "for inputs that are not given")->group(group);
  app.add_option("--json", o.json, "write the result to this file as JSON too")->group(group);
  app.add_flag("-v,--verbose", o.verbose, "say more; -vv still more")->group(group);
  app.add_flag("--quiet", o.quiet, "no progress, no notes")->group(group);
  return options;
}

std::pair<std::string, std::string> parse_assignment(const std::string& option, const std::string& text) {
  // Names may hold '='? ONNX allows it; values never do, so the last one parts them.
  const size_t at = text.rfind('=');
  if (at == std::string::npos || at == 0 || at + 1 == text.size())
    throw UsageError(fmt::format("{} takes NAME=VALUE, not '{}'", option, text));
  return {text.substr(0, at), text.substr(at + 1)};
}

Shape parse_shape(const std::string& option, const std::string& text) {
  Shape shape;
  if (text == "scalar") return shape;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    int64_t dim = 0;
    const auto [next, error] = std::from_chars(at, end, dim);
    if (error != std::errc() || dim < 0 || (next != end && *next != 'x'))
      throw UsageError(fmt::format("{}: '{}' is not a shape like 1x3x224x224", option, text));
    shape.push_back(dim);
    if (next == end) return shape;
    at = next + 1;
  }
}

BuildOptions build_options(const CommonOptions& options) {
  BuildOptions built;
  built.force_precision = options.force_precision;
  built.device = options.device;
  for (const std::string& name : options.precision) {
    const auto precision = parse_precision(name);
    if (!precision)
      throw UsageError(fmt::format("--precision: '{}' is none of fp32, tf32, fp16, bf16, int8, fp8", name));
    built.precision.push_back(*precision);
  }
  built.shapes = parse_shapes("--shape", options.shape);
  const auto minima = parse_shapes("--min-shape", options.min_shape),
             optima = parse_shapes("--opt-shape", options.opt_shape),
             maxima = parse_shapes("--max-shape", options.max_shape);
  for (const auto* given : {&minima, &optima, &maxima}) {
    for (const auto& [name, shape] : *given) {
      if (!minima.contains(name) || !maxima.contains(name))
        throw UsageError(fmt::format("input '{}' needs both --min-shape and --max-shape", name));
      const Shape& opt = optima.contains(name) ? optima.at(name) : maxima.at(name);
      built.shape_ranges[name] = {minima.at(name), opt, maxima.at(name)};
    }
  }
  for (const std::string& text : options.io) {
    const auto [name, format] = parse_assignment("--io", text);
    built.io[name] = format;
  }
  built.threads = options.threads;
  built.streams = options.streams;
  if (!options.tuning_cache.empty()) built.tuning_cache = options.tuning_cache;
  built.measure = options.tune != "model";
  built.arch = options.arch;
  if (!options.arch.empty() && !options.device.empty() && !options.device.starts_with("cuda"))
    throw UsageError(fmt::format("--arch is for --device cuda; device '{}' has one architecture", options.device));
  if (!options.rules.empty()) built.rules = read_file(options.rules);
  return built;
}

}  // namespace burnish::tool
