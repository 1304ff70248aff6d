// Layer and RMS norm of rows that are made on the way: rows of tables (embeddings) and what pointwise ops
// make of them.
#include <cmath>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/row_kernels.h"
#include "backends/cpu/simd_tactics.h"
#include "backends/cpu/tile_program.h"
#include "base/parallel.h"
#include "ops/data_attributes.h"
#include "ops/index.h"
#include "ops/infer.h"
#include "ops/norm.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain = 16 << 10;  ///< elements that are worth a thread

/// A body of gathers, pointwise ops and a norm of what they make, in that order.
struct NormBody {
  const device::Problem& problem;
  const ir::Node* norm = nullptr;
  std::vector<const ir::Node*> gathers;
  std::vector<ir::ValueId> gathered;  // what they make
  std::vector<ir::NodeId> pointwise;

  explicit NormBody(const device::Problem& from) : problem(from) {
    for (ir::NodeId id : problem.nodes()) {
      const ir::Node& node = problem.body().node(id);
      if (node.op == &ops::def::layer_norm || node.op == &ops::def::rms_norm) {
        norm = &node;
      } else if (node.op == &ops::def::gather) {
        gathers.push_back(&node);
        gathered.push_back(node.outputs[0]);
      } else {
        pointwise.push_back(id);
      }
    }
  }
  const ir::TensorType& type(ir::ValueId value) const { return problem.body().value(value).type; }
  ir::ValueId rows() const { return norm->inputs[0]; }
  int input(ir::ValueId value) const { return problem.input_index(value); }
  int64_t row_length() const { return type(rows()).shape.back().constant(); }

  Support supports() const {
    if (!norm || norm->outputs.size() != 1 || problem.nodes().size() < 2 || problem.output_count() != 1 ||
        problem.body().outputs[0].value != norm->outputs[0])
      return Support::no("no norm of rows that are made in the body");
    const ir::TensorType& x = type(rows());
    const int64_t axis = ops::normalize_axis(norm->attributes.as<ops::LayerNormAttributes>().axis, x.rank());
    if (axis != x.rank() - 1 || !x.shape.back().is_constant())
      return Support::no("not along the last axis alone");
    if (x.dtype != DType::f32) return Support::no("f32 only");
    for (size_t i = 1; i < norm->inputs.size(); ++i) {
      if (!norm->inputs[i]) continue;
      const ir::TensorType& operand = type(norm->inputs[i]);
      if (input(norm->inputs[i]) < 0 || operand.dtype != DType::f32 ||
          operand.shape != std::vector{x.shape.back()})
        return Support::no("scale or bias is no row that comes in");
    }
    for (const ir::Node* gather : gathers)
      if (const Support rows_of_table = supports(*gather); !rows_of_table) return rows_of_table;
    const Support program = TileProgram::supports(problem, pointwise, gathered, std::array{rows()});
    if (!program) return program;
    return only_plain(problem);
  }

 private:
  Support supports(const ir::Node& gather) const {
    const ir::TensorType &table = type(gather.inputs[0]), &indices = type(gather.inputs[1]);
    if (input(gather.inputs[0]) < 0 || input(gather.inputs[1]) < 0)
      return Support::no("a table or its indices are computed or a literal");
    if (table.dtype != DType::f32 || table.rank() != 2 ||
        ops::normalize_axis(gather.attributes.as<ops::AxisAttributes>().axis, 2) != 0)
      return Support::no("no rows of a table of f32");
    if (indices.dtype != DType::i64 && indices.dtype != DType::i32)
      return Support::no("indices are {}", indices.str());
    if (type(gather.outputs[0]).shape != type(rows()).shape) return Support::no("gathered rows repeat");
    return Support::yes();
  }
};

class BoundNorm : public device::BoundKernel {
 public:
  BoundNorm(const device::Problem& problem, const device::BindArguments& arguments)
      : pointers_(problem), centred_(NormBody(problem).norm->op == &ops::def::layer_norm) {
    const NormBody body(problem);
    n_ = body.row_length();
    rows_ = element_count(arguments.outputs[0].shape) / std::max<int64_t>(1, n_);
    epsilon_ = static_cast<float>(body.norm->attributes.as<ops::LayerNormAttributes>().epsilon);
    for (size_t i = 1; i < body.norm->inputs.size(); ++i)
      if (body.norm->inputs[i]) parameters_[i - 1] = body.input(body.norm->inputs[i]);
    for (const ir::Node* gather : body.gathers)
      tables_.push_back({body.input(gather->inputs[0]), body.input(gather->inputs[1]),
                         arguments.inputs[static_cast<size_t>(body.input(gather->inputs[0]))].shape[0],
                         body.type(gather->inputs[1]).dtype == DType::i64});
    if (body.pointwise.empty()) return;
    const TileProgram program(problem, body.pointwise, body.gathered, {body.rows()});
    program_ = program.bind(arguments, arguments.outputs[0]);
  }

  /// The row of each table for each row of the result.
  size_t workspace_bytes() const override {
    return static_cast<size_t>(rows_) * tables_.size() * sizeof(const float*);
  }

  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    const void* const* inputs = pointers_.resolve(arguments);
    const auto** places = static_cast<const float**>(arguments.workspace);
    for (size_t t = 0; t < tables_.size(); ++t) find_rows(tables_[t], inputs, places + t);
    const auto parameter = [&](int i) {
      return static_cast<const float*>(parameters_[i] < 0 ? nullptr : inputs[parameters_[i]]);
    };
    const float *scale = parameter(0), *bias = parameter(1);
    float* output = static_cast<float*>(arguments.outputs[0]);
    const RowKernels& kernels = row_kernels();
    parallel_for(
        rows_, std::max<int64_t>(1, grain / std::max<int64_t>(1, n_)), [&](int64_t begin, int64_t end) {
          for (int64_t row = begin; row < end; ++row) {
            float* y = output + row * n_;
            const float* x = make_row(row, inputs, places + row * static_cast<int64_t>(tables_.size()), y);
            float mean = 0, variance = 0;
            kernels.moments(x, n_, centred_, mean, variance);
            kernels.affine_rows(x, y, n_, mean, 1 / std::sqrt(variance + epsilon_), scale, bias);
          }
        });
  }

 private:
  struct Table {
    int rows, indices;  // inputs
    int64_t length;
    bool wide;  // indices of i64
  };

  /// Throws Error for an index that is out of range, before anything is read.
  void find_rows(const Table& table, const void* const* inputs, const float** places) const {
    const float* data = static_cast<const float*>(inputs[table.rows]);
    const auto step = static_cast<int64_t>(tables_.size());
    for (int64_t row = 0; row < rows_; ++row) {
      const int64_t index = table.wide ? static_cast<const int64_t*>(inputs[table.indices])[row]
                                       : static_cast<const int32_t*>(inputs[table.indices])[row];
      places[row * step] = data + ops::checked_index(index, table.length) * n_;
    }
  }

  /// The row that is normalised: in a table, or written to `made`.
  const float* make_row(int64_t row, const void* const* inputs, const float* const* gathered,
                        float* made) const {
    if (!program_) return gathered[0];
    const void* anchors[8];
    std::copy_n(gathered, tables_.size(), anchors);
    void* result = made;
    program_->run_into(row * n_, n_, inputs, anchors, &result);
    return made;
  }

  InputPointers pointers_;
  bool centred_;
  int64_t n_, rows_;
  float epsilon_;
  int parameters_[2] = {-1, -1};  // scale and bias, inputs
  std::vector<Table> tables_;
  std::optional<BoundProgram> program_;
};

class FusedNormTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.fused_norm"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    const NormBody body(problem);
    constexpr size_t most_tables = 8;
    if (body.gathers.size() > most_tables) return Support::no("more than {} tables", most_tables);
    return body.supports();
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    return kernel_function([problem](const device::BindArguments& arguments) {
      return std::make_unique<BoundNorm>(problem, arguments);
    });
  }
};

}  // namespace

const device::Tactic& fused_norm_tactic() {
  static const FusedNormTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
