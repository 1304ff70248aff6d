// Runs a program: plans per set of shapes, the arena, and the values that outlive a segment.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <burnish/runtime.h>

#include "plan/segment.h"

namespace burnish::runtime {

class Profiler;

/// One thread of execution over one Program. Not for use by several threads at once.
class Execution {
 public:
  explicit Execution(std::shared_ptr<const plan::Program> program);
  ~Execution();

  /// One tensor per graph input, on the host or the device; gives one per graph output, on the device.
  /// `outputs` may hold tensors to write into (of the right type, on the device); empty ones are made.
  /// Must be called inside Device::execute. Does not wait for the device.
  std::vector<Tensor> run(const std::vector<Tensor>& inputs, std::vector<Tensor> outputs, device::Stream& stream);

  /// Makes room at once for the largest shapes, where they are bounded, so that no run at new ones waits for memory.
  /// Not on the host, and not for more than a small part of the device's memory.
  void make_room_for_largest(device::Stream& stream);

  /// As run(), for inputs of shapes that a run has seen, which allocates nothing but `outputs` that are empty; each of them
  /// is the result then. False, and nothing done, where run() must do it: new shapes, a device other than the host, or a
  /// program whose runs need more than their inputs' shapes and one plan (sizes that depend on data, If, Loop, Scan).
  bool run_again(std::span<const Tensor* const> inputs, std::span<Tensor* const> outputs, device::Stream& stream);

  /// Of the plans that the last run used; `peak_device` is all that this object and its program's constants hold.
  MemoryUse memory() const;
  const plan::Program& program() const { return *program_; }
  int steps_run() const { return steps_run_; }
  int fallback_steps_run() const { return fallback_steps_run_; }
  /// The segments of the last run, for `inspect`.
  std::vector<const plan::Segment*> last_segments() const;
  void set_profiler(Profiler* profiler) { profiler_ = profiler; }

 private:
  struct Ready;  // a segment with its pointers
  struct Run;    // what one run knows

  Ready& segment_at(size_t position, Run& run);
  /// Before a run: during it, its own plans stay.
  void drop_old_plans();
  void run_segment(Ready& ready, Run& run);
  /// Notes the inputs' shapes in the plan of a run that it was all of, for run_again().
  void remember(const std::vector<Tensor>& inputs);
  Ready* plan_for(std::span<const Tensor* const> inputs);
  void make_room(int64_t arena_bytes, device::Stream& stream);
  void count(const plan::Segment& segment);
  /// Points the steps to the arena and, by `bases` of value indices, to what lies outside.
  void point_steps(Ready& ready, const std::vector<void*>& bases) const;
  /// All that the steps' work is told: what a captured graph of it depends on.
  std::vector<const void*> addresses(const Ready& ready) const;
  void enqueue_steps(Ready& ready, device::Stream& caller);
  void enqueue_step(Ready& ready, size_t i, device::Stream& stream);
  void prepare_streams(Ready& ready);
  /// Tells each kernel what to ask for of the packed weights that kernels behind it read first: as much as memory can bring
  /// while it runs, and the cache can keep.
  void prepare_prefetch(Ready& ready);
  void profile_steps(Ready& ready, Run& run);
  void run_host_node(ir::NodeId id, Run& run);
  std::vector<Tensor> run_control(ir::NodeId id, Run& run);
  std::vector<Tensor> run_loop(ir::NodeId id, std::vector<Tensor> inputs, device::Stream& stream);
  /// A value that exists already; empty for an omitted operand.
  Tensor operand(ir::ValueId id, Run& run);
  Tensor on_device(const Tensor& tensor, device::Stream& stream);
  Tensor on_host(const Tensor& tensor, device::Stream& stream);
  std::vector<Tensor> run_body(ir::NodeId id, size_t body, std::vector<Tensor> inputs, device::Stream& stream);

  std::shared_ptr<const plan::Program> program_;
  device::Device& device_;
  std::vector<ir::NodeId> order_;
  std::list<std::unique_ptr<Ready>> ready_;  // most recently used first
  std::unordered_map<std::string, std::list<std::unique_ptr<Ready>>::iterator> by_key_;
  Tensor arena_;
  std::vector<void*> bases_;  // by value index, during a run: where what lies outside the arena begins
  std::vector<std::unique_ptr<device::Stream>> side_streams_;  // stream 1 and on: stream 0 is the caller's
  std::map<std::pair<int32_t, size_t>, std::unique_ptr<Execution>> bodies_;
  MemoryUse memory_;
  int steps_run_ = 0, fallback_steps_run_ = 0;
  std::vector<Ready*> last_;
  Profiler* profiler_ = nullptr;
};

/// Times each step of a run, waiting for the device after each: for --profile and the tuner's re-timing.
class Profiler {
 public:
  struct Row {
    std::string name, kernel;
    double microseconds = 0;
    int calls = 0;
  };
  void record(const plan::Program& program, const plan::Step& step, double microseconds);
  const std::map<int32_t, Row>& rows() const { return rows_; }

  /// Also shows every value made, by its id in the program's graph, if set.
  std::function<void(const plan::Program&, ir::ValueId, const device::BoundTensor&, const void*)> observe;

 private:
  std::map<int32_t, Row> rows_;  // by node index, -1 for copies
};

}  // namespace burnish::runtime
