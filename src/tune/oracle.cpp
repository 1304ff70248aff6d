#include "tune/oracle.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/dispatch.h"
#include "base/distance.h"
#include "base/parallel.h"
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
    const bool of_users = op == &ops::def::user_pointwise || op == &ops::def::user_kernel;  // by the body
    return of_users || (op == &ops::def::gather && use.input == 1) || (op == &ops::def::attention && use.input == 3);
  });
}

}  // namespace

bool can_be_tried(const device::Problem& problem) {
  for (int i = 0; i < problem.input_count(); ++i) {
    const DType dtype = problem.input(i).dtype;
    const bool integers = is_integer(dtype) && takes_any_integers(problem, problem.body().inputs()[static_cast<size_t>(i)]);
    if (!is_float(dtype) && dtype != DType::boolean && !integers) return false;
  }
  for (size_t i = 0; i < problem.nodes().size(); ++i) {
    if (problem.node(i).op == &ops::def::host_function) return false;  // a stranger's code is not called for nothing
    for (size_t j = 0; j < problem.node(i).inputs.size(); ++j) {
      const ops::OpDef& op = problem.op(i);
      const ir::ValueId input = problem.node(i).inputs[j];
      if (input && !op.inputs.empty() && op.inputs[std::min(j, op.inputs.size() - 1)].host && problem.input_index(input) >= 0) return false;
    }
  }
  return true;
}

namespace {

constexpr int64_t grain = 1 << 15;  // elements: less is not worth a thread

/// The i-th number of a sequence that any thread can start anywhere (SplitMix64's mixing of a counter).
uint64_t hashed(uint64_t i) {
  i = (i + 1) * 0x9e3779b97f4a7c15u;
  i = (i ^ (i >> 30)) * 0xbf58476d1ce4e5b9u;
  i = (i ^ (i >> 27)) * 0x94d049bb133111ebu;
  return i ^ (i >> 31);
}

}  // namespace

std::vector<Tensor> trial_inputs(const device::Problem& problem) {
  std::vector<Tensor> inputs;
  uint64_t first = 0;  // of this input in the sequence
  for (int i = 0; i < problem.input_count(); ++i) {
    const ir::TensorType& type = problem.input(i);
    if (!is_float(type.dtype)) {
      inputs.push_back(ops::seeded_input(problem.body(), problem.body().inputs()[static_cast<size_t>(i)], *ir::constants(type.shape), 20261122));
      continue;
    }
    Tensor tensor(type.dtype, *ir::constants(type.shape));
    // A weight's scale keeps sums over its inputs near 1.
    double scale = 1;
    if (problem.is_weight(i) && tensor.rank() >= 2)
      scale = 1 / std::sqrt(std::max<double>(1, static_cast<double>(tensor.size()) / static_cast<double>(std::max<int64_t>(1, tensor.shape()[0]))));
    dispatch(FloatTypes{}, type.dtype, [&]<class T>(Type<T>) {
      T* data = tensor.data<T>();
      parallel_for(tensor.size(), grain, [&](int64_t begin, int64_t end) {
        for (int64_t j = begin; j < end; ++j) {
          const double uniform = static_cast<double>(hashed(first + static_cast<uint64_t>(j)) >> 11) * 0x1p-52 - 1;  // [-1, 1)
          data[j] = static_cast<T>(static_cast<float>(scale * uniform));
        }
      });
    });
    first += static_cast<uint64_t>(tensor.size());
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

std::vector<Tensor> expected_outputs(const device::Problem& problem) { return ops::evaluate(problem.body(), trial_inputs(problem)); }

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

Tensor to_device(const Tensor& host, device::Device& device, device::Stream& stream) {
  Tensor copy = device.make_tensor(host.dtype(), host.shape(), static_cast<size_t>(host.bytes()));
  device.copy(copy.raw(), host.raw(), static_cast<size_t>(host.bytes()), stream);
  stream.synchronize();
  return copy;
}

}  // namespace

/// What is the same for all candidates of a problem. Two sets of buffers, so that what one call leaves in the nearest
/// cache does not serve the next.
struct Trial::State {
  struct Buffers {
    std::vector<Tensor> inputs;
    std::vector<Tensor> outputs;  ///< with `guard` bytes before and behind
  };
  static constexpr int64_t guard = 256;  ///< keeps the alignment of allocations

  State(const device::Problem& tried, const std::vector<Tensor>& wanted, device::Device& on)
      : problem(tried), device(on), weights(static_cast<size_t>(tried.input_count())), sets(2) {
    const std::vector<Tensor> inputs = trial_inputs(problem);
    for (int i = 0; i < problem.input_count(); ++i) {
      if (problem.is_weight(i)) weights[static_cast<size_t>(i)] = inputs[static_cast<size_t>(i)];
      bound_inputs.push_back({problem.input(i).dtype, inputs[static_cast<size_t>(i)].shape(), problem.input(i).layout});
    }
    for (int i = 0; i < problem.output_count(); ++i)
      bound_outputs.push_back({problem.output(i).dtype, *ir::constants(problem.output(i).shape), problem.output(i).layout});
    for (size_t i = 0; i < wanted.size(); ++i) expected.push_back(comparable(device::to_layout(wanted[i], bound_outputs[i].layout).raw(), bound_outputs[i]));
    device.execute([&] {
      stream = device.create_stream();
      for (size_t i = 0; i < inputs.size(); ++i) {
        const bool weight = problem.is_weight(static_cast<int>(i));
        const Tensor laid_out = weight ? Tensor() : device::to_layout(inputs[i], bound_inputs[i].layout);
        for (Buffers& set : sets) set.inputs.push_back(weight ? Tensor() : to_device(laid_out, device, *stream));
      }
      for (Buffers& set : sets)
        for (const device::BoundTensor& output : bound_outputs)
          set.outputs.push_back(device.make_tensor(DType::u8, {output.bytes() + 2 * guard}, static_cast<size_t>(output.bytes() + 2 * guard)));
    });
  }

  /// A tensor of its own type, as it lies where no element is padding: what large outputs are compared as.
  static Tensor comparable(const void* laid_out, const device::BoundTensor& type) {
    const bool padded = type.layout != ir::Layout::plain && type.layout != ir::Layout::nhwc;
    Tensor copy = padded ? device::from_layout(laid_out, type.dtype, type.shape, type.layout) : Tensor(type.dtype, type.shape);
    if (!padded && copy.bytes() > 0) std::memcpy(copy.raw(), laid_out, static_cast<size_t>(copy.bytes()));
    return copy;
  }

  device::Problem problem;
  std::vector<Tensor> expected;
  device::Device& device;
  std::vector<Tensor> weights;
  std::vector<device::BoundTensor> bound_inputs, bound_outputs;
  std::unique_ptr<device::Stream> stream;
  std::vector<Buffers> sets;
};

namespace {

constexpr uint8_t untouched_byte = 0xff;  // in every float type a NaN

/// One candidate's kernel on the trial's buffers.
class Attempt {
 public:
  Attempt(Trial::State& state, const device::Kernel& kernel, const std::vector<Tensor>& packed) : state_(state) {
    const std::vector<Tensor> host_inputs(state.bound_inputs.size());
    bound_ = kernel.bind({state.bound_inputs, state.bound_outputs, host_inputs});
    std::vector<Tensor> constants;
    for (const Tensor& constant : packed)
      constants.push_back(state.device.on_host() ? constant : to_device(constant, state.device, *state.stream));
    for (Trial::State::Buffers& set : state.sets) {
      Pointers& at = pointers_.emplace_back();
      for (const Tensor& input : set.inputs) at.inputs.push_back(input.raw());
      for (Tensor& output : set.outputs) {
        fill(output);
        at.outputs.push_back(static_cast<char*>(output.raw()) + Trial::State::guard);
      }
      at.constants = constants;
      at.workspace = state.device.make_tensor(DType::u8, {static_cast<int64_t>(bound_->workspace_bytes())}, bound_->workspace_bytes());
      share_input(at);
    }
  }

  void enqueue(device::Stream& on, int which) {
    Pointers& at = pointers_[static_cast<size_t>(which) % pointers_.size()];
    bound_->enqueue(on, {at.inputs, at.outputs, at.constants, at.workspace.raw()});
  }

  /// How output `i` of the first set differs from what is expected; empty where it agrees.
  std::string difference(size_t i) const {
    const device::BoundTensor& type = state_.bound_outputs[i];
    const Tensor& output = state_.sets[0].outputs[i];
    Tensor bytes(DType::u8, output.shape());
    state_.device.copy(bytes.raw(), output.raw(), static_cast<size_t>(bytes.bytes()), *state_.stream);
    state_.stream->synchronize();
    const uint8_t *first = bytes.data<uint8_t>(), *last = first + bytes.size();
    const auto untouched = [](uint8_t byte) { return byte == untouched_byte; };
    constexpr int64_t guard = Trial::State::guard;
    if (!std::all_of(first, first + guard, untouched) || !std::all_of(last - guard, last, untouched))
      return fmt::format("it writes outside output {}", i);
    const double error = relative_error(Trial::State::comparable(first + guard, type), state_.expected[i]);
    return error <= allowed_error(type.dtype) ? "" : fmt::format("output {} is off by {:.2g} in relative L2", i, error);
  }

 private:
  struct Pointers {
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    std::vector<Tensor> constants;
    Tensor workspace;
  };

  /// What an earlier candidate left must not pass for this one's result.
  void fill(Tensor& output) const {
    Tensor bytes(DType::u8, output.shape());
    std::memset(bytes.raw(), untouched_byte, static_cast<size_t>(bytes.bytes()));
    state_.device.copy(output.raw(), bytes.raw(), static_cast<size_t>(bytes.bytes()), *state_.stream);
    state_.stream->synchronize();
  }

  /// In place, where the kernel wants it: the output's buffer starts with that input's data.
  void share_input(Pointers& at) {
    const int input = bound_->in_place_input();
    if (input < 0 || !at.inputs[static_cast<size_t>(input)]) return;
    const int64_t bytes = state_.bound_outputs[0].bytes();
    if (state_.bound_inputs[static_cast<size_t>(input)].bytes() != bytes) return;
    state_.device.copy(at.outputs[0], at.inputs[static_cast<size_t>(input)], static_cast<size_t>(bytes), *state_.stream);
    at.inputs[static_cast<size_t>(input)] = at.outputs[0];
  }

  Trial::State& state_;
  std::unique_ptr<device::BoundKernel> bound_;
  std::vector<Pointers> pointers_;
};

}  // namespace

Trial::Trial(const device::Problem& problem, const std::vector<Tensor>& expected, device::Device& device)
    : state_(std::make_unique<State>(problem, expected, device)) {}
Trial::~Trial() = default;

TrialResult Trial::run(const device::Tactic& tactic, const device::Candidate& candidate, double budget_us, const std::string* compiled) {
  State& state = *state_;
  TrialResult result;
  const std::string code = compiled ? *compiled : tactic.compile(state.problem, candidate, state.device);
  const std::vector<Tensor> packed = tactic.pack(state.problem, candidate, state.weights, state.device);
  state.device.execute([&] {
    const std::unique_ptr<device::Kernel> kernel = tactic.load(state.problem, candidate, code, state.device);
    Attempt attempt(state, *kernel, packed);
    attempt.enqueue(*state.stream, 0);
    state.stream->synchronize();
    for (size_t i = 0; i < state.expected.size() && result.wrong.empty(); ++i) result.wrong = attempt.difference(i);
    if (result.wrong.empty())
      result.microseconds = state.device.measure([&](device::Stream& on, int which) { attempt.enqueue(on, which); }, static_cast<int>(state.sets.size()), budget_us);
  });
  return result;
}

TrialResult try_candidate(const device::Problem& problem, const device::Tactic& tactic, const device::Candidate& candidate,
                          const std::vector<Tensor>& expected, device::Device& device, double budget_us) {
  return Trial(problem, expected, device).run(tactic, candidate, budget_us);
}

}  // namespace burnish::tune
