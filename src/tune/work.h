// How much a problem has to do, for the model that ranks what is not measured.
#pragma once

#include "device/problem.h"

namespace burnish::tune {

struct Work {
  double multiply_adds = 0;     ///< of contractions
  double other_operations = 0;  ///< one per element made by any other op
  double bytes = 0;             ///< read once and written once
};

/// `problem` must be static.
Work work_of(const device::Problem& problem);

}  // namespace burnish::tune
