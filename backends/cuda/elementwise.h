// Kernels that make each output element from elements of the inputs at affine places: pointwise bodies, and
// the ops that only move elements (transpose, slice, expand, concat, ...), which are the identity at other
// strides.
#pragma once

#include <functional>

#include "cuda/generated.h"

namespace burnish::cuda {

/// An unsigned type of the element's width, for kernels that compute nothing with it.
DType carrier(DType dtype);

/// A tensor as an elementwise kernel reads or writes it.
struct Accessed {
  std::string pointer;  ///< text: "p.x0"
  DType dtype;
  Strides strides;     ///< per axis of the domain
  ir::Dim offset = 0;  ///< of the element at the origin
};

/// One kernel over one domain. Text, sizes and launch are all made from it, so they agree.
class Elementwise {
 public:
  Elementwise(std::string entry, std::vector<ir::Dim> domain, std::vector<Accessed> inputs,
              std::vector<Accessed> outputs);

  void add_sizes(Sizes& sizes) const;
  /// `body(names)` gives statements that use the names of the inputs' elements and end by assigning to out0,
  /// out1, ...
  std::string text(const std::function<std::string(const std::vector<std::string>&)>& body) const;
  /// For a kernel whose sizes are numbers; `vector` is the width that the text was written with.
  Launch launch(int vector) const;
  /// Elements that a thread handles at once.
  int vector_width() const { return vector_; }

 private:
  std::string size_name(size_t operand, size_t axis) const;
  std::string offset_text(size_t operand) const;

  std::string entry_;
  Walk walk_;  // operands: inputs, then outputs
  std::vector<Accessed> operands_;
  size_t inputs_;
  int vector_ = 1;
};

}  // namespace burnish::cuda
