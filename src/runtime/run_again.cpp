// Execution::run_again: a run of shapes seen before, without memory of its own.
#include <algorithm>

#include "base/error.h"
#include "runtime/run_state.h"

namespace burnish::runtime {
namespace {

/// True where each result is a tensor of its own that the steps write into: no input, constant, view or
/// second name.
bool makes_all_outputs(const ir::Graph& graph, const plan::Segment& segment) {
  if (!segment.views.empty() || segment.escaping.size() != graph.outputs.size()) return false;
  for (size_t i = 0; i < graph.outputs.size(); ++i) {
    const ir::ValueId id = graph.outputs[i].value;
    const ir::Value& value = graph.value(id);
    if (value.is_input || value.constant_only || segment.constants.contains(id.index) ||
        !segment.escaping.contains(id.index))
      return false;
    for (size_t j = 0; j < i; ++j)
      if (graph.outputs[j].value == id) return false;
  }
  return true;
}

bool of_shapes(std::span<const Tensor* const> tensors, const std::vector<Shape>& shapes) {
  return std::equal(tensors.begin(), tensors.end(), shapes.begin(), shapes.end(),
                    [](const Tensor* tensor, const Shape& shape) { return tensor->shape() == shape; });
}

}  // namespace

void Execution::remember(const std::vector<Tensor>& inputs) {
  if (!device_.on_host() || last_.size() != 1 || last_[0]->input_shapes) return;
  if (last_[0]->segment.stop.position < order_.size() ||
      !makes_all_outputs(*program_->graph, last_[0]->segment))
    return;
  std::vector<Shape>& shapes = last_[0]->input_shapes.emplace();
  for (const Tensor& input : inputs) shapes.push_back(input.shape());
}

Execution::Ready* Execution::plan_for(std::span<const Tensor* const> inputs) {
  const auto found = std::find_if(ready_.begin(), ready_.end(), [&](const std::unique_ptr<Ready>& ready) {
    return ready->input_shapes && of_shapes(inputs, *ready->input_shapes);
  });
  if (found == ready_.end()) return nullptr;
  ready_.splice(ready_.begin(), ready_, found);
  return found->get();
}

bool Execution::run_again(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs,
                          device::Stream& stream) {
  Ready* const ready = profiler_ ? nullptr : plan_for(inputs);
  if (!ready) return false;
  const ir::Graph& graph = *program_->graph;
  const plan::Segment& segment = ready->segment;
  bases_.resize(graph.value_capacity());
  for (size_t i = 0; i < inputs.size(); ++i)
    bases_[static_cast<size_t>(graph.inputs()[i].index)] = const_cast<void*>(inputs[i]->raw());
  for (const auto& [index, tensor] : program_->constants)
    bases_[static_cast<size_t>(index)] = const_cast<void*>(tensor.raw());
  for (const auto& [index, tensor] : segment.constants)
    bases_[static_cast<size_t>(index)] = const_cast<void*>(tensor.raw());
  for (size_t i = 0; i < outputs.size(); ++i) {
    const int32_t index = graph.outputs[i].value.index;
    const device::BoundTensor& type = segment.escaping.at(index);
    if (outputs[i]->empty())
      *outputs[i] = device_.make_tensor(type.dtype, type.shape, static_cast<size_t>(type.bytes()));
    require(outputs[i]->dtype() == type.dtype && outputs[i]->shape() == type.shape,
            "output '{}': expected a tensor of {} and shape {}", graph.outputs[i].name,
            dtype_name(type.dtype), shape_text(type.shape));
    bases_[static_cast<size_t>(index)] = outputs[i]->raw();
  }
  memory_ = {};
  steps_run_ = fallback_steps_run_ = 0;
  last_.clear();
  last_.push_back(ready);
  count(segment);
  make_room(segment.arena_bytes, stream);
  point_steps(*ready, bases_);
  enqueue_steps(*ready, stream);
  return true;
}

}  // namespace burnish::runtime
