// burnish bench: measure a model, an engine, or one problem of one kernel.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/npy.h"
#include "command.h"
#include "engines.h"
#include "report.h"
#include "runtime/session_state.h"
#include "tune/oracle.h"

namespace burnish::tool {
namespace {

using Clock = std::chrono::steady_clock;

struct BenchOptions {
  std::string model, problem;
  double warmup_ms = 200, duration_s = 3;
  int iterations = 10;
  bool profile = false, with_transfers = false;
};

double milliseconds_since(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

struct Statistics {
  double min = 0, max = 0, mean = 0, median = 0, p90 = 0, p95 = 0, p99 = 0;
};

/// Percentiles by the nearest rank.
Statistics summarize(std::vector<double> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double share) { return times[std::min(times.size() - 1, static_cast<size_t>(std::ceil(share * static_cast<double>(times.size()))) - (share > 0 ? 1 : 0))]; };
  return {times.front(), times.back(), std::accumulate(times.begin(), times.end(), 0.0) / static_cast<double>(times.size()), at(0.5), at(0.9), at(0.95), at(0.99)};
}

nlohmann::ordered_json to_json(const Statistics& s) {
  return {{"min", s.min}, {"max", s.max}, {"mean", s.mean}, {"median", s.median}, {"p90", s.p90}, {"p95", s.p95}, {"p99", s.p99}};
}

/// Calls `body` for the warm-up's time, then for at least the duration and the iterations; milliseconds of each call.
template <class Body>
std::vector<double> repeat(const BenchOptions& options, Body&& body) {
  for (const auto start = Clock::now(); milliseconds_since(start) < options.warmup_ms;) body();
  std::vector<double> times;
  for (const auto start = Clock::now(); milliseconds_since(start) < options.duration_s * 1e3 || static_cast<int>(times.size()) < options.iterations;) {
    const auto one = Clock::now();
    body();
    times.push_back(milliseconds_since(one));
  }
  return times;
}

/// The device's own time from before a run's first work to after its last; none where the device runs on the host. A run
/// before it keeps the device busy until the host has enqueued all of it.
std::optional<Statistics> device_times(const BenchOptions& options, session_internal::SessionState& state,
                                       const std::vector<Tensor>& inputs, std::vector<Tensor>& outputs) {
  if (state.device->on_host()) return std::nullopt;
  const auto start = state.device->create_event(true), end = state.device->create_event(true);
  std::vector<double> times;
  BenchOptions calls = options;
  calls.duration_s /= 2;
  calls.warmup_ms = 0;  // the calls before have warmed it up
  repeat(calls, [&] {
    state.device->execute([&] {
      outputs = state.execution.run(inputs, outputs, *state.stream);
      state.stream->record(*start);
      outputs = state.execution.run(inputs, outputs, *state.stream);
      state.stream->record(*end);
      times.push_back(end->milliseconds_since(*start));
    });
  });
  return summarize(std::move(times));
}

void print_profile(const runtime::Profiler& profiler) {
  std::vector<runtime::Profiler::Row> rows;
  double total = 0;
  for (const auto& [node, row] : profiler.rows()) {
    rows.push_back(row);
    total += row.microseconds / row.calls;
  }
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.microseconds / a.calls > b.microseconds / b.calls; });
  fmt::print("\n{:>10} {:>6}  {:28} {}\n", "us", "share", "kernel", "node");
  for (const auto& row : rows) fmt::print("{:10.1f} {:5.1f}%  {:28} {}\n", row.microseconds / row.calls, 100 * row.microseconds / row.calls / total, row.kernel, row.name.substr(0, 100));
}

int bench_model(const BenchOptions& options, const CommonOptions& common) {
  const auto start = Clock::now();
  const Engine engine = open_engine(options.model, common);
  const double build_seconds = is_engine_file(options.model) ? 0 : milliseconds_since(start) / 1e3;
  Session session(engine);
  std::vector<std::string> made;
  const TensorMap inputs = complete_inputs(engine, {}, common, &made);
  const ir::Graph& graph = *engine.state().program->graph;
  session_internal::SessionState& state = session.state();
  // From inputs on the device to outputs on the device, with one wait.
  std::vector<Tensor> ordered, outputs;
  state.device->execute([&] {
    for (ir::ValueId id : graph.inputs()) {
      Tensor input = inputs.at(graph.value(id).name);
      if (!state.device->on_host()) {
        const Tensor host = input;
        input = state.device->make_tensor(host.dtype(), host.shape(), static_cast<size_t>(host.bytes()));
        state.device->copy(input.raw(), host.raw(), static_cast<size_t>(host.bytes()), *state.stream);
        state.stream->synchronize();
      }
      ordered.push_back(std::move(input));
    }
  });
  const auto call = [&] {
    state.device->execute([&] {
      outputs = state.execution.run(ordered, outputs, *state.stream);
      state.stream->synchronize();
    });
  };
  const auto call_from_host = [&] { session.run(inputs); };
  const Statistics latency = summarize(options.with_transfers ? repeat(options, call_from_host) : repeat(options, call));
  const std::optional<Statistics> on_device = device_times(options, state, ordered, outputs);
  const device::DeviceInfo& info = state.device->info();
  const MemoryUse memory = session.memory();
  const int steps = state.execution.steps_run(), fallbacks = state.execution.fallback_steps_run();
  const double throughput = 1e3 / latency.mean;
  if (!common.quiet) {
    fmt::print("{} on {} ({}, {} threads)\n", options.model, info.name, info.arch, info.threads);
    fmt::print("latency ms   min {:.3f}  median {:.3f}  mean {:.3f}  p90 {:.3f}  p95 {:.3f}  p99 {:.3f}  max {:.3f}\n", latency.min, latency.median, latency.mean, latency.p90, latency.p95, latency.p99, latency.max);
    if (on_device)
      fmt::print("device ms    min {:.4f}  median {:.4f}  mean {:.4f}  p90 {:.4f}  p99 {:.4f}\n", on_device->min,
                 on_device->median, on_device->mean, on_device->p90, on_device->p99);
    fmt::print("throughput   {:.1f} inferences a second\n", throughput);
    fmt::print("build        {:.2f} s; {} kernels, {} of them on the reference\n", build_seconds, steps, fallbacks);
    fmt::print("memory MB    weights {:.2f}  arena {:.2f} (lower bound {:.2f})  values {:.2f}  workspace {:.2f}\n", static_cast<double>(memory.weights) / 1e6, static_cast<double>(memory.arena) / 1e6,
               static_cast<double>(memory.arena_lower_bound) / 1e6, static_cast<double>(memory.arena_values) / 1e6, static_cast<double>(memory.workspace) / 1e6);
  }
  if (options.profile) {
    runtime::Profiler profiler;
    state.execution.set_profiler(&profiler);
    for (int i = 0; i < 20; ++i) call();
    state.execution.set_profiler(nullptr);
    print_profile(profiler);
  }
  if (!common.json.empty()) {
    nlohmann::ordered_json shapes = nlohmann::ordered_json::object();
    for (const auto& [name, tensor] : inputs) shapes[name] = tensor.shape();
    std::vector<std::string> precision = common.precision.empty() ? std::vector<std::string>{"fp32"} : common.precision;
    const nlohmann::ordered_json report = {
        {"burnish", BURNISH_VERSION}, {"model", options.model}, {"device", info.backend}, {"device_name", info.name}, {"precision", precision}, {"threads", info.threads},
        {"shapes", shapes}, {"build_seconds", build_seconds}, {"engine_bytes", is_engine_file(options.model) ? static_cast<int64_t>(std::filesystem::file_size(options.model)) : 0},
        {"weights_bytes", memory.weights}, {"arena_bytes", memory.arena}, {"arena_lower_bound_bytes", memory.arena_lower_bound}, {"arena_values_bytes", memory.arena_values},
        {"workspace_bytes", memory.workspace}, {"peak_device_bytes", memory.peak_device}, {"kernels", steps}, {"fallback_kernels", fallbacks}, {"streams", engine.state().program->streams}, {"iterations", options.iterations},
        {"latency_ms", to_json(latency)}, {"device_ms", on_device ? to_json(*on_device) : nlohmann::ordered_json()}, {"throughput_qps", throughput}};
    write_report(common.json, report);
  }
  return 0;
}

/// Every candidate of every tactic that supports the problem, checked and timed.
int bench_problem(const BenchOptions& options, const CommonOptions& common) {
  const device::Problem problem = device::Problem::parse(options.problem).at_opt();
  const std::shared_ptr<device::Device> device = device::open_device(common.device, {common.threads});
  const std::vector<Tensor> expected = tune::expected_outputs(problem);
  fmt::print("{:>10}  {:28} {}\n", "us", "kernel", "candidate");
  bool wrong = false;
  for (const device::Tactic* tactic : device->tactics()) {
    if (const Support support = device::runs(*tactic, problem, device->info()); !support) {
      if (common.verbose > 0) fmt::print("{:>10}  {:28} {}\n", "-", tactic->name(), support.reason());
      continue;
    }
    for (const device::Candidate& candidate : tactic->candidates(problem, *device)) {
      const tune::TrialResult result = tune::try_candidate(problem, *tactic, candidate, expected, *device, options.duration_s * 1e6 / 10);
      if (result.wrong.empty()) fmt::print("{:10.1f}  {:28} {}\n", result.microseconds, tactic->name(), candidate.id);
      else fmt::print("{:>10}  {:28} {}: {}\n", "WRONG", tactic->name(), candidate.id, result.wrong);
      wrong = wrong || !result.wrong.empty();
    }
  }
  return wrong ? 1 : 0;
}

int run(const BenchOptions& options, const CommonOptions& common) {
  if (options.model.empty() == options.problem.empty()) throw UsageError("bench takes either MODEL or --problem \"...\"");
  return options.problem.empty() ? bench_model(options, common) : bench_problem(options, common);
}

}  // namespace

Command add_bench(CLI::App& app) {
  CLI::App& command = *app.add_subcommand("bench", "Measure a model, an engine, or one problem");
  auto options = std::make_shared<BenchOptions>();
  command.add_option("model", options->model, "an .onnx or .burnish file");
  command.add_option("--problem", options->problem, "a problem's one-line text, as explain prints it");
  command.add_option("--warmup-ms", options->warmup_ms, "time before measuring, 200 by default");
  command.add_option("--duration-s", options->duration_s, "time of measuring, 3 by default");
  command.add_option("--iterations", options->iterations, "at least this many calls, 10 by default");
  command.add_flag("--with-transfers", options->with_transfers, "latency from inputs on the host to outputs on the host");
  command.add_flag("--profile", options->profile, "add a table per kernel");
  command.footer("\nExamples:\n  burnish bench resnet50.burnish\n  burnish bench page.onnx --shape x=1x3x640x640 --profile\n");
  auto common = add_common_options(command);
  return [options, common] { return run(*options, *common); };
}

}  // namespace burnish::tool
