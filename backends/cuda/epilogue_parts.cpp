#include "cuda/contraction.h"

namespace burnish::cuda {

std::string Epilogue::text_in_parts() const {
  BodyText body(problem_);
  std::string members, early, late;
  for (size_t i = 0; i < values_.size(); ++i) {
    const Operand& each = operands_[i];
    const bool of_all_rows = each.row.is(0) && each.batch.is(0);
    if (contraction_.pooled && !of_all_rows) {  // four pixels' at once would be too many
      late += load_text(i);
      body.define(values_[i], fmt::format("in{}[j]", i));
      continue;
    }
    const std::string memory = memory_type(each.dtype);
    members += fmt::format("  Vector<{}, VECTOR> in{};\n", memory, i);
    if (each.column.is(1))
      early += fmt::format("  loaded.in{0} = *reinterpret_cast<const Vector<{1}, VECTOR>*>({2});\n", i,
                           memory, place(i));
    else
      early += fmt::format(
          "#pragma unroll\n  for (int j = 0; j < VECTOR; ++j) loaded.in{0}.element[j] = ({1})[j * "
          "s.e{0}_column];\n",
          i, place(i));
    body.define(values_[i], fmt::format("widen<{}>(loaded.in{}.element[j])", memory, i));
  }
  const std::string results = results_text(body);
  return fmt::format("constexpr int VECTOR = {};\n", vector_) + body.functions() + "struct Loaded {\n" +
         members +
         "};\nBURNISH_DEVICE Loaded load_operands(const Operands& p, const Sizes& s, int row, int n) {\n"
         "  Loaded loaded;\n" +
         row_text("return loaded") + early +
         "  return loaded;\n}\n"
         "BURNISH_DEVICE void epilogue(const Operands& p, const Sizes& s, int " +
         (contraction_.pooled ? "first, int n, const float (&sums)[4][VECTOR]"
                              : "row, int n, const float (&sums)[VECTOR]") +
         ", const Loaded& loaded) {\n" + end_text(late, results) + "}\n";
}

}  // namespace burnish::cuda
