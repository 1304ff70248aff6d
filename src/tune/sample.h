// Which part of a huge problem's results is compared with the reference.
#pragma once

#include <vector>

#include "device/problem.h"

namespace burnish::tune {

/// Entries of dimension 0, the batch, that are computed on the reference and compared; the kernel under trial computes all.
struct Sample {
  int64_t batch = 0;             ///< the size of dimension 0; 0: everything is compared
  std::vector<int64_t> entries;  ///< ascending: the first, the last and seeded ones between
  std::vector<bool> inputs;      ///< the problem's inputs that have the batch
  explicit operator bool() const { return batch > 0; }
};

/// The sample of a static problem: a part where there is much to compute and each entry of the batch is computed from that
/// entry of the inputs alone, as convolutions, pools, products and pointwise ops do; else everything.
Sample sample_of(const device::Problem& problem);

}  // namespace burnish::tune
