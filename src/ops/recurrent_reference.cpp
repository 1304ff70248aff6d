#include "ops/recurrent_reference.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/parallel.h"
#include "ops/gemm.h"
#include "ops/intrinsics.h"
#include "ops/recurrent.h"
#include "ops/wide.h"

namespace burnish::ops {
namespace {

/// ONNX's activations of recurrent layers, with the defaults of what they take.
struct Function {
  std::string_view name;
  double (*apply)(double x, double alpha, double beta);
  std::optional<double> alpha, beta;
};

const std::array<Function, 11> functions = {{
    {"Relu", [](double x, double, double) { return std::max(x, 0.0); }, {}, {}},
    {"Tanh", [](double x, double, double) { return std::tanh(x); }, {}, {}},
    {"Sigmoid", [](double x, double, double) { return intrinsics::sigmoid(x); }, {}, {}},
    {"Affine", [](double x, double a, double b) { return a * x + b; }, 1.0, 0.0},
    {"LeakyRelu", [](double x, double a, double) { return x < 0 ? a * x : x; }, 0.01, {}},
    {"ThresholdedRelu", [](double x, double a, double) { return x > a ? x : 0.0; }, 1.0, {}},
    {"ScaledTanh", [](double x, double a, double b) { return a * std::tanh(b * x); }, 1.0, 1.0},
    {"HardSigmoid", [](double x, double a, double b) { return std::clamp(a * x + b, 0.0, 1.0); }, 0.2, 0.5},
    {"Elu", [](double x, double a, double) { return x < 0 ? a * std::expm1(x) : x; }, 1.0, {}},
    {"Softsign", [](double x, double, double) { return x / (1 + std::fabs(x)); }, {}, {}},
    {"Softplus",
     [](double x, double, double) { return std::max(x, 0.0) + std::log1p(std::exp(-std::fabs(x))); },
     {},
     {}},
}};

const Function& find_function(std::string_view name) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  for (const Function& function : functions)
    if (std::equal(name.begin(), name.end(), function.name.begin(), function.name.end(),
                   [&](char a, char b) { return lower(a) == lower(b); }))
      return function;
  fail("activation '{}' is not known to recurrent layers", name);
}

struct Activation {
  const Function* function;
  double alpha = 0, beta = 0, clip = 0;

  double operator()(double x) const {
    return function->apply(clip > 0 ? std::clamp(x, -clip, clip) : x, alpha, beta);
  }
  /// Without clipping: LSTM's output function sees the cell as it is.
  double unclipped(double x) const { return function->apply(x, alpha, beta); }
};

/// The activations of all directions, alphas and betas handed to those that take them.
std::vector<Activation> activations_of(const RecurrentAttributes& attributes,
                                       const std::vector<std::string>& usual) {
  std::vector<std::string> names = attributes.activations;
  for (int64_t i = 0; attributes.activations.empty() && i < attributes.directions(); ++i)
    names.insert(names.end(), usual.begin(), usual.end());
  std::vector<Activation> activations;
  size_t alphas = 0, betas = 0;
  const auto next = [](const std::optional<double>& otherwise, const std::vector<double>& list, size_t& at) {
    return otherwise && at < list.size() ? list[at++] : otherwise.value_or(0);
  };
  for (const std::string& name : names) {
    const Function& function = find_function(name);
    const double alpha = next(function.alpha, attributes.activation_alpha, alphas),
                 beta = next(function.beta, attributes.activation_beta, betas);
    activations.push_back({&function, alpha, beta, attributes.clip});
  }
  return activations;
}

/// One step of one sequence. `input` is x w + its bias, `recurrent` h r + its bias: [gates, hidden] each.
template <class T>
struct Step {
  const T *input, *recurrent;
  const T* r;               // [gates * hidden, hidden]
  const T* recurrent_bias;  // [gates * hidden], or null
  const T* peepholes;       // [3 * hidden], or null
  T *h, *c;                 // the states, in and out
};

/// c[i, j] = sum of x[i, k] * w[j, k] + bias[j], in parallel over rows.
template <class T>
void multiply_transposed(int64_t rows, int64_t columns, int64_t depth, const T* x, const T* w, const T* bias,
                         T* result) {
  parallel_for(rows, std::max<int64_t>(1, (1 << 16) / (columns * depth + 1)),
               [&](int64_t begin, int64_t end) {
                 gemm<T>(end - begin, columns, depth, {x + begin * depth, depth, 1}, {w, 1, depth},
                         result + begin * columns, columns);
                 for (int64_t i = begin; bias && i < end; ++i)
                   for (int64_t j = 0; j < columns; ++j) result[i * columns + j] += bias[j];
               });
}

/// Runs `cell(direction, step, hidden)` over all sequences in each direction.
template <class T, class Cell>
void run_layer(const ReferenceCall& call, const RecurrentAttributes& attributes, int64_t gates,
               const Cell& cell) {
  const Tensor& x = call.inputs[0];
  const int64_t length = x.shape()[0], batch = x.shape()[1], inputs = x.shape()[2],
                hidden = call.inputs[2].shape()[2];
  const int64_t directions = attributes.directions(), width = gates * hidden;
  const auto part = [&](size_t input, int64_t size, int64_t direction) {
    return call.has(input) ? call.inputs[input].data<T>() + direction * size : nullptr;
  };
  std::vector<T> input_side(static_cast<size_t>(length * batch * width)),
      recurrent_side(static_cast<size_t>(batch * width));
  T* y = call.outputs[0].data<T>();
  std::fill_n(y, call.outputs[0].size(), T(0));
  for (int64_t direction = 0; direction < directions; ++direction) {
    const bool reverse = direction == 1 || attributes.direction == "reverse";
    const T *bias = part(3, 2 * width, direction), *r = part(2, width * hidden, direction);
    std::vector<T> h(static_cast<size_t>(batch * hidden)), c(h.size());
    if (const T* given = part(5, batch * hidden, direction)) std::copy_n(given, h.size(), h.begin());
    if (const T* given = part(6, batch * hidden, direction)) std::copy_n(given, c.size(), c.begin());
    multiply_transposed(length * batch, width, inputs, x.data<T>(), part(1, width * inputs, direction), bias,
                        input_side.data());
    for (int64_t step = 0; step < length; ++step) {
      multiply_transposed(batch, width, hidden, h.data(), r, bias ? bias + width : nullptr,
                          recurrent_side.data());
      for (int64_t b = 0; b < batch; ++b) {
        const int64_t end = call.has(4) ? call.inputs[4].data<int32_t>()[b] : length;
        require(end >= 0 && end <= length, "sequence_lens has {}; sequences are {} long", end, length);
        if (step >= end) continue;
        const int64_t time = reverse ? end - 1 - step : step;
        cell(direction,
             Step<T>{input_side.data() + (time * batch + b) * width, recurrent_side.data() + b * width, r,
                     bias ? bias + width : nullptr, part(7, 3 * hidden, direction), h.data() + b * hidden,
                     c.data() + b * hidden},
             hidden);
        std::copy_n(h.data() + b * hidden, hidden,
                    y + ((time * directions + direction) * batch + b) * hidden);
      }
    }
    const auto save = [&](size_t output, const std::vector<T>& state) {
      if (output < call.outputs.size())
        std::copy(state.begin(), state.end(), call.outputs[output].data<T>() + direction * batch * hidden);
    };
    save(1, h);
    save(2, c);
  }
}

}  // namespace

void check_activations(const std::vector<std::string>& names) {
  for (const std::string& name : names) find_function(name);
}

void rnn_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<RnnAttributes>();
  const std::vector<Activation> activations = activations_of(attributes, {"Tanh"});
  dispatch(WideFloatTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    run_layer<T>(call, attributes, 1, [&](int64_t direction, const Step<T>& step, int64_t hidden) {
      for (int64_t i = 0; i < hidden; ++i)
        step.h[i] = static_cast<T>(activations[static_cast<size_t>(direction)](
            static_cast<double>(step.input[i] + step.recurrent[i])));
    });
  });
}

void lstm_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<LstmAttributes>();
  const std::vector<Activation> activations = activations_of(attributes, {"Sigmoid", "Tanh", "Tanh"});
  dispatch(WideFloatTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    run_layer<T>(call, attributes, 4, [&](int64_t direction, const Step<T>& step, int64_t hidden) {
      const Activation* function = &activations[static_cast<size_t>(3 * direction)];
      for (int64_t i = 0; i < hidden; ++i) {
        const auto gate = [&](int64_t g) {
          return static_cast<double>(step.input[g * hidden + i] + step.recurrent[g * hidden + i]);
        };
        const auto peephole = [&](int64_t g, double cell) {
          return step.peepholes ? static_cast<double>(step.peepholes[g * hidden + i]) * cell : 0;
        };
        const double before = static_cast<double>(step.c[i]);
        const double in = function[0](gate(0) + peephole(0, before));
        const double forget = attributes.input_forget ? 1 - in : function[0](gate(2) + peephole(2, before));
        const double cell = forget * before + in * function[1](gate(3));
        const double out = function[0](gate(1) + peephole(1, cell));
        step.c[i] = static_cast<T>(cell);
        step.h[i] = static_cast<T>(out * function[2].unclipped(cell));
      }
    });
  });
}

void gru_reference(const ReferenceCall& call) {
  const auto& attributes = call.attribute<GruAttributes>();
  const std::vector<Activation> activations = activations_of(attributes, {"Sigmoid", "Tanh"});
  dispatch(WideFloatTypes{}, call.inputs[0].dtype(), [&]<class T>(Type<T>) {
    run_layer<T>(call, attributes, 3, [&](int64_t direction, const Step<T>& step, int64_t hidden) {
      const Activation* function = &activations[static_cast<size_t>(2 * direction)];
      const auto gate = [&](int64_t at) {
        return function[0](static_cast<double>(step.input[at] + step.recurrent[at]));
      };
      std::vector<T> reset(static_cast<size_t>(hidden)),
          candidate(step.recurrent + 2 * hidden, step.recurrent + 3 * hidden);
      for (int64_t i = 0; i < hidden; ++i) reset[static_cast<size_t>(i)] = static_cast<T>(gate(hidden + i));
      if (attributes.linear_before_reset) {
        for (size_t i = 0; i < reset.size(); ++i) candidate[i] *= reset[i];
      } else {
        for (int64_t i = 0; i < hidden; ++i) reset[static_cast<size_t>(i)] *= step.h[i];
        const T* bias = step.recurrent_bias ? step.recurrent_bias + 2 * hidden : nullptr;
        multiply_transposed(1, hidden, hidden, reset.data(), step.r + 2 * hidden * hidden, bias,
                            candidate.data());
      }
      for (int64_t i = 0; i < hidden; ++i) {
        const double update = gate(i);
        const double fresh =
            function[1](static_cast<double>(step.input[2 * hidden + i] + candidate[static_cast<size_t>(i)]));
        step.h[i] = static_cast<T>((1 - update) * fresh + update * static_cast<double>(step.h[i]));
      }
    });
  });
}

}  // namespace burnish::ops
