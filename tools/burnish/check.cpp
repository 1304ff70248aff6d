#include "check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/dispatch.h"
#include "base/distance.h"
#include "base/error.h"

namespace burnish::tool {

Difference difference(const Tensor& result, const Tensor& expected) {
  require(result.dtype() == expected.dtype() && result.shape() == expected.shape(),
          "{} {} where {} {} was expected", dtype_name(result.dtype()), shape_text(result.shape()),
          dtype_name(expected.dtype()), shape_text(expected.shape()));
  Difference made;
  made.relative_l2 = relative_error(result, expected);
  dispatch(NumberAndBoolTypes{}, expected.dtype(), [&]<class T>(Type<T>) {
    const T *a = result.data<T>(), *b = expected.data<T>();
    for (int64_t i = 0; i < expected.size(); ++i) {
      const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
      if (x == y || (std::isnan(x) && std::isnan(y))) continue;
      const double apart = std::abs(x - y);
      made.largest_absolute = std::max(made.largest_absolute,
                                       std::isnan(apart) ? std::numeric_limits<double>::infinity() : apart);
    }
  });
  return made;
}

double default_tolerance(const CommonOptions& options, const ir::Graph& graph) {
  // Accumulated roundings of a deep network: a hundred or so times the type's own.
  static const std::map<std::string, double> by_precision = {{"fp32", 1e-4}, {"tf32", 5e-3}, {"fp16", 2.5e-2},
                                                             {"bf16", 1e-1}, {"int8", 1e-1}, {"fp8", 2e-1}};
  double tolerance = by_precision.at("fp32");
  for (const std::string& name : options.precision) {
    const auto found = by_precision.find(name);
    if (found != by_precision.end()) tolerance = std::max(tolerance, found->second);
  }
  for (ir::NodeId id : graph.order())
    if (graph.node(id).op->name.find("quantize") != std::string::npos) tolerance = std::max(tolerance, 5e-2);
  return tolerance;
}

namespace {

/// Levenshtein's.
size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i + 1);
    for (size_t j = 0; j < b.size(); ++j)
      diagonal = std::exchange(row[j + 1], std::min({row[j] + 1, row[j + 1] + 1, diagonal + (a[i] != b[j])}));
  }
  return row.back();
}

}  // namespace

std::string near_names(const std::string& name, const std::vector<std::string>& known) {
  constexpr size_t shown = 5;
  std::vector<std::pair<size_t, std::string>> ranked;
  for (const std::string& other : known) {
    const bool holds = other.find(name) != std::string::npos || name.find(other) != std::string::npos;
    ranked.emplace_back(holds ? 0 : edit_distance(name, other), other);
  }
  std::sort(ranked.begin(), ranked.end());
  std::string text;
  for (size_t i = 0; i < std::min(shown, ranked.size()); ++i)
    text += fmt::format("{}'{}'", i ? ", " : "; near it are ", ranked[i].second);
  return text;
}

}  // namespace burnish::tool
