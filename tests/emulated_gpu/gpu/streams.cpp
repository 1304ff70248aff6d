// The driver's functions of streams, events and graphs.
#include "work.h"

#include <algorithm>
#include <map>
#include <random>

namespace burnish::emulated {
namespace {

std::vector<Stream*> streams;
Stream default_stream;

}  // namespace

namespace {

/// Does the first work that `last` waits for, or that itself; false where all is done.
bool advance(WorkPointer work) {
  if (!work || work->done) return false;
  const auto open = [](const WorkPointer& each) { return !each->done; };
  for (auto before = work->after.begin();
       (before = std::find_if(work->after.begin(), work->after.end(), open)) != work->after.end();)
    work = *before;
  work->done = true;
  work->after.clear();
  if (fault == CUDA_SUCCESS && work->run) work->run();
  work->run = nullptr;
  return true;
}

}  // namespace

void complete(const WorkPointer& last) {
  static std::mt19937 random_numbers(1);
  do {  // now and then another stream comes between
    if (streams.empty() || random_numbers() % 3 != 0) continue;
    const Stream& other = *streams[random_numbers() % streams.size()];
    if (!other.capture) advance(other.last);
  } while (advance(last));
}

Stream& stream_of(CUstream stream) {
  return stream && stream != CU_STREAM_LEGACY ? *reinterpret_cast<Stream*>(stream) : default_stream;
}

void complete_all() {
  for (Stream* stream : streams)
    if (!stream->capture) complete(stream->last);
  complete(default_stream.last);
}

}  // namespace burnish::emulated

using namespace burnish::emulated;

extern "C" {
CUresult cuStreamCreate(CUstream* made, unsigned) {
  const Guard guard(lock);
  if (fault) return fault;
  streams.push_back(new Stream);
  *made = reinterpret_cast<CUstream>(streams.back());
  return CUDA_SUCCESS;
}
CUresult cuStreamDestroy(CUstream any) {
  const Guard guard(lock);
  Stream* stream = &stream_of(any);
  complete(stream->last);
  streams.erase(std::remove(streams.begin(), streams.end(), stream), streams.end());
  delete stream;
  return CUDA_SUCCESS;
}
CUresult cuStreamSynchronize(CUstream any) {
  const Guard guard(lock);
  Stream& stream = stream_of(any);
  if (stream.capture) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  complete(stream.last);
  for (const WorkPointer& each : stream.also_after) complete(each);
  return fault;
}
CUresult cuStreamWaitEvent(CUstream any, CUevent event, unsigned) {
  const Guard guard(lock);
  Stream& stream = stream_of(any);
  const Event& marked = *reinterpret_cast<Event*>(event);
  if (!marked.work) return CUDA_SUCCESS;
  if (marked.capture && marked.capture->ended) return CUDA_ERROR_CAPTURED_EVENT;
  if (stream.capture && marked.capture != stream.capture) return CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
  if (marked.capture && !stream.capture) {  // it joins
    complete(stream.last);
    stream.last = nullptr;
    stream.capture = marked.capture;
  }
  stream.also_after.push_back(marked.work);
  return CUDA_SUCCESS;
}
CUresult cuStreamBeginCapture(CUstream any, CUstreamCaptureMode) {
  const Guard guard(lock);
  if (fault) return fault;
  Stream& stream = stream_of(any);
  if (stream.capture) return CUDA_ERROR_ILLEGAL_STATE;
  complete(stream.last);
  for (const WorkPointer& each : stream.also_after) complete(each);
  stream.last = nullptr;
  stream.also_after.clear();
  stream.capture = std::make_shared<Graph>();
  return CUDA_SUCCESS;
}
CUresult cuStreamEndCapture(CUstream any, CUgraph* made) {
  const Guard guard(lock);
  Stream& origin = stream_of(any);
  *made = nullptr;
  if (!origin.capture) return CUDA_ERROR_ILLEGAL_STATE;
  const std::shared_ptr<Graph> graph = origin.capture;
  graph->ended = true;
  bool joined = true;  // all work comes before the origin's last
  std::vector<WorkPointer> reached = {origin.last};
  reached.insert(reached.end(), origin.also_after.begin(), origin.also_after.end());
  for (size_t i = 0; i < reached.size(); ++i)
    if (reached[i])
      for (const WorkPointer& each : reached[i]->after)
        if (std::find(reached.begin(), reached.end(), each) == reached.end()) reached.push_back(each);
  for (const WorkPointer& each : graph->works)
    joined = joined && std::find(reached.begin(), reached.end(), each) != reached.end();
  for (Stream* stream : streams)
    if (stream->capture == graph) {
      stream->capture = nullptr;
      stream->last = nullptr;
      stream->also_after.clear();
    }
  if (!joined) return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
  *made = reinterpret_cast<CUgraph>(new std::shared_ptr<Graph>(graph));
  return fault;
}
CUresult cuStreamIsCapturing(CUstream any, CUstreamCaptureStatus* status) {
  const Guard guard(lock);
  *status = stream_of(any).capture ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
  return CUDA_SUCCESS;
}
CUresult cuGraphInstantiateWithFlags(CUgraphExec* made, CUgraph graph, unsigned long long) {
  *made = reinterpret_cast<CUgraphExec>(
      new std::shared_ptr<Graph>(*reinterpret_cast<std::shared_ptr<Graph>*>(graph)));
  return CUDA_SUCCESS;
}
CUresult cuGraphLaunch(CUgraphExec executable, CUstream any) {
  const Guard guard(lock);
  if (fault) return fault;
  const std::shared_ptr<Graph> graph = *reinterpret_cast<std::shared_ptr<Graph>*>(executable);
  stream_of(any).enqueue(CU_GRAPH_NODE_TYPE_GRAPH, [graph] {  // in any order that dependencies leave open
    static std::mt19937 random_numbers(1);
    std::vector<Work*> left;
    std::map<Work*, bool> done;
    for (const WorkPointer& each : graph->works) left.push_back(each.get());
    while (!left.empty() && fault == CUDA_SUCCESS) {
      std::vector<size_t> ready;
      for (size_t i = 0; i < left.size() && ready.size() < 8; ++i)
        if (std::all_of(left[i]->after.begin(), left[i]->after.end(),
                        [&](const WorkPointer& each) { return done[each.get()] || each->done; }))
          ready.push_back(i);
      if (ready.empty()) return;
      const size_t next = ready[random_numbers() % ready.size()];
      done[left[next]] = true;
      left[next]->run();
      left.erase(left.begin() + static_cast<std::ptrdiff_t>(next));
    }
  });
  return CUDA_SUCCESS;
}
CUresult cuGraphExecDestroy(CUgraphExec executable) {
  const Guard guard(lock);
  complete_all();
  delete reinterpret_cast<std::shared_ptr<Graph>*>(executable);
  return CUDA_SUCCESS;
}
CUresult cuGraphDestroy(CUgraph graph) {
  delete reinterpret_cast<std::shared_ptr<Graph>*>(graph);
  return CUDA_SUCCESS;
}
CUresult cuGraphGetNodes(CUgraph graph, CUgraphNode* nodes, size_t* count) {
  const Graph& captured = **reinterpret_cast<std::shared_ptr<Graph>*>(graph);
  if (nodes)
    for (size_t i = 0; i < *count; ++i) nodes[i] = reinterpret_cast<CUgraphNode>(captured.works[i].get());
  *count = captured.works.size();
  return CUDA_SUCCESS;
}
CUresult cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType* type) {
  *type = reinterpret_cast<Work*>(node)->type;
  return CUDA_SUCCESS;
}
CUresult cuGraphUpload(CUgraphExec, CUstream) { return CUDA_SUCCESS; }
CUresult cuEventCreate(CUevent* event, unsigned) {
  *event = reinterpret_cast<CUevent>(new Event);
  return CUDA_SUCCESS;
}
CUresult cuEventDestroy(CUevent event) {
  const Guard guard(lock);
  delete reinterpret_cast<Event*>(event);
  return CUDA_SUCCESS;
}
CUresult cuEventRecord(CUevent event, CUstream any) {
  const Guard guard(lock);
  Stream& stream = stream_of(any);
  if (!stream.also_after.empty() || (stream.capture && !stream.last))
    stream.enqueue(CU_GRAPH_NODE_TYPE_EMPTY, [] {});
  *reinterpret_cast<Event*>(event) = {stream.last, stream.capture};
  return fault;
}
CUresult cuEventSynchronize(CUevent event) {
  const Guard guard(lock);
  complete(reinterpret_cast<Event*>(event)->work);
  return fault;
}
CUresult cuEventElapsedTime(float* milliseconds, CUevent, CUevent) {
  *milliseconds = 1;
  return CUDA_SUCCESS;
}
}
