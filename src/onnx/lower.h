// What a lowering sees of one ONNX node, and what it builds the IR with.
#pragma once

#include <concepts>
#include <initializer_list>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/error.h"
#include "ops/op_def.h"
#include "ops/table.h"

namespace burnish::onnx {

struct AttributeProto;
struct NodeProto;
class GraphImporter;

/// One attribute of an IR op by name: {"axis", 1}.
struct Setting {
  using Value = std::variant<int64_t, double, bool, std::string, DType, std::vector<int64_t>,
                             std::vector<double>, std::vector<std::string>>;
  std::string_view name;
  Value value;

  Setting(std::string_view n, Value v) : name(n), value(std::move(v)) {}
  Setting(std::string_view n, std::same_as<int> auto v) : name(n), value(int64_t{v}) {}
  Setting(std::string_view n, const char* v) : name(n), value(std::string(v)) {}
};
using Settings = std::initializer_list<Setting>;

/// The op's default attributes with `settings` on top; a name or type that the op lacks is a mistake in the
/// lowering.
ir::Attributes make_attributes(const ops::OpDef& op, Settings settings);

/// One node being lowered. A lowering reads inputs and attributes, emits IR nodes and sets every output.
/// Failures are Errors; the importer adds the node's name.
class Lower {
 public:
  Lower(GraphImporter& importer, const NodeProto& node, int64_t opset);

  // --- the node ---
  int64_t opset() const { return opset_; }
  /// Its name, or its first output's.
  std::string source() const;
  std::string_view op_type() const;
  std::string_view domain() const;
  int input_count() const { return static_cast<int>(inputs_.size()); }
  /// An empty id where the input was omitted.
  ir::ValueId input(int i) const {
    return i < input_count() ? inputs_[static_cast<size_t>(i)] : ir::ValueId{};
  }
  /// Throws Error where the input was omitted.
  ir::ValueId needed_input(int i) const;
  int output_count() const { return static_cast<int>(outputs_.size()); }
  /// The values of the sequence that input `i` is; throws Error where it is none.
  const std::vector<ir::ValueId>& sequence(int i) const;
  /// False where the output is not there or has no name: nobody reads it.
  bool wants_output(int i) const;
  /// The shape that the model declares for output `i`, where it is there and all numbers.
  std::optional<std::vector<int64_t>> declared_shape(int i) const;

  // --- its attributes; a default is returned where the attribute is not there, another type is an Error ---
  bool has(std::string_view name) const { return find(name) != nullptr; }
  int64_t integer(std::string_view name, int64_t otherwise = 0) const;
  double number(std::string_view name, double otherwise = 0) const;
  std::string text(std::string_view name, std::string otherwise = "") const;
  std::vector<int64_t> integers(std::string_view name, std::vector<int64_t> otherwise = {}) const;
  std::vector<double> numbers(std::string_view name, std::vector<double> otherwise = {}) const;
  std::vector<std::string> texts(std::string_view name, std::vector<std::string> otherwise = {}) const;
  /// Throws Error where the attribute is not there.
  Tensor tensor(std::string_view name) const;
  /// The element type that an attribute such as Cast's `to` names.
  DType dtype(std::string_view name, DType otherwise) const;
  /// Fills `op`'s attributes from the node's of the same names.
  ir::Attributes attributes_for(const ops::OpDef& op) const;

  // --- values ---
  const ir::TensorType& type(ir::ValueId value) const;
  int64_t rank(ir::ValueId value) const { return type(value).rank(); }
  DType dtype(ir::ValueId value) const { return type(value).dtype; }
  /// The data, if it depends on constants alone and is not huge; else an empty Tensor.
  Tensor constant(ir::ValueId value) const;
  /// What a small integer tensor holds, if import can tell and no symbol is in it.
  std::optional<std::vector<int64_t>> known_integers(ir::ValueId value) const;
  /// The same of an integer vector of which perhaps only some elements are known; empty where not even their
  /// number is.
  std::vector<std::optional<int64_t>> known_elements(ir::ValueId value) const;

  /// The inputs of the node that made the value, if that is an `op`; else empty.
  std::vector<ir::ValueId> inputs_of(ir::ValueId value, const ops::OpDef& op) const;

  // --- building ---
  ir::ValueId emit(const ops::OpDef& op, ir::Attributes attributes, std::vector<ir::ValueId> inputs);
  ir::ValueId emit(const ops::OpDef& op, std::vector<ir::ValueId> inputs) {
    return emit(op, op.default_attributes, std::move(inputs));
  }
  ir::ValueId emit(const ops::OpDef& op, Settings settings, std::vector<ir::ValueId> inputs) {
    return emit(op, make_attributes(op, settings), std::move(inputs));
  }
  std::vector<ir::ValueId> emit_many(const ops::OpDef& op, ir::Attributes attributes,
                                     std::vector<ir::ValueId> inputs, int outputs,
                                     std::vector<std::shared_ptr<ir::Graph>> bodies = {});
  /// The same in a body under construction.
  std::vector<ir::ValueId> emit_into(ir::Graph& graph, const ops::OpDef& op, ir::Attributes attributes,
                                     std::vector<ir::ValueId> inputs, int outputs,
                                     std::vector<std::shared_ptr<ir::Graph>> bodies = {});
  /// A symbol that nothing else uses.
  ir::Dim fresh_symbol(const std::string& hint);
  ir::ValueId add_constant(Tensor data);
  /// A constant of rank 1 of int64; of rank 0 of `dtype` (any number type).
  ir::ValueId add_integers(const std::vector<int64_t>& values);
  ir::ValueId add_scalar(DType dtype, double value);
  /// The value becomes output `i` and gets its name. Any value may be an output, inputs too.
  void set_output(int i, ir::ValueId value);
  void set_sequence(int i, std::vector<ir::ValueId> values);

  // --- subgraphs (If, Loop, Scan) ---
  /// The node as an If whose condition only a run tells: its number, and the branch that is taken for granted
  /// all the same. Without a number where it is in a body, whose Ifs cannot be decided for the whole graph.
  std::optional<int64_t> number_condition();
  std::optional<bool> decided(int64_t number) const;
  /// The values around the node that the subgraph attributes read and that are not constant, each once.
  std::vector<ir::ValueId> captures(std::initializer_list<std::string_view> attributes) const;
  /// How many inputs and outputs a subgraph attribute declares.
  size_t body_inputs(std::string_view attribute) const;
  size_t body_outputs(std::string_view attribute) const;
  /// Imports a subgraph as a closed graph: its own inputs have `types`, and the captures follow them.
  std::shared_ptr<ir::Graph> body(std::string_view attribute, const std::vector<ir::TensorType>& types,
                                  const std::vector<ir::ValueId>& captures);
  /// Imports a subgraph in the node's place, its inputs being `inputs`; returns its outputs.
  std::vector<ir::ValueId> inline_body(std::string_view attribute,
                                       const std::vector<ir::ValueId>& inputs = {});

  /// Refuses the node.
  template <class... Arguments>
  [[noreturn]] void fail(fmt::format_string<Arguments...> format, Arguments&&... arguments) const {
    burnish::fail(format, std::forward<Arguments>(arguments)...);
  }

 private:
  friend class GraphImporter;
  std::string value_hint() const;  ///< what emitted values are called after
  const AttributeProto* find(std::string_view name) const;
  const AttributeProto* find(std::string_view name, int type) const;

  GraphImporter& importer_;
  const NodeProto& node_;
  int64_t opset_;
  std::vector<ir::ValueId> inputs_;
  std::vector<ir::ValueId> outputs_;  // as set so far
  std::map<int, const std::vector<ir::ValueId>*> input_sequences_;
  std::map<int, std::vector<ir::ValueId>> output_sequences_;
  std::vector<ir::ValueId> emitted_;  // values without an ONNX name yet
};

}  // namespace burnish::onnx
