#include "base/distance.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/dispatch.h"
#include "base/parallel.h"

namespace burnish {
namespace {

constexpr int64_t grain = 1 << 15;  ///< elements of a partial sum: cut by size alone, so that sums repeat

/// Sums over a run of two tensors' elements.
struct Distance {
  double difference = 0, norm = 0;
  bool bad = false;
};

template <class T>
Distance distance(const T* a, const T* b, int64_t begin, int64_t end) {
  Distance sum;
  for (int64_t i = begin; i < end; ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    if (std::isnan(x) != std::isnan(y)) sum.bad = true;
    if (!std::isfinite(x) || !std::isfinite(y)) {
      sum.bad = sum.bad || (std::isinf(y) && x != y) || (std::isinf(x) && x != y);
      continue;
    }
    sum.difference += (x - y) * (x - y);
    sum.norm += y * y;
  }
  return sum;
}

}  // namespace

double relative_error(const Tensor& result, const Tensor& expected) {
  const int64_t runs = (expected.size() + grain - 1) / grain;
  std::vector<Distance> parts(static_cast<size_t>(runs));
  dispatch(NumberAndBoolTypes{}, expected.dtype(), [&]<class T>(Type<T>) {
    const T* a = result.data<T>();
    const T* b = expected.data<T>();
    parallel_for(runs, 1, [&](int64_t begin, int64_t end) {
      for (int64_t run = begin; run < end; ++run)
        parts[static_cast<size_t>(run)] =
            distance(a, b, run * grain, std::min(expected.size(), (run + 1) * grain));
    });
  });
  Distance all;
  for (const Distance& part : parts) {
    all.difference += part.difference;
    all.norm += part.norm;
    all.bad = all.bad || part.bad;
  }
  if (all.bad) return std::numeric_limits<double>::infinity();
  return all.norm > 0 ? std::sqrt(all.difference / all.norm) : std::sqrt(all.difference);
}

double largest_error(const std::vector<Tensor>& results, const std::vector<Tensor>& expected) {
  double largest = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (results[i].dtype() != expected[i].dtype() || results[i].shape() != expected[i].shape())
      return std::numeric_limits<double>::infinity();
    largest = std::max(largest, relative_error(results[i], expected[i]));
  }
  return largest;
}

}  // namespace burnish
