// Graphs made from a rule's own pattern, with random tensors.
#pragma once

#include <random>

#include "rewrite/rule.h"

namespace burnish::testing {

/// A graph that `rule` matches, by one of the rule's `test` lines. Alternatives and the order of commutative
/// inputs are drawn at random. With `symbolic`, shapes keep the line's symbols; else `sizes` stand in their
/// places.
std::shared_ptr<ir::Graph> graph_of(const rewrite::Rule& rule, const rewrite::Test& test,
                                    const ir::Bindings& sizes, bool symbolic, std::mt19937& random);

/// Every symbol of the line with a random small size.
ir::Bindings random_sizes(const rewrite::Test& test, std::mt19937& random);

/// Random elements: floats in [-2, 2] (or [0.1, 2]), integers in [-3, 3] (or [1, 3]), booleans.
Tensor random_tensor(DType dtype, const Shape& shape, bool is_positive, std::mt19937& random);

/// The largest |a - b| / (1 + |b|) over all elements; NaN equals NaN. Infinite where shapes or types differ.
double largest_difference(const Tensor& a, const Tensor& b);

}  // namespace burnish::testing
