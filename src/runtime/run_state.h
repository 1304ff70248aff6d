// What Execution keeps for a plan, and for one run. Only for the files that implement Execution.
#pragma once

#include <optional>

#include "runtime/execution.h"
#include "runtime/replays.h"

namespace burnish::runtime {

struct Execution::Ready {
  std::string key;
  plan::Segment segment;
  std::map<int32_t, Tensor> kept;  // what later segments read, made once
  struct Pointers {
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
    const char* ahead = nullptr;  // Arguments::ahead
    int64_t ahead_bytes = 0;
  };
  std::vector<Pointers> pointers;
  /// Where a run is this plan and no more: the shapes of its inputs (Execution::run_again).
  std::optional<std::vector<Shape>> input_shapes;
  Replays replays;
  /// Of a segment on several streams: the start, each awaited step's end, and the end of each further stream.
  std::unique_ptr<device::Event> started;
  std::vector<std::unique_ptr<device::Event>> step_ends, stream_ends;
};

struct Execution::Run {
  plan::Knowledge knowledge;
  std::vector<Tensor> table;  // by value index: what lies outside the arena
  std::map<int32_t, Tensor> results;  // by value index: where graph outputs go
  device::Stream* stream = nullptr;
};

}  // namespace burnish::runtime
