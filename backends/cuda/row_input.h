// What a kernel over rows normalises, as text: a tensor, or what pointwise ops make of tensors, of single
// numbers per row or column, and of rows of a table at given indices (embeddings).
#pragma once

#include "cuda/body_text.h"
#include "cuda/generated.h"

namespace burnish::cuda {

class RowInput {
 public:
  /// Whether the nodes before node `until` make `value`, whose last dimension is a row, element by element.
  static Support supports(const device::Problem& problem, size_t until, ir::ValueId value);
  RowInput(const device::Problem& problem, size_t until, ir::ValueId value);

  /// The widest vectors, of at most `most` columns, that every operand allows.
  int vector(int most) const;
  void add_sizes(Sizes& sizes) const;
  /// `read_row(p, s, row, j, x)`: x becomes the VECTOR elements of a row from column j on.
  std::string text() const;

 private:
  /// An operand: element (row, column) at row * `row` + column * `column`, or, of a table, with the row's
  /// index.
  struct Operand {
    ir::ValueId value;
    std::string pointer;
    DType dtype;
    ir::Dim row, column;
    ir::Dim period = 0;   ///< of rows after which it repeats; 0: never
    std::string indices;  ///< of a table: the pointer to its rows' indices; empty for any other
    DType index_dtype = DType::i64;
    ir::Dim table_rows = 1;
  };
  static Support collect(const device::Problem& problem, size_t until, ir::ValueId value,
                         std::vector<Operand>& operands);

  const device::Problem& problem_;
  size_t until_;
  ir::ValueId value_;
  std::vector<Operand> operands_;
};

}  // namespace burnish::cuda
