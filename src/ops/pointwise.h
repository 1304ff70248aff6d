// Pointwise ops: one expression gives the reference for every element type, and the text for code generators.
#pragma once

#include <array>

#include "base/dispatch.h"
#include "ops/intrinsics.h"
#include "ops/op_def.h"

namespace burnish::ops {

/// n elements: out[i] = f(in[0][i * strides[0]], ...). Strides count elements; 0 repeats one element.
using PointwiseLoop = void (*)(const ir::Attributes& attributes, const void* const* inputs, const int64_t* strides,
                               void* output, int64_t n);

struct Expression {
  /// C++ over the parameters' names, the type T of the arithmetic, intrinsics.h, and `attr.NAME` for attributes.
  std::string text;
  std::vector<std::string> parameters;
  /// Element type of each parameter: true for bool, false for T.
  std::vector<bool> boolean_parameters;
  bool boolean_result = false;
  /// By storage type of the inputs that are T; null where the op does not take the type.
  std::array<PointwiseLoop, dtype_count> loops{};
};

namespace pointwise_internal {

template <class T, class A, class F, class Result, bool... BoolParameter>
struct Loop {
  template <bool B>
  using Stored = std::conditional_t<B, bool, T>;

  template <size_t... I>
  static void run(const ir::Attributes& attributes, const void* const* inputs, const int64_t* strides, void* output,
                  int64_t n, std::index_sequence<I...>) {
    using Compute = compute_t<T>;
    const A& attr = attributes.as<A>();
    Result* out = static_cast<Result*>(output);
    const auto load = [&]<size_t J, bool B>(int64_t i) {
      const auto stored = static_cast<const Stored<B>*>(inputs[J])[i * strides[J]];
      if constexpr (B) return static_cast<bool>(stored);
      else return static_cast<Compute>(stored);
    };
    for (int64_t i = 0; i < n; ++i)
      out[i] = static_cast<Result>(F{}.template operator()<Compute>(attr, load.template operator()<I, BoolParameter>(i)...));
  }
  static void call(const ir::Attributes& attributes, const void* const* inputs, const int64_t* strides, void* output, int64_t n) {
    run(attributes, inputs, strides, output, n, std::make_index_sequence<sizeof...(BoolParameter)>{});
  }
};

template <class A, class F, bool BoolResult, bool... BoolParameter, class... Ts>
void fill(Expression& expression, Types<Ts...>) {
  ((expression.loops[static_cast<size_t>(dtype_of<Ts>)] =
        &Loop<Ts, A, F, std::conditional_t<BoolResult, bool, Ts>, BoolParameter...>::call),
   ...);
}

}  // namespace pointwise_internal

/// Output 0: inputs broadcast together; element type of the T inputs, or bool. Sets contents where it can.
void infer_pointwise(InferContext& context);
/// Any pointwise op with an Expression.
void reference_pointwise(const ReferenceCall& call);
/// The same on given tensors, in parallel; the inputs are broadcast to the output's shape.
void run_pointwise(const Expression& expression, const ir::Attributes& attributes, std::span<const Tensor> inputs, Tensor& output);

enum class Result : uint8_t { same, boolean };

/// A pointwise op over `Ts`. `F` is what EXPRESSION() gives: use the macros below.
template <class A, Result R, bool... BoolParameter, class F, class... Ts>
OpBuilder pointwise_op(std::string name, F, std::string text, std::vector<std::string> parameters, Types<Ts...> types) {
  auto expression = std::make_shared<Expression>();
  expression->text = std::move(text);
  expression->parameters = parameters;
  expression->boolean_parameters = {BoolParameter...};
  expression->boolean_result = R == Result::boolean;
  pointwise_internal::fill<A, F, R == Result::boolean, BoolParameter...>(*expression, types);
  OpBuilder builder(std::move(name));
  builder.attributes(ir::Attributes(A{})).fusion(Fusion::pointwise);
  for (std::string& parameter : parameters) builder.input(std::move(parameter));
  return builder.output("y").infer(infer_pointwise).reference(reference_pointwise).expression(std::move(expression));
}

}  // namespace burnish::ops

/// UNARY("relu", NoAttributes, FloatTypes, max_nan(x, T(0))): an op of one input of type T and one output of it.
/// The last argument is both compiled (per element type) and kept as text. Use inside namespace burnish::ops.
#define BURNISH_UNARY(NAME, ATTRIBUTES, TYPES, ...)                                                            \
  ::burnish::ops::pointwise_op<ATTRIBUTES, ::burnish::ops::Result::same, false>(                               \
      NAME,                                                                                                    \
      []<class T>([[maybe_unused]] const ATTRIBUTES& attr, T x) {                                              \
        BURNISH_USE_INTRINSICS \
        return __VA_ARGS__;                                                                                    \
      },                                                                                                       \
      #__VA_ARGS__, {"x"}, TYPES{})

/// The same with two inputs a and b, broadcast together.
#define BURNISH_BINARY(NAME, ATTRIBUTES, TYPES, ...)                                                           \
  ::burnish::ops::pointwise_op<ATTRIBUTES, ::burnish::ops::Result::same, false, false>(                        \
      NAME,                                                                                                    \
      []<class T>([[maybe_unused]] const ATTRIBUTES& attr, T a, T b) {                                         \
        BURNISH_USE_INTRINSICS \
        return __VA_ARGS__;                                                                                    \
      },                                                                                                       \
      #__VA_ARGS__, {"a", "b"}, TYPES{})

/// Two inputs of type T, a result of type bool.
#define BURNISH_COMPARE(NAME, TYPES, ...)                                                                      \
  ::burnish::ops::pointwise_op<::burnish::ir::NoAttributes, ::burnish::ops::Result::boolean, false, false>(    \
      NAME,                                                                                                    \
      []<class T>(const ::burnish::ir::NoAttributes&, T a, T b) {                                              \
        BURNISH_USE_INTRINSICS \
        return __VA_ARGS__;                                                                                    \
      },                                                                                                       \
      #__VA_ARGS__, {"a", "b"}, TYPES{})

/// One input of type T, a result of type bool.
#define BURNISH_TEST(NAME, ATTRIBUTES, TYPES, ...)                                                             \
  ::burnish::ops::pointwise_op<ATTRIBUTES, ::burnish::ops::Result::boolean, false>(                            \
      NAME,                                                                                                    \
      []<class T>([[maybe_unused]] const ATTRIBUTES& attr, T x) {                                              \
        BURNISH_USE_INTRINSICS \
        return __VA_ARGS__;                                                                                    \
      },                                                                                                       \
      #__VA_ARGS__, {"x"}, TYPES{})
