#include "build/program_builder.h"

#include <fmt/format.h>

#include "base/error.h"
#include "build/pipeline.h"
#include "ops/infer.h"
#include "precision/lower.h"

namespace burnish::build_internal {
namespace {

/// A body is planned for whatever comes in: dimensions that are expressions of the outer graph's symbols
/// become symbols of its own, bound when it runs.
void free_input_shapes(ir::Graph& body) {
  int made = 0;
  for (ir::ValueId id : body.inputs())
    for (ir::Dim& dim : body.value(id).type.shape)
      if (!dim.is_constant() && !dim.symbol_name()) dim = ir::Dim::symbol(fmt::format("body{}", made++));
  ops::infer(body);
}

}  // namespace

std::shared_ptr<plan::Program> build_program(std::shared_ptr<ir::Graph> graph, ProgramContext& context, std::optional<DType> narrow) {
  const BuildOptions& options = context.options;
  optimize(*graph, {options.passes, &context.more_rules}, context.log);
  graph->remove_dead();
  if (narrow) {
    precision::LowerOptions lower;
    lower.narrow = *narrow;
    context.precision_notes = precision::lower_precision(*graph, lower);
    optimize_lowered(*graph, context.log);
  }
  cover::CoverOptions cover_options;
  cover_options.fuse = options.passes;
  cover_options.cancelled = options.cancelled;
  if (options.on_progress) cover_options.on_progress = [&](double fraction) { options.on_progress(fraction, "choosing kernels"); };
  cover::Covered covered = cover::cover(*graph, context.tuner, cover_options);
  context.microseconds += covered.microseconds;
  std::move(covered.refused.begin(), covered.refused.end(), std::back_inserter(context.refused_regions));

  std::map<int32_t, std::vector<std::shared_ptr<const plan::Program>>> bodies;
  for (ir::NodeId id : graph->order()) {
    if (!plan::is_control(graph->node(id))) continue;
    for (const std::shared_ptr<ir::Graph>& body : graph->node(id).bodies) {
      std::shared_ptr<ir::Graph> copy = body->clone();
      free_input_shapes(*copy);
      bodies[id.index].push_back(build_program(copy, context));
    }
  }
  if (options.cancelled && options.cancelled()) throw Cancelled();
  return plan::load_program(std::move(graph), std::move(covered.choices), std::move(bodies), context.device);
}

}  // namespace burnish::build_internal
