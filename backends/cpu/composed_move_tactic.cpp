// Several moves of elements as one copy: transposes, slices, concatenations and views that start from one
// tensor (a window partition of rolled pixels, the merging of patches). Where each element comes from is
// found once per set of shapes, by running the body on the numbers of the elements.
#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <numeric>

#include "backends/cpu/bound_function.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/simd_tactics.h"
#include "base/parallel.h"
#include "ops/evaluate.h"
#include "ops/table.h"

namespace burnish::cpu {
namespace {

constexpr int64_t grain = 64 << 10;  ///< bytes that are worth a thread

/// `count` neighbours of the input, from `from` on, become those of the output from `to` on.
struct Run {
  int32_t from, to, count;
};

std::vector<Run> find_runs(const device::Problem& problem, const Shape& shape) {
  const int64_t size = element_count(shape);
  require(size <= std::numeric_limits<int32_t>::max(), "{} elements are too many to number", size);
  Tensor numbers(DType::i32, shape);
  std::iota(numbers.data<int32_t>(), numbers.data<int32_t>() + size, 0);
  const Tensor moved = ops::evaluate(problem.body(), std::array{numbers})[0];
  const int32_t* from = moved.data<int32_t>();
  std::vector<Run> runs;
  for (int64_t i = 0; i < moved.size(); ++i) {
    if (!runs.empty() && from[i] == runs.back().from + runs.back().count)
      ++runs.back().count;
    else
      runs.push_back({from[i], static_cast<int32_t>(i), 1});
  }
  return runs;
}

/// Copies runs of elements of type T.
template <class T>
void copy_runs(const std::vector<Run>& runs, int64_t grain_runs, const void* source, void* target) {
  const T* from = static_cast<const T*>(source);
  T* to = static_cast<T*>(target);
  constexpr int32_t shortest_block = 8;  // from here on a call of memcpy pays
  parallel_for(static_cast<int64_t>(runs.size()), grain_runs, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Run& run = runs[static_cast<size_t>(i)];
      if (run.count >= shortest_block)
        std::memcpy(to + run.to, from + run.from, static_cast<size_t>(run.count) * sizeof(T));
      else
        for (int32_t j = 0; j < run.count; ++j) to[run.to + j] = from[run.from + j];
    }
  });
}

class ComposedMoveTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.composed_move"; }

  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (problem.nodes().size() < 2) return Support::no("one op");
    if (!problem.is_static()) return Support::no("runs are found for fixed sizes only");
    if (problem.input_count() != 1 || problem.output_count() != 1)
      return Support::no("not from one tensor to one");
    for (size_t i = 0; i < problem.nodes().size(); ++i) {
      const ir::Op* op = problem.node(i).op;
      const bool moves = op == &ops::def::transpose || op == &ops::def::slice || op == &ops::def::split ||
                         op == &ops::def::concat || (problem.op(i).view && op != &ops::def::bitcast);
      if (!moves) return Support::no("{} is no move of elements", op->name);
    }
    return only_plain(problem);
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    return kernel_function([problem](const device::BindArguments& arguments) {
      std::vector<Run> runs = find_runs(problem, arguments.inputs[0].shape);
      const int64_t bytes = arguments.outputs[0].bytes(), count = static_cast<int64_t>(runs.size());
      const int64_t grain_runs = std::max<int64_t>(1, grain * count / std::max<int64_t>(1, bytes));
      const int64_t width = dtype_bytes(arguments.outputs[0].dtype);
      return bound_function([runs = std::move(runs), grain_runs, width,
                             pointers = InputPointers(problem)](const device::Arguments& run) mutable {
        const auto copy = width == 1   ? copy_runs<uint8_t>
                          : width == 2 ? copy_runs<uint16_t>
                          : width == 4 ? copy_runs<uint32_t>
                                       : copy_runs<uint64_t>;
        copy(runs, grain_runs, pointers.resolve(run)[0], run.outputs[0]);
      });
    });
  }
};

}  // namespace

const device::Tactic& composed_move_tactic() {
  static const ComposedMoveTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
