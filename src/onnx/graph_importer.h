// Imports the nodes of one ONNX graph, subgraph or function into an IR graph.
#pragma once

#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "ir/graph.h"
#include "onnx/proto.h"
#include "onnx/tensor_data.h"

namespace burnish::onnx {

/// Thrown where the branches of an If differ in the rank of a result and only a run decides between them:
/// what comes behind cannot be imported once for both (import_outputs).
struct RankDependsOnCondition {
  ir::ValueId condition;
  int64_t number = 0;  ///< of the If, counted as Conditions does
  std::string source;
};

/// What is taken for granted while a graph is imported: which branch some of its Ifs take.
struct Conditions {
  const ir::Graph* graph = nullptr;  ///< into which the Ifs are imported
  std::map<int64_t, bool> decided;   ///< by number
  int64_t met = 0;                   ///< Ifs so far whose condition is not known at import
};

/// What all graphs of a model share while it is imported.
struct ModelContext {
  ModelContext(const ModelProto& model, TensorSource source);

  TensorSource tensors;
  std::map<std::string, std::string, std::less<>> symbols;  ///< dim_param -> symbol
  std::set<std::string, std::less<>> taken_symbols;
  int64_t nodes = 0;  ///< imported so far, functions and repeated bodies included
  int depth = 0;      ///< of functions and bodies that are being imported
  int64_t bodies = 0;
  Conditions conditions;
  /// Constants whose data import went by, or that bodies hold copies of.
  std::set<std::string> fixed;

  const FunctionProto* find_function(const NodeProto& node) const;
  std::map<std::tuple<std::string_view, std::string_view, std::string_view>, const FunctionProto*>
      functions;  ///< domain, name, overload
  /// A symbol that is the same for the same non-empty dim_param, made of `hint` otherwise.
  std::string symbol_for(std::string_view dim_param, const std::string& hint);
};

/// One function or body deeper, for the life of the object; throws Error when it gets too deep.
class DepthGuard {
 public:
  explicit DepthGuard(ModelContext& model);
  ~DepthGuard() { --model_.depth; }
  DepthGuard(const DepthGuard&) = delete;

 private:
  ModelContext& model_;
};

using OpsetMap = std::map<std::string_view, int64_t>;
OpsetMap opset_map(const std::vector<OpsetImport>& imports);

/// The names that a subgraph reads from the graphs around it, in order of first use.
std::vector<std::string_view> outer_names(const GraphProto& graph);

/// A scope of names over an IR graph. Scopes nest: a subgraph sees the names around it, a function does not.
class GraphImporter {
 public:
  /// The main graph, or a function's body, which has no outer scope.
  GraphImporter(ModelContext& model, ir::Graph& graph, OpsetMap opsets)
      : model_(model), graph_(graph), opsets_(std::move(opsets)) {}
  /// A subgraph: either its own IR graph, or in place in the outer one.
  GraphImporter(GraphImporter& outer, ir::Graph& graph)
      : model_(outer.model_),
        graph_(graph),
        outer_(&outer),
        opsets_(outer.opsets_),
        function_attributes_(outer.function_attributes_) {}

  ir::Graph& graph() { return graph_; }
  ModelContext& model() { return model_; }

  void define(std::string_view name, ir::ValueId value);  ///< throws Error if the name is taken
  bool defines(std::string_view name) const { return values_.contains(name) || sequences_.contains(name); }
  bool is_visible(std::string_view name) const;  ///< made here or around here
  ir::ValueId resolve(std::string_view name);    ///< throws Error if nothing makes it
  /// The values of a sequence made here or around here; null where the name is no sequence's.
  const std::vector<ir::ValueId>* find_sequence(std::string_view name) const;
  void add_initializers(const GraphProto& graph);
  /// Notes the types that the graph declares for its values; they must outlive the importer.
  void declare(const GraphProto& graph);
  const ValueInfoProto* declaration(std::string_view name) const;
  /// Inside a body: `outer` of the graph around is `inner` here.
  void capture(ir::ValueId outer, ir::ValueId inner) { captured_[outer] = inner; }
  void import_nodes(const std::vector<NodeProto>& nodes);

  int64_t opset_of(const NodeProto& node) const;
  const AttributeProto* resolve_attribute(const AttributeProto& attribute) const;
  /// The data of a value that depends on constants alone; empty for others, and where it would be huge.
  Tensor constant(ir::ValueId value);

 private:
  std::vector<const NodeProto*> sorted(const std::vector<NodeProto>& nodes) const;
  void import_node(const NodeProto& node);
  void lower(const NodeProto& node);
  void call(const NodeProto& node, const FunctionProto& function);
  void fold(const ir::Node& node);

  ModelContext& model_;
  ir::Graph& graph_;
  GraphImporter* outer_ = nullptr;
  OpsetMap opsets_;
  std::unordered_map<std::string_view, ir::ValueId> values_;
  std::unordered_map<std::string_view, std::vector<ir::ValueId>> sequences_;
  std::map<ir::ValueId, ir::ValueId> captured_;
  std::unordered_map<std::string_view, const ValueInfoProto*> declarations_;
  std::map<std::string_view, const AttributeProto*> function_attributes_;
  std::map<ir::ValueId, Tensor> constants_;  // what constant() worked out
};

/// Imports the graph's nodes and gives its outputs. Where a condition of an If decides the rank of what
/// follows, the graph becomes an If on it of the whole graph, imported once for each branch.
std::vector<ir::ValueId> import_outputs(GraphImporter& importer, const GraphProto& proto,
                                        const std::map<int64_t, bool>& decided = {});

}  // namespace burnish::onnx
