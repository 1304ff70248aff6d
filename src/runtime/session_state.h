// What a Session holds.
#pragma once

#include <burnish/runtime.h>

#include "runtime/engine_state.h"
#include "runtime/execution.h"

namespace burnish::session_internal {

class SessionState {
 public:
  explicit SessionState(Engine engine)
      : engine(std::move(engine)), device(this->engine.state().program->device), execution(this->engine.state().program) {
    device->execute([&] {
      stream = device->create_stream();
      execution.make_room_for_largest(*stream);
    });
  }

  Engine engine;
  std::shared_ptr<device::Device> device;
  std::unique_ptr<device::Stream> stream;
  void* callers_stream = nullptr;  ///< what `stream` is; null: the session's own
  runtime::Execution execution;
  std::vector<const Tensor*> inputs;  ///< of the run at hand, in the graph's order
  std::vector<Tensor*> outputs;
};

}  // namespace burnish::session_internal
