#include "device/bindings.h"

#include <algorithm>

#include "base/error.h"

namespace burnish::device {

ir::Bindings bindings_of(const Problem& problem, const BindArguments& arguments) {
  ir::Bindings bindings;
  if (problem.is_static()) return bindings;
  std::vector<std::pair<ir::Dim, int64_t>> open;  // dimensions that are expressions
  const auto bind = [&](const std::vector<ir::Dim>& dims, const Shape& shape) {
    for (size_t d = 0; d < dims.size(); ++d) {
      if (const auto symbol = dims[d].symbol_name())
        bindings[*symbol] = shape.at(d);
      else if (!dims[d].is_constant())
        open.emplace_back(dims[d], shape.at(d));
    }
  };
  for (int i = 0; i < problem.input_count(); ++i) bind(problem.input(i).shape, arguments.inputs[static_cast<size_t>(i)].shape);
  // Sizes that follow from operands' contents are seen in the outputs alone.
  for (int i = 0; i < problem.output_count(); ++i) bind(problem.output(i).shape, arguments.outputs[static_cast<size_t>(i)].shape);
  for (const auto& [symbol, range] : problem.body().symbols) {
    if (bindings.contains(symbol)) continue;
    constexpr int64_t largest = 1 << 16;
    const int64_t last = range.max > 0 ? range.max : largest;
    const auto fits = [&](int64_t value) {
      bindings[symbol] = value;
      for (const auto& [dim, size] : open) {
        std::set<std::string> symbols;
        dim.collect_symbols(symbols);
        const bool known = std::all_of(symbols.begin(), symbols.end(),
                                       [&](const std::string& each) { return bindings.contains(each); });
        if (known && dim.evaluate(bindings) != size) return false;
      }
      return true;
    };
    const auto known = arguments.symbols ? arguments.symbols->find(symbol) : ir::Bindings::const_iterator();
    if (arguments.symbols && known != arguments.symbols->end() && fits(known->second)) continue;
    int64_t value = std::max<int64_t>(range.min, 1);
    while (value <= last && !fits(value)) ++value;
    require(value <= last, "no value of '{}' gives the shapes of this run", symbol);
  }
  return bindings;
}

}  // namespace burnish::device
