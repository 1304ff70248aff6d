#include "runtime/replays.h"

#include <algorithm>

namespace burnish::runtime {

void Replays::run(device::Device& device, device::Stream& stream, std::vector<const void*> addresses,
                  const std::function<void()>& body) {
  constexpr size_t most_graphs = 4;
  work_nodes_ = -1;
  if (!capturable_) return body();
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.addresses == addresses; });
  if (found == entries_.end()) {
    entries_.push_front({std::move(addresses), nullptr});
    if (entries_.size() > most_graphs) entries_.pop_back();
    return body();
  }
  entries_.splice(entries_.begin(), entries_, found);
  Entry& entry = entries_.front();
  if (!entry.graph) {
    try {
      entry.graph = device.capture(stream, body);
    } catch (const Error&) {
      // Something in it cannot be captured, or the stream is one that cannot: it runs step by step, and a
      // true fault shows there.
    }
    if (!entry.graph) {
      capturable_ = false;
      return body();
    }
  }
  entry.graph->launch(stream);
  work_nodes_ = entry.graph->work_nodes();
}

}  // namespace burnish::runtime
