#include "cuda/contraction.h"

namespace burnish::cuda {

std::string Epilogue::text_in_parts() const {
  if (contraction_.pooled)  // four pixels' operands at once would be too many
    return text() +
           "struct Loaded {};\n"
           "BURNISH_DEVICE Loaded load_operands(const Operands&, const Sizes&, int, int) { return {}; }\n"
           "BURNISH_DEVICE void epilogue(const Operands& p, const Sizes& s, int first, int n, const float "
           "(&sums)[4][VECTOR], const Loaded&) { epilogue(p, s, first, n, sums); }\n";
  BodyText body(problem_);
  const std::string place_text =
      by_rows_ ? "" : "  const int image = row / s.rows, pixel = row - image * s.rows;\n";
  std::string members, loads, operands, stores;
  for (size_t i = 0; i < values_.size(); ++i) {
    const Operand& each = operands_[i];
    const std::string memory = memory_type(each.dtype);
    members += fmt::format("  Vector<{}, VECTOR> in{};\n", memory, i);
    if (each.column.is(1))
      loads += fmt::format("  loaded.in{0} = *reinterpret_cast<const Vector<{1}, VECTOR>*>({2});\n", i,
                           memory, place(i));
    else
      loads += fmt::format(
          "#pragma unroll\n  for (int j = 0; j < VECTOR; ++j) loaded.in{0}.element[j] = ({1})[j * "
          "s.e{0}_column];\n",
          i, place(i));
    body.define(values_[i], fmt::format("widen<{}>(loaded.in{}.element[j])", memory, i));
  }
  std::string sum = "sums[j]";
  if (contraction_.bias >= 0)
    sum += " + " + body.name(problem_.body().inputs()[static_cast<size_t>(contraction_.bias)]);
  body.define(contraction_.output, "sum");
  for (size_t i = contraction_.node + 1; i < problem_.nodes().size(); ++i) body.add_node(i);
  std::string results =
      fmt::format("#pragma unroll\n  for (int j = 0; j < VECTOR; ++j) {{\n    const float sum = {};\n{}", sum,
                  body.statements());
  for (size_t at = values_.size(); at < operands_.size(); ++at) {
    const Operand& each = operands_[at];
    const size_t i = at - values_.size();
    const std::string memory = memory_type(each.dtype);
    operands += fmt::format("  {} out{}[VECTOR];\n", compute_type(each.dtype), i);
    results += fmt::format("    out{}[j] = {};\n", i, body.name(problem_.body().outputs[i].value));
    if (each.column.is(1))
      stores += fmt::format("  store<{}, VECTOR>({}, out{});\n", memory, place(at), i);
    else
      stores += fmt::format(
          "#pragma unroll\n  for (int j = 0; j < VECTOR; ++j) ({})[j * s.e{}_column] = "
          "narrow<{}>(out{}[j]);\n",
          place(at), at, memory, i);
  }
  return fmt::format("constexpr int VECTOR = {};\n", vector_) + body.functions() + "struct Loaded {\n" +
         members +
         "};\nBURNISH_DEVICE Loaded load_operands(const Operands& p, const Sizes& s, int row, int n) {\n"
         "  Loaded loaded;\n" +
         place_text + loads +
         "  return loaded;\n}\n"
         "BURNISH_DEVICE void epilogue(const Operands& p, const Sizes& s, int row, int n, const float "
         "(&sums)[VECTOR], const Loaded& loaded) {\n" +
         place_text + operands + results + "  }\n" + stores + "}\n";
}

}  // namespace burnish::cuda
