// Products of floats with weights: our own kernel over packed panels, whose left matrix is read where it
// lies, with the pointwise ops behind it run on each part of a row while it is in the cache.
#include <algorithm>
#include <set>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/gemm_kernels.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/packed_product.h"
#include "backends/cpu/simd_tactics.h"
#include "backends/cpu/tile_program.h"
#include "device/concrete_body.h"
#include "ops/contraction.h"
#include "ops/strided_source.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

/// A body of a product, the moves of its left operand before it, and pointwise ops behind it.
struct ProductBody {
  const device::Problem& problem;
  const ir::Graph& graph;  // the problem's body, or a copy with the shapes of a run
  const ir::Node* product = nullptr;
  ops::StridedSource left;
  std::vector<ir::NodeId> epilogue;

  explicit ProductBody(const device::Problem& from) : ProductBody(from, from.body()) {}
  ProductBody(const device::Problem& from, const ir::Graph& body) : problem(from), graph(body) {
    for (ir::NodeId id : problem.nodes())
      if (graph.node(id).op == &ops::def::matmul) product = &graph.node(id);
    if (!product) return;
    left = ops::strided_source(graph, product->inputs[0]);
    const std::set<ir::NodeId> moves(left.moves.begin(), left.moves.end());
    for (ir::NodeId id : problem.nodes())
      if (&graph.node(id) != product && !moves.contains(id)) epilogue.push_back(id);
  }
  const ir::TensorType& type(ir::ValueId value) const { return graph.value(value).type; }
  ir::ValueId result() const { return graph.outputs[0].value; }
  int left_input() const { return problem.input_index(left.source); }
  int right_input() const { return problem.input_index(product->inputs[1]); }
  bool transposed() const { return product->attributes.as<ops::MatMulAttributes>().transpose_b; }

  /// The one stride of all dimensions before the last, taken as rows; nullopt where there is none.
  std::optional<ir::Dim> row_stride() const {
    const std::vector<ir::Dim>& shape = type(product->inputs[0]).shape;
    std::optional<ir::Dim> inner;
    ir::Dim expected = 0;
    for (size_t d = shape.size() - 1; d-- > 0;) {
      if (shape[d].is(1)) continue;
      if (!inner)
        inner = left.strides[d];
      else if (!(left.strides[d] == expected))
        return std::nullopt;
      expected = left.strides[d] * shape[d];
    }
    return inner ? inner : shape.back();
  }

  Support supports() const {
    if (!product || problem.output_count() != 1) return Support::no("no product with one result");
    if (!device::sizes_are_told(problem)) return Support::no("its inputs do not tell the sizes of a run");
    const ir::TensorType &a = type(product->inputs[0]), &b = type(product->inputs[1]);
    if (a.dtype != DType::f32 || type(result()).dtype != DType::f32) return Support::no("f32 only");
    if (left_input() < 0) return Support::no("the left operand is computed or a literal");
    if (right_input() < 0 || !problem.is_weight(right_input()) || b.rank() != 2)
      return Support::no("the right operand is no matrix of weights");
    if (graph.value(product->inputs[1]).uses.size() > 1) return Support::no("the weights are read twice");
    if (a.rank() < 2 || product->attributes.as<ops::MatMulAttributes>().transpose_a)
      return Support::no("the left operand has no rows");
    if (!left.strides.back().is(1) && !a.shape.back().is(1)) return Support::no("rows are not dense");
    if (!row_stride()) return Support::no("rows do not lie evenly");
    const ir::ValueId made = product->outputs[0];
    if (epilogue.empty()) {
      if (made != result()) return Support::no("the product is not the result");
    } else {
      if (type(made).shape != type(result()).shape) return Support::no("the epilogue changes the shape");
      if (result() != graph.node(epilogue.back()).outputs[0])
        return Support::no("the epilogue does not end in the result");
      const Support program =
          TileProgram::supports(problem, epilogue, std::span(&made, 1), std::array{result()});
      if (!program) return program;
    }
    return only_plain(problem);
  }
};

class BoundProduct : public device::BoundKernel {
 public:
  /// `graph` is the problem's body at the shapes of `arguments`.
  BoundProduct(const device::Problem& problem, const ir::Graph& graph, const device::BindArguments& arguments,
               int threads)
      : pointers_(problem), product_(make_product(ProductBody(problem, graph), threads)) {
    const ProductBody body(problem, graph);
    left_ = body.left_input();
    right_ = body.right_input();
    offset_ = body.left.offset.constant();
    const int64_t depth = body.type(body.product->inputs[0]).shape.back().constant();
    const int64_t columns = body.type(body.product->outputs[0]).shape.back().constant();
    pointers_.expect(right_, packed_size(depth, columns) * dtype_bytes(DType::f32));
    if (body.epilogue.empty()) return;
    const TileProgram program(problem, body.epilogue, {body.product->outputs[0]}, {body.result()});
    program_ = program.bind(arguments, arguments.outputs[0]);
    finish_ = [this](int64_t begin, int64_t count) {
      void* place = output_ + begin;
      program_->run_into(begin, count, inputs_, &place, &place);
    };
  }

  size_t workspace_bytes() const override { return product_.workspace_bytes(); }
  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    inputs_ = pointers_.resolve(arguments);
    output_ = static_cast<float*>(arguments.outputs[0]);
    product_.run(static_cast<const float*>(inputs_[left_]) + offset_,
                 static_cast<const float*>(inputs_[right_]), output_, arguments.workspace,
                 program_ ? &finish_ : nullptr);
  }

 private:
  static PackedProduct make_product(const ProductBody& body, int threads) {
    const Shape shape = *ir::constants(body.type(body.product->inputs[0]).shape);
    const int64_t columns = body.type(body.product->outputs[0]).shape.back().constant();
    return PackedProduct(element_count(Shape(shape.begin(), shape.end() - 1)), shape.back(), columns,
                         body.row_stride()->constant(), threads);
  }

  InputPointers pointers_;
  PackedProduct product_;
  int left_, right_;
  int64_t offset_;
  std::optional<BoundProgram> program_;
  PackedProduct::Finish finish_;
  // Of the run that goes on.
  const void* const* inputs_ = nullptr;
  float* output_ = nullptr;
};

class ProductTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.matmul"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    return ProductBody(problem).supports();
  }

  std::vector<Tensor> pack(const device::Problem& problem, const device::Candidate&,
                           std::span<const Tensor> weights, device::Device&) const override {
    const ProductBody body(problem);
    std::vector<Tensor> packed;
    for (int i = 0; i < problem.input_count(); ++i) {
      if (!problem.is_weight(i)) continue;
      const Tensor& weight = weights[static_cast<size_t>(i)];
      packed.push_back(i == body.right_input() ? panels(weight, body.transposed()) : weight);
    }
    return packed;
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device& device) const override {
    return kernel_function(
        [problem, threads = device.info().threads](const device::BindArguments& arguments) {
          return std::make_unique<BoundProduct>(problem, *device::concrete_body(problem, arguments),
                                                arguments, threads);
        });
  }

 private:
  static Tensor panels(const Tensor& matrix, bool transposed) {
    const int64_t rows = matrix.shape()[0], columns = matrix.shape()[1];
    const int64_t depth = transposed ? columns : rows, width = transposed ? rows : columns;
    Tensor packed(DType::f32, {packed_size(depth, width)});
    pack_panels(matrix.data<float>(), transposed ? 1 : columns, transposed ? columns : 1, depth, width,
                packed.data<float>());
    return packed;
  }
};

}  // namespace

const device::Tactic& product_tactic() {
  static const ProductTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
