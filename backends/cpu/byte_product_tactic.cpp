// Products of eight-bit integers with weights: packed panels, exact sums in i32, and where a conversion to
// f32 follows, it and the pointwise ops behind it on each part of a row while it is in the cache.
#include <algorithm>
#include <vector>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/byte_kernels.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/quantize_kernels.h"
#include "backends/cpu/simd_tactics.h"
#include "backends/cpu/tile_program.h"
#include "base/parallel.h"
#include "ops/cast.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t strip_panels = 8;      ///< that one block of rows is multiplied with before its epilogue
constexpr int64_t grain = 1 << 17;       ///< products that are worth a thread
constexpr int64_t copy_grain = 1 << 15;  ///< bytes that are

/// A body of a product, perhaps a conversion of it to f32, and pointwise ops behind that.
struct ByteProduct {
  const device::Problem& problem;
  const ir::Node* product = nullptr;
  ir::ValueId made;  ///< the product as i32, or as f32
  bool converts = false;
  std::vector<ir::ValueId>
      scales;  ///< numbers that `made` is multiplied with, after they are with each other
  std::vector<ir::NodeId> epilogue;

  explicit ByteProduct(const device::Problem& from) : problem(from) {
    const ir::Graph& body = problem.body();
    for (ir::NodeId id : problem.nodes())
      if (body.node(id).op == &ops::def::matmul_integer && !product) product = &body.node(id);
    if (!product) return;
    made = product->outputs[0];
    for (ir::NodeId id : problem.nodes()) {
      const ir::Node& node = body.node(id);
      if (&node == product) continue;
      if (!converts && node.op == &ops::def::cast && node.inputs[0] == product->outputs[0] &&
          body.value(node.inputs[0]).uses.size() == 1 &&
          body.value(node.outputs[0]).type.dtype == DType::f32) {
        converts = true;
        made = node.outputs[0];
      } else {
        epilogue.push_back(id);
      }
    }
    if (converts) take_scale();
  }

  /// A number of f32 that is there when the body starts.
  bool is_number(ir::ValueId value) const {
    const bool there = problem.input_index(value) >= 0 || !problem.literal(value).empty();
    return there && type(value).dtype == DType::f32 && ir::product(type(value).shape).is(1);
  }
  bool used_once(ir::ValueId value) const {
    return value != result() && problem.body().value(value).uses.size() == 1;
  }

  /// Takes the product with a scale, which may be the product of two, out of the epilogue.
  void take_scale() {
    const ir::Graph& body = problem.body();
    for (ir::NodeId id : epilogue) {
      const ir::Node& node = body.node(id);
      if (node.op != &ops::def::mul || (node.inputs[0] != made && node.inputs[1] != made)) continue;
      const ir::ValueId scale = node.inputs[node.inputs[0] == made ? 1 : 0];
      if (!used_once(made) || type(node.outputs[0]) != type(made)) return;
      std::vector<ir::NodeId> taken = {id};
      if (is_number(scale)) {
        scales = {scale};
      } else {
        const ir::NodeId maker = body.value(scale).producer;
        if (!maker || body.node(maker).op != &ops::def::mul || !used_once(scale)) return;
        const std::vector<ir::ValueId>& both = body.node(maker).inputs;
        if (!is_number(both[0]) || !is_number(both[1])) return;
        scales = both;
        taken.push_back(maker);
      }
      made = node.outputs[0];
      std::erase_if(epilogue,
                    [&](ir::NodeId of) { return std::find(taken.begin(), taken.end(), of) != taken.end(); });
      return;
    }
  }

  const ir::TensorType& type(ir::ValueId value) const { return problem.body().value(value).type; }
  ir::ValueId result() const { return problem.body().outputs[0].value; }
  int input(size_t i) const { return problem.input_index(product->inputs[i]); }
  bool has(size_t i) const { return product->inputs.size() > i && product->inputs[i]; }

  /// A zero point of one number, or one for each of `columns`; 0: just the one.
  Support supports_zero(size_t i, int64_t columns) const {
    if (!has(i)) return Support::yes();
    if (input(i) < 0 && problem.literal(product->inputs[i]).empty())
      return Support::no("a zero point is computed in the body");
    const ir::TensorType& zero = type(product->inputs[i]);
    if (ir::product(zero.shape).is(1) || (columns > 0 && zero.rank() == 1 && zero.shape[0].is(columns)))
      return Support::yes();
    return Support::no("zero points of shape [{}]", ir::dims_text(zero.shape));
  }

  Support supports() const {
    if (!product || problem.output_count() != 1) return Support::no("no product of integers with one result");
    const ir::TensorType &a = type(product->inputs[0]), &b = type(product->inputs[1]);
    if (input(0) < 0 || problem.is_weight(input(0)) || a.rank() < 2)
      return Support::no("the left operand is no matrix of activations");
    if (input(1) < 0 || !problem.is_weight(input(1)) || b.rank() != 2 || !ir::constants(b.shape))
      return Support::no("the right operand is no matrix of weights");
    if (problem.body().value(product->inputs[1]).uses.size() > 1)
      return Support::no("the weights are read twice");
    if (const Support zero = supports_zero(2, 0); !zero) return zero;
    if (const Support zero = supports_zero(3, b.shape[1].constant()); !zero) return zero;
    if (const Support plain = only_plain(problem); !plain) return plain;
    if (epilogue.empty())
      return made == result() ? Support::yes() : Support::no("the product is not the result");
    if (!converts || type(result()).dtype != DType::f32) return Support::no("what follows is not of f32");
    if (type(made).shape != type(result()).shape) return Support::no("the epilogue changes the shape");
    if (result() != problem.body().node(epilogue.back()).outputs[0])
      return Support::no("the epilogue does not end in the result");
    return TileProgram::supports(problem, epilogue, std::span(&made, 1), std::array{result()});
  }
};

/// Numbers of a zero point, counted as the packed operand does.
class ZeroPoint {
 public:
  ZeroPoint(const ByteProduct& body, size_t operand) {
    const DType dtype = body.type(body.product->inputs[operand - 2]).dtype;
    is_signed_ = dtype == DType::i8;
    shift_ = operand == 2 ? (is_signed_ ? 128 : 0) : (is_signed_ ? 0 : -128);
    if (!body.has(operand)) return;
    input_ = body.input(operand);
    literal_ = input_ < 0 ? body.problem.literal(body.product->inputs[operand]) : Tensor();
    const ir::TensorType& type = body.type(body.product->inputs[operand]);
    step_ = ir::product(type.shape).is(1) ? 0 : 1;
  }
  /// Of a run with these inputs.
  void resolve(const void* const* inputs) {
    data_ = input_ < 0 ? (literal_.empty() ? nullptr : literal_.raw()) : inputs[input_];
  }
  int32_t at(int64_t i) const {
    if (!data_) return shift_;
    const int64_t place = i * step_;
    return shift_ + (is_signed_ ? static_cast<const int8_t*>(data_)[place]
                                : static_cast<const uint8_t*>(data_)[place]);
  }
  /// `count` numbers from that of column `begin` on.
  void copy(int64_t begin, int64_t count, int32_t* to) const {
    if (step_ == 0) return std::fill_n(to, count, at(0)), void();
    for (int64_t j = 0; j < count; ++j) to[j] = at(begin + j);
  }
  bool is_zero(int64_t columns) const {
    for (int64_t j = 0; j < (step_ == 0 ? 1 : columns); ++j)
      if (at(j) != 0) return false;
    return true;
  }

 private:
  bool is_signed_ = false;
  int32_t shift_ = 0;
  int input_ = -1;
  Tensor literal_;
  int64_t step_ = 0;
  const void* data_ = nullptr;
};

class BoundByteProduct : public device::BoundKernel {
 public:
  BoundByteProduct(const device::Problem& problem, const device::BindArguments& arguments, int threads)
      : BoundByteProduct(problem, ByteProduct(problem), arguments, threads) {}

  size_t workspace_bytes() const override {
    return static_cast<size_t>(threads_) * thread_bytes() + static_cast<size_t>(rows_) * sizeof(int32_t) +
           static_cast<size_t>(copies_ ? rows_ * padded_depth(depth_) : 0);
  }

  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    if (rows_ * columns_ == 0) return;
    inputs_ = pointers_.resolve(arguments);
    output_ = arguments.outputs[0];
    a_zero_.resolve(inputs_);
    b_zero_.resolve(inputs_);
    scale_ = 1;
    for (const auto& [input, literal] : scales_)
      scale_ *= input < 0 ? literal.data<float>()[0] : *static_cast<const float*>(inputs_[input]);
    scratch_ = static_cast<char*>(arguments.workspace);
    row_sums_ = reinterpret_cast<int32_t*>(scratch_ + static_cast<size_t>(threads_) * thread_bytes());
    take_rows(reinterpret_cast<uint8_t*>(row_sums_ + rows_));
    const int64_t panels = (columns_ + byte_panel - 1) / byte_panel;
    if (by_rows_)
      current_parallel().run(threads_, [&](int thread) {
        multiply(thread, rows_ * thread / threads_, rows_ * (thread + 1) / threads_, 0, panels);
      });
    else
      current_parallel().run(threads_, [&](int thread) {
        multiply(thread, 0, rows_, panels * thread / threads_, panels * (thread + 1) / threads_);
      });
  }

 private:
  BoundByteProduct(const device::Problem& problem, const ByteProduct& body,
                   const device::BindArguments& arguments, int threads)
      : pointers_(problem), a_zero_(body, 2), b_zero_(body, 3), converts_(body.converts) {
    const Shape& a = arguments.inputs[static_cast<size_t>(body.input(0))].shape;
    a_ = body.input(0), b_ = body.input(1);
    depth_ = a.back(), columns_ = arguments.outputs[0].shape.back();
    rows_ = element_count(Shape(a.begin(), a.end() - 1));
    is_signed_ = body.type(body.product->inputs[0]).dtype == DType::i8;
    copies_ = is_signed_ || depth_ % 4 != 0;
    threads_ = rows_ * columns_ * depth_ < grain ? 1 : threads;
    by_rows_ = columns_ < threads_ * byte_panel;
    for (ir::ValueId scale : body.scales)
      scales_.emplace_back(problem.input_index(scale), problem.literal(scale));
    pointers_.expect(b_, packed_byte_size(1, columns_) + packed_byte_size(depth_, columns_));
    if (!body.epilogue.empty())
      program_ = TileProgram(problem, body.epilogue, {body.made}, {body.result()})
                     .bind(arguments, arguments.outputs[0]);
  }

  static constexpr size_t sums_bytes = most_byte_rows * byte_panel * sizeof(int32_t);
  static size_t thread_bytes() { return sums_bytes + byte_scratch_floats() * sizeof(float); }

  /// The left operand as the kernel takes it, and the sums of its rows where they are needed.
  void take_rows(uint8_t* copy) {
    const auto* given = static_cast<const uint8_t*>(inputs_[a_]);
    rows_from_ = copies_ ? copy : given;
    row_bytes_ = copies_ ? padded_depth(depth_) : depth_;
    needs_sums_ = !b_zero_.is_zero(columns_);
    if (!copies_ && !needs_sums_) return;
    const uint8_t flip = is_signed_ ? 128 : 0;  // x + 128 in eight bits
    parallel_for(rows_, std::max<int64_t>(1, copy_grain / std::max<int64_t>(depth_, 1)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t row = begin; row < end; ++row) {
                     const uint8_t* from = given + row * depth_;
                     int32_t sum = 0;
                     for (int64_t k = 0; k < depth_; ++k) sum += static_cast<uint8_t>(from[k] ^ flip);
                     row_sums_[row] = sum;
                     if (!copies_) continue;
                     uint8_t* to = copy + row * row_bytes_;
                     for (int64_t k = 0; k < depth_; ++k) to[k] = static_cast<uint8_t>(from[k] ^ flip);
                     std::fill(to + depth_, to + row_bytes_, uint8_t{0});
                   }
                 });
  }

  void multiply(int thread, int64_t row_begin, int64_t row_end, int64_t begin, int64_t end) const {
    char* own = scratch_ + static_cast<size_t>(thread) * thread_bytes();
    ByteCall call;
    call.depth = padded_depth(depth_), call.a_row = row_bytes_;
    call.c = reinterpret_cast<int32_t*>(own), call.scratch = reinterpret_cast<float*>(own + sums_bytes);
    const int64_t all_panels = (columns_ + byte_panel - 1) / byte_panel;
    const auto* column_sums = static_cast<const int32_t*>(inputs_[b_]);
    const auto* panels = reinterpret_cast<const int8_t*>(column_sums + all_panels * byte_panel);
    for (int64_t strip = begin; strip < end; strip += strip_panels) {
      const int64_t strip_end = std::min(strip + strip_panels, end);
      for (int64_t row = row_begin; row < row_end; row += most_byte_rows) {
        call.rows = std::min(most_byte_rows, row_end - row);
        call.a = rows_from_ + row * row_bytes_;
        for (int64_t panel = strip; panel < strip_end; ++panel) {
          call.panel = panels + panel * byte_panel * call.depth;
          multiply_bytes(call);
          put(call.c, row, call.rows, panel * byte_panel, column_sums);
        }
        if (!program_) continue;
        const int64_t first = strip * byte_panel, count = std::min(strip_end * byte_panel, columns_) - first;
        for (int64_t r = row; r < row + call.rows; ++r) finish(r * columns_ + first, count);
      }
    }
  }

  /// Sums of one panel less what the zero points take: (a - za)(b - zb) = ab - za b - zb a + za zb, summed
  /// over the depth.
  void put(const int32_t* sums, int64_t row, int64_t rows, int64_t column, const int32_t* column_sums) const {
    const int64_t count = std::min(byte_panel, columns_ - column);
    const int64_t a_zero = a_zero_.at(0);
    int32_t shifts[byte_panel], zeros[byte_panel];
    b_zero_.copy(column, count, zeros);
    for (int64_t j = 0; j < count; ++j)
      shifts[j] = static_cast<int32_t>(a_zero * (depth_ * zeros[j] - column_sums[column + j]));
    const QuantizeKernels& kernels = quantize_kernels();
    const int32_t* subtracted = needs_sums_ ? zeros : nullptr;
    for (int64_t r = 0; r < rows; ++r, sums += byte_panel) {
      const int64_t at = (row + r) * columns_ + column;
      const int32_t row_sum = needs_sums_ ? row_sums_[row + r] : 0;
      if (converts_)
        kernels.settle_floats(sums, shifts, subtracted, row_sum, scale_, count,
                              static_cast<float*>(output_) + at);
      else
        kernels.settle(sums, shifts, subtracted, row_sum, count, static_cast<int32_t*>(output_) + at);
    }
  }

  void finish(int64_t begin, int64_t count) const {
    void* place = static_cast<float*>(output_) + begin;
    program_->run_into(begin, count, inputs_, &place, &place);
  }

  InputPointers pointers_;
  ZeroPoint a_zero_, b_zero_;
  std::vector<std::pair<int, Tensor>> scales_;  ///< inputs, or -1 and literals
  std::optional<BoundProgram> program_;
  int a_ = -1, b_ = -1, threads_ = 1;
  int64_t rows_ = 0, depth_ = 0, columns_ = 0;
  bool is_signed_ = false, copies_ = false, by_rows_ = false, converts_ = false;
  // Of the run that goes on.
  const void* const* inputs_ = nullptr;
  void* output_ = nullptr;
  char* scratch_ = nullptr;
  int32_t* row_sums_ = nullptr;
  const uint8_t* rows_from_ = nullptr;
  int64_t row_bytes_ = 0;
  bool needs_sums_ = false;
  float scale_ = 1;
};

class ByteProductTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.byte_matmul"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    return ByteProduct(problem).supports();
  }

  /// The columns' sums, then the panels; other weights stay.
  std::vector<Tensor> pack(const device::Problem& problem, const device::Candidate&,
                           std::span<const Tensor> weights, device::Device&) const override {
    const ByteProduct body(problem);
    std::vector<Tensor> packed;
    for (int i = 0; i < problem.input_count(); ++i) {
      if (!problem.is_weight(i)) continue;
      const Tensor& weight = weights[static_cast<size_t>(i)];
      packed.push_back(i == body.input(1) ? panels_of(weight) : weight);
    }
    return packed;
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device& device) const override {
    return kernel_function(
        [problem, threads = device.info().threads](const device::BindArguments& arguments) {
          return std::make_unique<BoundByteProduct>(problem, arguments, threads);
        });
  }

 private:
  static Tensor panels_of(const Tensor& matrix) {
    const int64_t depth = matrix.shape()[0], columns = matrix.shape()[1];
    const int64_t sums_bytes = packed_byte_size(1, columns);  // four for each column of whole panels
    Tensor packed(DType::i8, {sums_bytes + packed_byte_size(depth, columns)});
    auto* sums_to = reinterpret_cast<int32_t*>(packed.data<int8_t>());
    int8_t* panels = packed.data<int8_t>() + sums_bytes;
    if (matrix.dtype() == DType::i8)
      pack_byte_panels(matrix.data<int8_t>(), depth, columns, panels, sums_to);
    else
      pack_byte_panels(matrix.data<uint8_t>(), depth, columns, panels, sums_to);
    return packed;
  }
};

}  // namespace

const device::Tactic& byte_product_tactic() {
  static const ByteProductTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
