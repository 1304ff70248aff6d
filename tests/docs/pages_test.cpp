// Pages of docs/ that are made from code, or quote it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>

#include "base/files.h"
#include "operators_page.h"
#include "ops/table.h"

namespace burnish {
namespace {

const std::string source = std::string(BURNISH_SOURCE_DIR) + "/";

TEST(OperatorsPage, IsWhatTheTableSays) {
  const std::string page = docs::operators_page();
  if (std::getenv("BURNISH_WRITE_DOCS")) write_file(source + "docs/operators.md", page);
  EXPECT_EQ(read_file(source + "docs/operators.md"), page)
      << "run BURNISH_WRITE_DOCS=1 build/bin/test_docs and commit docs/operators.md";
}

TEST(OperatorsPage, EveryOpSaysWhatItComputes) {
  for (const ops::OpDef* op : ops::all_ops()) EXPECT_FALSE(op->summary.empty()) << op->name;
}

TEST(ExtendingPage, QuotesTheExamplesAsTheyAre) {
  const std::string page = read_file(source + "docs/extending.md");
  int examples = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(source + "examples/extending")) {
    if (!entry.is_regular_file()) continue;
    EXPECT_NE(page.find(read_file(entry.path())), std::string::npos)
        << entry.path() << " is not in docs/extending.md as it is";
    ++examples;
  }
  EXPECT_GE(examples, 4);
}

}  // namespace
}  // namespace burnish
