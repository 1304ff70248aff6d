// Bodies of pointwise ops, and pointwise ops alone, by the tile interpreter.
#include "backends/cpu/bound_function.h"
#include "backends/cpu/layouts.h"
#include "backends/cpu/simd_tactics.h"
#include "backends/cpu/tile_program.h"
#include "base/parallel.h"

namespace burnish::cpu {
namespace {

constexpr int64_t parallel_grain = 16 << 10;  ///< elements that are worth a thread

std::vector<ir::ValueId> results_of(const device::Problem& problem) {
  std::vector<ir::ValueId> results;
  for (const ir::Output& output : problem.body().outputs) results.push_back(output.value);
  return results;
}

class PointwiseTactic : public device::Tactic {
 public:
  std::string name() const override { return "simd.pointwise"; }

  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    if (problem.output_count() == 0 || problem.nodes().empty()) return Support::no("an empty body");
    const std::vector<ir::ValueId> results = results_of(problem);
    for (ir::ValueId result : results)
      if (!problem.body().value(result).producer) return Support::no("an output is an input");
    if (Support program = TileProgram::supports(problem, problem.nodes(), {}, results); !program)
      return program;
    return follows_output(problem);
  }

  std::vector<std::vector<ir::Layout>> layouts(const device::Problem& problem,
                                               const device::DeviceInfo&) const override {
    return shared_layouts(problem);
  }

  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate&,
                                       const std::string&, device::Device&) const override {
    return kernel_function([problem](const device::BindArguments& arguments) {
      const TileProgram program(problem, problem.nodes(), {}, results_of(problem));
      BoundProgram bound = program.bind(arguments, arguments.outputs[0]);
      int in_place = -1;
      for (size_t i = 0; i < arguments.inputs.size() && in_place < 0; ++i)
        if (!problem.is_weight(static_cast<int>(i)) && bound.may_overwrite(i)) in_place = static_cast<int>(i);
      return bound_function(
          [bound = std::move(bound),
           pointers = InputPointers(problem)](const device::Arguments& run) mutable {
            const void* const* inputs = pointers.resolve(run);
            const int64_t tile = bound.tile(), tiles = (bound.size() + tile - 1) / tile;
            parallel_for(tiles, std::max<int64_t>(1, parallel_grain / tile), [&](int64_t begin, int64_t end) {
              bound.run(begin * tile, std::min(end * tile, bound.size()) - begin * tile, inputs, nullptr,
                        run.outputs.data());
            });
          },
          0, in_place);
    });
  }
};

}  // namespace

const device::Tactic& pointwise_tactic() {
  static const PointwiseTactic tactic;
  return tactic;
}

}  // namespace burnish::cpu
