#include "tune/oracle.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "base/dispatch.h"
#include "device/layout.h"
#include "ops/evaluate.h"
#include "ops/seeded_inputs.h"
#include "ops/table.h"

namespace burnish::tune {

namespace {

bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }

/// Whether any integers within the bounds of what they index will do: rows of a table, a mask.
bool takes_any_integers(const device::Problem& problem, ir::ValueId input) {
  const auto& uses = problem.body().value(input).uses;
  return std::all_of(uses.begin(), uses.end(), [&](const ir::Use& use) {
    const ir::Op* op = problem.body().node(use.node).op;
    return (op == &ops::def::gather && use.input == 1) || (op == &ops::def::attention && use.input == 3);
  });
}

}  // namespace

bool can_be_tried(const device::Problem& problem) {
  for (int i = 0; i < problem.input_count(); ++i) {
    const DType dtype = problem.input(i).dtype;
    const bool integers = is_integer(dtype) && takes_any_integers(problem, problem.body().inputs()[static_cast<size_t>(i)]);
    if (!is_float(dtype) && dtype != DType::boolean && !integers) return false;
  }
  for (size_t i = 0; i < problem.nodes().size(); ++i)
    for (size_t j = 0; j < problem.node(i).inputs.size(); ++j) {
      const ops::OpDef& op = problem.op(i);
      const ir::ValueId input = problem.node(i).inputs[j];
      if (input && !op.inputs.empty() && op.inputs[std::min(j, op.inputs.size() - 1)].host && problem.input_index(input) >= 0) return false;
    }
  return true;
}

std::vector<Tensor> trial_inputs(const device::Problem& problem) {
  std::mt19937 random(20261122);
  std::vector<Tensor> inputs;
  for (int i = 0; i < problem.input_count(); ++i) {
    const ir::TensorType& type = problem.input(i);
    if (!is_float(type.dtype)) {
      inputs.push_back(ops::seeded_input(problem.body(), problem.body().inputs()[static_cast<size_t>(i)], *ir::constants(type.shape), 20261122));
      continue;
    }
    Tensor tensor(type.dtype, *ir::constants(type.shape));
    // A weight's scale keeps sums over its inputs near 1.
    double scale = 1;
    if (problem.is_weight(i) && tensor.rank() >= 2) scale = 1 / std::sqrt(std::max<double>(1, static_cast<double>(tensor.size()) / static_cast<double>(std::max<int64_t>(1, tensor.shape()[0]))));
    dispatch(FloatTypes{}, type.dtype, [&]<class T>(Type<T>) {
      T* data = tensor.data<T>();
      for (int64_t j = 0; j < tensor.size(); ++j)
        data[j] = static_cast<T>(static_cast<float>(scale * (static_cast<double>(random()) / 2147483648.0 - 1)));
    });
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

std::vector<Tensor> expected_outputs(const device::Problem& problem) { return ops::evaluate(problem.body(), trial_inputs(problem)); }

double relative_error(const Tensor& result, const Tensor& expected) {
  double difference = 0, norm = 0;
  bool bad = false;
  dispatch(NumberAndBoolTypes{}, expected.dtype(), [&]<class T>(Type<T>) {
    const T* a = result.data<T>();
    const T* b = expected.data<T>();
    for (int64_t i = 0; i < expected.size(); ++i) {
      const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
      if (std::isnan(x) != std::isnan(y)) bad = true;
      if (!std::isfinite(x) || !std::isfinite(y)) {
        bad = bad || (std::isinf(y) && x != y) || (std::isinf(x) && x != y);
        continue;
      }
      difference += (x - y) * (x - y);
      norm += y * y;
    }
  });
  if (bad) return std::numeric_limits<double>::infinity();
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

double allowed_error(DType dtype) {
  switch (dtype) {
    case DType::f32: return 1e-4;
    case DType::f16: return 3e-3;
    case DType::bf16: return 2e-2;
    case DType::f64: return 1e-12;
    default: return 0;
  }
}

namespace {

/// Buffers of one problem on a device, filled with the trial inputs.
struct Buffers {
  std::vector<Tensor> inputs, outputs, constants;
  Tensor workspace;
  std::vector<const void*> input_pointers;
  std::vector<void*> output_pointers;
};

Tensor to_device(const Tensor& host, device::Device& device, device::Stream& stream) {
  Tensor copy = device.make_tensor(host.dtype(), host.shape(), static_cast<size_t>(host.bytes()));
  device.copy(copy.raw(), host.raw(), static_cast<size_t>(host.bytes()), stream);
  stream.synchronize();
  return copy;
}

}  // namespace

TrialResult try_candidate(const device::Problem& problem, const device::Tactic& tactic, const device::Candidate& candidate,
                          const std::vector<Tensor>& expected, device::Device& device, double budget_us,
                          const std::string* compiled) {
  TrialResult result;
  const std::vector<Tensor> inputs = trial_inputs(problem);
  std::vector<Tensor> weights(inputs.size());
  std::vector<device::BoundTensor> bound_inputs, bound_outputs;
  for (int i = 0; i < problem.input_count(); ++i) {
    if (problem.is_weight(i)) weights[static_cast<size_t>(i)] = inputs[static_cast<size_t>(i)];
    bound_inputs.push_back({problem.input(i).dtype, inputs[static_cast<size_t>(i)].shape(), problem.input(i).layout});
  }
  for (int i = 0; i < problem.output_count(); ++i)
    bound_outputs.push_back({problem.output(i).dtype, *ir::constants(problem.output(i).shape), problem.output(i).layout});
  const std::string code = compiled ? *compiled : tactic.compile(problem, candidate, device);
  const std::vector<Tensor> packed = tactic.pack(problem, candidate, weights, device);
  device.execute([&] {
    const std::unique_ptr<device::Stream> stream = device.create_stream();
    const std::unique_ptr<device::Kernel> kernel = tactic.load(problem, candidate, code, device);
    const std::vector<Tensor> host_inputs(inputs.size());
    const std::unique_ptr<device::BoundKernel> bound = kernel->bind({bound_inputs, bound_outputs, host_inputs});
    // Two sets of buffers, so that what one call leaves in the nearest cache does not serve the next.
    std::vector<Buffers> sets(2);
    for (Buffers& set : sets) {
      for (size_t i = 0; i < inputs.size(); ++i) {
        const bool weight = problem.is_weight(static_cast<int>(i));
        set.inputs.push_back(weight ? Tensor() : to_device(device::to_layout(inputs[i], bound_inputs[i].layout), device, *stream));
        set.input_pointers.push_back(weight ? nullptr : set.inputs.back().raw());
      }
      for (const device::BoundTensor& output : bound_outputs) {
        set.outputs.push_back(device.make_tensor(DType::u8, {output.bytes()}, static_cast<size_t>(output.bytes())));
        set.output_pointers.push_back(set.outputs.back().raw());
      }
      for (const Tensor& constant : packed) set.constants.push_back(device.on_host() ? constant : to_device(constant, device, *stream));
      set.workspace = device.make_tensor(DType::u8, {static_cast<int64_t>(bound->workspace_bytes())}, bound->workspace_bytes());
      // In place, where the kernel wants it: the output's buffer starts with that input's data.
      const int shared = bound->in_place_input();
      if (shared >= 0 && set.input_pointers[static_cast<size_t>(shared)] && bound_inputs[static_cast<size_t>(shared)].bytes() == bound_outputs[0].bytes()) {
        device.copy(set.output_pointers[0], set.input_pointers[static_cast<size_t>(shared)], static_cast<size_t>(bound_outputs[0].bytes()), *stream);
        set.input_pointers[static_cast<size_t>(shared)] = set.output_pointers[0];
      }
    }
    const auto enqueue = [&](device::Stream& on, int which) {
      Buffers& set = sets[static_cast<size_t>(which) % sets.size()];
      bound->enqueue(on, {set.input_pointers, set.output_pointers, set.constants, set.workspace.raw()});
    };
    enqueue(*stream, 0);
    stream->synchronize();
    for (size_t i = 0; i < expected.size() && result.wrong.empty(); ++i) {
      Tensor bytes(DType::u8, {bound_outputs[i].bytes()});
      device.copy(bytes.raw(), sets[0].outputs[i].raw(), static_cast<size_t>(bytes.bytes()), *stream);
      stream->synchronize();
      const Tensor plain = device::from_layout(bytes.raw(), bound_outputs[i].dtype, bound_outputs[i].shape, bound_outputs[i].layout);
      const double error = relative_error(plain, expected[i]);
      if (!(error <= allowed_error(bound_outputs[i].dtype))) result.wrong = fmt::format("output {} is off by {:.2g} in relative L2", i, error);
    }
    if (result.wrong.empty()) result.microseconds = device.measure(enqueue, static_cast<int>(sets.size()), budget_us);
  });
  return result;
}

}  // namespace burnish::tune
