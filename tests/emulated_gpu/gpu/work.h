// Work that waits on streams of the emulated GPU until something asks for it, and then only what must come
// before is done: what no order settles runs as late as it may, so that a missing event shows as a wrong
// result.
#pragma once

#include <cuda.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace burnish::emulated {

inline std::recursive_mutex lock;  // one call at a time
using Guard = std::lock_guard<std::recursive_mutex>;

/// What lost the device, and why.
inline CUresult fault = CUDA_SUCCESS;
inline std::string fault_text = "no error";

struct Work {
  std::function<void()> run;
  std::vector<std::shared_ptr<Work>> after;
  bool done = false;
  CUgraphNodeType type = CU_GRAPH_NODE_TYPE_KERNEL;
};
using WorkPointer = std::shared_ptr<Work>;

/// What must come before, then the work itself.
void complete(const WorkPointer& last);

struct Graph {
  std::vector<WorkPointer> works;
  bool ended = false;
};

struct Stream {
  WorkPointer last;
  std::vector<WorkPointer> also_after;
  std::shared_ptr<Graph> capture;

  void enqueue(CUgraphNodeType type, std::function<void()> run) {
    auto work = std::make_shared<Work>();
    work->run = std::move(run);
    work->type = type;
    if (last) work->after.push_back(last);
    work->after.insert(work->after.end(), also_after.begin(), also_after.end());
    also_after.clear();
    last = work;
    if (capture) capture->works.push_back(work);
  }
};
struct Event {
  WorkPointer work;
  std::shared_ptr<Graph> capture;
};

Stream& stream_of(CUstream stream);
/// The work of all streams.
void complete_all();

}  // namespace burnish::emulated
