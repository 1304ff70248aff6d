// The main graph's nodes, once, or once for each way that its Ifs can go.
#include <fmt/format.h>

#include "base/error.h"
#include "onnx/graph_importer.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::onnx {
namespace {

constexpr size_t most_decided = 4;  // each doubles the graph

std::shared_ptr<ir::Graph> import_branch(GraphImporter& around, const GraphProto& proto,
                                         const std::map<int64_t, bool>& decided) {
  const DepthGuard guard(around.model());
  auto graph = std::make_shared<ir::Graph>(fmt::format("branch_{}", ++around.model().bodies));
  GraphImporter inside(around, *graph);
  for (ir::ValueId outer : around.graph().inputs()) {
    const ir::Value& value = around.graph().value(outer);
    inside.capture(outer, graph->add_input(value.name, value.type));
  }
  inside.declare(proto);
  const std::vector<ir::ValueId> outputs = import_outputs(inside, proto, decided);
  for (size_t i = 0; i < outputs.size(); ++i)
    graph->outputs.push_back({std::string(proto.outputs[i].name), outputs[i]});
  graph->remove_dead();
  return graph;
}

std::vector<ir::ValueId> import_both(GraphImporter& importer, const GraphProto& proto,
                                     std::map<int64_t, bool> decided, const RankDependsOnCondition& at) {
  require(decided.size() < most_decided,
          "node '{}' (If): more than {} Ifs whose condition only a run tells decide the rank of a value",
          at.source, most_decided);
  std::vector<std::shared_ptr<ir::Graph>> bodies;
  for (bool holds : {true, false}) {
    decided[at.number] = holds;
    bodies.push_back(import_branch(importer, proto, decided));
  }
  ir::Graph& graph = importer.graph();
  std::vector<ir::ValueId> inputs = {at.condition};
  inputs.insert(inputs.end(), graph.inputs().begin(), graph.inputs().end());
  const std::vector<std::string> names(proto.outputs.size(), "if." + at.source);
  const ir::NodeId id = graph.add_node(ops::def::if_else, ops::def::if_else.default_attributes,
                                       std::move(inputs), static_cast<int>(proto.outputs.size()), names);
  graph.node(id).source = at.source;
  graph.node(id).bodies = std::move(bodies);
  ops::infer(graph, id);
  return graph.node(id).outputs;
}

}  // namespace

std::vector<ir::ValueId> import_outputs(GraphImporter& importer, const GraphProto& proto,
                                        const std::map<int64_t, bool>& decided) {
  importer.model().conditions = {&importer.graph(), decided, 0};
  try {
    importer.import_nodes(proto.nodes);
  } catch (const RankDependsOnCondition& at) {
    return import_both(importer, proto, decided, at);
  }
  std::vector<ir::ValueId> outputs;
  for (const ValueInfoProto& output : proto.outputs) {
    require(importer.is_visible(output.name), "nothing makes the output '{}'", output.name);
    outputs.push_back(importer.resolve(output.name));
  }
  return outputs;
}

}  // namespace burnish::onnx
