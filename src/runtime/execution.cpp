#include "runtime/execution.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "ops/evaluate.h"
#include "runtime/run_state.h"

namespace burnish::runtime {
namespace {

/// Plans of this many sets of shapes are kept, each a run's segments; the least recently used go first.
constexpr size_t most_plans = 64;
/// A device's memory over what is kept for shapes that may never come.
constexpr int64_t part_for_largest = 64;

bool is_aligned(const Tensor& tensor) {
  return reinterpret_cast<uintptr_t>(tensor.raw()) % static_cast<uintptr_t>(plan::device_alignment) == 0;
}

std::string plan_key(size_t position, const plan::Knowledge& knowledge) {
  std::string key = std::to_string(position);
  for (const auto& [name, value] : knowledge.symbols) fmt::format_to(std::back_inserter(key), "|{}={}", name, value);
  for (const auto& [index, tensor] : knowledge.host) {
    fmt::format_to(std::back_inserter(key), "|#{}:", index);
    key.append(static_cast<const char*>(tensor.raw()), static_cast<size_t>(tensor.bytes()));
  }
  return key;
}

/// A fallback kernel waits for the device, which no captured graph can.
bool is_replayable(const plan::Segment& segment) {
  return !segment.steps.empty() && std::none_of(segment.steps.begin(), segment.steps.end(), [](const plan::Step& step) { return step.fallback; });
}

}  // namespace

Execution::Execution(std::shared_ptr<const plan::Program> program)
    : program_(std::move(program)), device_(*program_->device), order_(program_->graph->order()) {}

Execution::~Execution() = default;

std::vector<const plan::Segment*> Execution::last_segments() const {
  std::vector<const plan::Segment*> segments;
  for (const Ready* ready : last_) segments.push_back(&ready->segment);
  return segments;
}

MemoryUse Execution::memory() const {
  MemoryUse use = memory_;
  use.peak_device = arena_.empty() ? 0 : arena_.bytes();
  for (const auto& [index, tensor] : program_->constants) use.peak_device += tensor.bytes();
  for (const std::unique_ptr<Ready>& ready : ready_) {
    for (const auto& [index, tensor] : ready->kept) use.peak_device += tensor.bytes();
    for (const auto& [index, tensor] : ready->segment.constants) use.peak_device += tensor.bytes();
  }
  return use;
}

Tensor Execution::on_device(const Tensor& tensor, device::Stream& stream) {
  if (device_.on_host() || (tensor.device() == device_.id() && is_aligned(tensor))) return tensor;
  Tensor copy = device_.make_tensor(tensor.dtype(), tensor.shape(), static_cast<size_t>(tensor.bytes()));
  device_.copy(copy.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes()), stream);
  return copy;
}

Tensor Execution::on_host(const Tensor& tensor, device::Stream& stream) {
  if (tensor.device().is_host()) return tensor;
  Tensor copy(tensor.dtype(), tensor.shape());
  device_.copy(copy.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes()), stream);
  stream.synchronize();
  return copy;
}

std::vector<Tensor> Execution::run(const std::vector<Tensor>& inputs, std::vector<Tensor> outputs, device::Stream& stream) {
  const ir::Graph& graph = *program_->graph;
  outputs.resize(graph.outputs.size());
  std::vector<const Tensor*> given;
  std::vector<Tensor*> wanted;
  for (const Tensor& input : inputs) given.push_back(&input);
  for (Tensor& output : outputs) wanted.push_back(&output);
  if (run_again(given, wanted, stream)) return outputs;
  Run run;
  run.stream = &stream;
  run.table.resize(graph.value_capacity());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const ir::ValueId id = graph.inputs()[i];
    with_context([&] { return fmt::format("input '{}'", graph.value(id).name); },
                 [&] { plan::unify(graph.value(id).type.shape, inputs[i].shape(), run.knowledge.symbols); });
    run.table[static_cast<size_t>(id.index)] = on_device(inputs[i], stream);
    run.knowledge.shapes[id.index] = inputs[i].shape();
  }
  for (const auto& [index, tensor] : program_->constants) run.table[static_cast<size_t>(index)] = tensor;
  for (size_t i = 0; i < outputs.size(); ++i)
    if (!outputs[i].empty() && (device_.on_host() || is_aligned(outputs[i]))) run.results.emplace(graph.outputs[i].value.index, outputs[i]);

  memory_ = {};
  steps_run_ = fallback_steps_run_ = 0;
  drop_old_plans();
  for (size_t position = 0;;) {
    Ready& ready = segment_at(position, run);
    run_segment(ready, run);
    const plan::Stop& stop = ready.segment.stop;
    position = stop.position;
    if (position >= order_.size()) break;
    for (ir::ValueId id : stop.wanted)
      run.knowledge.host[id.index] = on_host(run.table[static_cast<size_t>(id.index)], stream);
    if (stop.wanted.empty()) {
      run_host_node(order_[position], run);
      ++position;
    }
  }

  std::vector<Tensor> made;
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const ir::ValueId id = graph.outputs[i].value;
    Tensor result = run.table[static_cast<size_t>(id.index)];
    require(!result.empty(), "internal: output '{}' was not made", graph.outputs[i].name);
    // A result never shares memory with an input, a constant, or another result.
    bool shared = graph.value(id).is_input || graph.value(id).constant_only;
    for (size_t j = 0; j < i; ++j) shared = shared || graph.outputs[j].value == id;
    for (const Ready* ready : last_) shared = shared || ready->segment.constants.contains(id.index);
    const bool elsewhere = !outputs[i].empty() && outputs[i].raw() != result.raw();
    if (shared || elsewhere) {
      Tensor copy = outputs[i].empty() ? device_.make_tensor(result.dtype(), result.shape(), static_cast<size_t>(result.bytes())) : outputs[i];
      device_.copy(copy.raw(), result.raw(), static_cast<size_t>(result.bytes()), stream);
      result = copy;
    }
    made.push_back(std::move(result));
  }
  remember(inputs);
  return made;
}

Execution::Ready& Execution::segment_at(size_t position, Run& run) {
  std::string key = plan_key(position, run.knowledge);
  const auto found = by_key_.find(key);
  if (found != by_key_.end()) {
    ready_.splice(ready_.begin(), ready_, found->second);
    Ready& ready = **found->second;
    // What planning found out on the way is found out again from the plan.
    for (const auto& [index, type] : ready.segment.escaping) run.knowledge.shapes[index] = type.shape;
    for (const auto& [name, value] : ready.segment.learned_symbols) run.knowledge.symbols.emplace(name, value);
    for (const auto& [index, tensor] : ready.segment.learned_host) run.knowledge.host.emplace(index, tensor);
    return ready;
  }
  auto ready = std::make_unique<Ready>();
  ready->key = key;
  const plan::Knowledge before = run.knowledge;
  ready->segment = plan::plan_segment(*program_, order_, position, run.knowledge);
  for (const auto& [name, value] : run.knowledge.symbols)
    if (!before.symbols.contains(name)) ready->segment.learned_symbols.emplace(name, value);
  for (const auto& [index, tensor] : run.knowledge.host)
    if (!before.host.contains(index)) ready->segment.learned_host.emplace(index, tensor);
  for (const auto& [index, type] : ready->segment.escaping) run.knowledge.shapes[index] = type.shape;
  for (auto& [index, tensor] : ready->segment.constants) tensor = on_device(tensor, *run.stream);
  for (const plan::Step& step : ready->segment.steps) {
    ready->pointers.emplace_back();
    ready->pointers.back().inputs.resize(step.inputs.size());
    ready->pointers.back().outputs.resize(step.outputs.size());
  }
  prepare_streams(*ready);
  if (program_->prefetch) prepare_prefetch(*ready);
  ready_.push_front(std::move(ready));
  by_key_[std::move(key)] = ready_.begin();
  return *ready_.front();
}

void Execution::drop_old_plans() {
  const size_t most = most_plans * std::max<size_t>(last_.size(), 1);
  last_.clear();
  for (; ready_.size() > most; ready_.pop_back()) by_key_.erase(ready_.back()->key);
}

void Execution::run_segment(Ready& ready, Run& run) {
  plan::Segment& segment = ready.segment;
  last_.push_back(&ready);
  count(segment);
  make_room(segment.arena_bytes, *run.stream);
  for (const auto& [index, tensor] : segment.constants) run.table[static_cast<size_t>(index)] = tensor;
  for (const auto& [index, type] : segment.escaping) {
    Tensor& slot = run.table[static_cast<size_t>(index)];
    const auto result = run.results.find(index);
    if (result != run.results.end()) {
      require(result->second.dtype() == type.dtype && result->second.shape() == type.shape, "output '{}': expected a tensor of {} and shape {}",
              program_->graph->value({index}).name, dtype_name(type.dtype), shape_text(type.shape));
      slot = result->second;
    } else if (program_->graph->is_output({index})) {
      slot = device_.make_tensor(type.dtype, type.shape, static_cast<size_t>(type.bytes()));
    } else {
      Tensor& kept = ready.kept[index];
      if (kept.empty()) kept = device_.make_tensor(type.dtype, type.shape, static_cast<size_t>(type.bytes()));
      slot = kept;
    }
  }
  bases_.resize(run.table.size());
  for (size_t i = 0; i < run.table.size(); ++i) bases_[i] = run.table[i].raw();
  point_steps(ready, bases_);
  if (profiler_) profile_steps(ready, run);
  else if (is_replayable(segment) && !device_.on_host())
    ready.replays.run(device_, *run.stream, addresses(ready), [&] { enqueue_steps(ready, *run.stream); });
  else enqueue_steps(ready, *run.stream);
  for (const auto& [index, view] : segment.views) {
    const Tensor& root = run.table[static_cast<size_t>(view.root)];
    run.table[static_cast<size_t>(index)] = Tensor::view(view.type.dtype, view.type.shape, static_cast<char*>(const_cast<void*>(root.raw())) + view.offset, root.owner(), root.device());
    run.knowledge.shapes[index] = view.type.shape;
  }
}

void Execution::count(const plan::Segment& segment) {
  memory_.arena = std::max(memory_.arena, segment.arena_bytes);
  memory_.arena_lower_bound = std::max(memory_.arena_lower_bound, segment.arena_lower_bound);
  memory_.arena_values = std::max(memory_.arena_values, segment.arena_values_bytes);
  memory_.workspace = std::max(memory_.workspace, segment.largest_workspace);
  for (const plan::Step& step : segment.steps) {
    ++steps_run_;
    fallback_steps_run_ += step.fallback;
  }
}

void Execution::make_room(int64_t arena_bytes, device::Stream& stream) {
  if (!arena_.empty() && arena_.bytes() >= arena_bytes) return;
  stream.synchronize();  // the old arena may still be read by work in flight
  arena_ = Tensor();
  arena_ = device_.make_tensor(DType::u8, {arena_bytes}, static_cast<size_t>(arena_bytes));
}

void Execution::make_room_for_largest(device::Stream& stream) {
  const ir::Graph& graph = *program_->graph;
  if (device_.on_host() || graph.symbols.empty()) return;
  Run run;
  run.stream = &stream;
  for (const auto& [symbol, range] : graph.symbols) {
    if (range.max < 0) return;
    run.knowledge.symbols[symbol] = range.max;
  }
  try {
    for (ir::ValueId input : graph.inputs()) run.knowledge.shapes[input.index] = ir::evaluate(graph.value(input).type.shape, run.knowledge.symbols);
    const int64_t bytes = segment_at(0, run).segment.arena_bytes;
    if (bytes <= device_.info().memory_bytes / part_for_largest) make_room(bytes, stream);
  } catch (const Error&) {
    // Not all kernels take shapes that large, or memory is short: a run that needs it says so.
  }
}

void Execution::point_steps(Ready& ready, const std::vector<void*>& bases) const {
  char* const arena = static_cast<char*>(const_cast<void*>(arena_.raw()));
  const auto address = [&](const plan::Place& place) -> char* {
    if (place.kind == plan::Place::none) return nullptr;
    return (place.kind == plan::Place::arena ? arena : static_cast<char*>(bases[static_cast<size_t>(place.value.index)])) + place.offset;
  };
  for (size_t i = 0; i < ready.pointers.size(); ++i) {
    const plan::Step& step = ready.segment.steps[i];
    Ready::Pointers& pointers = ready.pointers[i];
    for (size_t j = 0; j < step.inputs.size(); ++j) pointers.inputs[j] = address(step.inputs[j]);
    for (size_t j = 0; j < step.outputs.size(); ++j) pointers.outputs[j] = address(step.outputs[j]);
  }
}

std::vector<const void*> Execution::addresses(const Ready& ready) const {
  std::vector<const void*> all = {arena_.raw()};
  for (const Ready::Pointers& pointers : ready.pointers) {
    all.insert(all.end(), pointers.inputs.begin(), pointers.inputs.end());
    all.insert(all.end(), pointers.outputs.begin(), pointers.outputs.end());
  }
  return all;
}

void Execution::prepare_streams(Ready& ready) {
  const plan::Segment& segment = ready.segment;
  if (segment.streams == 1) return;
  while (static_cast<int>(side_streams_.size()) + 1 < segment.streams) side_streams_.push_back(device_.create_stream());
  ready.started = device_.create_event();
  for (const plan::Step& step : segment.steps) ready.step_ends.push_back(step.awaited ? device_.create_event() : nullptr);
  for (int i = 1; i < segment.streams; ++i) ready.stream_ends.push_back(device_.create_event());
}

void Execution::prepare_prefetch(Ready& ready) {
  constexpr double bytes_per_us = 2e6;      // that memory brings
  constexpr int64_t most_ahead = 20 << 20;  // of what was asked for and not yet read: more would drive each other out of the cache
  constexpr int64_t piece = 64 << 10;
  struct Weights {
    size_t step;
    const Tensor* tensor;  // the largest
    int64_t asked = 0;     // bytes, from the first on
    int64_t missing() const { return tensor->bytes() - asked; }
  };
  const std::vector<plan::Step>& steps = ready.segment.steps;
  std::vector<Weights> all;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (!steps[i].kernel) continue;
    const std::vector<Tensor>& constants = program_->choice(steps[i].node).constants;
    const auto largest = std::max_element(constants.begin(), constants.end(), [](const Tensor& a, const Tensor& b) { return a.bytes() < b.bytes(); });
    if (largest != constants.end()) all.push_back({i, &*largest});
  }
  size_t read = 0, next = 0;  // of `all`: what earlier kernels read lies before, what was asked for whole
  int64_t ahead = 0;
  for (size_t i = 0; i < steps.size(); ++i) {
    if (!steps[i].kernel) continue;
    int64_t own = 0;  // what the kernel itself waits for
    for (; read < all.size() && all[read].step <= i; ++read) {
      own = all[read].missing();
      ahead -= all[read].asked;
    }
    next = std::max(next, read);
    while (next < all.size() && all[next].missing() == 0) ++next;
    if (next == all.size()) break;
    const double microseconds = std::max(2.0, program_->choice(steps[i].node).microseconds);
    const int64_t brought = static_cast<int64_t>(microseconds * bytes_per_us) - own;
    const int64_t fits = std::min(brought, most_ahead - ahead);
    const int64_t bytes = fits >= all[next].missing() ? all[next].missing() : fits / piece * piece;
    if (bytes <= 0) continue;
    ready.pointers[i].ahead = static_cast<const char*>(all[next].tensor->raw()) + all[next].asked;
    ready.pointers[i].ahead_bytes = bytes;
    all[next].asked += bytes;
    ahead += bytes;
  }
}

void Execution::enqueue_steps(Ready& ready, device::Stream& caller) {
  const plan::Segment& segment = ready.segment;
  const auto stream = [&](int i) -> device::Stream& { return i == 0 ? caller : *side_streams_[static_cast<size_t>(i - 1)]; };
  if (segment.streams > 1) caller.record(*ready.started);
  for (int i = 1; i < segment.streams; ++i) stream(i).wait(*ready.started);
  for (size_t i = 0; i < segment.steps.size(); ++i) {
    const plan::Step& step = segment.steps[i];
    for (int other : step.waits) stream(step.stream).wait(*ready.step_ends[static_cast<size_t>(other)]);
    enqueue_step(ready, i, stream(step.stream));
    if (step.awaited) stream(step.stream).record(*ready.step_ends[i]);
  }
  for (int i = 1; i < segment.streams; ++i) {
    device::Event& end = *ready.stream_ends[static_cast<size_t>(i - 1)];
    stream(i).record(end);
    caller.wait(end);
  }
}

void Execution::enqueue_step(Ready& ready, size_t i, device::Stream& stream) {
  plan::Step& step = ready.segment.steps[i];
  const Ready::Pointers& pointers = ready.pointers[i];
  if (!step.kernel) {
    device_.copy(pointers.outputs[0], pointers.inputs[0], static_cast<size_t>(step.copy_bytes), stream);
    return;
  }
  char* workspace = static_cast<char*>(arena_.raw()) + step.workspace_offset;
  device::Arguments arguments{pointers.inputs, pointers.outputs, program_->choice(step.node).constants, workspace};
  arguments.ahead = pointers.ahead;
  arguments.ahead_bytes = static_cast<size_t>(pointers.ahead_bytes);
  step.kernel->enqueue(stream, arguments);
}

void Execution::profile_steps(Ready& ready, Run& run) {
  for (size_t i = 0; i < ready.segment.steps.size(); ++i) {
    const plan::Step& step = ready.segment.steps[i];
    const auto start = std::chrono::steady_clock::now();
    enqueue_step(ready, i, *run.stream);
    run.stream->synchronize();
    profiler_->record(*program_, step, std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
    if (!profiler_->observe || !step.kernel) continue;
    for (size_t j = 0; j < step.outputs.size(); ++j)
      profiler_->observe(*program_, program_->graph->node(step.node).outputs[j], step.output_types[j], ready.pointers[i].outputs[j]);
  }
}

void Execution::run_host_node(ir::NodeId id, Run& run) {
  const ir::Graph& graph = *program_->graph;
  const ir::Node& node = graph.node(id);
  with_context([&] { return fmt::format("node '{}' ({})", node.source, node.op->name); }, [&] {
    std::vector<Tensor> made;
    if (plan::is_control(node)) {
      made = run_control(id, run);
    } else {
      std::vector<Tensor> inputs;
      const device::Problem& problem = *program_->problems[static_cast<size_t>(id.index)];
      for (int index : problem.node_inputs()) {
        const ir::ValueId input = node.inputs[static_cast<size_t>(index)];
        inputs.push_back(on_host(operand(input, run), *run.stream));
      }
      made = program_->kernel(id)->run(inputs);
      ++steps_run_;
      const device::Tactic* tactic = device::find_tactic(device_, program_->choice(id).tactic);
      fallback_steps_run_ += tactic && tactic->is_fallback();
    }
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ir::ValueId output = node.outputs[i];
      plan::unify(graph.value(output).type.shape, made[i].shape(), run.knowledge.symbols);
      run.knowledge.shapes[output.index] = made[i].shape();
      run.table[static_cast<size_t>(output.index)] = on_device(made[i], *run.stream);
      if (profiler_ && profiler_->observe && output) profiler_->observe(*program_, output, {made[i].dtype(), made[i].shape(), ir::Layout::plain}, made[i].raw());
    }
  });
}

std::vector<Tensor> Execution::run_body(ir::NodeId id, size_t body, std::vector<Tensor> inputs, device::Stream& stream) {
  std::unique_ptr<Execution>& execution = bodies_[{id.index, body}];
  if (!execution) execution = std::make_unique<Execution>(program_->bodies.at(id.index).at(body));
  std::vector<Tensor> outputs = execution->run(inputs, {}, stream);
  steps_run_ += execution->steps_run();
  fallback_steps_run_ += execution->fallback_steps_run();
  return outputs;
}

void Profiler::record(const plan::Program& program, const plan::Step& step, double microseconds) {
  Row& row = rows_[step.kernel ? step.node.index : -1];
  if (row.calls++ == 0) {
    row.name = step.kernel ? program.graph->node(step.node).source : "copies";
    row.kernel = step.kernel ? program.choice(step.node).tactic : "copy";
  }
  row.microseconds += microseconds;
}

}  // namespace burnish::runtime
