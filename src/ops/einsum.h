// The equations of einsum.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace burnish::ops {

/// A dimension's name in an equation: the letter's code, or `ellipsis_label` + the place counted from the
/// right among the dimensions that an ellipsis stands for.
using Label = int;
inline constexpr Label ellipsis_label = 1000;
using Labels = std::vector<Label>;

struct Equation {
  std::vector<Labels> inputs;  ///< one label per dimension of each input
  Labels output;
};

/// "bij,bjk->bik", "...ii->...i", "ij,jk" (the output implied as NumPy does). `ranks` are the inputs'. Throws
/// Error that names what is wrong with the equation.
Equation parse_equation(std::string_view equation, const std::vector<int64_t>& ranks);

bool contains(const Labels& labels, Label label);

}  // namespace burnish::ops
