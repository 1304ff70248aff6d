// LSTM in f32 with its usual activations: one product with the inputs of all steps, then for each step a
// product with the hidden state and the cell.
#include <algorithm>
#include <array>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/gemm_kernels.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/lstm_kernels.h"
#include "backends/cpu/simd_tactics.h"
#include "base/parallel.h"
#include "ops/recurrent.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain = 1 << 19;  ///< multiplications that are worth a thread

enum Operand : size_t { x, w, r, bias, lengths, initial_h, initial_c, peepholes };

bool has(const ir::Node& node, size_t operand) {
  return node.inputs.size() > operand && node.inputs[operand];
}

Support supports_lstm(const device::Problem& problem) {
  const ir::Node* node = problem.single(ops::def::lstm);
  if (!node) return Support::no("no LSTM");
  const auto& attributes = node->attributes.as<ops::LstmAttributes>();
  if (!attributes.activations.empty() || attributes.clip != 0 || attributes.input_forget)
    return Support::no("the usual activations only");
  if (has(*node, lengths) || has(*node, peepholes))
    return Support::no("sequences of one length, without peepholes");
  for (const size_t operand : {w, r}) {
    const int input = problem.input_index(node->inputs[operand]);
    if (input < 0 || !problem.is_weight(input) || !ir::constants(problem.input(input).shape))
      return Support::no("the filters are no constants");
  }
  if (node->inputs[w] == node->inputs[r]) return Support::no("one operand twice");
  for (const size_t operand : {x, bias, initial_h, initial_c})
    if (has(*node, operand) && problem.input_index(node->inputs[operand]) < 0)
      return Support::no("an operand is a literal");
  if (problem.input(problem.input_index(node->inputs[x])).dtype != DType::f32) return Support::no("f32 only");
  return only_plain(problem);
}

/// Where each operand is among the problem's inputs and each result among its outputs; -1: nowhere.
struct Places {
  std::array<int, 8> inputs{};
  std::array<int, 3> outputs{};  ///< y, y_h, y_c

  explicit Places(const device::Problem& problem) {
    inputs.fill(-1), outputs.fill(-1);
    const ir::Node& node = problem.node(0);
    for (size_t i = 0; i < inputs.size(); ++i)
      if (has(node, i)) inputs[i] = problem.input_index(node.inputs[i]);
    const auto& results = problem.body().outputs;
    for (size_t i = 0; i < std::min(outputs.size(), node.outputs.size()); ++i)
      for (size_t k = 0; k < results.size(); ++k)
        if (results[k].value == node.outputs[i]) outputs[i] = static_cast<int>(k);
  }
};

class BoundLstm : public device::BoundKernel {
 public:
  BoundLstm(const device::Problem& problem, const device::BindArguments& arguments, int threads)
      : places_(problem), pointers_(problem), threads_(threads) {
    const auto& attributes = problem.node(0).attributes.as<ops::LstmAttributes>();
    const Shape& sequence = arguments.inputs[static_cast<size_t>(places_.inputs[x])].shape;
    const Shape& recurrent = arguments.inputs[static_cast<size_t>(places_.inputs[r])].shape;
    steps_ = sequence[0], batch_ = sequence[1], size_ = sequence[2];
    directions_ = recurrent[0], hidden_ = recurrent[2];
    is_reverse_ = attributes.direction == "reverse";
    pointers_.expect(places_.inputs[w], directions_ * packed_size(size_, 4 * hidden_) * 4);
    pointers_.expect(places_.inputs[r], directions_ * packed_size(hidden_, 4 * hidden_) * 4);
  }

  /// The gates' inputs of all steps, the hidden state, the cell.
  size_t workspace_bytes() const override {
    return static_cast<size_t>((steps_ * 4 + 2) * batch_ * hidden_) * sizeof(float);
  }

  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    inputs_ = pointers_.resolve(arguments);
    const auto output = [&](size_t i) {
      return places_.outputs[i] < 0
                 ? nullptr
                 : static_cast<float*>(arguments.outputs[static_cast<size_t>(places_.outputs[i])]);
    };
    gates_ = static_cast<float*>(arguments.workspace);
    hidden_state_ = gates_ + steps_ * batch_ * 4 * hidden_;
    cell_ = hidden_state_ + batch_ * hidden_;
    for (int64_t d = 0; d < directions_; ++d) run(d, output(0), output(1), output(2));
  }

 private:
  const float* input(Operand operand) const {
    const int place = places_.inputs[operand];
    return place < 0 ? nullptr : static_cast<const float*>(inputs_[place]);
  }

  void run(int64_t direction, float* y, float* y_h, float* y_c) {
    const int64_t state = batch_ * hidden_, columns = 4 * hidden_;
    start(direction);
    multiply(input(x), size_, input(w) + direction * packed_size(size_, columns), gates_, steps_ * batch_);
    const float* recurrent = input(r) + direction * packed_size(hidden_, columns);
    const LstmCell cell = lstm_cell();
    for (int64_t step = 0; step < steps_; ++step) {
      const int64_t at = is_reverse_ || direction == 1 ? steps_ - 1 - step : step;
      float* gates = gates_ + at * batch_ * columns;
      multiply(hidden_state_, hidden_, recurrent, gates, batch_);
      for (int64_t row = 0; row < batch_; ++row)
        cell(gates + row * columns, hidden_, cell_ + row * hidden_, hidden_state_ + row * hidden_);
      if (y) std::copy_n(hidden_state_, state, y + (at * directions_ + direction) * state);
    }
    if (y_h) std::copy_n(hidden_state_, state, y_h + direction * state);
    if (y_c) std::copy_n(cell_, state, y_c + direction * state);
  }

  /// The states before the first step, and both biases in each step's gates.
  void start(int64_t direction) {
    const int64_t state = batch_ * hidden_, columns = 4 * hidden_;
    const auto take = [&](const float* from, float* to) {
      from ? std::copy_n(from + direction * state, state, to) : std::fill_n(to, state, 0.0f);
    };
    take(input(initial_h), hidden_state_);
    take(input(initial_c), cell_);
    if (steps_ * batch_ == 0) return;
    const float* both = input(bias) ? input(bias) + direction * 2 * columns : nullptr;
    for (int64_t j = 0; j < columns; ++j) gates_[j] = both ? both[j] + both[columns + j] : 0;
    for (int64_t row = 1; row < steps_ * batch_; ++row) std::copy_n(gates_, columns, gates_ + row * columns);
  }

  /// c += a * panels for rows of 4 * hidden columns.
  void multiply(const float* a, int64_t depth, const float* panels, float* c, int64_t rows) const {
    const int64_t columns = 4 * hidden_, all_panels = (columns + gemm_panel - 1) / gemm_panel;
    const int64_t parts = rows * depth * columns < grain ? 1 : threads_;
    current_parallel().run(static_cast<int>(parts), [&](int part) {
      multiply_packed(a, depth, panels, c, columns, rows, depth, all_panels * part / parts * gemm_panel,
                      std::min(columns, all_panels * (part + 1) / parts * gemm_panel), true);
    });
  }

  const Places places_;
  InputPointers pointers_;
  const int64_t threads_;
  int64_t steps_ = 0, batch_ = 0, size_ = 0, directions_ = 1, hidden_ = 0;
  bool is_reverse_ = false;
  // Of the run that goes on.
  const void* const* inputs_ = nullptr;
  float *gates_ = nullptr, *hidden_state_ = nullptr, *cell_ = nullptr;
};

class LstmTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.lstm"; }
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    return supports_lstm(problem);
  }

  /// The filters of each direction become panels; other weights stay.
  std::vector<Tensor> pack(const device::Problem& problem, const device::Candidate&,
                           std::span<const Tensor> weights, device::Device&) const override {
    const Places places(problem);
    std::vector<Tensor> packed;
    for (int i = 0; i < problem.input_count(); ++i) {
      if (!problem.is_weight(i)) continue;
      const Tensor& weight = weights[static_cast<size_t>(i)];
      packed.push_back(i == places.inputs[w] || i == places.inputs[r] ? panels_of(weight) : weight);
    }
    return packed;
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device& device) const override {
    return kernel_function(
        [problem, threads = device.info().threads](const device::BindArguments& arguments) {
          return std::make_unique<BoundLstm>(problem, arguments, threads);
        });
  }

 private:
  static Tensor panels_of(const Tensor& filters) {
    const int64_t directions = filters.shape()[0], columns = filters.shape()[1], depth = filters.shape()[2];
    const int64_t size = packed_size(depth, columns);
    Tensor panels(DType::f32, {directions * size});
    for (int64_t d = 0; d < directions; ++d)
      pack_panels(filters.data<float>() + d * columns * depth, 1, depth, depth, columns,
                  panels.data<float>() + d * size);
    return panels;
  }
};

}  // namespace

const device::Tactic& lstm_tactic() {
  static const LstmTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
