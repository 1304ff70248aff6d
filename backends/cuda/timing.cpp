#include "cuda/timing.h"

#include <algorithm>
#include <chrono>

namespace burnish::cuda {
namespace {

using Clock = std::chrono::steady_clock;

double microseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::micro>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// A pair of events round whatever is enqueued between start() and stop().
class Timer {
 public:
  Timer(CudaDevice& device, CUstream stream) : device_(device), stream_(stream) {
    for (CUevent* event : {&begin_, &end_})
      device.check(driver().cuEventCreate(event, CU_EVENT_DEFAULT), "cuEventCreate");
  }
  ~Timer() {
    for (CUevent event : {begin_, end_}) driver().cuEventDestroy(event);
  }
  void start() { device_.check(driver().cuEventRecord(begin_, stream_), "cuEventRecord"); }
  double stop() {
    device_.check(driver().cuEventRecord(end_, stream_), "cuEventRecord");
    device_.check(driver().cuEventSynchronize(end_), "cuEventSynchronize");
    float milliseconds = 0;
    device_.check(driver().cuEventElapsedTime(&milliseconds, begin_, end_), "cuEventElapsedTime");
    return milliseconds * 1e3;
  }

 private:
  CudaDevice& device_;
  CUstream stream_;
  CUevent begin_ = nullptr, end_ = nullptr;
};

/// Times run() (which does `calls` calls) three times at least, then until the median is sure or the budget
/// spent; microseconds of one call.
template <class Run>
double time_repeats(Timer& timer, Run&& run, int calls, double budget_us) {
  std::vector<double> times;
  const Clock::time_point start = Clock::now();
  constexpr size_t least = 3, most = 11;
  constexpr double sure = 0.01;  // times that lie within this share of each other
  const auto agree = [&] {
    const auto [low, high] = std::minmax_element(times.begin(), times.end());
    return *high - *low < *low * sure;
  };
  while (times.size() < least || (times.size() < most && microseconds_since(start) < budget_us && !agree())) {
    timer.start();
    run();
    times.push_back(timer.stop() / calls);
  }
  return median(std::move(times));
}

}  // namespace

double measure_on_gpu(CudaDevice& device, const std::function<void(device::Stream&, int)>& enqueue,
                      int rotate, double budget_us) {
  const std::unique_ptr<device::Stream> owned = device.create_stream();
  CudaStream& stream = cuda_stream(*owned);
  enqueue(stream, 0);
  stream.synchronize();
  Timer timer(device, stream.native());
  timer.start();
  enqueue(stream, 0);
  const double once = std::max(1.0, timer.stop());

  // Enough calls in a graph that its own start, some 10 us, is lost in them; whole rounds of the buffers.
  constexpr double graph_us = 300;
  const int rounds = std::clamp(static_cast<int>(graph_us / once / rotate), 1, std::max(1, 60 / rotate));
  const int calls = rounds * rotate;
  std::unique_ptr<device::Graph> graph;
  try {
    graph = device.capture(stream, [&] {
      for (int call = 0; call < calls; ++call) enqueue(stream, call % rotate);
    });
  } catch (const Error&) {
    device.require_usable();  // a fault is not "cannot be captured"
  }
  if (!graph) {
    int next = 0;
    return time_repeats(
        timer, [&] { enqueue(stream, next++ % rotate); }, 1, budget_us);
  }
  graph->launch(stream);
  stream.synchronize();
  return time_repeats(
      timer, [&] { graph->launch(stream); }, calls, budget_us);
}

}  // namespace burnish::cuda
