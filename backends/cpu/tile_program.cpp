#include "backends/cpu/tile_program.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "backends/cpu/attribute_number.h"
#include "base/dispatch.h"

namespace burnish::cpu {
namespace {

constexpr int32_t most_values = 100;             ///< of a program: inputs, literals and what is computed
constexpr int64_t scratch_bytes = 64 << 10;      ///< of one thread
constexpr int64_t working_set_bytes = 24 << 10;  ///< that tiles should take of L1
constexpr int64_t smallest_tile = 64, largest_tile = 2048;

alignas(64) thread_local char scratch_memory[scratch_bytes];

bool contains(std::span<const ir::ValueId> values, ir::ValueId value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

/// The element type that chooses an op's kernel: that of its inputs other than conditions.
DType storage_type(const ir::Graph& body, const ir::Node& node) {
  const auto& boolean = ops::definition(node).expression->boolean_parameters;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    if (!boolean[i]) return body.value(node.inputs[i]).type.dtype;
  return DType::boolean;
}

void repeat(const char* from, char* to, int64_t bytes, int64_t count, int64_t stride) {
  const auto loop = [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* source = reinterpret_cast<const T*>(from);
    T* target = reinterpret_cast<T*>(to);
    if (stride == 0)
      std::fill_n(target, count, *source);
    else if (stride == 1)
      std::copy_n(source, count, target);
    else
      for (int64_t i = 0; i < count; ++i) target[i] = source[i * stride];
  };
  switch (bytes) {
    case 1:
      return loop(Type<uint8_t>{});
    case 2:
      return loop(Type<uint16_t>{});
    case 4:
      return loop(Type<uint32_t>{});
    default:
      return loop(Type<uint64_t>{});
  }
}

}  // namespace

Support TileProgram::supports(const device::Problem& problem, std::span<const ir::NodeId> nodes,
                              std::span<const ir::ValueId> anchors, std::span<const ir::ValueId> results) {
  const ir::Graph& body = problem.body();
  std::vector<ir::ValueId> known(anchors.begin(), anchors.end());
  for (ir::NodeId id : nodes) {
    const ir::Node& node = body.node(id);
    const ops::OpDef& op = ops::definition(node);
    if (!op.expression) return Support::no("{} is not pointwise", op.name);
    if (node.inputs.size() > 3) return Support::no("{} has more than three inputs", op.name);
    if (!op.expression->loops[static_cast<size_t>(storage_type(body, node))])
      return Support::no("{} does not take {}", op.name, dtype_name(storage_type(body, node)));
    for (ir::ValueId input : node.inputs) {
      const bool there = input && (contains(known, input) || problem.input_index(input) >= 0 ||
                                   !problem.literal(input).empty());
      if (!there) return Support::no("an operand of {} comes from elsewhere in the body", op.name);
    }
    known.insert(known.end(), node.outputs.begin(), node.outputs.end());
  }
  if (known.size() + static_cast<size_t>(problem.input_count()) > most_values)
    return Support::no("more than {} values", most_values);
  for (ir::ValueId result : results) {
    if (!contains(known, result)) return Support::no("a result is not computed by the body");
    if (body.value(result).type.shape != body.value(results[0]).type.shape)
      return Support::no("results of several shapes");
  }
  return Support::yes();
}

TileProgram::TileProgram(const device::Problem& problem, std::vector<ir::NodeId> nodes,
                         std::vector<ir::ValueId> anchors, std::vector<ir::ValueId> results)
    : problem_(&problem),
      nodes_(std::move(nodes)),
      anchors_(std::move(anchors)),
      results_(std::move(results)) {}

/// Builds a BoundProgram step by step.
class TileProgramBinder {
 public:
  using Place = BoundProgram::Place;
  TileProgramBinder(const device::Problem& problem, const device::BindArguments& arguments,
                    const device::BoundTensor& space)
      : problem_(problem),
        arguments_(arguments),
        space_(space),
        sizes_(physical_view(space.shape, space.layout, space).sizes) {}

  int32_t place_of(ir::ValueId value) {
    if (const auto found = places_of_.find(value); found != places_of_.end()) return found->second;
    const int input = problem_.input_index(value);
    if (input >= 0)
      return add(value, Place::input, input, arguments_.inputs[static_cast<size_t>(input)], nullptr);
    const Tensor& literal = problem_.literal(value);
    return add(value, Place::literal, 0, {literal.dtype(), literal.shape(), ir::Layout::plain},
               literal.raw());
  }
  int32_t add(ir::ValueId value, Place::Kind kind, int32_t index, const device::BoundTensor& tensor,
              const void* data) {
    Place place;
    place.kind = kind;
    place.index = index;
    place.bytes = static_cast<int32_t>(dtype_bytes(tensor.dtype));
    place.data = data;
    place.strides = physical_view(space_.shape, space_.layout, tensor).strides;
    places.push_back(std::move(place));
    return places_of_[value] = static_cast<int32_t>(places.size() - 1);
  }
  /// A value with the space's shape.
  int32_t add_whole(ir::ValueId value, Place::Kind kind, int32_t index) {
    return add(value, kind, index, {problem_.body().value(value).type.dtype, space_.shape, space_.layout},
               nullptr);
  }
  Shape merged_sizes() {
    std::vector<std::vector<int64_t>*> strides;
    for (Place& place : places) strides.push_back(&place.strides);
    merge_dimensions(sizes_, strides);
    return sizes_;
  }

  std::vector<Place> places;

 private:
  const device::Problem& problem_;
  const device::BindArguments& arguments_;
  const device::BoundTensor& space_;
  Shape sizes_;
  std::map<ir::ValueId, int32_t> places_of_;
};

BoundProgram TileProgram::bind(const device::BindArguments& arguments,
                               const device::BoundTensor& space) const {
  const ir::Graph& body = problem_->body();
  BoundProgram bound;
  TileProgramBinder binder(*problem_, arguments, space);
  for (size_t i = 0; i < anchors_.size(); ++i)
    binder.add_whole(anchors_[i], BoundProgram::Place::anchor, static_cast<int32_t>(i));
  for (ir::NodeId id : nodes_) {
    const ir::Node& node = body.node(id);
    const ops::OpDef& op = ops::definition(node);
    BoundProgram::Step step;
    const DType storage = storage_type(body, node);
    step.kernel = find_tile_kernel(op.name, storage);
    step.loop = op.expression->loops[static_cast<size_t>(storage)];
    step.attributes = &node.attributes;
    for (const TileParameters& row : tile_parameters)
      for (size_t i = 0; row.op == op.name && i < 2 && !row.names[i].empty(); ++i)
        step.parameters[i] = static_cast<float>(attribute_number(node.attributes, row.names[i]));
    step.input_count = static_cast<int32_t>(node.inputs.size());
    for (size_t i = 0; i < node.inputs.size(); ++i) step.inputs[i] = binder.place_of(node.inputs[i]);
    const auto result = std::find(results_.begin(), results_.end(), node.outputs[0]);
    const bool is_result = result != results_.end();
    step.output = binder.add_whole(node.outputs[0],
                                   is_result ? BoundProgram::Place::result : BoundProgram::Place::scratch,
                                   is_result ? static_cast<int32_t>(result - results_.begin()) : 0);
    bound.steps_.push_back(step);
  }
  bound.sizes_ = binder.merged_sizes();
  bound.places_ = std::move(binder.places);
  bound.size_ = element_count(space.shape);
  bound.assign_memory();
  return bound;
}

void BoundProgram::assign_memory() {
  int64_t most_bytes = 1, streams = 0;
  int32_t slots = 0;
  for (Place& place : places_) {
    place.dense = is_dense(sizes_, place.strides) || size_ == 0;
    place.inner_only =
        std::all_of(place.strides.begin(), place.strides.end() - 1, [](int64_t s) { return s == 0; });
    most_bytes = std::max<int64_t>(most_bytes, place.bytes);
    if (!place.dense)
      place.slot = slots++;
    else if (place.kind != Place::scratch)
      ++streams;
  }
  fills_ = slots;
  // Intermediate values take the slots of those that are not read any more.
  std::vector<int32_t> free;
  std::vector<size_t> last_use(places_.size(), 0);
  for (size_t s = 0; s < steps_.size(); ++s)
    for (int32_t i = 0; i < steps_[s].input_count; ++i)
      last_use[static_cast<size_t>(steps_[s].inputs[i])] = s;
  // A step may write over an operand of the same element size: it reads each element before it writes it.
  const auto release = [&](size_t s, bool same_size) {
    const int32_t bytes = places_[static_cast<size_t>(steps_[s].output)].bytes;
    for (int32_t i = 0; i < steps_[s].input_count; ++i) {
      const auto input = static_cast<size_t>(steps_[s].inputs[i]);
      if (places_[input].kind != Place::scratch || last_use[input] != s) continue;
      if ((places_[input].bytes == bytes) != same_size) continue;
      last_use[input] = steps_.size();  // let go once, if it is both operands
      free.push_back(places_[input].slot);
    }
  };
  for (size_t s = 0; s < steps_.size(); ++s) {
    release(s, true);
    Place& output = places_[static_cast<size_t>(steps_[s].output)];
    if (output.kind == Place::scratch) {
      output.slot = free.empty() ? slots++ : free.back();
      if (!free.empty()) free.pop_back();
    }
    release(s, false);
  }
  const int64_t share = working_set_bytes / ((slots + streams) * most_bytes);
  const int64_t fits = scratch_bytes / (std::max(slots, 1) * most_bytes);
  tile_ = std::min(std::clamp(share / 64 * 64, smallest_tile, largest_tile), fits / 16 * 16);
  slot_bytes_ = tile_ * most_bytes;
  if (sizes_.back() > 0 && sizes_.back() <= tile_) tile_ = tile_ / sizes_.back() * sizes_.back();
}

bool BoundProgram::may_overwrite(size_t input) const {
  for (size_t p = 0; p < places_.size(); ++p) {
    if (places_[p].kind != Place::input || places_[p].index != static_cast<int32_t>(input)) continue;
    if (!places_[p].dense) return false;
    // Result 0 must come from the last step: no later one reads the input or makes another result.
    const Place& last = places_[static_cast<size_t>(steps_.back().output)];
    return last.kind == Place::result && last.index == 0 && last.bytes == places_[p].bytes;
  }
  return false;
}

/// The pointers of one call, and what lies in the slots of operands that are not dense.
struct BoundProgram::Run {
  const void* const* inputs;
  const void* const* anchors;
  void* const* results;
  int64_t start;         // anchors' first element
  int64_t result_start;  // results' first element
  struct Filled {
    int64_t key, count;
  } filled[most_values];  // the first fills_ of them
};

void BoundProgram::run_all(Run& run, int64_t begin, int64_t count) const {
  for (int32_t i = 0; i < fills_; ++i) run.filled[i] = {-1, 0};
  for (int64_t done = 0; done < count; done += tile_)
    run_tile(run, begin + done, std::min(tile_, count - done));
}

void BoundProgram::run(int64_t begin, int64_t count, const void* const* inputs, const void* const* anchors,
                       void* const* results) const {
  Run run;
  run.inputs = inputs, run.anchors = anchors, run.results = results, run.start = begin, run.result_start = 0;
  run_all(run, begin, count);
}

void BoundProgram::run_into(int64_t begin, int64_t count, const void* const* inputs,
                            const void* const* anchors, void* const* results) const {
  Run run;
  run.inputs = inputs, run.anchors = anchors, run.results = results, run.start = run.result_start = begin;
  run_all(run, begin, count);
}

/// Copies elements [begin, begin + count) of a broadcast operand, row by row of the innermost dimension.
void BoundProgram::fill(const Place& place, const char* from, char* to, int64_t begin, int64_t count) const {
  const size_t last = sizes_.size() - 1;
  const int64_t inner = sizes_[last];
  int64_t row = begin / inner, column = begin % inner;
  while (count > 0) {
    int64_t offset = column * place.strides[last];
    for (size_t d = last, rest = static_cast<size_t>(row); d-- > 0; rest /= static_cast<size_t>(sizes_[d]))
      offset += static_cast<int64_t>(rest % static_cast<size_t>(sizes_[d])) * place.strides[d];
    const int64_t part = std::min(count, inner - column);
    repeat(from + offset * place.bytes, to, place.bytes, part, place.strides[last]);
    const char* made = to;
    to += part * place.bytes;
    count -= part;
    ++row;
    if (column == 0 && last > 0 && place.strides[last - 1] == 0) {
      // Every row up to the end of the dimension around is the same: what is written doubles.
      const int64_t rows = std::min(count / inner, (sizes_[last - 1] - row % sizes_[last - 1]) % sizes_[last - 1]);
      for (int64_t done = 1, more; done <= rows; done += more) {
        more = std::min(done, rows + 1 - done);
        std::memcpy(to, made, static_cast<size_t>(more * inner * place.bytes));
        to += more * inner * place.bytes;
      }
      count -= rows * inner;
      row += rows;
    }
    column = 0;
  }
}

/// The operand's elements for one tile: where they lie, or in its slot.
const void* BoundProgram::operand(Run& run, const Place& place, int64_t begin, int64_t count) const {
  if (place.kind == Place::scratch) return scratch_memory + place.slot * slot_bytes_;
  if (place.kind == Place::anchor)
    return static_cast<const char*>(run.anchors[place.index]) + (begin - run.start) * place.bytes;
  if (place.kind == Place::result)
    return static_cast<const char*>(run.results[place.index]) + (begin - run.result_start) * place.bytes;
  const char* from =
      static_cast<const char*>(place.kind == Place::input ? run.inputs[place.index] : place.data);
  if (place.dense) return from + begin * place.bytes;
  const int64_t inner = sizes_.back(), column = begin % inner;
  const bool in_one_row = column + count <= inner;
  if (place.inner_only && place.strides.back() == 1 && in_one_row) return from + column * place.bytes;
  char* slot = scratch_memory + place.slot * slot_bytes_;
  // What the slot holds is known by where it starts in the operand, if it stays the same from tile to tile.
  int64_t key = -1;
  if (place.inner_only)
    key = place.strides.back() == 0 ? 0 : column;
  else if (place.strides.back() == 0 && in_one_row)
    key = begin / inner;
  else if (const size_t last = sizes_.size() - 1;
           last > 0 && place.strides[last - 1] == 0 && place.strides[last] != 0) {
    // The same for each row of the dimension around, as numbers per channel are in blocks of channels.
    const int64_t plane = inner * sizes_[last - 1];
    if (begin % plane + count <= plane) key = begin / plane * inner + column;
  }
  Run::Filled& filled = run.filled[place.slot];
  if (key >= 0 && filled.key == key && filled.count >= count) return slot;
  fill(place, from, slot, begin, count);
  filled = {key, count};
  return slot;
}

void BoundProgram::run_tile(Run& run, int64_t begin, int64_t count) const {
  static constexpr int64_t ones[3] = {1, 1, 1};
  for (const Step& step : steps_) {
    TileCall call{{}, nullptr, count, step.parameters};
    for (int32_t i = 0; i < step.input_count; ++i)
      call.inputs[i] = operand(run, places_[static_cast<size_t>(step.inputs[i])], begin, count);
    const Place& output = places_[static_cast<size_t>(step.output)];
    call.output = const_cast<void*>(operand(run, output, begin, count));
    if (step.kernel)
      step.kernel(call);
    else
      step.loop(*step.attributes, call.inputs, ones, call.output, count);
  }
}

}  // namespace burnish::cpu
