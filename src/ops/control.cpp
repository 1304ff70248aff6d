// Ops that run other graphs: if, loop, scan.
#include "ops/control.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>

#include "base/error.h"
#include "ops/evaluate.h"
#include "ops/host.h"
#include "ops/infer.h"
#include "ops/table.h"

namespace burnish::ops {
namespace {

using ir::Dim;

/// Writes a body's dimensions for the graph around it: symbols that only the body has become fresh ones.
class OuterDims {
 public:
  explicit OuterDims(InferContext& context) : context_(context) {
    for (int i = 0; i < context.inputs(); ++i)
      if (context.has(i))
        for (const Dim& dim : context.shape(i)) dim.collect_symbols(symbols_);
  }

  bool is_known(const Dim& dim) const {
    std::set<std::string> used;
    dim.collect_symbols(used);
    return std::includes(symbols_.begin(), symbols_.end(), used.begin(), used.end());
  }
  /// `dim` as it is where `keep` holds and it can be said outside, else a fresh one.
  Dim outside(const Dim& dim, bool keep, int output, int at) const {
    return keep && is_known(dim) ? dim : context_.fresh(output, at);
  }

 private:
  InferContext& context_;
  std::set<std::string> symbols_;
};

const ir::TensorType& output_type(const ir::Graph& body, size_t i) {
  return body.value(body.outputs[i].value).type;
}
const ir::TensorType& input_type(const ir::Graph& body, size_t i) {
  return body.value(body.inputs()[i]).type;
}

void require_bodies(InferContext& context, size_t inputs, size_t outputs) {
  for (const auto& body : context.bodies()) {
    require(body->inputs().size() == inputs, "body '{}' takes {} inputs, not {}", body->name,
            body->inputs().size(), inputs);
    require(body->outputs.size() == outputs, "body '{}' gives {} outputs, not {}", body->name,
            body->outputs.size(), outputs);
  }
}

void infer_if(InferContext& context) {
  require(context.bodies().size() == 2, "it must have two bodies");
  require(context.dtype(0) == DType::boolean, "the condition must be bool, not {}",
          dtype_name(context.dtype(0)));
  require_bodies(context, static_cast<size_t>(context.inputs() - 1), static_cast<size_t>(context.outputs()));
  const OuterDims dims(context);
  for (int i = 0; i < context.outputs(); ++i) {
    const ir::TensorType &yes = output_type(*context.bodies()[0], static_cast<size_t>(i)),
                         &no = output_type(*context.bodies()[1], static_cast<size_t>(i));
    require(yes.dtype == no.dtype && yes.rank() == no.rank(),
            "its branches give {} and {} as output {}: element type and rank must agree", yes.str(), no.str(),
            i);
    std::vector<Dim> shape;
    for (size_t d = 0; d < yes.shape.size(); ++d)
      shape.push_back(dims.outside(yes.shape[d], yes.shape[d] == no.shape[d], i, static_cast<int>(d)));
    context.set(i, yes.dtype, std::move(shape));
  }
}

/// Output `output` is a value that the body takes as input `inner` and gives back; it starts as the node's
/// input `outer`.
void set_carried(InferContext& context, const OuterDims& dims, int output, int outer, size_t inner) {
  const ir::TensorType &start = context.type(outer), &carried = input_type(*context.bodies()[0], inner);
  require(start.dtype == carried.dtype && start.rank() == carried.rank(),
          "carried value {} starts as {}, but the body takes {}", output, start.str(), carried.str());
  std::vector<Dim> shape;
  for (size_t d = 0; d < start.shape.size(); ++d)
    shape.push_back(
        dims.outside(start.shape[d], start.shape[d] == carried.shape[d], output, static_cast<int>(d)));
  context.set(output, start.dtype, std::move(shape));
}

/// Output `output` stacks the body's output `inner`, `length` times, along `axis`.
void set_stacked(InferContext& context, const OuterDims& dims, int output, size_t inner, const Dim& length,
                 int64_t axis) {
  const ir::TensorType& element = output_type(*context.bodies()[0], inner);
  std::vector<Dim> shape;
  for (size_t d = 0; d < element.shape.size(); ++d)
    shape.push_back(dims.outside(element.shape[d], true, output, static_cast<int>(d) + 1));
  shape.insert(shape.begin() + normalize_axis(axis, element.rank() + 1), length);
  context.set(output, element.dtype, std::move(shape));
}

/// How often a loop runs, where nothing but the trip count decides it.
std::optional<Dim> known_trips(InferContext& context) {
  const auto* trips = context.contents(0);
  const auto condition = context.numbers(1);
  const ir::Graph& body = *context.bodies()[0];
  const ir::ValueId next = body.outputs[0].value;
  const auto always = known_contents(body, next);
  const bool keeps = next == body.inputs()[1] || (always && always->size() == 1 && always->front().is(1));
  if (!trips || trips->size() != 1 || !keeps ||
      (context.has(1) && !(condition && condition->size() == 1 && condition->front() == 1)))
    return std::nullopt;
  return trips->front().is_constant() ? Dim(std::max<int64_t>(0, trips->front().constant()))
                                      : ir::max(trips->front(), 0);
}

void infer_loop(InferContext& context) {
  require(context.bodies().size() == 1, "it must have one body");
  const int carried = static_cast<int>(context.attributes<LoopAttributes>().carried),
            stacked = context.outputs() - carried;
  require(carried >= 0 && stacked >= 0 && carried + 2 <= context.inputs(), "it cannot carry {} values",
          carried);
  require_bodies(context, static_cast<size_t>(context.inputs()), static_cast<size_t>(context.outputs()) + 1);
  const OuterDims dims(context);
  for (int i = 0; i < carried; ++i) set_carried(context, dims, i, 2 + i, static_cast<size_t>(2 + i));
  const auto trips = known_trips(context);
  for (int i = carried; i < context.outputs(); ++i) {
    const Dim length = trips && dims.is_known(*trips) ? *trips : context.fresh(i, 0);
    set_stacked(context, dims, i, static_cast<size_t>(i) + 1, length, 0);
  }
}

int64_t entry(const std::vector<int64_t>& list, int64_t i) {
  return static_cast<size_t>(i) < list.size() ? list[static_cast<size_t>(i)] : 0;
}

void infer_scan(InferContext& context) {
  require(context.bodies().size() == 1, "it must have one body");
  const auto& attributes = context.attributes<ScanAttributes>();
  const int64_t states = attributes.states, sequences = attributes.num_scan_inputs;
  require(states >= 0 && sequences >= 1 && states <= context.outputs() && states <= context.inputs() &&
              sequences <= context.inputs() - states,
          "it cannot have {} states and {} sequences", states, sequences);
  require_bodies(context, static_cast<size_t>(context.inputs()), static_cast<size_t>(context.outputs()));
  const OuterDims dims(context);
  for (int i = 0; i < states; ++i) set_carried(context, dims, i, i, static_cast<size_t>(i));
  const auto& first = context.shape(static_cast<int>(states));
  const Dim length = first.at(static_cast<size_t>(
      normalize_axis(entry(attributes.scan_input_axes, 0), static_cast<int64_t>(first.size()))));
  for (int64_t i = states; i < context.outputs(); ++i)
    set_stacked(context, dims, static_cast<int>(i), static_cast<size_t>(i), length,
                entry(attributes.scan_output_axes, i - states));
}

// --- reference ---

/// Elements before, at and behind an axis; the last ones in bytes.
struct AxisSpan {
  int64_t outer = 1, length = 1, inner_bytes = 1;
};

AxisSpan axis_span(const Tensor& tensor, int64_t axis) {
  AxisSpan span;
  for (int64_t d = 0; d < tensor.rank(); ++d) {
    const int64_t dim = tensor.shape()[static_cast<size_t>(d)];
    if (d < axis)
      span.outer *= dim;
    else if (d == axis)
      span.length = dim;
    else
      span.inner_bytes *= dim;
  }
  span.inner_bytes *= dtype_bytes(tensor.dtype());
  return span;
}

void copy_bytes(void* to, int64_t to_offset, const void* from, int64_t from_offset, int64_t bytes) {
  if (bytes > 0)
    std::memcpy(static_cast<char*>(to) + to_offset, static_cast<const char*>(from) + from_offset,
                static_cast<size_t>(bytes));
}

/// x[..., index, ...] at `axis`, which goes away.
Tensor element(const Tensor& x, int64_t axis, int64_t index) {
  const AxisSpan span = axis_span(x, axis);
  Shape shape = x.shape();
  shape.erase(shape.begin() + axis);
  Tensor part(x.dtype(), std::move(shape));
  for (int64_t o = 0; o < span.outer; ++o)
    copy_bytes(part.raw(), o * span.inner_bytes, x.raw(), (o * span.length + index) * span.inner_bytes,
               span.inner_bytes);
  return part;
}

/// The parts along a new axis. Without parts the shape is the type's, with 0 where it does not say.
Tensor stack(const std::vector<Tensor>& parts, int64_t axis, bool reversed, const ir::TensorType& type) {
  Shape shape;
  if (parts.empty()) {
    for (const Dim& dim : type.shape) shape.push_back(dim.is_constant() ? dim.constant() : 0);
  } else {
    shape = parts[0].shape();
  }
  axis = normalize_axis(axis, static_cast<int64_t>(shape.size()) + 1);
  shape.insert(shape.begin() + axis, static_cast<int64_t>(parts.size()));
  Tensor stacked(type.dtype, std::move(shape));
  const AxisSpan span = axis_span(stacked, axis);
  for (size_t i = 0; i < parts.size(); ++i) {
    require(parts[i].shape() == parts[0].shape() && parts[i].dtype() == type.dtype,
            "iteration {} gives shape {} where the first gave {}", i, shape_text(parts[i].shape()),
            shape_text(parts[0].shape()));
    const int64_t index = static_cast<int64_t>(reversed ? parts.size() - 1 - i : i);
    for (int64_t o = 0; o < span.outer; ++o)
      copy_bytes(stacked.raw(), (o * span.length + index) * span.inner_bytes, parts[i].raw(),
                 o * span.inner_bytes, span.inner_bytes);
  }
  return stacked;
}

void reference_if(const ReferenceCall& call) {
  const std::vector<Tensor> made =
      evaluate(*call.bodies[integer_of(call.inputs[0]) ? 0 : 1], call.inputs.subspan(1));
  std::copy(made.begin(), made.end(), call.outputs.begin());
}

void reference_loop(const ReferenceCall& call) {
  const size_t carried = static_cast<size_t>(call.attribute<LoopAttributes>().carried),
               stacked = call.outputs.size() - carried;
  const ir::Graph& body = *call.bodies[0];
  const int64_t trips = call.has(0) ? integer_of(call.inputs[0]) : std::numeric_limits<int64_t>::max();
  std::vector<Tensor> inputs(call.inputs.begin(), call.inputs.end());
  if (!call.has(1)) inputs[1] = Tensor::scalar(true);
  std::vector<std::vector<Tensor>> parts(stacked);
  for (int64_t i = 0; i < trips && integer_of(inputs[1]) != 0; ++i) {
    inputs[0] = Tensor::scalar(i);
    const std::vector<Tensor> made = evaluate(body, inputs);
    for (size_t k = 0; k <= carried; ++k) inputs[1 + k] = made[k];
    for (size_t k = 0; k < stacked; ++k) parts[k].push_back(made[1 + carried + k]);
  }
  for (size_t k = 0; k < carried; ++k) call.outputs[k] = inputs[2 + k];
  for (size_t k = 0; k < stacked; ++k)
    call.outputs[carried + k] = stack(parts[k], 0, false, output_type(body, 1 + carried + k));
}

void reference_scan(const ReferenceCall& call) {
  const auto& attributes = call.attribute<ScanAttributes>();
  const size_t states = static_cast<size_t>(attributes.states),
               sequences = static_cast<size_t>(attributes.num_scan_inputs);
  const ir::Graph& body = *call.bodies[0];
  std::vector<Tensor> inputs(call.inputs.begin(), call.inputs.end());
  std::vector<int64_t> axes;
  int64_t length = -1;
  for (size_t k = 0; k < sequences; ++k) {
    const Tensor& sequence = call.inputs[states + k];
    axes.push_back(
        normalize_axis(entry(attributes.scan_input_axes, static_cast<int64_t>(k)), sequence.rank()));
    const int64_t dim = sequence.shape()[static_cast<size_t>(axes[k])];
    require(length < 0 || length == dim, "its sequences have {} and {} elements", length, dim);
    length = dim;
  }
  std::vector<std::vector<Tensor>> parts(call.outputs.size() - states);
  for (int64_t i = 0; i < length; ++i) {
    for (size_t k = 0; k < sequences; ++k) {
      const bool reversed = entry(attributes.scan_input_directions, static_cast<int64_t>(k)) != 0;
      inputs[states + k] = element(call.inputs[states + k], axes[k], reversed ? length - 1 - i : i);
    }
    const std::vector<Tensor> made = evaluate(body, inputs);
    for (size_t k = 0; k < states; ++k) inputs[k] = made[k];
    for (size_t k = 0; k < parts.size(); ++k) parts[k].push_back(made[states + k]);
  }
  for (size_t k = 0; k < states; ++k) call.outputs[k] = inputs[k];
  for (size_t k = 0; k < parts.size(); ++k) {
    const int64_t at = static_cast<int64_t>(k);
    call.outputs[states + k] =
        stack(parts[k], entry(attributes.scan_output_axes, at),
              entry(attributes.scan_output_directions, at) != 0, output_type(body, states + k));
  }
}

}  // namespace

bool is_control(const ir::Op& op) { return &op == &def::if_else || &op == &def::loop || &op == &def::scan; }

namespace def {

const OpDef if_else = op("if")
                          .host("condition")
                          .variadic("captures")
                          .outputs_variadic("results")
                          .bodies(2)
                          .infer(infer_if)
                          .reference(reference_if)
                          .summary("the first body's results where the condition holds, else the second's");
const OpDef loop = op<LoopAttributes>("loop")
                       .host("trip_count", true)
                       .host("condition", true)
                       .variadic("values")
                       .outputs_variadic("results")
                       .bodies(1)
                       .infer(infer_loop)
                       .reference(reference_loop)
                       .summary("runs its body while the condition holds, at most trip_count times");
const OpDef scan = op<ScanAttributes>("scan")
                       .variadic("values")
                       .outputs_variadic("results")
                       .bodies(1)
                       .infer(infer_scan)
                       .reference(reference_scan)
                       .summary("runs its body over the elements of sequences, carrying states along");

}  // namespace def
}  // namespace burnish::ops
