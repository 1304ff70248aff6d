#include <gtest/gtest.h>

#include <cmath>

#include "backends/cpu/tile_kernels.h"
#include "ops/pointwise.h"
#include "ops/table.h"
#include "tests/cpu/tactic_check.h"

namespace burnish::test {
namespace {

/// All finite exponents, both signs, and what is special.
std::vector<float> sweep() {
  std::vector<float> values = {0.0f,   -0.0f,           INFINITY,      -INFINITY,     NAN,
                               1e-45f, 1.17549435e-38f, 3.4028235e38f, -3.4028235e38f};
  std::mt19937 random(7);
  std::uniform_real_distribution<float> exponent(-44, 38), near(-12, 12);
  for (int i = 0; i < 40000; ++i)
    values.push_back(std::pow(10.0f, exponent(random)) * (random() & 1 ? 1.0f : -1.0f));
  for (int i = 0; i < 200000; ++i) values.push_back(near(random));
  for (int i = 0; i < 20000; ++i) values.push_back(near(random) * 9);
  return values;
}

/// The largest error in units of the last place of the exact result `f(x)`; infinite where NaN or infinity
/// differ.
double largest_ulp(const std::string& op, double (*f)(double), float& where) {
  const std::vector<float> x = sweep();
  std::vector<float> y(x.size());
  const float parameters[2] = {};
  cpu::find_tile_kernel(op, DType::f32)({{x.data()}, y.data(), static_cast<int64_t>(x.size()), parameters});
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double exact = f(static_cast<double>(x[i]));
    const auto rounded = static_cast<float>(exact);
    if ((std::isnan(rounded) && std::isnan(y[i])) || rounded == y[i]) continue;
    const double ulp =
        std::max<double>(std::nextafter(std::fabs(rounded), INFINITY) - std::fabs(rounded), 1.4e-45);
    const double error =
        std::isfinite(rounded) && std::isfinite(y[i]) ? std::fabs(y[i] - exact) / ulp : INFINITY;
    if (error > worst) worst = error, where = x[i];
  }
  return worst;
}

struct Function {
  const char* op;
  double (*exact)(double);
  double ulp;  ///< without FMA too
};

TEST(TileKernels, AreAccurateToUnitsInTheLastPlace) {
  const Function functions[] = {
      {"exp", [](double x) { return std::exp(x); }, 2},
      {"log", [](double x) { return std::log(x); }, 2.5},
      {"erf", [](double x) { return std::erf(x); }, 3},
      {"tanh", [](double x) { return std::tanh(x); }, 3},
      // exp(-x) overflows in floats below -88.72, in the reference too
      {"sigmoid", [](double x) { return 1 / (1 + static_cast<double>(static_cast<float>(std::exp(-x)))); },
       3},
      {"softplus",
       [](double x) { return std::isnan(x) ? x : std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x))); }, 4},
      {"sqrt", [](double x) { return std::sqrt(x); }, 0.51},
      {"round", [](double x) { return std::nearbyint(x); }, 0},
      {"floor", [](double x) { return std::floor(x); }, 0},
      {"ceil", [](double x) { return std::ceil(x); }, 0},
  };
  for_each_target([&] {
    for (const Function& function : functions) {
      float where = 0;
      const double worst = largest_ulp(function.op, function.exact, where);
      EXPECT_LE(worst, function.ulp) << function.op << " at " << where;
    }
  });
}

std::string type_text(DType dtype, const std::string& shape) {
  return std::string(dtype_name(dtype)) + "[" + shape + "]";
}

/// The op alone, with operands that broadcast to 2x16x3x5 in several ways, `turn` says which.
std::string problem_text(const ops::OpDef& op, DType dtype, size_t turn) {
  static const char* const shapes[] = {"2,16,3,5", "16,1,1", "2,1,3,5", "1", "2,16,1,1", "5"};
  const ops::Expression& expression = *op.expression;
  const size_t inputs = expression.parameters.size();
  std::string declared, used;
  for (size_t i = 0; i < inputs; ++i) {
    const bool full = i == turn % inputs;
    const bool weight = !full && turn % 4 == 1;
    const std::string name = fmt::format("%{}{}", weight ? "w" : "x", i);
    declared += (i ? ", " : "") + name + ": " +
                type_text(expression.boolean_parameters[i] ? DType::boolean : dtype,
                          full ? shapes[0] : shapes[(turn + i) % 6]);
    used += (i ? ", " : "") + name;
  }
  return fmt::format("graph problem({}) {{ %v0 = {}({}) : {} yield %v0 }}", declared, op.name, used,
                     type_text(expression.boolean_result ? DType::boolean : dtype, shapes[0]));
}

TEST(Pointwise, EveryOpRunsInEveryTypeAndLayout) {
  for (const ops::OpDef* op : ops::all_ops()) {
    if (!op->expression) continue;
    for (int type = 0; type < dtype_count; ++type) {
      if (!op->expression->loops[static_cast<size_t>(type)]) continue;
      for (size_t turn = 0; turn < 6; ++turn)
        check_tactic("simd.pointwise", problem_text(*op, static_cast<DType>(type), turn));
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Pointwise, RunsBodiesOnEveryInstructionSet) {
  const char* const bodies[] = {
      // scale, shift, SiLU by parts, residual: a BatchNorm and an activation behind a convolution
      "graph problem(%x0: f32[2,32,7,9], %w1: f32[1,32,1,1], %w2: f32[32,1,1], %x3: f32[2,32,7,9]) {"
      " %v0 = mul(%x0, %w1) : f32[2,32,7,9] %v1 = add(%v0, %w2) : f32[2,32,7,9] %v2 = sigmoid(%v1) : "
      "f32[2,32,7,9]"
      " %v3 = mul(%v1, %v2) : f32[2,32,7,9] %v4 = add(%v3, %x3) : f32[2,32,7,9] yield %v4 }",
      // squeeze and excitation's gate: a scale per image and channel
      "graph problem(%x0: f32[3,16,13,11], %x1: f32[3,16,1,1]) { %v0 = hardsigmoid(%x1) : f32[3,16,1,1]"
      " %v1 = mul(%x0, %v0) : f32[3,16,13,11] yield %v1 }",
      // a mask chooses, two outputs of two types
      "graph problem(%x0: f32[4,1,33], %x1: f32[1,5,33]) { constant @c0: f32[] = {0.25}"
      " %v0 = less(%x0, %x1) : bool[4,5,33] %v1 = where(%v0, %x0, @c0) : f32[4,5,33] %v2 = gelu(%v1) : "
      "f32[4,5,33]"
      " yield %v2, %v0 }",
      // long rows: bias per row, wider than a tile
      "graph problem(%x0: f32[3,5000], %x1: f32[3,1], %x2: f32[5000]) { %v0 = add(%x0, %x1) : f32[3,5000]"
      " %v1 = mul(%v0, %x2) : f32[3,5000] %v2 = tanh(%v1) : f32[3,5000] yield %v2 }",
      // scalars alone
      "graph problem(%x0: f32[], %x1: f32[]) { %v0 = div(%x0, %x1) : f32[] yield %v0 }",
      // fewer than a vector, with bounds that are infinite
      "graph problem(%x0: f32[3]) { %v0 = clip(%x0) : f32[3] yield %v0 }",
      // nothing at all
      "graph problem(%x0: f32[0,3], %x1: f32[3]) { %v0 = add(%x0, %x1) : f32[0,3] yield %v0 }",
  };
  for_each_target([&] {
    for (const char* body : bodies) check_tactic("simd.pointwise", body);
  });
}

}  // namespace
}  // namespace burnish::test
