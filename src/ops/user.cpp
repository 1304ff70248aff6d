#include "ops/user.h"

#include <deque>
#include <mutex>
#include <random>
#include <set>

#include "base/error.h"
#include "ops/body.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops {
namespace {

/// A deque, so that functions stay where they are while others are added.
struct HostFunctions {
  std::mutex mutex;
  std::deque<HostFunction> functions;
  /// Ids begin anywhere, so that those of another process are not taken for this one's.
  const int64_t first = static_cast<int64_t>(std::random_device()()) << 20;
};

HostFunctions& host_functions() {
  static HostFunctions* const functions = new HostFunctions;  // sessions may outlive static objects
  return *functions;
}

const HostFunction& find_host_function(const HostFunctionAttributes& attributes) {
  HostFunctions& known = host_functions();
  const std::lock_guard lock(known.mutex);
  const int64_t at = attributes.id - known.first;
  require(at >= 0 && at < static_cast<int64_t>(known.functions.size()),
          "function '{}' is not in this process", attributes.name);
  return known.functions[static_cast<size_t>(at)];
}

void infer_user(InferContext& context) {
  infer_by_body(context);
  std::set<std::string> given, wanted;
  for (int i = 0; i < context.inputs(); ++i)
    for (const ir::Dim& dim : context.shape(i)) dim.collect_symbols(given);
  for (const ir::TensorType& type : context.output_types())
    for (const ir::Dim& dim : type.shape) dim.collect_symbols(wanted);
  for (const std::string& symbol : wanted)
    require(given.contains(symbol), "the shapes of its results must follow from those of its arguments");
}

void infer_user_pointwise(InferContext& context) {
  infer_user(context);
  require(context.inputs() > 0 && context.outputs() == 1,
          "a pointwise op of one's own takes tensors and gives one, not {}", context.outputs());
  std::vector<ir::Dim> shape;
  for (int i = 0; i < context.inputs(); ++i) shape = broadcast_shapes(shape, context.shape(i));
  const ir::TensorType& result = context.output_types()[0];
  require(
      result.shape == shape,
      "the reference of a pointwise op gives {}, where its arguments broadcast together have another shape",
      result.str());
}

void reference_host_function(const ReferenceCall& call) {
  find_host_function(call.attribute<HostFunctionAttributes>())(call.inputs, call.outputs);
}

}  // namespace

int64_t add_host_function(HostFunction function) {
  HostFunctions& known = host_functions();
  const std::lock_guard lock(known.mutex);
  known.functions.push_back(std::move(function));
  return known.first + static_cast<int64_t>(known.functions.size()) - 1;
}

namespace def {

const OpDef user_pointwise =
    op<UserAttributes>("user_pointwise")
        .variadic("inputs")
        .output("y")
        .bodies(1)
        .fusion(Fusion::pointwise)
        .infer(infer_user_pointwise)
        .reference(reference_by_body)
        .summary(
            "an op of the user's own, element by element: the body, or where a device takes its text that");

const OpDef user_kernel =
    op<UserAttributes>("user_kernel")
        .variadic("inputs")
        .outputs_variadic("outputs")
        .bodies(1)
        .infer(infer_user)
        .reference(reference_by_body)
        .summary("an op of the user's own: the body, or where a device takes its text that");

const OpDef host_function = op<HostFunctionAttributes>("host_function")
                                .variadic("inputs")
                                .outputs_variadic("outputs")
                                .bodies(1)
                                .infer(infer_user)
                                .reference(reference_host_function)
                                .summary(
                                    "a function of this process, whose results have the types of the body's; "
                                    "no engine with it can be saved");

}  // namespace def
}  // namespace burnish::ops
