// The families of small_problems() that have files of their own.
#pragma once

#include <string>
#include <vector>

namespace burnish::cuda_tests {

using Texts = std::vector<std::string>;

void add_contractions(Texts& texts);
void add_pooled(Texts& texts);
/// Operands that are parts of wider tensors: from pixel to pixel more than their own channels.
void add_pitched(Texts& texts);
/// Ops in front of a convolution: a norm with its activation, a gate, and what goes before and behind.
void add_prologues(Texts& texts);

}  // namespace burnish::cuda_tests
