// Graphs made from a rule's own pattern, with random tensors.
#pragma once

#include <random>

#include "../support/random_tensor.h"
#include "rewrite/rule.h"

namespace burnish::testing {

/// A graph that `rule` matches, by one of the rule's `test` lines. Alternatives and the order of commutative
/// inputs are drawn at random. With `symbolic`, shapes keep the line's symbols; else `sizes` stand in their
/// places.
std::shared_ptr<ir::Graph> graph_of(const rewrite::Rule& rule, const rewrite::Test& test,
                                    const ir::Bindings& sizes, bool symbolic, std::mt19937& random);

/// Every symbol of the line with a random small size.
ir::Bindings random_sizes(const rewrite::Test& test, std::mt19937& random);

}  // namespace burnish::testing
