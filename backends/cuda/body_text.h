// From a fused body to CUDA text: one generator for pointwise kernels and for the epilogues of all others.
#pragma once

#include <map>
#include <string>

#include "base/error.h"
#include "device/problem.h"

namespace burnish::cuda {

/// The name of the prelude's type for what lies in memory: "f16", "float", "int64_t".
std::string memory_type(DType dtype);
/// The type that arithmetic is done in: "float" for the narrow floats.
std::string compute_type(DType dtype);
/// `value` as CUDA text of compute_type(dtype).
std::string literal_text(const Tensor& value);

/// Yes if the user's op carries text, and the name of the function in it.
Support has_user_text(const ir::Node& node);
/// The op's text in a namespace of its own, for the scope of namespace burnish: `::NAMESPACE::function(...)`
/// calls it.
std::string user_text(const std::string& name_space, const ir::Node& node);

/// The text of a sequence of pointwise nodes.
class BodyText {
 public:
  explicit BodyText(const device::Problem& problem) : problem_(problem) {}

  /// Yes if the node can be written as a function of single elements: an op with an expression, or a user's
  /// with text.
  static Support supports(const device::Problem& problem, size_t node);

  /// Says that `value` is the variable `name` of compute_type.
  void define(ir::ValueId value, std::string name) { names_[value] = std::move(name); }
  bool knows(ir::ValueId value) const { return names_.contains(value) || !problem_.literal(value).empty(); }
  /// Writes node `i`, all of whose inputs are known: a function, and a statement that calls it.
  void add_node(size_t i);
  /// The variable or literal that stands for `value`.
  std::string name(ir::ValueId value) const;

  const std::string& functions() const { return functions_; }    ///< for namespace scope
  const std::string& statements() const { return statements_; }  ///< for the scope of the defined variables
  /// The same, and behind them the problem's outputs given to out0, out1, ...: a body of Elementwise::text().
  std::string statements_to_outputs() const;
  void clear_statements() { statements_.clear(); }

 private:
  /// Calls the function of a user's op.
  void add_user_node(size_t i, const std::string& variable);

  const device::Problem& problem_;
  std::map<ir::ValueId, std::string> names_;
  std::string functions_, statements_;
};

}  // namespace burnish::cuda
