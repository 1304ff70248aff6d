#include "build/shapes.h"

#include <fmt/format.h>

#include <set>

#include "base/error.h"
#include "ops/infer.h"

namespace burnish::build_internal {
namespace {

using Replacements = std::map<std::string, ir::Dim, std::less<>>;

ir::Value& input_named(ir::Graph& graph, const std::string& name) {
  std::string names;
  for (ir::ValueId id : graph.inputs()) {
    if (graph.value(id).name == name) return graph.value(id);
    names += (names.empty() ? "'" : ", '") + graph.value(id).name + "'";
  }
  throw UsageError(fmt::format("there is no input '{}'; the model takes {}", name, names));
}

void check_rank(const ir::Value& input, const Shape& shape) {
  if (static_cast<int64_t>(shape.size()) != input.type.rank())
    throw UsageError(fmt::format("input '{}': shape {} has rank {}, the model's is [{}]", input.name, shape_text(shape), shape.size(), ir::dims_text(input.type.shape)));
}

void fix_shape(ir::Value& input, const Shape& shape, Replacements& replacements) {
  check_rank(input, shape);
  for (size_t i = 0; i < shape.size(); ++i) {
    const ir::Dim& dim = input.type.shape[i];
    if (dim.is_constant() && !dim.is(shape[i]))
      throw UsageError(fmt::format("input '{}': dimension {} is {} in the model, not {}", input.name, i, dim.str(), shape[i]));
    if (const auto symbol = dim.symbol_name()) {
      const auto [known, fresh] = replacements.emplace(*symbol, ir::Dim(shape[i]));
      if (!fresh && !known->second.is(shape[i]))
        throw UsageError(fmt::format("input '{}': dimension '{}' is {} here and {} elsewhere", input.name, *symbol, shape[i], known->second.str()));
    } else {
      input.type.shape[i] = ir::Dim(shape[i]);
    }
  }
}

void set_range(ir::Graph& graph, ir::Value& input, const ShapeRange& range, Replacements& replacements) {
  for (const Shape* shape : {&range.min, &range.opt, &range.max}) check_rank(input, *shape);
  for (size_t i = 0; i < range.opt.size(); ++i) {
    const int64_t low = range.min[i], best = range.opt[i], high = range.max[i];
    if (low > best || best > high)
      throw UsageError(fmt::format("input '{}': dimension {} has min {}, opt {} and max {}; they must not decrease", input.name, i, low, best, high));
    const auto symbol = input.type.shape[i].symbol_name();
    if (!symbol) {
      if (!input.type.shape[i].is(low) || low != high)
        throw UsageError(fmt::format("input '{}': dimension {} is {} in the model and cannot range from {} to {}", input.name, i, input.type.shape[i].str(), low, high));
    } else if (low == high) {
      replacements.emplace(*symbol, ir::Dim(low));
    } else {
      graph.symbols[*symbol] = {low, best, high};
    }
  }
}

}  // namespace

void apply_shapes(ir::Graph& graph, const BuildOptions& options) {
  Replacements replacements;
  for (const auto& [name, shape] : options.shapes) fix_shape(input_named(graph, name), shape, replacements);
  for (const auto& [name, range] : options.shape_ranges) set_range(graph, input_named(graph, name), range, replacements);
  for (ir::ValueId id : graph.inputs()) {
    ir::Value& input = graph.value(id);
    std::set<std::string> open;
    for (ir::Dim& dim : input.type.shape) {
      dim = dim.substitute(replacements);
      dim.collect_symbols(open);
    }
    for (const std::string& symbol : open) {
      if (options.shape_ranges.contains(input.name) || (graph.symbols.contains(symbol) && graph.symbols[symbol].max >= 0)) continue;
      throw UsageError(fmt::format("input '{}' has the dynamic shape [{}]: fix it with --shape {}={}, or give a range with --min-shape, --opt-shape and --max-shape",
                                   input.name, ir::dims_text(input.type.shape), input.name, [&] {
                                     Shape example;
                                     for (const ir::Dim& dim : input.type.shape) example.push_back(dim.is_constant() ? dim.constant() : 1);
                                     return shape_text(example);
                                   }()));
    }
  }
  for (const auto& [symbol, dim] : replacements) graph.symbols.erase(symbol);
  ops::substitute(graph, replacements);
}

}  // namespace burnish::build_internal
