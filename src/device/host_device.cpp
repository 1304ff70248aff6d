#include "device/host_device.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include "base/parallel.h"

namespace burnish::device {
namespace {

constexpr size_t alignment = 256;

class HostStream : public Stream {
 public:
  void synchronize() override {}
};

int64_t pages_in_bytes(int name) {
  const int64_t pages = sysconf(name);
  return std::max<int64_t>(0, pages) * sysconf(_SC_PAGESIZE);
}

/// Linux tells the processor's marketing name; elsewhere, and in odd containers, it is just "CPU".
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "CPU";
}

/// Microseconds of `count` calls.
template <class Call>
double time_of(const Call& call, int count) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < count; ++i) call();
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

void* HostDevice::allocate(size_t bytes) {
  const size_t rounded = (std::max<size_t>(bytes, 1) + alignment - 1) / alignment * alignment;
  void* memory = rounded < bytes ? nullptr : std::aligned_alloc(alignment, rounded);
  require(memory != nullptr, "out of memory: {} bytes were asked for, about {} are free", bytes,
          pages_in_bytes(_SC_AVPHYS_PAGES));
  return memory;
}

void HostDevice::free(void* memory) { std::free(memory); }

void HostDevice::copy(void* to, const void* from, size_t bytes, Stream&) {
  if (bytes > 0 && to != from) std::memmove(to, from, bytes);
}

std::unique_ptr<Stream> HostDevice::create_stream() { return std::make_unique<HostStream>(); }

std::unique_ptr<Stream> HostDevice::wrap_stream(void*) {
  fail("device '{}' has no streams of its own: run without setting one", info_.backend);
}

double HostDevice::measure(const std::function<void(Stream&, int)>& enqueue, int rotate, double budget_us) {
  constexpr double shortest_sample_us = 20;
  constexpr size_t most_samples = 51;
  double typical = 0;
  execute([&] {
    HostStream stream;
    int turn = 0;
    const auto call = [&] { enqueue(stream, turn++ % std::max(1, rotate)); };
    double spent = time_of(call, 1);  // cold: code, page faults
    double once = time_of(call, 1);
    spent += once;
    const double warm_up = std::min(budget_us / 10, 2000.0);
    for (double warmed = 0; warmed < warm_up && spent < budget_us; warmed += once, spent += once)
      once = time_of(call, 1);
    const int calls = static_cast<int>(std::clamp(shortest_sample_us / std::max(once, 0.01), 1.0, 1000.0));
    std::vector<double> samples = {once};
    while (samples.size() < most_samples && spent + calls * once < budget_us) {
      const double took = time_of(call, calls);
      samples.push_back(took / calls);
      spent += took;
    }
    // Whatever else the machine does makes samples longer, never shorter: the lower quartile is steadier than the median.
    const auto quartile = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 4);
    std::nth_element(samples.begin(), quartile, samples.end());
    typical = *quartile;
  });
  return typical;
}

DeviceInfo host_info(int threads) {
  DeviceInfo info;
  info.name = processor_name();
  info.memory_bytes = pages_in_bytes(_SC_PHYS_PAGES);
  info.threads = threads > 0 ? threads : available_cpus();
  return info;
}

}  // namespace burnish::device
