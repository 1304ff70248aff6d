#include "tune/oracle.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/contention.h"
#include "base/dispatch.h"
#include "base/distance.h"
#include "base/parallel.h"
#include "device/layout.h"
#include "ops/evaluate.h"
#include "ops/seeded_inputs.h"
#include "ops/table.h"
#include "tune/sample.h"

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

/// A tensor's numbers repeat after this many, which is prime: no row, channel or image looks like another.
constexpr int64_t period = 1048573;

/// Uniform numbers in [-scale, scale): those of the sequence from `first` on, a period of them at most.
template <class T>
std::vector<T> uniform_numbers(int64_t count, uint64_t first, double scale) {
  std::vector<T> numbers(static_cast<size_t>(std::min(count, period)));
  parallel_for(static_cast<int64_t>(numbers.size()), grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      const double uniform = static_cast<double>(hashed(first + static_cast<uint64_t>(j)) >> 11) * 0x1p-52 - 1;  // [-1, 1)
      numbers[static_cast<size_t>(j)] = static_cast<T>(static_cast<float>(scale * uniform));
    }
  });
  return numbers;
}

/// data[j] is the number at `from + j`, round and round.
template <class T>
void repeat(const std::vector<T>& numbers, int64_t from, T* data, int64_t count) {
  const auto length = static_cast<int64_t>(numbers.size());
  parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end;) {
      const int64_t at = (from + j) % length, run = std::min(length - at, end - j);
      std::copy_n(numbers.data() + at, run, data + j);
      j += run;
    }
  });
}

/// trial_inputs(), of the inputs that have the batch those entries alone that `sample` names.
std::vector<Tensor> sampled_inputs(const device::Problem& problem, const Sample& sample) {
  std::vector<Tensor> inputs;
  uint64_t first = 0;  // of this input in the sequence
  for (int i = 0; i < problem.input_count(); ++i) {
    const ir::TensorType& type = problem.input(i);
    Shape shape = *ir::constants(type.shape);
    if (!is_float(type.dtype)) {
      inputs.push_back(ops::seeded_input(problem.body(), problem.body().inputs()[static_cast<size_t>(i)], shape, 20261122));
      continue;
    }
    const int64_t size = ir::product(type.shape).constant();
    // A weight's scale keeps sums over its inputs near 1.
    double scale = 1;
    if (problem.is_weight(i) && shape.size() >= 2) scale = 1 / std::sqrt(std::max<double>(1, static_cast<double>(size) / static_cast<double>(std::max<int64_t>(1, shape[0]))));
    const bool cut = sample && sample.inputs[static_cast<size_t>(i)];
    if (cut) shape[0] = static_cast<int64_t>(sample.entries.size());
    Tensor tensor(type.dtype, shape);
    dispatch(FloatTypes{}, type.dtype, [&]<class T>(Type<T>) {
      const std::vector<T> numbers = uniform_numbers<T>(size, first, scale);
      if (!cut) return repeat(numbers, 0, tensor.data<T>(), size);
      const int64_t entry = size / sample.batch;
      for (size_t k = 0; k < sample.entries.size(); ++k)
        repeat(numbers, sample.entries[k] * entry, tensor.data<T>() + static_cast<int64_t>(k) * entry, entry);
    });
    first += static_cast<uint64_t>(size);
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

}  // namespace

std::vector<Tensor> trial_inputs(const device::Problem& problem) { return sampled_inputs(problem, {}); }

std::vector<Tensor> expected_outputs(const device::Problem& problem) { return ops::evaluate(problem.body(), sampled_inputs(problem, sample_of(problem))); }

namespace {

/// Of a value of that type, computed with accumulation in FP32.
double rounding_error(DType dtype) {
  switch (dtype) {
    case DType::f32: return 1e-4;
    case DType::f16: return 3e-3;
    case DType::bf16: return 2e-2;
    case DType::f64: return 1e-12;
    default: return 0;
  }
}

}  // namespace

double allowed_error(const device::Problem& problem, int output, bool tf32) {
  double error = rounding_error(problem.output(output).dtype);
  if (error == 0) return 0;
  constexpr double tf32_error = 1e-3;  // operands as coarse as FP16's, rounded or cut off, and nothing else
  for (size_t i = 0; tf32 && i < problem.nodes().size(); ++i)
    if (problem.op(i).fusion == ops::Fusion::contraction && problem.body().value(problem.node(i).outputs[0]).type.dtype == DType::f32)
      error = std::max(error, tf32_error);
  for (size_t i = 0; i < problem.nodes().size(); ++i)
    for (ir::ValueId value : problem.node(i).outputs) error = std::max(error, rounding_error(problem.body().value(value).type.dtype));
  return error;
}

namespace {

constexpr uint8_t untouched_byte = 0xff;  // in every float type a NaN

Tensor to_device(const Tensor& host, device::Device& device, device::Stream& stream) {
  Tensor copy = device.make_tensor(host.dtype(), host.shape(), static_cast<size_t>(host.bytes()));
  device.copy(copy.raw(), host.raw(), static_cast<size_t>(host.bytes()), stream);
  stream.synchronize();
  return copy;
}

/// Calls visit(begin, end) for the bytes between one pixel and the next of a tensor with a pitch: they are
/// other tensors'.
template <class Visit>
void for_each_gap(const device::BoundTensor& type, Visit&& visit) {
  if (!type.pitch) return;
  const int64_t pixel = type.shape[1] * dtype_bytes(type.dtype), step = type.pitch * dtype_bytes(type.dtype);
  for (int64_t begin = pixel; begin < type.bytes(); begin += step) visit(begin, begin + step - pixel);
}

/// Bytes from one entry of the batch to the next.
int64_t entry_bytes(device::BoundTensor type) {
  type.shape[0] = 2;
  const int64_t two = type.bytes();
  type.shape[0] = 1;
  return two - type.bytes();
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
      : problem(tried), sample(sample_of(tried)), device(on), weights(static_cast<size_t>(tried.input_count())), sets(2) {
    const std::vector<Tensor> inputs = trial_inputs(problem);
    for (int i = 0; i < problem.input_count(); ++i) {
      if (problem.is_weight(i)) weights[static_cast<size_t>(i)] = inputs[static_cast<size_t>(i)];
      bound_inputs.push_back({problem.input(i).dtype, inputs[static_cast<size_t>(i)].shape(),
                              problem.input(i).layout, problem.input(i).pitch});
    }
    for (int i = 0; i < problem.output_count(); ++i)
      bound_outputs.push_back({problem.output(i).dtype, *ir::constants(problem.output(i).shape),
                               problem.output(i).layout, problem.output(i).pitch});
    for (size_t i = 0; i < wanted.size(); ++i) {
      compared.push_back(bound_outputs[i]);
      if (sample) compared[i].shape[0] = static_cast<int64_t>(sample.entries.size());
      expected.push_back(
          comparable(device::to_layout(wanted[i], compared[i].layout, compared[i].pitch), compared[i]));
    }
    device.execute([&] {
      stream = device.create_stream();
      for (size_t i = 0; i < inputs.size(); ++i) {
        const bool weight = problem.is_weight(static_cast<int>(i));
        Tensor laid_out =
            weight ? Tensor() : device::to_layout(inputs[i], bound_inputs[i].layout, bound_inputs[i].pitch);
        if (!weight)
          for_each_gap(bound_inputs[i], [&](int64_t begin, int64_t end) {
            std::fill(laid_out.data<uint8_t>() + begin, laid_out.data<uint8_t>() + end, untouched_byte);
          });
        for (Buffers& set : sets) set.inputs.push_back(weight ? Tensor() : &set == &sets[0] ? to_device(laid_out, device, *stream) : copy_of(sets[0].inputs.back()));
      }
      Tensor pattern(DType::u8, {pattern_bytes()});
      std::memset(pattern.raw(), untouched_byte, static_cast<size_t>(pattern.bytes()));
      untouched = to_device(pattern, device, *stream);
      for (Buffers& set : sets)
        for (const device::BoundTensor& output : bound_outputs)
          set.outputs.push_back(device.make_tensor(DType::u8, {output.bytes() + 2 * guard}, static_cast<size_t>(output.bytes() + 2 * guard)));
    });
  }

  /// Bytes laid out as a tensor of its own type, as it lies where no element is padding: what large outputs are compared as.
  static Tensor comparable(Tensor laid_out, const device::BoundTensor& type) {
    const bool padded = (type.layout != ir::Layout::plain && type.layout != ir::Layout::nhwc) || type.pitch;
    if (padded) return device::from_layout(laid_out.raw(), type.dtype, type.shape, type.layout, type.pitch);
    const auto owner = std::make_shared<Tensor>(std::move(laid_out));
    return Tensor::view(type.dtype, type.shape, owner->raw(), owner);
  }

  Tensor copy_of(const Tensor& tensor) {
    Tensor copy = device.make_tensor(tensor.dtype(), tensor.shape(), static_cast<size_t>(tensor.bytes()));
    device.copy(copy.raw(), tensor.raw(), static_cast<size_t>(tensor.bytes()), *stream);
    return copy;
  }

  /// Enough for the largest output, or for a part of it at a time.
  int64_t pattern_bytes() const {
    int64_t largest = 0;
    for (const device::BoundTensor& output : bound_outputs) largest = std::max(largest, output.bytes() + 2 * guard);
    return std::min<int64_t>(largest, 16 << 20);
  }

  device::Problem problem;
  Sample sample;
  std::vector<Tensor> expected;
  device::Device& device;
  std::vector<Tensor> weights;
  std::vector<device::BoundTensor> bound_inputs, bound_outputs;
  std::vector<device::BoundTensor> compared;  ///< of each output, with the sample's entries alone
  std::unique_ptr<device::Stream> stream;
  Tensor untouched;  ///< on the device: what outputs hold before a kernel runs
  std::vector<Buffers> sets;
};

namespace {

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
    constexpr int64_t guard = Trial::State::guard;
    const auto untouched = [](uint8_t byte) { return byte == untouched_byte; };
    const char* const output = static_cast<const char*>(state_.sets[0].outputs[i].raw());
    Tensor before(DType::u8, {guard}), behind(DType::u8, {guard}), result(DType::u8, {state_.compared[i].bytes()});
    fetch(before, 0, output, guard);
    fetch(behind, 0, output + guard + type.bytes(), guard);
    if (const Sample& sample = state_.sample) {
      const int64_t entry = entry_bytes(type);
      for (size_t k = 0; k < sample.entries.size(); ++k) {
        const int64_t to = static_cast<int64_t>(k) * entry,
                      from = sample.entries[k] * entry;  // the last may end before a gap
        fetch(result, to, output + guard + from, std::min({entry, result.bytes() - to, type.bytes() - from}));
      }
    } else {
      fetch(result, 0, output + guard, type.bytes());
    }
    state_.stream->synchronize();
    for (const Tensor& edge : {before, behind})
      if (!std::all_of(edge.data<uint8_t>(), edge.data<uint8_t>() + guard, untouched)) return fmt::format("it writes outside output {}", i);
    bool gaps_untouched = true;
    for_each_gap(state_.compared[i], [&](int64_t begin, int64_t end) {
      gaps_untouched = gaps_untouched &&
                       std::all_of(result.data<uint8_t>() + begin, result.data<uint8_t>() + end, untouched);
    });
    if (!gaps_untouched) return fmt::format("it writes between the pixels of output {}", i);
    const double error = relative_error(Trial::State::comparable(result, state_.compared[i]), state_.expected[i]);
    return error <= allowed_error(state_.problem, static_cast<int>(i), state_.device.info().tf32) ? "" : fmt::format("output {} is off by {:.2g} in relative L2", i, error);
  }

 private:
  struct Pointers {
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    std::vector<Tensor> constants;
    Tensor workspace;
  };

  void fetch(Tensor& into, int64_t at, const char* from, int64_t bytes) const {
    state_.device.copy(static_cast<char*>(into.raw()) + at, from, static_cast<size_t>(bytes), *state_.stream);
  }

  /// What an earlier candidate left must not pass for this one's result.
  void fill(Tensor& output) const {
    for (int64_t done = 0; done < output.bytes(); done += state_.untouched.bytes())
      state_.device.copy(static_cast<char*>(output.raw()) + done, state_.untouched.raw(), static_cast<size_t>(std::min(state_.untouched.bytes(), output.bytes() - done)), *state_.stream);
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
    if (!result.wrong.empty()) return;
    const auto start = std::chrono::steady_clock::now();
    const double waited = waited_for_processors_us();
    result.microseconds = state.device.measure([&](device::Stream& on, int which) { attempt.enqueue(on, which); }, static_cast<int>(state.sets.size()), budget_us);
    result.waited_us = waited_for_processors_us() - waited;
    result.measuring_us = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
  });
  return result;
}

TrialResult try_candidate(const device::Problem& problem, const device::Tactic& tactic, const device::Candidate& candidate,
                          const std::vector<Tensor>& expected, device::Device& device, double budget_us) {
  return Trial(problem, expected, device).run(tactic, candidate, budget_us);
}

}  // namespace burnish::tune
