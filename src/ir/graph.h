// The graph: nodes and values in an arena, addressed by integer handles, in topological order.
#pragma once

#include <compare>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ir/attributes.h"
#include "ir/op.h"
#include "ir/type.h"

namespace burnish::ir {

/// A handle into one Graph; handles of erased things are not reused.
template <class Tag>
struct Id {
  int32_t index = -1;
  explicit operator bool() const { return index >= 0; }
  friend auto operator<=>(const Id&, const Id&) = default;
};
using NodeId = Id<struct NodeTag>;
using ValueId = Id<struct ValueTag>;

class Graph;

/// One use of a value: input `input` of `node`.
struct Use {
  NodeId node;
  int32_t input = 0;
  friend bool operator==(const Use&, const Use&) = default;
};

struct Value {
  std::string name;          ///< unique in its graph; "%name" in text ("@name" for constants)
  TensorType type;
  NodeId producer;           ///< none for inputs and constants
  int32_t output_index = 0;  ///< which output of the producer
  Tensor constant;           ///< the data of a constant, else empty
  bool is_input = false;
  /// True for constants and for what depends on nothing but constants.
  bool constant_only = false;
  /// What a small integer tensor of rank 0 or 1 holds, as far as shape inference knows it.
  std::optional<std::vector<Dim>> contents;
  std::vector<Use> uses;

  bool is_constant() const { return !constant.empty(); }
};

struct Node {
  const Op* op = nullptr;
  Attributes attributes;
  std::vector<ValueId> inputs;   ///< an omitted optional input is an empty id
  std::vector<ValueId> outputs;  ///< an output that nobody wants is an empty id
  std::vector<std::shared_ptr<Graph>> bodies;
  std::string source;            ///< the model's node(s) that this comes from, "a, b", for messages
  NodeId previous, next;         ///< the order of execution
  bool erased = false;
};

struct Output {
  std::string name;  ///< what the caller calls it; may be empty in bodies
  ValueId value;
};

class Graph {
 public:
  explicit Graph(std::string name = "main") : name(std::move(name)) {}

  std::string name;
  SymbolRanges symbols;  ///< of the inputs' dimensions
  std::vector<Output> outputs;

  // --- building ---
  ValueId add_input(const std::string& name, TensorType type);
  ValueId add_constant(const std::string& name, Tensor data);
  /// Appends a node, or inserts it before `before`. Its outputs get fresh names made from `names` where given.
  /// Output types are the caller's to set (see ops/infer.h).
  NodeId add_node(const Op& op, Attributes attributes, std::vector<ValueId> inputs, int output_count,
                  const std::vector<std::string>& names = {}, NodeId before = {});

  // --- looking ---
  const Node& node(NodeId id) const { return nodes_[static_cast<size_t>(id.index)]; }
  Node& node(NodeId id) { return nodes_[static_cast<size_t>(id.index)]; }
  const Value& value(ValueId id) const { return values_[static_cast<size_t>(id.index)]; }
  Value& value(ValueId id) { return values_[static_cast<size_t>(id.index)]; }
  const std::vector<ValueId>& inputs() const { return inputs_; }
  /// The constants that are still there, in the order of their making.
  std::vector<ValueId> constants() const;
  /// The nodes in order of execution, as they are now.
  std::vector<NodeId> order() const;
  size_t node_count() const { return live_nodes_; }
  size_t value_capacity() const { return values_.size(); }  ///< ids run from 0 to this
  size_t node_capacity() const { return nodes_.size(); }
  ValueId find_value(std::string_view name) const;
  bool is_output(ValueId id) const;
  /// The node that makes `id`, or null for inputs and constants.
  const Node* producer(ValueId id) const {
    return id && value(id).producer ? &node(value(id).producer) : nullptr;
  }

  // --- changing ---
  void set_input(NodeId node, size_t index, ValueId value);
  void replace_uses(ValueId from, ValueId to);  ///< graph outputs included
  void erase(NodeId node);                      ///< its outputs must have no uses left
  void erase_value(ValueId value);              ///< a constant or input without uses
  void rename(ValueId value, const std::string& name);
  void move_before(NodeId node, NodeId before);
  /// Removes nodes and constants that no output depends on; returns how many nodes went.
  int remove_dead();
  /// Sorts nodes so that producers come first, keeping the present order where it can. Throws Error on a cycle.
  void sort();

  std::string fresh_name(std::string_view hint);
  /// A deep copy: bodies too; tensors' memory is shared.
  std::shared_ptr<Graph> clone() const;

 private:
  ValueId add_value(std::string name);
  void link(NodeId node, NodeId before);
  void unlink(NodeId node);
  void add_use(ValueId value, Use use);
  void remove_use(ValueId value, Use use);

  std::deque<Node> nodes_;
  std::deque<Value> values_;
  std::vector<ValueId> inputs_;
  std::map<std::string, ValueId, std::less<>> names_;
  NodeId first_, last_;
  size_t live_nodes_ = 0;
  int64_t next_fresh_ = 0;
};

/// The names of `sources`, a list as Node::source holds it, each once and in the order of first mention.
std::string each_source_once(std::string_view sources);

/// Text as in docs/design.md section 15; parse(print(g)) gives g again, except for constants' data, which is
/// printed only for small ones.
std::string print(const Graph& graph);
/// "{1, 2}" for a constant whose data print() shows; empty for one that it only declares.
std::string print_constant_data(const Graph& graph, ValueId constant);
std::string print_node(const Graph& graph, NodeId node);
/// Throws Error with line and column. Constants declared without data get none (value.constant stays
/// empty but for its type): the caller fills them in through `constant_data`.
using ConstantSource = std::function<Tensor(const std::string& name, const TensorType& type)>;
std::shared_ptr<Graph> parse(std::string_view text, const OpLookup& ops, const ConstantSource& constants = {});

/// Checks what every pass must keep: uses match inputs, producers come before uses, names are unique, types
/// are set, bodies are closed. Throws Error naming the node.
void verify(const Graph& graph);

}  // namespace burnish::ir
