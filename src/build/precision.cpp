#include "build/precision.h"

#include <fmt/ranges.h>
#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/error.h"
#include "ops/seeded_inputs.h"
#include "runtime/execution.h"

namespace burnish::build_internal {
namespace {

constexpr double run_budget_us = 500'000;  ///< of measuring whole runs of one program

bool holds_quantised_values(const ir::Graph& graph) {
  static const std::set<std::string_view> quantised = {
      "quantize_linear", "dequantize_linear", "dynamic_quantize_linear", "matmul_integer", "conv_integer"};
  for (ir::NodeId id : graph.order())
    if (quantised.contains(graph.node(id).op->name)) return true;
  return false;
}

bool computes_in(const device::Device& device, Precision precision) {
  const std::vector<std::string>& known = device.info().precisions;
  return std::find(known.begin(), known.end(), precision_name(precision)) != known.end();
}

std::string names_of(const std::vector<Precision>& precisions) {
  std::string names;
  for (Precision one : precisions)
    names += fmt::format("{}{}", names.empty() ? "" : " or ", precision_name(one));
  return names;
}

/// Microseconds of a run at opt on seeded inputs.
double measure_run(std::shared_ptr<const plan::Program> program) {
  device::Device& device = *program->device;
  const std::vector<Tensor> inputs = ops::seeded_inputs(*program->graph, 0);
  runtime::Execution execution(std::move(program));
  std::vector<Tensor> outputs;
  const double typical =
      device.measure([&](device::Stream& stream, int) { outputs = execution.run(inputs, outputs, stream); },
                     1, run_budget_us);
  return std::round(typical * 100) / 100;  // as the cache's text keeps it
}

/// Microseconds of one run.
struct Comparison {
  double wide = 0, narrow = 0;
};

/// The times of two programs of one network: measured, once for each cache, or else as the tuner guesses
/// them.
Comparison compare(const Built& wide, const Built& narrow, Precision precision, tune::TuningCache& cache) {
  if (!wide.context.options.measure) return {wide.context.microseconds, narrow.context.microseconds};
  const std::string text = ir::print(*wide.program->graph) + ir::print(*narrow.program->graph),
                    &key = wide.context.device->info().tuning_key;
  const std::string problem = fmt::format("precision {} graphs={:016x}", precision_name(precision),
                                          XXH3_64bits(text.data(), text.size()));
  if (const tune::Trials* known = cache.find(key, problem); known && known->size() == 2)
    return {known->front().microseconds, known->back().microseconds};
  const Comparison times{measure_run(wide.program), measure_run(narrow.program)};
  cache.add(key, problem,
            {{"precision", "fp32", times.wide, ""},
             {"precision", std::string(precision_name(precision)), times.narrow, ""}});
  return times;
}

}  // namespace

Arithmetic allowed_arithmetic(const std::vector<Precision>& allowed, const ir::Graph& graph) {
  const auto may = [&](Precision precision) {
    return std::find(allowed.begin(), allowed.end(), precision) != allowed.end();
  };
  for (Precision precision : {int8, fp8})
    if (may(precision) && !holds_quantised_values(graph))
      throw UsageError(
          fmt::format("precision {0}: the model has no quantised values, and {0} for other models needs "
                      "calibration, which does not exist yet; "
                      "use fp16 or bf16, or a model with QuantizeLinear and DequantizeLinear",
                      precision_name(precision)));
  Arithmetic arithmetic;
  arithmetic.tf32 = allowed.empty() || may(tf32);
  for (Precision precision : {fp16, bf16})
    if (may(precision)) arithmetic.narrow.push_back(precision);
  return arithmetic;
}

Built build_in_best_precision(const std::shared_ptr<ir::Graph>& graph, const std::vector<Precision>& narrow,
                              const ProgramContext& fresh, tune::TuningCache& cache) {
  const auto make = [&](std::optional<Precision> precision) {
    Built made{fresh, nullptr};
    made.program =
        build_program(graph->clone(), made.context,
                      precision ? std::optional(precision == fp16 ? DType::f16 : DType::bf16) : std::nullopt);
    return made;
  };
  if (narrow.empty()) return make(std::nullopt);
  const device::Device& device = *fresh.device;
  const bool forced = fresh.options.force_precision;
  const auto used = forced ? narrow.begin() : std::find_if(narrow.begin(), narrow.end(), [&](Precision one) {
    return computes_in(device, one);
  });
  if (used != narrow.end() && (forced || !device.on_host())) return make(*used);
  Built wide = make(std::nullopt);
  if (used == narrow.end()) {
    wide.context.precision_notes.push_back(
        fmt::format("{} is not used: the device computes in {}, and converting alone would cost time",
                    names_of(narrow), fmt::join(device.info().precisions, ", ")));
    return wide;
  }
  Built lower = make(*used);
  const Comparison times = compare(wide, lower, *used, cache);
  const bool pays = times.narrow < times.wide;
  (pays ? lower : wide)
      .context.precision_notes.push_back(fmt::format(
          "{} is {}used: one run of the network takes {:.3g} ms with it and {:.3g} ms with fp32 alone ({})",
          precision_name(*used), pays ? "" : "not ", times.narrow / 1e3, times.wide / 1e3,
          fresh.options.measure ? "measured" : "guessed"));
  return pays ? std::move(lower) : std::move(wide);
}

}  // namespace burnish::build_internal
