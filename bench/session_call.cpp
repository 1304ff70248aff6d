// The median of Session::run on the host, in microseconds: what bench/call_overhead.py compares Python's
// calls with.
//
//     session_call ENGINE CALLS: inputs are zeros
#include <burnish/runtime.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>

int main(int argc, char** argv) try {
  if (argc != 3) {
    fmt::print(stderr, "session_call ENGINE CALLS\n");
    return 2;
  }
  const burnish::Engine engine = burnish::Engine::load(argv[1], {.threads = 1});
  burnish::Session session(engine);
  burnish::TensorMap inputs;
  for (const burnish::IoInfo& info : engine.inputs()) {
    burnish::Shape shape;
    for (const std::string& dim : info.dims) shape.push_back(std::stoll(dim));
    burnish::Tensor tensor(info.dtype, shape);
    std::memset(tensor.raw(), 0, static_cast<size_t>(tensor.bytes()));
    inputs.emplace(info.name, tensor);
  }
  std::vector<double> times;
  for (int i = -500; i < std::atoi(argv[2]); ++i) {
    const auto start = std::chrono::steady_clock::now();
    session.run(inputs);
    const std::chrono::duration<double, std::micro> took = std::chrono::steady_clock::now() - start;
    if (i >= 0) times.push_back(took.count());
  }
  std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
  fmt::print("{:.3f}\n", times[times.size() / 2]);
} catch (const std::exception& error) {
  fmt::print(stderr, "session_call: {}\n", error.what());
  return 1;
}
