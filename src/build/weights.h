// The model's weights through a build: what a later refit may change, and what it may not.
#pragma once

#include "build/model.h"
#include "plan/program.h"
#include "rewrite/log.h"
#include "runtime/engine_state.h"

namespace burnish::build_internal {

/// Tells `log` which of the graph's constants are the model's weights, and fixes those that shapes depend on.
void declare_weights(const model_internal::ModelState& model, const ir::Graph& graph, rewrite::RewriteLog& log);

/// What Engine::refit must know of each weight, by name.
std::map<std::string, engine_internal::WeightSource> weight_sources(const model_internal::ModelState& model, const plan::Program& program,
                                                                    const rewrite::RewriteLog& log);

}  // namespace burnish::build_internal
