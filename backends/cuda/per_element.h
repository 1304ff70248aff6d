// Kernels in which each thread makes one element of a domain by itself, from elements at computed places: the
// plain way to run what needs no sharing between threads. One tactic, a table of ops (per_element_*.cpp), a
// short text each (kernels/NAME.cuh).
#pragma once

#include "cuda/generated.h"

namespace burnish::cuda {

/// How one op runs element by element.
///
/// Its text defines `element(p, s, o)`, o being a place in the domain. It may use, for each operand i of the
/// node that is there, in{i}(p, s, at), in{i}_dim(s, d), IN{i}_RANK and In{i}, and for each result out{i}(p,
/// s, at, value), out{i}_dim(s, d), OUT{i}_RANK and Out{i}: elements at logical coordinates, in the types of
/// arithmetic.
struct ElementOp {
  const ops::OpDef* op = nullptr;
  std::string kernel;  ///< the name of its text
  /// Yes, or why not; that types and layouts are the family's has been checked. Null: always.
  Support (*supports)(const device::Problem&) = nullptr;
  /// Text before the kernel's: constants from attributes.
  std::string (*constants)(const device::Problem&) = nullptr;
  /// Sizes of its own, where not known at build as symbols that `late` gives.
  void (*sizes)(const device::Problem&, Sizes&) = nullptr;
  ir::Bindings (*late)(const device::Problem&) = nullptr;
  /// A thread for each of its elements; null: output 0's shape.
  std::vector<ir::Dim> (*domain)(const device::Problem&) = nullptr;
  bool images = false;  ///< takes nhwc too
};

/// The tables of the family's files.
std::span<const ElementOp> movement_element_ops();
std::span<const ElementOp> index_element_ops();
std::span<const ElementOp> window_element_ops();
std::span<const ElementOp> reduction_element_ops();
std::span<const ElementOp> image_element_ops();
std::span<const ElementOp> quantize_element_ops();

// --- what the tables' functions share ---
/// The attributes of the problem's only node.
template <class T>
const T& attributes_of(const device::Problem& problem) {
  return problem.node(0).attributes.as<T>();
}
/// Whether operand `i` of the only node is given.
bool has_operand(const device::Problem& problem, size_t i);
/// The type of operand `i` of the only node.
const ir::TensorType& operand_type(const device::Problem& problem, size_t i);
/// The data of an operand that the host knows: a literal, or what a binding brought; empty where unknown.
Tensor known_operand(const device::Problem& problem, size_t i);
/// The same as whole numbers; nullopt where unknown.
std::optional<std::vector<int64_t>> known_numbers(const device::Problem& problem, size_t i);
/// A symbol that `late` gives a value: "?NAMEd".
ir::Dim late_symbol(const std::string& name, size_t d);
/// Adds NAME0, NAME1, ...: the values where they are known, else symbols for `late`.
void add_list(Sizes& sizes, const std::string& name, const std::optional<std::vector<int64_t>>& values,
              size_t count);
/// The bindings of add_list's symbols.
ir::Bindings late_list(const std::string& name, const std::vector<int64_t>& values);
/// "constexpr int list(const Sizes& s, int d)": NAMEd by number, as text.
std::string list_text(const std::string& name, size_t count);
/// `value`, within what an int of a kernel holds.
int64_t clamp_to_int(int64_t value);

}  // namespace burnish::cuda
