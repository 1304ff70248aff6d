// What a build writes down, for `explain` and `diff`: kept in the engine as JSON text.
#pragma once

#include "build/model.h"
#include "build/program_builder.h"

namespace burnish::build_internal {

/// JSON text, the same for the same model, options, tuning cache and device:
///   model, burnish, device, options   what was asked for
///   rewrites, near_misses             [{rule, where, what | reason}]: `where` names the model's nodes
///   refused_regions                   [{where, ops, us, reason}]
///   precision                         [what stays in FP32 and why]
///   kernels                           [{node, value, op, inside, tactic, candidate, us, problem}] in the
///   order of the run;
///                                     us is null where nothing was timed, problem an index
///   problems                          [{text, alternatives: [{tactic, candidate, us} | {tactic, candidate,
///   reason}]}]
std::string make_record(const model_internal::ModelState& model, const plan::Program& program,
                        const ProgramContext& context);

}  // namespace burnish::build_internal
