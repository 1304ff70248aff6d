#include "device/concrete_body.h"

#include <set>

#include "ops/infer.h"

namespace burnish::device {

std::shared_ptr<ir::Graph> concrete_body(const Problem& problem, const BindArguments& arguments) {
  std::shared_ptr<ir::Graph> body = problem.body().clone();
  if (problem.is_static()) return body;
  for (size_t i = 0; i < body->inputs().size(); ++i) {
    const Shape& shape = arguments.inputs[i].shape;
    body->value(body->inputs()[i]).type.shape.assign(shape.begin(), shape.end());
  }
  ops::infer(*body);
  body->symbols.clear();
  return body;
}

bool sizes_are_told(const Problem& problem) {
  std::set<std::string> told;
  for (int i = 0; i < problem.input_count(); ++i)
    for (const ir::Dim& dim : problem.input(i).shape)
      if (const auto symbol = dim.symbol_name()) told.insert(*symbol);
  for (const auto& [symbol, range] : problem.body().symbols)
    if (!told.contains(symbol)) return false;
  return true;
}

}  // namespace burnish::device
