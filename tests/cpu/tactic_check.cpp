#include "tests/cpu/tactic_check.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/dispatch.h"
#include "ops/evaluate.h"

namespace burnish::test {
namespace {

constexpr size_t canary_bytes = 256;
constexpr char canary = 0x5a;

/// Memory with canaries on both sides.
class Guarded {
 public:
  explicit Guarded(size_t bytes) : bytes_(bytes), memory_(bytes + 2 * canary_bytes + 64, canary) {
    const size_t misaligned = reinterpret_cast<uintptr_t>(memory_.data() + canary_bytes) % 64;
    start_ = memory_.data() + canary_bytes + (misaligned ? 64 - misaligned : 0);
  }
  char* data() { return start_; }
  bool intact() const {
    const auto untouched = [](const char* from, const char* to) {
      return std::all_of(from, to, [](char c) { return c == canary; });
    };
    return untouched(memory_.data(), start_) && untouched(start_ + bytes_, memory_.data() + memory_.size());
  }

 private:
  size_t bytes_;
  std::vector<char> memory_;
  char* start_;
};

int64_t blocks_of(ir::Layout layout) {
  return layout == ir::Layout::c8 ? 8 : layout == ir::Layout::c16 ? 16 : 1;
}

/// Calls body(plain index, physical index) for every element.
template <class Body>
void for_each_place(const Shape& shape, ir::Layout layout, const Body& body) {
  const int64_t count = element_count(shape);
  if (layout == ir::Layout::plain || shape.size() < 2) {
    for (int64_t i = 0; i < count; ++i) body(i, i);
    return;
  }
  int64_t spatial = 1;
  for (size_t d = 2; d < shape.size(); ++d) spatial *= shape[d];
  const int64_t channels = shape[1], block = blocks_of(layout), whole = (channels + block - 1) / block;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t s = i % spatial, c = i / spatial % channels, n = i / spatial / channels;
    body(i, layout == ir::Layout::nhwc ? (n * spatial + s) * channels + c
                                       : ((n * whole + c / block) * spatial + s) * block + c % block);
  }
}

double number_at(const Tensor& tensor, int64_t i) {
  double value = 0;
  dispatch(AllTypes{}, tensor.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    value = static_cast<double>(static_cast<compute_t<T>>(tensor.data<T>()[i]));
  });
  return value;
}

void expect_close(const Tensor& got, const Tensor& wanted, const CheckOptions& options,
                  const std::string& what) {
  ASSERT_EQ(got.shape(), wanted.shape()) << what;
  const double scale = wanted.dtype() == DType::f16 ? 100 : wanted.dtype() == DType::bf16 ? 800 : 1;
  for (int64_t i = 0; i < got.size(); ++i) {
    const double a = number_at(got, i), b = number_at(wanted, i);
    if (std::isnan(a) && std::isnan(b)) continue;
    if (a == b || std::fabs(a - b) <= scale * (options.absolute + options.relative * std::fabs(b))) continue;
    FAIL() << what << ": element " << i << " of " << shape_text(wanted.shape()) << " is " << a << ", not "
           << b;
  }
}

struct Case {
  const device::Tactic& tactic;
  const device::Problem& problem;  // with its layouts
  std::shared_ptr<device::Device> device;
  const std::vector<Tensor>& inputs;
  const std::vector<Tensor>& wanted;
  const CheckOptions& options;
  std::string what;
};

void run_bound(const Case& test, const device::Candidate& candidate, device::Kernel& kernel) {
  const device::Problem& problem = test.problem;
  std::vector<device::BoundTensor> inputs, outputs;
  std::vector<std::vector<char>> data;
  std::vector<Tensor> host(test.inputs.size()), weights(test.inputs.size());
  for (int i = 0; i < problem.input_count(); ++i) {
    const Tensor& tensor = test.inputs[static_cast<size_t>(i)];
    inputs.push_back({tensor.dtype(), tensor.shape(), problem.input(i).layout});
    data.push_back(to_layout(tensor, problem.input(i).layout));
    if (problem.is_weight(i)) weights[static_cast<size_t>(i)] = tensor;
    for (const ir::Use& use : problem.body().value(problem.body().inputs()[static_cast<size_t>(i)]).uses) {
      const auto& specs = ops::definition(problem.body().node(use.node)).inputs;
      if (specs[std::min(static_cast<size_t>(use.input), specs.size() - 1)].host)
        host[static_cast<size_t>(i)] = tensor;
    }
  }
  for (int i = 0; i < problem.output_count(); ++i) {
    const Tensor& tensor = test.wanted[static_cast<size_t>(i)];
    outputs.push_back({tensor.dtype(), tensor.shape(), problem.output(i).layout});
  }
  const std::vector<Tensor> constants = test.tactic.pack(problem, candidate, weights, *test.device);
  auto bound = kernel.bind({inputs, outputs, host});
  const auto stream = test.device->create_stream();
  for (int turn = 0; turn < 3; ++turn) {
    const int in_place = turn == 2 ? bound->in_place_input() : -1;
    if (turn == 2 && in_place < 0) break;
    Guarded workspace(bound->workspace_bytes());
    std::vector<Guarded> memory;
    for (const auto& output : outputs) memory.emplace_back(static_cast<size_t>(output.bytes()));
    std::vector<const void*> from;
    for (int i = 0; i < problem.input_count(); ++i)
      from.push_back(problem.is_weight(i) ? nullptr : data[static_cast<size_t>(i)].data());
    if (in_place >= 0) {
      ASSERT_EQ(inputs[static_cast<size_t>(in_place)].bytes(), outputs[0].bytes()) << test.what;
      std::memcpy(memory[0].data(), data[static_cast<size_t>(in_place)].data(),
                  data[static_cast<size_t>(in_place)].size());
      from[static_cast<size_t>(in_place)] = memory[0].data();
    }
    std::vector<void*> to;
    for (Guarded& output : memory) to.push_back(output.data());
    test.device->execute([&] { bound->enqueue(*stream, {from, to, constants, workspace.data()}); });
    stream->synchronize();
    EXPECT_TRUE(workspace.intact()) << test.what << ": wrote beyond its workspace";
    for (size_t i = 0; i < memory.size(); ++i) {
      EXPECT_TRUE(memory[i].intact()) << test.what << ": wrote beyond output " << i;
      expect_close(from_layout(memory[i].data(), outputs[i].dtype, outputs[i].shape, outputs[i].layout),
                   test.wanted[i], test.options, test.what + (in_place >= 0 ? ", in place" : ""));
    }
    if (testing::Test::HasFatalFailure()) return;
  }
}

void run_case(const Case& test) {
  const std::vector<device::Candidate> candidates = test.tactic.candidates(test.problem, *test.device);
  ASSERT_FALSE(candidates.empty()) << test.what;
  for (const device::Candidate& candidate : candidates) {
    Case named = test;
    named.what += ", candidate " + candidate.id;
    const std::string code = test.tactic.compile(test.problem, candidate, *test.device);
    const auto kernel = test.tactic.load(test.problem, candidate, code, *test.device);
    if (!kernel->makes_outputs()) {
      run_bound(named, candidate, *kernel);
    } else {
      const std::vector<Tensor> made = kernel->run(test.inputs);
      ASSERT_EQ(made.size(), test.wanted.size()) << named.what;
      for (size_t i = 0; i < made.size(); ++i)
        expect_close(made[i], test.wanted[i], test.options, named.what);
    }
    if (testing::Test::HasFatalFailure()) return;
  }
}

}  // namespace

Tensor random_tensor(std::mt19937& random, DType dtype, const Shape& shape, double range) {
  Tensor tensor(dtype, shape);
  std::uniform_real_distribution<double> real(-range, range);
  dispatch(AllTypes{}, dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < tensor.size(); ++i) {
      if constexpr (std::is_same_v<T, bool>)
        tensor.data<T>()[i] = random() & 1;
      else if (is_floating(dtype))
        tensor.data<T>()[i] = static_cast<T>(static_cast<compute_t<T>>(real(random)));
      else
        tensor.data<T>()[i] = static_cast<T>(is_signed_integer(dtype) ? static_cast<int>(random() % 19) - 9
                                                                      : static_cast<int>(random() % 10));
    }
  });
  return tensor;
}

std::vector<char> to_layout(const Tensor& plain, ir::Layout layout) {
  const auto size = static_cast<size_t>(dtype_bytes(plain.dtype()));
  std::vector<char> bytes(static_cast<size_t>(ir::storage_bytes(plain.dtype(), plain.shape(), layout)), 0);
  const char* from = static_cast<const char*>(plain.raw());
  for_each_place(plain.shape(), layout, [&](int64_t i, int64_t place) {
    std::memcpy(bytes.data() + static_cast<size_t>(place) * size, from + static_cast<size_t>(i) * size, size);
  });
  return bytes;
}

Tensor from_layout(const void* data, DType dtype, const Shape& shape, ir::Layout layout) {
  Tensor plain(dtype, shape);
  const auto size = static_cast<size_t>(dtype_bytes(dtype));
  for_each_place(shape, layout, [&](int64_t i, int64_t place) {
    std::memcpy(static_cast<char*>(plain.raw()) + static_cast<size_t>(i) * size,
                static_cast<const char*>(data) + static_cast<size_t>(place) * size, size);
  });
  return plain;
}

void check_tactic(const std::string& name, const std::string& text, const CheckOptions& options) {
  const auto device = device::open_device("cpu");
  const device::Tactic* tactic = device::find_tactic(*device, name);
  ASSERT_NE(tactic, nullptr) << "there is no tactic called " << name;
  const device::Problem problem = device::Problem::parse(text);
  const unsigned seed = options.seed ? options.seed : static_cast<unsigned>(std::hash<std::string>{}(text));
  std::mt19937 random(seed);
  std::vector<Tensor> inputs;
  for (int i = 0; i < problem.input_count(); ++i) {
    const auto index = static_cast<size_t>(i);
    const bool given = index < options.inputs.size() && !options.inputs[index].empty();
    inputs.push_back(given ? options.inputs[index]
                           : random_tensor(random, problem.input(i).dtype,
                                           *ir::constants(problem.input(i).shape), options.range));
  }
  const std::vector<Tensor> wanted = ops::evaluate(problem.body(), inputs);
  int supported = 0;
  std::string reason;
  auto sets = tactic->layouts(problem, device->info());
  if (!options.layout_sets.empty()) sets = options.layout_sets;
  for (const auto& layouts : sets) {
    const device::Problem laid_out = problem.with_layouts(layouts);
    const Support support = tactic->supports(laid_out, device->info());
    if (!support) {
      reason = support.reason();
      continue;
    }
    ++supported;
    run_case({*tactic, laid_out, device, inputs, wanted, options,
              fmt::format("{} (seed {})", laid_out.text(), seed)});
    if (testing::Test::HasFatalFailure()) return;
  }
  EXPECT_GT(supported, 0) << name << " supports no layouts of " << text << ": " << reason;
}

void for_each_target(const std::function<void()>& body) {
  for (const int64_t targets :
       {int64_t{0}, int64_t{HWY_AVX2 | HWY_SSE4}, int64_t{HWY_SSE4}, int64_t{HWY_SCALAR}}) {
    hwy::SetSupportedTargetsForTest(targets);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    SCOPED_TRACE(fmt::format("instruction sets {:#x}", targets));
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

}  // namespace burnish::test
