// Engine::refit and Engine::weights.
#include <fmt/format.h>

#include "base/error.h"
#include "engine/format.h"
#include "plan/refit.h"
#include "runtime/engine_state.h"

namespace burnish {
namespace {

using engine_internal::WeightSource;

void check(const std::string& name, const WeightSource& source, const Tensor& data) {
  require(data.dtype() == source.dtype && data.shape() == source.shape, "weight '{}': expected {} of shape {}, got {} of shape {}", name,
          dtype_name(source.dtype), shape_text(source.shape), dtype_name(data.dtype()), shape_text(data.shape()));
  require(data.device().is_host(), "weight '{}': weights are handed over on the host", name);
  const bool may_differ = source.fixed_by.empty();
  require(may_differ || engine::section_hash(data.raw(), static_cast<uint64_t>(data.bytes())) == source.hash,
          "weight '{}' is compiled in, by {}: it cannot get other values; build anew", name, source.fixed_by);
}

}  // namespace

std::vector<WeightInfo> Engine::weights() const {
  std::vector<WeightInfo> infos;
  for (const auto& [name, source] : state_->weights) infos.push_back({name, source.dtype, source.shape, source.fixed_by});
  return infos;
}

Engine Engine::refit(const TensorMap& weights) const {
  std::map<std::string, Tensor> constants;
  for (const auto& [name, data] : weights) {
    const auto source = state_->weights.find(name);
    require(source != state_->weights.end(), "the model has no weight '{}'{}", name, state_->weights.empty() ? ": the engine was saved without the names of its weights" : "");
    check(name, source->second, data);
    if (source->second.fixed_by.empty()) constants.emplace(name, data.clone());
  }
  auto state = std::make_shared<engine_internal::EngineState>(*state_);
  state->program = plan::refit(*state_->program, constants);
  return Engine(std::move(state));
}

}  // namespace burnish
