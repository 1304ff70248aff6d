#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "runtime/session_state.h"

namespace burnish {
namespace {

std::string names_of(const std::vector<IoInfo>& infos) {
  std::string names;
  for (const IoInfo& info : infos) names += (names.empty() ? "'" : ", '") + info.name + "'";
  return names;
}

/// The inputs in the graph's order. Throws Error naming the input that is missing, unknown, ill-typed, or out of the
/// device's reach.
std::vector<Tensor> in_order(const plan::Program& program, const TensorMap& inputs) {
  const ir::Graph& graph = *program.graph;
  std::vector<Tensor> ordered;
  for (ir::ValueId id : graph.inputs()) {
    const ir::Value& value = graph.value(id);
    const auto found = inputs.find(value.name);
    require(found != inputs.end() && !found->second.empty(), "input '{}' is missing; the engine takes {}", value.name, names_of(runtime::input_infos(graph)));
    const Tensor& tensor = found->second;
    require(tensor.dtype() == value.type.dtype, "input '{}': expected elements of {}, got {}", value.name, dtype_name(value.type.dtype), dtype_name(tensor.dtype()));
    require(tensor.device().is_host() || !program.device->on_host(), "input '{}': it lies on a GPU, but the engine runs on '{}'; copy it to the host", value.name, program.device->info().backend);
    require(tensor.rank() == value.type.rank(), "input '{}': expected shape [{}], got {}", value.name, ir::dims_text(value.type.shape), shape_text(tensor.shape()));
    for (size_t d = 0; d < value.type.shape.size(); ++d) {
      const ir::Dim& dim = value.type.shape[d];
      require(!dim.is_constant() || dim.is(tensor.shape()[d]), "input '{}': expected shape [{}], got {}", value.name, ir::dims_text(value.type.shape), shape_text(tensor.shape()));
      const auto symbol = dim.symbol_name();
      const auto range = symbol ? graph.symbols.find(*symbol) : graph.symbols.end();
      if (range == graph.symbols.end()) continue;
      require(tensor.shape()[d] >= range->second.min && (range->second.max < 0 || tensor.shape()[d] <= range->second.max),
              "input '{}': dimension '{}' is {}, outside the range {} to {} that the engine was built for", value.name, *symbol, tensor.shape()[d], range->second.min, range->second.max);
    }
    ordered.push_back(tensor);
  }
  if (inputs.size() != graph.inputs().size())
    for (const auto& [name, tensor] : inputs)
      require(std::any_of(graph.inputs().begin(), graph.inputs().end(), [&](ir::ValueId id) { return graph.value(id).name == name; }),
              "there is no input '{}'; the engine takes {}", name, names_of(runtime::input_infos(graph)));
  return ordered;
}

/// The same tensor, which now keeps the device that its memory goes back to: it may outlive session and engine.
Tensor with_device(const Tensor& tensor, const std::shared_ptr<device::Device>& device) {
  struct Keeper {
    std::shared_ptr<device::Device> device;
    std::shared_ptr<const void> memory;  // goes first
  };
  return Tensor::view(tensor.dtype(), tensor.shape(), const_cast<void*>(tensor.raw()), std::make_shared<Keeper>(Keeper{device, tensor.owner()}), tensor.device());
}

Tensor to_host(const Tensor& tensor, device::Device& device, device::Stream& stream) {
  if (tensor.device().is_host()) return tensor;
  Tensor copy(tensor.dtype(), tensor.shape());
  device.copy(copy.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes()), stream);
  return copy;
}

/// Runs on the device's thread; results come back to the host when the inputs came from there.
std::vector<Tensor> run_session(session_internal::SessionState& state, const std::vector<Tensor>& inputs, std::vector<Tensor> outputs) {
  const bool from_host = std::all_of(inputs.begin(), inputs.end(), [](const Tensor& tensor) { return tensor.device().is_host(); });
  std::vector<Tensor> results;
  std::exception_ptr failure;
  state.device->execute([&] {
    try {
      results = state.execution.run(inputs, std::move(outputs), *state.stream);
      if (from_host)
        for (Tensor& result : results) result = to_host(result, *state.device, *state.stream);
      for (Tensor& result : results) result = with_device(result, state.device);
      if (!state.device->on_host() && from_host) state.stream->synchronize();
    } catch (...) {
      failure = std::current_exception();
    }
  });
  if (failure) std::rethrow_exception(failure);
  return results;
}

/// Points `state.outputs` to the graph's outputs; false where one is missing or not in the device's memory.
bool point_outputs(session_internal::SessionState& state, TensorMap& outputs) {
  state.outputs.clear();
  for (const ir::Output& output : state.engine.state().program->graph->outputs) {
    const auto found = outputs.find(output.name);
    if (found == outputs.end() || found->second.device() != state.device->id()) return false;
    state.outputs.push_back(&found->second);
  }
  return true;
}

/// Points `state.inputs` to the graph's inputs; false where they are not all there, of their types, on the host.
bool point_inputs(session_internal::SessionState& state, const TensorMap& inputs) {
  const ir::Graph& graph = *state.engine.state().program->graph;
  state.inputs.clear();
  for (ir::ValueId id : graph.inputs()) {
    const ir::Value& value = graph.value(id);
    const auto found = inputs.find(value.name);
    if (found == inputs.end() || found->second.empty() || found->second.dtype() != value.type.dtype || !found->second.device().is_host()) return false;
    state.inputs.push_back(&found->second);
  }
  return inputs.size() == graph.inputs().size();
}

/// The quick way for shapes that this session has run: allocates nothing but outputs that are empty. False, and nothing
/// done, where the long way must be taken, which also says what is wrong with the inputs.
bool run_again(session_internal::SessionState& state, const TensorMap& inputs, TensorMap& outputs) {
  if (!state.device->on_host() || !point_inputs(state, inputs) || !point_outputs(state, outputs)) return false;
  struct Call {
    session_internal::SessionState& state;
    bool done = false;
    std::exception_ptr failure = {};
  } call{state};
  // One captured reference: std::function then needs no memory of its own.
  state.device->execute([&call] {
    try {
      call.done = call.state.execution.run_again(call.state.inputs, call.state.outputs, *call.state.stream);
    } catch (...) {
      call.failure = std::current_exception();
    }
  });
  if (call.failure) std::rethrow_exception(call.failure);
  return call.done;
}

}  // namespace

Session::Session(Engine engine) : state_(std::make_unique<session_internal::SessionState>(std::move(engine))) {}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

TensorMap Session::run(const TensorMap& inputs) {
  const plan::Program& program = *state_->engine.state().program;
  const ir::Graph& graph = *program.graph;
  TensorMap outputs;
  for (const ir::Output& output : graph.outputs) outputs.emplace(output.name, Tensor());
  if (run_again(*state_, inputs, outputs)) {
    for (auto& [name, tensor] : outputs) tensor = with_device(tensor, state_->device);
    return outputs;
  }
  const std::vector<Tensor> results = run_session(*state_, in_order(program, inputs), {});
  for (size_t i = 0; i < results.size(); ++i) outputs[graph.outputs[i].name] = results[i];
  return outputs;
}

Tensor Session::run(const Tensor& input) {
  const plan::Program& program = *state_->engine.state().program;
  const ir::Graph& graph = *program.graph;
  require(graph.inputs().size() == 1 && graph.outputs.size() == 1,
          "run(tensor) is for engines of one input and one output; this one takes {} and gives {}: use run(map)",
          names_of(runtime::input_infos(graph)), names_of(runtime::output_infos(graph)));
  return run_session(*state_, in_order(program, {{graph.value(graph.inputs()[0]).name, input}}), {})[0];
}

void Session::run_into(const TensorMap& inputs, TensorMap& outputs) {
  const bool all_given = std::none_of(outputs.begin(), outputs.end(), [](const auto& output) { return output.second.empty(); });
  if (all_given && run_again(*state_, inputs, outputs)) return;
  const plan::Program& program = *state_->engine.state().program;
  const ir::Graph& graph = *program.graph;
  std::vector<Tensor> wanted(graph.outputs.size());
  for (size_t i = 0; i < wanted.size(); ++i) {
    const auto found = outputs.find(graph.outputs[i].name);
    if (found != outputs.end() && !found->second.empty() && found->second.device() == state_->device->id()) wanted[i] = found->second;
  }
  const std::vector<Tensor> results = run_session(*state_, in_order(program, inputs), std::move(wanted));
  for (size_t i = 0; i < results.size(); ++i) outputs[graph.outputs[i].name] = results[i];
}

void Session::set_stream(void* stream) {
  if (stream == state_->callers_stream) return;
  state_->device->execute([&] {
    std::unique_ptr<device::Stream> next = stream ? state_->device->wrap_stream(stream) : state_->device->create_stream();
    // Runs share the session's memory, so one on another stream goes behind those that are on their way.
    const std::unique_ptr<device::Event> until_now = state_->device->create_event();
    state_->stream->record(*until_now);
    next->wait(*until_now);
    state_->stream = std::move(next);
    state_->callers_stream = stream;
  });
}

MemoryUse Session::memory() const {
  MemoryUse use = state_->execution.memory();
  use.weights = state_->engine.state().weights_bytes;
  use.peak_device += use.weights;
  return use;
}

}  // namespace burnish
