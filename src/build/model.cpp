#include "build/model.h"

#include "onnx/import.h"

namespace burnish {
namespace {

IoInfo io_info(const std::string& name, const ir::TensorType& type) {
  IoInfo info{.name = name, .dtype = type.dtype, .dims = {}};
  for (const ir::Dim& dim : type.shape) info.dims.push_back(dim.str());
  return info;
}

Model make_model(std::string path, onnx::ImportedModel imported) {
  auto state = std::make_shared<model_internal::ModelState>();
  state->path = std::move(path);
  state->graph = std::move(imported.graph);
  state->metadata = std::move(imported.metadata);
  state->weights = std::move(imported.weights);
  state->fixed_weights = std::move(imported.fixed_weights);
  return Model(std::move(state));
}

}  // namespace

Model Model::load(const std::string& path) { return make_model(path, onnx::import_file(path)); }

Model Model::parse(const void* data, size_t bytes, const std::string& folder, const TensorMap& external) {
  return make_model("", onnx::import_bytes({static_cast<const char*>(data), bytes}, nullptr, folder, external));
}

std::vector<IoInfo> Model::inputs() const {
  const ir::Graph& graph = *state_->graph;
  std::vector<IoInfo> infos;
  for (ir::ValueId id : graph.inputs()) infos.push_back(io_info(graph.value(id).name, graph.value(id).type));
  return infos;
}

std::vector<IoInfo> Model::outputs() const {
  const ir::Graph& graph = *state_->graph;
  std::vector<IoInfo> infos;
  for (const ir::Output& output : graph.outputs)
    infos.push_back(io_info(output.name, graph.value(output.value).type));
  return infos;
}

}  // namespace burnish
