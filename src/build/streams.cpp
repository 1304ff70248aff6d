#include "build/streams.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>

#include "ops/seeded_inputs.h"
#include "runtime/execution.h"

namespace burnish::build_internal {
namespace {

constexpr int default_most = 4, warm_up_runs = 5, timed_runs = 40;
constexpr double least_gain = 0.02;
constexpr const char* prefetching = " prefetch";  // in the tuning cache, behind the number of streams

/// Median milliseconds of a run, by the device's clock; negative where no branches were spread.
double measure(std::shared_ptr<const plan::Program> program, const std::vector<Tensor>& inputs) {
  device::Device& device = *program->device;
  const bool wants_branches = program->streams > 1;
  runtime::Execution execution(std::move(program));
  const auto stream = device.create_stream();
  const auto start = device.create_event(true), end = device.create_event(true);
  std::vector<Tensor> on_device, outputs;
  for (const Tensor& input : inputs) {
    on_device.push_back(device.make_tensor(input.dtype(), input.shape(), static_cast<size_t>(input.bytes())));
    device.copy(on_device.back().raw(), input.raw(), static_cast<size_t>(input.bytes()), *stream);
  }
  std::vector<double> times;
  for (int i = 0; i < warm_up_runs + timed_runs; ++i) {
    stream->record(*start);
    outputs = execution.run(on_device, outputs, *stream);
    stream->record(*end);
    const double milliseconds = end->milliseconds_since(*start);
    if (i >= warm_up_runs) times.push_back(milliseconds);
    const auto segments = execution.last_segments();
    if (wants_branches && std::all_of(segments.begin(), segments.end(), [](const plan::Segment* segment) { return segment->streams == 1; })) return -1;
  }
  std::nth_element(times.begin(), times.begin() + times.size() / 2, times.end());
  return times[times.size() / 2];
}

}  // namespace

Enqueueing choose_enqueueing(const std::shared_ptr<plan::Program>& program, const BuildOptions& options, tune::TuningCache& cache) {
  const int most = std::min(options.streams > 0 ? options.streams : default_most, plan::most_streams);
  device::Device& device = *program->device;
  if (device.on_host() || !options.measure) return {};
  const std::string text = ir::print(*program->graph);
  const std::string problem = fmt::format("enqueueing streams<={} graph={:016x}", most, XXH3_64bits(text.data(), text.size()));
  if (const tune::Trials* known = cache.find(device.info().tuning_key, problem)) {
    const std::string& candidate = known->front().candidate;
    Enqueueing kept;
    std::from_chars(candidate.data(), candidate.data() + candidate.size(), kept.streams);
    return {std::clamp(kept.streams, 1, most), candidate.ends_with(prefetching)};
  }
  const std::vector<Tensor> inputs = ops::seeded_inputs(*program->graph, 0);
  Enqueueing best;
  double best_time = 0;
  /// Takes it where it is faster; false where it spread nothing.
  const auto attempt = [&](Enqueueing way) {
    auto copy = std::make_shared<plan::Program>(*program);
    copy->streams = way.streams;
    copy->prefetch = way.prefetch;
    const double time = measure(copy, inputs);
    if (time >= 0 && (best_time == 0 || time < best_time * (1 - least_gain))) best = way, best_time = time;
    return time >= 0;
  };
  device.execute([&] {
    for (int streams = 1; streams <= most; streams *= 2)
      if (!attempt({streams, false})) break;
    attempt({best.streams, true});
  });
  cache.add(device.info().tuning_key, problem, {{"enqueueing", std::to_string(best.streams) + (best.prefetch ? prefetching : ""), best_time * 1e3, ""}});
  return best;
}

}  // namespace burnish::build_internal
