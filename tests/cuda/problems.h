// Problems of odd sizes for every kernel of the CUDA backend, as text.
#pragma once

#include <string>
#include <vector>

namespace burnish::cuda_tests {

/// Small: the reference answers each in well under a second. All, or those in whose text the regular
/// expression in BURNISH_TEST_PROBLEM finds something.
const std::vector<std::string>& small_problems();

/// Whether only sm_90's own kernels take the problem.
bool hopper_alone(const std::string& problem);

/// Whether to test the tactic of the name: all, or those that the regular expression in BURNISH_TEST_TACTIC
/// finds.
bool wanted(const std::string& tactic);

/// Into so many parts the tests are cut.
inline constexpr size_t shares = 16;
std::vector<std::string> share_of_problems(size_t share);

}  // namespace burnish::cuda_tests
