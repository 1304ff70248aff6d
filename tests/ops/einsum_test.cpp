#include "ops/einsum.h"

#include <algorithm>
#include <map>

#include "op_testing.h"
#include "ops/contraction.h"
#include "ops/indexing.h"

namespace burnish::ops::testing {
namespace {

/// The definition: over all values of all labels, add the product of the operands' elements.
std::vector<double> sum_slowly(const Equation& equation, const std::map<Label, int64_t>& sizes,
                               const std::vector<Tensor>& operands) {
  Labels labels;
  Shape shape;
  int64_t outputs = 1;
  for (Label label : equation.output) outputs *= sizes.at(label);
  for (auto [label, size] : sizes) {
    labels.push_back(label);
    shape.push_back(size);
  }
  std::vector<double> result(static_cast<size_t>(outputs));
  for (int64_t i = 0; i < element_count(shape); ++i) {
    const Shape at = unravel(i, shape);
    const auto index = [&](const Labels& of) {
      int64_t flat = 0;
      for (Label label : of)
        flat = flat * sizes.at(label) +
               at[static_cast<size_t>(std::find(labels.begin(), labels.end(), label) - labels.begin())];
      return flat;
    };
    double term = 1;
    for (size_t k = 0; k < operands.size(); ++k)
      term *= static_cast<double>(operands[k].data<float>()[index(equation.inputs[k])]);
    result[static_cast<size_t>(index(equation.output))] += term;
  }
  return result;
}

TEST(Einsum, AgreesWithItsDefinition) {
  const std::map<Label, int64_t> all = {
      {'a', 2}, {'b', 3}, {'c', 4}, {'d', 5}, {ellipsis_label, 2}, {ellipsis_label + 1, 3}};
  for (const char* text :
       {"ab->ba", "ab->", "aa->a", "abb,b->a", "ab,bc->ac", "ab,bc", "abc,cd,da->b", "abcd,acd->ab",
        "abc,adc->dba", "a,b->ab", "...ab,...bc->...ac", "...a->...", "ab...,a->b..."}) {
    SCOPED_TRACE(text);
    std::mt19937 random(7);
    // An ellipsis stands for two dimensions here.
    std::vector<int64_t> ranks(1, 0);
    for (const char* c = text; *c && *c != '-'; ++c) {
      if (*c == ',')
        ranks.push_back(0);
      else if (*c == '.')
        c += 2, ranks.back() += 2;
      else
        ++ranks.back();
    }
    const Equation equation = parse_equation(text, ranks);
    std::map<Label, int64_t> sizes;
    std::vector<Tensor> operands;
    Shape shape;
    for (const Labels& labels : equation.inputs) {
      Shape operand;
      for (Label label : labels) operand.push_back(sizes[label] = all.at(label));
      operands.push_back(random_tensor(operand, random));
    }
    for (Label label : equation.output) shape.push_back(sizes.at(label));
    expect_close(run(def::einsum, EinsumAttributes{text}, operands), shape,
                 sum_slowly(equation, sizes, operands), 1e-4, 1e-5);
  }
}

TEST(Einsum, RefusesBadEquations) {
  for (const char* text : {"ab", "ab,bc,cd->ad", "abc,bc->ac", "ab,bc->ad", "ab,bc->aac", "a1,bc->a",
                           "ab,b.c->a", "", "->", "ab,bc->a->c"})
    EXPECT_THROW(parse_equation(text, {2, 2}), Error) << text;
}

TEST(Einsum, InfersSymbolicShapes) {
  EXPECT_EQ(Inferred()
                .input({"n", "h", "q", "64"})
                .input({"n", "h", "k", "64"})
                .apply(def::einsum, EinsumAttributes{"nhqd,nhkd->nhqk"})
                .type(),
            "f32[n,h,q,k]");
}

}  // namespace
}  // namespace burnish::ops::testing
