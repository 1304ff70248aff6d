// The one declaration of an op: everything that the rest of Burnish knows of it.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace burnish::ops {

/// How an op may join others in one kernel.
enum class Fusion : uint8_t {
  pointwise,    ///< each output element from the elements at the same place, with broadcasting
  injective,    ///< moves elements without arithmetic: transpose, slice, gather, ...
  reduction,    ///< pointwise but for some axes: softmax, norms, reduce_*
  contraction,  ///< conv, matmul and the like: takes a pointwise epilogue
  opaque,
};

struct OpDef;

/// One input as type inference sees it.
struct InferInput {
  bool present = false;
  ir::TensorType type;
  const std::vector<ir::Dim>* contents = nullptr;  ///< what a small integer tensor (rank 0 or 1) holds, if known
  const Tensor* constant = nullptr;                ///< its data, if it is a constant on the host
};

/// Given to an op's infer(). Every failure is an Error; the caller adds the node's name.
class InferContext {
 public:
  using Bodies = std::span<const std::shared_ptr<ir::Graph>>;
  /// Names a dimension that depends on data: output `output`, dimension `dim`.
  using Fresh = std::function<ir::Dim(int output, int dim)>;

  InferContext(const OpDef& op, const ir::Attributes& attributes, std::vector<InferInput> inputs, int output_count,
               Bodies bodies, Fresh fresh, const ir::SymbolRanges& symbols = {})
      : op_(op), attributes_(attributes), inputs_(std::move(inputs)), bodies_(bodies), fresh_(std::move(fresh)), symbols_(symbols),
        types_(static_cast<size_t>(output_count)), contents_(static_cast<size_t>(output_count)) {}

  const OpDef& op() const { return op_; }
  template <class T>
  const T& attributes() const {
    return attributes_.as<T>();
  }
  int inputs() const { return static_cast<int>(inputs_.size()); }
  int outputs() const { return static_cast<int>(types_.size()); }
  bool has(int i) const { return i < inputs() && inputs_[static_cast<size_t>(i)].present; }
  /// Throws Error if input `i` was omitted.
  const ir::TensorType& type(int i) const;
  const std::vector<ir::Dim>& shape(int i) const { return type(i).shape; }
  DType dtype(int i) const { return type(i).dtype; }
  /// What input `i` holds, or null where that is not known (yet).
  const std::vector<ir::Dim>* contents(int i) const;
  /// The same as numbers; nullopt where it is not known or symbolic.
  std::optional<std::vector<int64_t>> numbers(int i) const;
  /// A constant input's data; null if not constant. For what is more than small integers (Resize's scales).
  const Tensor* constant(int i) const;
  Bodies bodies() const { return bodies_; }
  ir::Dim fresh(int output, int dim) const { return fresh_(output, dim); }
  /// Of the graph that the node is in.
  const ir::SymbolRanges& symbols() const { return symbols_; }

  /// Sets what is known of output `i`.
  void set(int i, DType dtype, std::vector<ir::Dim> shape);
  void set(int i, ir::TensorType type) { set(i, type.dtype, std::move(type.shape)); }
  void set_contents(int i, std::vector<ir::Dim> contents);

  const std::vector<ir::TensorType>& output_types() const { return types_; }
  const std::vector<std::optional<std::vector<ir::Dim>>>& output_contents() const { return contents_; }

 private:
  const OpDef& op_;
  const ir::Attributes& attributes_;
  std::vector<InferInput> inputs_;
  Bodies bodies_;
  Fresh fresh_;
  ir::SymbolRanges symbols_;
  std::vector<ir::TensorType> types_;
  std::vector<std::optional<std::vector<ir::Dim>>> contents_;
};

/// Given to an op's reference kernel. All tensors are on the host, in plain layout.
struct ReferenceCall {
  const OpDef& op;
  const ir::Attributes& attributes;
  std::span<const Tensor> inputs;  ///< an omitted input is an empty Tensor
  /// Allocated to the inferred type and shape; empty where the shape depends on what the kernel computes:
  /// then the kernel makes the tensor. Outputs that nobody wants may be computed all the same.
  std::span<Tensor> outputs;
  std::span<const std::shared_ptr<ir::Graph>> bodies;

  bool has(size_t i) const { return i < inputs.size() && !inputs[i].empty(); }
  template <class T>
  const T& attribute() const {
    return attributes.as<T>();
  }
};

struct InputSpec {
  std::string name;
  bool optional = false;
  bool variadic = false;  ///< the last one only: any number of them
  /// Its contents decide shapes or addressing (axes, sizes, pads): needed on the host before the kernel starts.
  bool host = false;
};

/// ONNX's name of an op that maps one to one; other ONNX ops are lowered by src/onnx.
struct OnnxName {
  std::string name;
  int since = 1;
  std::string domain;
};

/// How a pointwise op is computed: as C++ text over its inputs' names, for code generators, and as loops for
/// the reference. See ops/pointwise.h.
struct Expression;

/// How far results may lie from an exact one, for tests: |a - b| <= absolute + relative * |b|, per element type.
struct Tolerance {
  double relative = 1e-5, absolute = 1e-6;  ///< for f32; f16 and bf16 get theirs from their epsilon
};

struct OpDef : ir::Op {
  std::vector<InputSpec> inputs;
  std::vector<std::string> outputs;
  bool variadic_outputs = false;
  void (*infer)(InferContext&) = nullptr;
  void (*reference)(const ReferenceCall&) = nullptr;
  Fusion fusion = Fusion::opaque;
  std::shared_ptr<const Expression> expression;  ///< of pointwise ops
  std::vector<OnnxName> onnx;
  Tolerance tolerance;
  std::string summary;  ///< one line for docs/operators.md: what it computes, and its source
  /// The outputs share input 0's memory: only the type changes (reshape and its kin).
  bool view = false;
  bool commutative = false;  ///< of two inputs: op(a, b) is op(b, a)
};

/// Declares an op:  const OpDef softmax = op<SoftmaxAttributes>("softmax").input("x").output("y").infer(...)...
class OpBuilder {
 public:
  explicit OpBuilder(std::string name) { def_.name = std::move(name); }
  operator OpDef() const { return def_; }

  OpBuilder& attributes(ir::Attributes defaults) { def_.default_attributes = std::move(defaults); return *this; }
  OpBuilder& input(std::string name) { def_.inputs.push_back({std::move(name), false, false, false}); return *this; }
  OpBuilder& optional(std::string name) { def_.inputs.push_back({std::move(name), true, false, false}); return *this; }
  OpBuilder& variadic(std::string name) { def_.inputs.push_back({std::move(name), true, true, false}); return *this; }
  OpBuilder& host(std::string name, bool is_optional = false) { def_.inputs.push_back({std::move(name), is_optional, false, true}); return *this; }
  OpBuilder& output(std::string name) { def_.outputs.push_back(std::move(name)); return *this; }
  OpBuilder& outputs_variadic(std::string name) { def_.outputs.push_back(std::move(name)); def_.variadic_outputs = true; return *this; }
  OpBuilder& bodies(int count) { def_.bodies = count; return *this; }
  OpBuilder& infer(void (*function)(InferContext&)) { def_.infer = function; return *this; }
  OpBuilder& reference(void (*function)(const ReferenceCall&)) { def_.reference = function; return *this; }
  OpBuilder& fusion(Fusion fusion) { def_.fusion = fusion; return *this; }
  OpBuilder& expression(std::shared_ptr<const Expression> expression) { def_.expression = std::move(expression); return *this; }
  OpBuilder& onnx(std::string name, int since = 1, std::string domain = "") { def_.onnx.push_back({std::move(name), since, std::move(domain)}); return *this; }
  OpBuilder& tolerance(double relative, double absolute) { def_.tolerance = {relative, absolute}; return *this; }
  OpBuilder& summary(std::string text) { def_.summary = std::move(text); return *this; }
  OpBuilder& commutative() { def_.commutative = true; return *this; }
  OpBuilder& view() { def_.view = true; return *this; }

 private:
  OpDef def_;
};

template <class A = ir::NoAttributes>
OpBuilder op(std::string name) {
  return OpBuilder(std::move(name)).attributes(ir::Attributes(A{}));
}

/// The op's whole declaration, from a node.
inline const OpDef& definition(const ir::Node& node) { return static_cast<const OpDef&>(*node.op); }

}  // namespace burnish::ops
