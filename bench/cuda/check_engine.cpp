// What an engine promises beside its speed, on the GPU that it was built for: a quick start, the same bits
// from every run and every thread, and new shapes at once.
//
//     check_engine ENGINE RUNS [NAME=SHAPE[,NAME=SHAPE...]]...
//
// Without shapes, those of the engine, whose dimensions must then be numbers. Prints `start MS` (from a made
// CUDA context to the first output, the engine's libraries loaded meanwhile), then for each set of shapes
// `SHAPES first MS later MS` (the first call, and the median of twenty, with inputs and results in the
// device's memory and one synchronize), then how many of RUNS runs, and of
// eight threads' runs at once, gave other bits than the first. Inputs are random, with a fixed seed. Exits
// with 1 where bits differ.
#include <burnish/runtime.h>
#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <random>
#include <sstream>
#include <thread>

#include "base/error.h"

namespace {

using namespace burnish;
using Shapes = std::map<std::string, Shape>;

class Stopwatch {
 public:
  double ms() const {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

/// The first GPU's primary context, current in this thread.
class Context {
 public:
  Context() {
    require(library_ != nullptr, "libcuda.so.1 cannot be opened");
    void* context = nullptr;
    require(function<int(unsigned)>("cuInit")(0) == 0 &&
                function<int(void**, int)>("cuDevicePrimaryCtxRetain")(&context, 0) == 0 &&
                function<int(void*)>("cuCtxSetCurrent")(context) == 0,
            "no CUDA context");
  }

  /// A copy in the device's memory, which is never given back.
  Tensor copied(const Tensor& tensor) const {
    void* memory = nullptr;
    const auto bytes = static_cast<size_t>(tensor.bytes());
    require(allocate_(&memory, std::max<size_t>(bytes, 1)) == 0 &&
                copy_(memory, tensor.raw(), bytes, nullptr) == 0,
            "no {} bytes on the device", bytes);
    constexpr DeviceId first_gpu{2, 0};  // as DLPack has it
    return Tensor::view(tensor.dtype(), tensor.shape(), memory, nullptr, first_gpu);
  }
  TensorMap copied(const TensorMap& tensors) const {
    TensorMap copies;
    for (const auto& [name, tensor] : tensors) copies.emplace(name, copied(tensor));
    return copies;
  }
  void synchronize() const { require(synchronize_() == 0, "the device has failed"); }

 private:
  template <class Signature>
  Signature* function(const char* name) const {
    auto* found = reinterpret_cast<Signature*>(dlsym(library_, name));
    require(found != nullptr, "libcuda.so.1 has no {}", name);
    return found;
  }

  void* library_ = dlopen("libcuda.so.1", RTLD_NOW);
  int (*allocate_)(void**, size_t) = function<int(void**, size_t)>("cuMemAlloc_v2");
  int (*copy_)(void*, const void*, size_t,
               void*) = function<int(void*, const void*, size_t, void*)>("cuMemcpyAsync");
  int (*synchronize_)() = function<int()>("cuCtxSynchronize");
};

Shape parse_shape(const std::string& text) {
  Shape shape;
  std::istringstream stream(text);
  for (std::string dim; std::getline(stream, dim, 'x');) shape.push_back(std::stoll(dim));
  return shape;
}

Shapes parse_shapes(const std::string& text) {
  Shapes shapes;
  std::istringstream stream(text);
  for (std::string item; std::getline(stream, item, ',');) {
    const size_t equals = item.find('=');
    require(equals != std::string::npos, "'{}' is not NAME=SHAPE", item);
    shapes[item.substr(0, equals)] = parse_shape(item.substr(equals + 1));
  }
  return shapes;
}

Shape shape_of(const IoInfo& info, const Shapes& shapes) {
  if (const auto known = shapes.find(info.name); known != shapes.end()) return known->second;
  Shape shape;
  for (const std::string& dim : info.dims) shape.push_back(std::stoll(dim));
  return shape;
}

/// Floats in [-1, 1], whole numbers from 1 to 97.
TensorMap random_inputs(const Engine& engine, const Shapes& shapes) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> real(-1, 1);
  TensorMap inputs;
  for (const IoInfo& info : engine.inputs()) {
    Tensor tensor(info.dtype, shape_of(info, shapes));
    for (int64_t i = 0; i < tensor.size(); ++i) {
      if (info.dtype == DType::f32)
        tensor.data<float>()[i] = real(random);
      else if (info.dtype == DType::f16)
        tensor.data<Half>()[i] = Half(real(random));
      else if (info.dtype == DType::i64)
        tensor.data<int64_t>()[i] = 1 + static_cast<int64_t>(random() % 97);
      else
        fail("inputs of {} are not made here", dtype_name(info.dtype));
    }
    inputs.emplace(info.name, std::move(tensor));
  }
  return inputs;
}

bool same_bits(const TensorMap& a, const TensorMap& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.second.bytes() == y.second.bytes() &&
           std::memcmp(x.second.raw(), y.second.raw(), static_cast<size_t>(x.second.bytes())) == 0;
  });
}

int differing_runs(Session& session, const TensorMap& inputs, const TensorMap& expected, int runs) {
  int differ = 0;
  for (int i = 0; i < runs; ++i) differ += !same_bits(session.run(inputs), expected);
  return differ;
}

double call_ms(Session& session, const TensorMap& inputs, const Context& context) {
  const Stopwatch watch;
  const TensorMap results = session.run(inputs);
  context.synchronize();
  return watch.ms();
}

double median_ms(Session& session, const TensorMap& inputs, const Context& context) {
  std::vector<double> times;
  for (int i = 0; i < 20; ++i) times.push_back(call_ms(session, inputs, context));
  std::nth_element(times.begin(), times.begin() + 10, times.end());
  return times[10];
}

int check(const std::string& path, int runs, std::vector<std::string> shape_texts) {
  const Context context;
  if (shape_texts.empty()) shape_texts.emplace_back();
  const Stopwatch watch;
  const Engine engine = Engine::load(path, {});
  Session session(engine);
  const TensorMap inputs = random_inputs(engine, parse_shapes(shape_texts[0]));
  const TensorMap expected = session.run(inputs);
  fmt::print("start {:.1f}\n", watch.ms());
  for (const std::string& text : shape_texts) {
    const TensorMap some = context.copied(random_inputs(engine, parse_shapes(text)));
    context.synchronize();
    const double first_ms = call_ms(session, some, context);
    fmt::print("{} first {:.3f} later {:.3f}\n", text, first_ms, median_ms(session, some, context));
  }
  const int alone = differing_runs(session, inputs, expected, runs);
  constexpr int threads = 8;
  std::vector<int> differ(threads);
  std::vector<std::thread> crowd;
  for (int& mine : differ)
    crowd.emplace_back([&] {
      Session own(engine);
      mine = differing_runs(own, inputs, expected, runs / threads);
    });
  for (std::thread& thread : crowd) thread.join();
  const int together = std::accumulate(differ.begin(), differ.end(), 0);
  fmt::print("{} runs: {} differ; {} threads: {} differ\n", runs, alone, threads, together);
  return alone + together > 0;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) {
    fmt::print(stderr, "check_engine ENGINE RUNS [NAME=SHAPE[,NAME=SHAPE...]]...\n");
    return 2;
  }
  return check(argv[1], std::stoi(argv[2]), {argv + 3, argv + argc});
} catch (const std::exception& error) {
  fmt::print(stderr, "check_engine: {}\n", error.what());
  return 1;
}
