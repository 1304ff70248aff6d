// Runs a plan's steps as one captured graph where the device has such.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <vector>

#include "device/device.h"

namespace burnish::runtime {

/// The graphs of one plan, by the addresses that they were captured with; the least recently used is dropped.
class Replays {
 public:
  /// Enqueues what `body` enqueues on `stream`. Addresses that come for the second time are captured, and
  /// replayed from then on: a caller whose buffers change with each run pays for no capture.
  void run(device::Device& device, device::Stream& stream, std::vector<const void*> addresses,
           const std::function<void()>& body);
  /// The kernels, copies and memory sets of the last graph launched; -1 if the last run was none.
  int work_nodes() const { return work_nodes_; }

 private:
  struct Entry {
    std::vector<const void*> addresses;
    std::unique_ptr<device::Graph> graph;
  };
  std::list<Entry> entries_;  // most recently used first
  bool capturable_ = true;
  int work_nodes_ = -1;
};

}  // namespace burnish::runtime
