// Any bytes as the IR's text: a graph, or an Error. What parses is verified and typed as the loader of
// engines does it, prints as text that parses to the same, and has dimensions whose sizes are the same
// whichever way they are worked out.
#include "fuzz/target.h"
#include "ir/graph.h"
#include "ops/check_types.h"
#include "ops/table.h"

using namespace burnish;

namespace {

/// With every symbol at its opt: by evaluation, and by putting the numbers in and simplifying again.
void expect_same_sizes(const ir::Graph& graph) {
  ir::Bindings bindings;
  std::map<std::string, ir::Dim, std::less<>> replacements;
  for (const auto& [symbol, range] : graph.symbols) {
    if (range.opt < 1) return;  // what dimensions take for granted of symbols
    bindings.emplace(symbol, range.opt);
    replacements.emplace(symbol, ir::Dim(range.opt));
  }
  const auto check = [&](ir::ValueId id) {
    if (!id) return;
    const std::vector<ir::Dim>& dims = graph.value(id).type.shape;
    const std::vector<int64_t> sizes = ir::evaluate(dims, bindings);
    for (size_t d = 0; d < dims.size(); ++d)
      fuzz::expect_equal(std::to_string(sizes[d]), dims[d].substitute(replacements).str());
  };
  for (ir::ValueId input : graph.inputs()) check(input);
  for (ir::NodeId node : graph.order())
    for (ir::ValueId output : graph.node(node).outputs) check(output);
}

/// What is left when the dead parts are gone is a graph like any.
void expect_whole_without_dead_parts(const ir::Graph& graph) {
  const std::shared_ptr<ir::Graph> copy = graph.clone();
  fuzz::expect_equal(ir::print(graph), ir::print(*copy));
  copy->remove_dead();
  copy->sort();
  ir::verify(*copy);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::shared_ptr<ir::Graph> graph;
  if (!fuzz::expect_error_or_success([&] { graph = ir::parse(text, ops::op_lookup()); })) return 0;
  const std::string printed = ir::print(*graph);
  const std::string again = ir::print(*ir::parse(printed, ops::op_lookup()));  // an Error here is a finding
  fuzz::expect_equal(printed, again);
  fuzz::expect_error_or_success([&] { expect_same_sizes(*graph); });
  if (!fuzz::expect_error_or_success([&] { ir::verify(*graph); })) return 0;
  expect_whole_without_dead_parts(*graph);
  fuzz::expect_error_or_success([&] { ops::check_types(*graph); });
  return 0;
}
