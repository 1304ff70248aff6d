#include "engine/program_file.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "engine/json_numbers.h"
#include "ops/check_types.h"
#include "ops/table.h"

namespace burnish::engine {
namespace {

using nlohmann::json;

constexpr uint64_t weight_alignment = 64;
/// Bodies nest; a file that nests deeper than this was not written by us.
constexpr int deepest = 32;

/// Zeros between weights, so that each begins at its alignment.
const char padding[weight_alignment] = {};

/// True for constants whose data the IR's text leaves out.
bool printed_without_data(const ir::Graph& graph, ir::ValueId id) {
  return ir::print_constant_data(graph, id).empty();
}

/// Calls visit(graph, constant) for the constants without data, in the order in which the text names them.
template <class Visit>
void for_each_stored_constant(const ir::Graph& graph, Visit&& visit) {
  for (ir::ValueId id : graph.constants())
    if (printed_without_data(graph, id)) visit(graph, id);
  for (ir::NodeId id : graph.order())
    for (const auto& body : graph.node(id).bodies) for_each_stored_constant(*body, visit);
}

}  // namespace

ProgramWriter::ProgramWriter(const plan::Program& program) : text_(describe(program)) {}

ProgramWriter::Blob ProgramWriter::add_weight(const Tensor& given) {
  require(given.device().is_host(), "internal: weights are saved from the host");
  const auto key = std::pair<const void*, int64_t>{given.raw(), given.bytes()};
  const auto known = known_weights_.find(key);
  if (known != known_weights_.end()) return known->second;
  const uint64_t gap = (weight_alignment - weights_bytes_ % weight_alignment) % weight_alignment;
  if (gap) weights_.push_back({padding, gap});
  const Blob blob{weights_bytes_ + gap, static_cast<uint64_t>(given.bytes())};
  weights_.push_back({static_cast<const char*>(given.raw()), blob.bytes});
  weights_bytes_ = blob.offset + blob.bytes;
  kept_.push_back(given);
  return known_weights_[key] = blob;
}

ProgramWriter::Blob ProgramWriter::add_code(const std::string& code) {
  const auto known = known_code_.find(code);
  if (known != known_code_.end()) return known->second;
  const Blob blob{code_.size(), code.size()};
  code_ += code;
  return known_code_[code] = blob;
}

std::string ProgramWriter::describe(const plan::Program& program) {
  const ir::Graph& graph = *program.graph;
  json text;
  text["graph"] = ir::print(graph);
  text["constants"] = json::array();
  for_each_stored_constant(graph, [&](const ir::Graph& owner, ir::ValueId id) {
    const Tensor& data = owner.value(id).constant;
    const Blob blob = data.raw() ? add_weight(data) : Blob{};
    text["constants"].push_back({blob.offset, blob.bytes});
  });
  if (program.streams > 1) text["streams"] = program.streams;
  if (program.prefetch) text["prefetch"] = true;
  text["choices"] = json::array();
  text["bodies"] = json::object();
  const std::vector<ir::NodeId> order = graph.order();
  for (size_t position = 0; position < order.size(); ++position) {
    const device::Choice& choice = program.choice(order[position]);
    const auto bodies = program.bodies.find(order[position].index);
    if (bodies != program.bodies.end())
      for (const auto& body : bodies->second)
        text["bodies"][std::to_string(position)].push_back(json::parse(describe(*body)));
    if (choice.tactic.empty()) {
      text["choices"].push_back(nullptr);
      continue;
    }
    json one = {{"tactic", choice.tactic}, {"candidate", choice.candidate}, {"us", choice.microseconds}};
    const Blob code = add_code(choice.code);
    one["code"] = {code.offset, code.bytes};
    one["constants"] = json::array();
    for (const Tensor& constant : choice.constants) {
      const Tensor on_host = program.device->to_host(constant);
      const Blob blob = add_weight(on_host);
      one["constants"].push_back(
          {{"dtype", dtype_name(constant.dtype())}, {"shape", constant.shape()}, {"offset", blob.offset}});
    }
    text["choices"].push_back(std::move(one));
  }
  return text.dump();
}

std::vector<SectionData> ProgramWriter::sections() const {
  return {{SectionId::program, true, {text_}},
          {SectionId::code, true, {code_}},
          {SectionId::weights, false, weights_}};
}

namespace {

class Reader {
 public:
  explicit Reader(const SectionFile& file)
      : file_(file), weights_(file.section(SectionId::weights)), code_(file.section(SectionId::code)) {}

  SavedProgram program(const json& text, int depth) {
    require(depth < deepest, "bodies are nested too deeply");
    SavedProgram saved;
    const json& constants = text.at("constants");
    size_t next = 0;
    saved.graph = ir::parse(text.at("graph").get_ref<const std::string&>(), ops::op_lookup(),
                            [&](const std::string& name, const ir::TensorType& type) {
                              require(next < constants.size(), "constant '{}' has no data", name);
                              const json& blob = constants.at(next++);
                              const auto shape = ir::constants(type.shape);
                              if (whole_number<uint64_t>(blob.at(1)) == 0 && element_count(*shape) != 0)
                                return Tensor();
                              return weight(type.dtype, *shape, whole_number<uint64_t>(blob.at(0)));
                            });
    ir::verify(*saved.graph);
    ops::check_types(*saved.graph);
    const std::vector<ir::NodeId> order = saved.graph->order();
    saved.streams = whole_number<int>(text.value("streams", json(1)));
    require(saved.streams >= 1 && saved.streams <= plan::most_streams, "{} streams; there are at most {}",
            saved.streams, plan::most_streams);
    saved.prefetch = text.value("prefetch", false);
    const json& choices = text.at("choices");
    require(choices.size() == order.size(), "{} choices for {} nodes", choices.size(), order.size());
    saved.choices.resize(saved.graph->node_capacity());
    for (size_t position = 0; position < order.size(); ++position)
      if (!choices[position].is_null())
        saved.choices[static_cast<size_t>(order[position].index)] = choice(choices[position]);
    for (const auto& [position, programs] : text.at("bodies").items()) {
      const size_t at = std::stoul(position);
      require(at < order.size(), "a body belongs to no node");
      for (const json& body : programs) saved.bodies[order[at].index].push_back(program(body, depth + 1));
    }
    return saved;
  }

 private:
  Tensor weight(DType dtype, Shape shape, uint64_t offset) {
    int64_t bytes = 0;
    const bool countable = !__builtin_mul_overflow(element_count(shape), dtype_bytes(dtype), &bytes);
    require(countable && offset % weight_alignment == 0 && offset <= weights_.size() &&
                static_cast<uint64_t>(bytes) <= weights_.size() - offset,
            "a weight lies outside section 'weights'");
    return Tensor::view(dtype, std::move(shape), const_cast<char*>(weights_.data()) + offset, file_.owner());
  }

  device::Choice choice(const json& text) {
    device::Choice made;
    made.tactic = text.at("tactic");
    made.candidate = text.at("candidate");
    made.microseconds = text.at("us");
    const auto offset = whole_number<uint64_t>(text.at("code").at(0)),
               bytes = whole_number<uint64_t>(text.at("code").at(1));
    require(offset <= code_.size() && bytes <= code_.size() - offset, "code lies outside section 'code'");
    made.code = code_.substr(offset, bytes);
    for (const json& constant : text.at("constants")) {
      const auto dtype = parse_dtype(constant.at("dtype").get_ref<const std::string&>());
      require(dtype.has_value(), "a packed weight has an unknown element type");
      made.constants.push_back(
          weight(*dtype, shape_of(constant.at("shape")), whole_number<uint64_t>(constant.at("offset"))));
    }
    return made;
  }

  const SectionFile& file_;
  std::string_view weights_, code_;
};

}  // namespace

SavedProgram read_program(const SectionFile& file) {
  return with_context([] { return "section 'program'"; },
                      [&] {
                        try {
                          return Reader(file).program(json::parse(file.section(SectionId::program)), 0);
                        } catch (const json::exception& error) {
                          fail("{}", error.what());
                        } catch (const std::logic_error& error) {  // of std::stoul
                          fail("a position is no number ({})", error.what());
                        }
                      });
}

}  // namespace burnish::engine
