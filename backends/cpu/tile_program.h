// Bodies of pointwise ops run as programs over tiles: each op is one kernel call on a run of elements that
// stays in L1. Nothing is compiled at run time, and any body that consists of pointwise ops has a program.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "backends/cpu/physical_view.h"
#include "backends/cpu/tile_kernels.h"
#include "device/tactic.h"
#include "ops/pointwise.h"

namespace burnish::cpu {

/// A program bound to shapes. run() may be called by many threads at once.
class BoundProgram {
 public:
  /// Computes elements [begin, begin + count) of the results, counted in the physical order of their space.
  /// `inputs` and `results` are the whole tensors, in the order of the program's; `anchors` are what the
  /// kernel around it has computed: `count` elements each, those of this run. A result's memory may be an
  /// anchor's.
  void run(int64_t begin, int64_t count, const void* const* inputs, const void* const* anchors,
           void* const* results) const;
  /// A run that writes its results to `count` elements at each pointer, instead of into whole tensors.
  void run_into(int64_t begin, int64_t count, const void* const* inputs, const void* const* anchors,
                void* const* results) const;

  /// Elements in the space that results share.
  int64_t size() const { return size_; }
  /// Sizes of all elements are best split at multiples of this.
  int64_t tile() const { return tile_; }
  /// Whether result 0 may lie in the memory of input `i`.
  bool may_overwrite(size_t i) const;

 private:
  friend class TileProgram;
  friend class TileProgramBinder;
  /// Where a step finds an operand, or puts its result.
  struct Place {
    enum Kind : uint8_t { input, literal, anchor, result, scratch } kind = scratch;
    int32_t index = 0;        // which of its kind
    int32_t bytes = 4;        // of one element
    bool dense = true;        // walks memory as the space does; else `strides` say how
    bool inner_only = false;  // the same for every row of the innermost dimension
    int32_t slot = 0;         // in scratch, for what is not dense
    const void* data = nullptr;
    std::vector<int64_t> strides;
  };
  struct Step {
    TileKernel kernel = nullptr;  // or
    ops::PointwiseLoop loop = nullptr;
    const ir::Attributes* attributes = nullptr;
    float parameters[2] = {};
    int32_t inputs[3] = {};  // places
    int32_t input_count = 0, output = 0;
  };
  struct Run;
  void assign_memory();
  void run_all(Run& run, int64_t begin, int64_t count) const;
  void run_tile(Run& run, int64_t begin, int64_t count) const;
  const void* operand(Run& run, const Place& place, int64_t begin, int64_t count) const;
  void fill(const Place& place, const char* from, char* to, int64_t begin, int64_t count) const;

  std::vector<Place> places_;
  std::vector<Step> steps_;
  Shape sizes_;  // of the space, dimensions merged where all operands allow
  int64_t size_ = 0, tile_ = 0, slot_bytes_ = 0;
  int32_t fills_ = 0;  // slots 0 to this hold operands that are not dense
};

/// The pointwise nodes of a body, or some of them.
class TileProgram {
 public:
  /// Whether `nodes` of the problem can run: all pointwise, `results` of one shape.
  static Support supports(const device::Problem& problem, std::span<const ir::NodeId> nodes,
                          std::span<const ir::ValueId> anchors, std::span<const ir::ValueId> results);
  /// `anchors`: values that are neither inputs, literals nor made by `nodes`. The problem must outlive the
  /// program.
  TileProgram(const device::Problem& problem, std::vector<ir::NodeId> nodes, std::vector<ir::ValueId> anchors,
              std::vector<ir::ValueId> results);

  bool empty() const { return nodes_.empty(); }
  /// `space` is the results' shape and layout. run()'s inputs are the problem's.
  BoundProgram bind(const device::BindArguments& arguments, const device::BoundTensor& space) const;

 private:
  const device::Problem* problem_;
  std::vector<ir::NodeId> nodes_;
  std::vector<ir::ValueId> anchors_, results_;
};

}  // namespace burnish::cpu
