// Matrix products.
#include <algorithm>

#include "base/parallel.h"
#include "ops/contraction.h"
#include "ops/gemm.h"
#include "ops/indexing.h"
#include "ops/infer.h"
#include "ops/table.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

using ir::Dim;

void infer_matmul(InferContext& context) {
  const auto& attributes = context.attributes<MatMulAttributes>();
  std::vector<Dim> a = context.shape(0), b = context.shape(1);
  require(context.dtype(0) == context.dtype(1), "a is {}, b is {}", dtype_name(context.dtype(0)),
          dtype_name(context.dtype(1)));
  require(!a.empty() && !b.empty(), "a is {}, b is {}; a scalar cannot be multiplied as a matrix",
          context.type(0).str(), context.type(1).str());
  require(a.size() > 1 || !attributes.transpose_a, "transpose_a needs a matrix, not a vector");
  require(b.size() > 1 || !attributes.transpose_b, "transpose_b needs a matrix, not a vector");
  if (attributes.transpose_a) std::swap(a[a.size() - 1], a[a.size() - 2]);
  if (attributes.transpose_b) std::swap(b[b.size() - 1], b[b.size() - 2]);
  const Dim inner_a = a.back(), inner_b = b.size() == 1 ? b[0] : b[b.size() - 2];
  require(!inner_a.is_constant() || !inner_b.is_constant() || inner_a == inner_b,
          "{} and {} cannot be multiplied: {} columns meet {} rows", context.type(0).str(),
          context.type(1).str(), inner_a.str(), inner_b.str());
  const auto batch = [](const std::vector<Dim>& shape) {
    return std::vector<Dim>(shape.begin(),
                            shape.end() - std::min<int64_t>(2, static_cast<int64_t>(shape.size())));
  };
  std::vector<Dim> shape = broadcast_shapes(batch(a), batch(b));
  if (a.size() > 1) shape.push_back(a[a.size() - 2]);
  if (b.size() > 1) shape.push_back(b.back());
  context.set(0, context.dtype(0), std::move(shape));
}

/// A stack of matrices with the strides of each batch dimension: 0 where the operand is repeated.
struct Stack {
  int64_t rows, columns, row_stride, column_stride;
  Shape batch_strides;

  /// `vector_is_row`: a tensor of rank 1 is one row (a's side) or one column (b's side).
  Stack(const Shape& shape, bool transpose, bool vector_is_row) {
    const size_t rank = shape.size();
    rows = rank > 1 ? shape[rank - 2] : vector_is_row ? 1 : shape[0];
    columns = rank > 1 ? shape[rank - 1] : vector_is_row ? shape[0] : 1;
    row_stride = columns;
    column_stride = 1;
    int64_t stride = rows * columns;
    for (size_t d = rank > 2 ? rank - 2 : 0; d-- > 0; stride *= shape[d])
      batch_strides.insert(batch_strides.begin(), shape[d] == 1 ? 0 : stride);
    if (!transpose) return;
    std::swap(rows, columns);
    std::swap(row_stride, column_stride);
  }

  int64_t offset(const Shape& batch_index) const {
    int64_t sum = 0;
    for (size_t d = 0; d < batch_strides.size(); ++d)
      sum += batch_strides[d] * batch_index[batch_index.size() - batch_strides.size() + d];
    return sum;
  }
};

void matmul_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<MatMulAttributes>();
  const Stack a(call.inputs[0].shape(), attributes.transpose_a, true),
      b(call.inputs[1].shape(), attributes.transpose_b, false);
  require(a.columns == b.rows, "{} columns meet {} rows", a.columns, b.rows);
  Tensor& y = call.outputs[0];
  const bool has_rows = call.inputs[0].rank() > 1, has_columns = call.inputs[1].rank() > 1;
  const Shape batch(y.shape().begin(), y.shape().end() - has_rows - has_columns);
  const int64_t tile_columns =
      gemm_tile_columns * (a.rows < 4 ? 16 : 1);  // few rows: long runs through b count most
  const int64_t row_tiles = (a.rows + gemm_tile_rows - 1) / gemm_tile_rows,
                column_tiles = (b.columns + tile_columns - 1) / tile_columns;
  dispatch(WideNumberTypes{}, y.dtype(), [&]<class T>(Type<T>) {
    using W = wrapping_t<T>;
    const MatrixView<W> left{wrapping_data<T>(call.inputs[0]), a.row_stride, a.column_stride};
    const MatrixView<W> right{wrapping_data<T>(call.inputs[1]), b.row_stride, b.column_stride};
    W* out = wrapping_data<T>(y);
    const int64_t macs_per_tile = std::max<int64_t>(
        1, std::min(a.rows, gemm_tile_rows) * std::min(b.columns, tile_columns) * a.columns);
    parallel_for(product_of(batch) * row_tiles * column_tiles, (1 << 16) / macs_per_tile,
                 [&](int64_t first, int64_t last) {
                   for (int64_t task = first; task < last; ++task) {
                     const int64_t row = task / column_tiles % row_tiles * gemm_tile_rows,
                                   column = task % column_tiles * tile_columns;
                     const int64_t matrix = task / column_tiles / row_tiles;
                     const Shape index = unravel(matrix, batch);
                     MatrixView<W> from = left.from(row, 0), with = right.from(0, column);
                     from.data += a.offset(index);
                     with.data += b.offset(index);
                     gemm<W>(std::min(gemm_tile_rows, a.rows - row),
                             std::min(tile_columns, b.columns - column), a.columns, from, with,
                             out + (matrix * a.rows + row) * b.columns + column, b.columns);
                   }
                 });
  });
}

}  // namespace

namespace def {

const OpDef matmul = op<MatMulAttributes>("matmul")
                         .input("a")
                         .input("b")
                         .output("y")
                         .infer(infer_matmul)
                         .reference(widen<matmul_reference>)
                         .fusion(Fusion::contraction)
                         .onnx("MatMul")
                         .tolerance(1e-4, 1e-5)
                         .summary(
                             "matrix product with NumPy's batching and vectors; transpose_a and transpose_b "
                             "swap the last two dimensions first");

}  // namespace def
}  // namespace burnish::ops
