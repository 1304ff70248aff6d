// The choice among regions, kernels and layouts: the cover of the graph with the least time.
#pragma once

#include <functional>
#include <vector>

#include "tune/tuner.h"

namespace burnish::cover {

struct CoverOptions {
  bool fuse = true;  ///< false: every op by itself
  std::function<void(double fraction)> on_progress;
  std::function<bool()> cancelled;
};

/// A region of several nodes that was weighed and not taken.
struct RefusedRegion {
  std::string where;        ///< the model's nodes
  std::string ops;          ///< "conv, add, relu"
  double microseconds = 0;  ///< of its fastest kernel, as measured; 0: not measured
  std::string reason;
};

struct Covered {
  /// By node index of the graph as it is afterwards.
  std::vector<device::Choice> choices;
  double microseconds = 0;  ///< the sum of what was measured or guessed
  /// For `explain`; without those that lie inside a region taken.
  std::vector<RefusedRegion> refused;
};

/// Rewrites `graph` so that each node that runs is one kernel, with reformats between layouts; types carry the layouts
/// chosen. A dynamic program over the graph's order: its state is the regions begun and the layouts in
/// which each live value is there; the cheapest states go on (a beam), with reformats as timed edges.
Covered cover(ir::Graph& graph, tune::Tuner& tuner, const CoverOptions& options);

}  // namespace burnish::cover
