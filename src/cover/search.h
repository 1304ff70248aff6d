// The dynamic program of cover().
#pragma once

#include <vector>

#include "cover/regions.h"
#include "tune/tuner.h"

namespace burnish::cover {

/// One way to run a region: layouts of the problem's inputs and outputs, and the fastest kernel for them.
struct Option {
  std::vector<ir::Layout> layouts;
  device::Problem problem;
  const tune::Timed* timed = nullptr;
  double microseconds = 0;  ///< what the search goes by
};

struct Weighed {
  Region region;
  device::Problem problem;  ///< plain
  std::vector<Option> options;
  std::string refusal;  ///< why a kernel that takes it was refused when it was tried, if one was
};

/// A region and the option taken for it.
struct Decision {
  int weighed = 0, option = 0;
};

/// Microseconds to bring `value` from one layout to another.
using ReformatCost = std::function<double(const ir::TensorType& type, ir::Layout from, ir::Layout to)>;

/// Kernels within this share of the fastest count as equally fast.
inline constexpr double equally_fast = 0.04;

/// Decisions in the order in which their kernels run. Times measured one by one are off by more than what the last few
/// kernels save: of covers that are nearly as fast as the fastest, the one of fewest kernels is taken.
std::vector<Decision> search(const ir::Graph& graph, const std::vector<Weighed>& weighed, const ReformatCost& reformat_cost, double* total);

}  // namespace burnish::cover
