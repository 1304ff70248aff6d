#include <burnish/runtime.h>

#include "base/error.h"
#include "runtime/engine_state.h"

namespace burnish {
namespace runtime {
namespace {

IoInfo describe(std::string name, const ir::TensorType& type) {
  IoInfo info{std::move(name), type.dtype, {}};
  for (const ir::Dim& dim : type.shape) info.dims.push_back(dim.str());
  return info;
}

}  // namespace

std::vector<IoInfo> input_infos(const ir::Graph& graph) {
  std::vector<IoInfo> infos;
  for (ir::ValueId id : graph.inputs()) infos.push_back(describe(graph.value(id).name, graph.value(id).type));
  return infos;
}

std::vector<IoInfo> output_infos(const ir::Graph& graph) {
  std::vector<IoInfo> infos;
  for (const ir::Output& output : graph.outputs) infos.push_back(describe(output.name, graph.value(output.value).type));
  return infos;
}

}  // namespace runtime

std::vector<IoInfo> Engine::inputs() const { return runtime::input_infos(*state_->program->graph); }
std::vector<IoInfo> Engine::outputs() const { return runtime::output_infos(*state_->program->graph); }
const std::map<std::string, std::string>& Engine::metadata() const { return state_->model_metadata; }

}  // namespace burnish
