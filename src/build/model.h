// What stands behind burnish::Model.
#pragma once

#include <burnish/build.h>

#include <map>
#include <memory>
#include <set>
#include <string>

#include "ir/graph.h"

namespace burnish::model_internal {

struct ModelState {
  std::string path;  ///< empty for models from memory
  std::shared_ptr<const ir::Graph> graph;
  std::map<std::string, std::string> metadata;
  std::map<std::string, Tensor> weights;  ///< onnx::ImportedModel's
  std::set<std::string> fixed_weights;
};

}  // namespace burnish::model_internal
