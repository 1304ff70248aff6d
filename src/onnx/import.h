// From an ONNX file to the IR.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>

#include "base/mapped_file.h"
#include "ir/graph.h"
#include "onnx/proto.h"

namespace burnish::onnx {

/// A model as imported: the graph, verified and typed, its weights views of the mapped file where they can
/// be.
struct ImportedModel {
  std::shared_ptr<ir::Graph> graph;
  std::map<std::string, std::string> metadata;
  /// The initializers of the main graph by name, those that nothing reads included.
  std::map<std::string, Tensor> weights;
  /// The names of those whose data the graph depends on already: lowerings read it, or bodies hold copies.
  std::set<std::string> fixed_weights;
};

/// Throws Error that names the file and the node; all ops that are not supported are listed at once.
ImportedModel import_file(const std::string& path);
/// The same from memory. `file` is what the bytes lie in, for as long as the graph's weights view them; without it
/// they are copied. External data is looked for in `external`, by location, then in `folder`; empty: there must be
/// none.
ImportedModel import_bytes(std::string_view bytes, std::shared_ptr<const MappedFile> file,
                           const std::string& folder, const std::map<std::string, Tensor>& external = {});

}  // namespace burnish::onnx
