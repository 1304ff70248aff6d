// What stands behind burnish::Model.
#pragma once

#include <burnish/build.h>

#include <map>
#include <memory>
#include <string>

#include "ir/graph.h"

namespace burnish::model_internal {

struct ModelState {
  std::string path;  ///< empty for models from memory
  std::shared_ptr<const ir::Graph> graph;
  std::map<std::string, std::string> metadata;
};

}  // namespace burnish::model_internal
