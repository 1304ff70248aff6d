// Any bytes as the IR's text: what parses prints as text that parses to the same.
#include "fuzz/target.h"
#include "ir/graph.h"
#include "ops/table.h"

using namespace burnish;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::shared_ptr<ir::Graph> graph;
  fuzz::expect_error_or_success([&] { graph = ir::parse(text, ops::op_lookup()); });
  if (!graph) return 0;
  fuzz::expect_error_or_success([&] { ir::verify(*graph); });
  const std::string printed = ir::print(*graph);
  const std::string again = ir::print(*ir::parse(printed, ops::op_lookup()));  // an Error here is a finding
  fuzz::expect_equal(printed, again);
  return 0;
}
