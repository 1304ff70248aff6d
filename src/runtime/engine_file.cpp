// Engine::save and Engine::load.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "engine/json_numbers.h"
#include "engine/program_file.h"
#include "ops/table.h"
#include "ops/user.h"
#include "plan/retarget.h"
#include "runtime/engine_state.h"

namespace burnish {
namespace {

using nlohmann::json;

std::shared_ptr<const plan::Program> load_saved(engine::SavedProgram saved, const std::shared_ptr<device::Device>& device, bool repack,
                                                const std::function<void(const std::string&)>& log) {
  for (const std::string& line : plan::retarget(*saved.graph, saved.choices, *device, repack))
    if (log) log(line);
  std::map<int32_t, std::vector<std::shared_ptr<const plan::Program>>> bodies;
  for (auto& [index, programs] : saved.bodies)
    for (engine::SavedProgram& body : programs) bodies[index].push_back(load_saved(std::move(body), device, repack, log));
  const std::shared_ptr<plan::Program> program = plan::load_program(saved.graph, std::move(saved.choices), std::move(bodies), device);
  program->streams = saved.streams;
  program->prefetch = saved.prefetch;
  return program;
}

/// The section "weight_sources": [name, type, shape], and for a fixed one its hash and what fixed it.
std::string describe_weights(const std::map<std::string, engine_internal::WeightSource>& weights) {
  json list = json::array();
  for (const auto& [name, source] : weights) {
    json one = {name, dtype_name(source.dtype), source.shape};
    if (!source.fixed_by.empty()) {
      one.push_back(source.hash);
      one.push_back(source.fixed_by);
    }
    list.push_back(std::move(one));
  }
  return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::map<std::string, engine_internal::WeightSource> read_weights(std::string_view text) {
  if (text.empty()) return {};
  return with_context([] { return "section 'weight_sources'"; }, [&] {
    try {
      std::map<std::string, engine_internal::WeightSource> weights;
      for (const json& one : json::parse(text)) {
        engine_internal::WeightSource& source = weights[one.at(0)];
        const auto dtype = parse_dtype(one.at(1).get_ref<const std::string&>());
        require(dtype.has_value(), "a weight has an unknown element type");
        source.dtype = *dtype;
        source.shape = engine::shape_of(one.at(2));
        if (one.size() > 3) {
          source.hash = engine::whole_number<uint64_t>(one.at(3));
          source.fixed_by = one.at(4);
        }
      }
      return weights;
    } catch (const json::exception& error) {
      fail("{}", error.what());
    }
  });
}

/// Weights that refit() would put into the graph have the types that they have there.
void check_weights(const std::map<std::string, engine_internal::WeightSource>& weights, const ir::Graph& graph) {
  for (const auto& [name, source] : weights) {
    const ir::ValueId id = graph.find_value(name);
    if (!source.fixed_by.empty() || !id || !graph.value(id).is_constant()) continue;
    const ir::TensorType& type = graph.value(id).type;
    require(type.dtype == source.dtype && ir::constants(type.shape) == source.shape, "section 'weight_sources': weight '{}' has another type in the graph", name);
  }
}

/// What calls functions of this process is not in the graph.
void require_closed(const ir::Graph& graph) {
  for (ir::NodeId id : graph.order()) {
    const ir::Node& node = graph.node(id);
    if (node.op == &ops::def::host_function)
      fail("the engine cannot be saved: node '{}' calls '{}', a function of this process, which no file can hold. Write it with the IR's ops or as CUDA "
           "C++ with a reference, or leave it out of the model",
           node.source, node.attributes.as<ops::HostFunctionAttributes>().name);
    for (const auto& body : node.bodies) require_closed(*body);
  }
}

}  // namespace

void Engine::save(const std::string& path) const {
  require_closed(*state_->program->graph);
  const device::DeviceInfo& info = state_->program->device->info();
  const json metadata = {{"burnish", BURNISH_VERSION}, {"backend", info.backend}, {"arch", info.arch}, {"device", info.name},
                         {"tuning_key", info.tuning_key}, {"tf32", info.tf32}, {"weights_bytes", state_->weights_bytes}, {"model", state_->model_metadata}};
  const std::string text = metadata.dump(-1, ' ', false, json::error_handler_t::replace);  // a model's strings may not be UTF-8
  const std::string weights = describe_weights(state_->weights);
  const engine::ProgramWriter writer(*state_->program);
  std::vector<engine::SectionData> sections = {{engine::SectionId::metadata, false, {text}}, {engine::SectionId::record, true, {state_->record}}, {engine::SectionId::weight_sources, true, {weights}}};
  for (engine::SectionData& section : writer.sections()) sections.push_back(std::move(section));
  engine::write_sections(path, sections);
}

Engine Engine::load(const std::string& path, const LoadOptions& options) {
  const engine::SectionFile file = engine::SectionFile::open(path);
  return with_context([&] { return fmt::format("engine '{}'", path); }, [&] {
    const json metadata = json::parse(file.section(engine::SectionId::metadata), nullptr, false);
    require(metadata.is_object() && metadata.contains("backend") && metadata["backend"].is_string() && metadata.contains("arch") && metadata["arch"].is_string(),
            "section 'metadata' is damaged");
    const std::string backend = metadata["backend"], arch = metadata["arch"];
    const std::string spec = options.device.empty() ? backend : options.device;
    const std::shared_ptr<device::Device> device = device::open_device(spec, {options.threads, metadata.value("tf32", json()) == true});
    const bool elsewhere = device->info().backend != backend || device->info().arch != arch;
    if (elsewhere && options.on_log)
      options.on_log(fmt::format("the engine was built for {} ({}); kernels are chosen again, untimed, for {} ({})", backend, arch,
                                 device->info().backend, device->info().arch));
    auto state = std::make_shared<engine_internal::EngineState>();
    state->program = load_saved(engine::read_program(file), device, elsewhere, options.on_log);
    if (metadata.contains("model") && metadata["model"].is_object())
      for (const auto& [key, value] : metadata["model"].items())
        if (value.is_string()) state->model_metadata.emplace(key, value.get<std::string>());
    state->weights = read_weights(file.optional_section(engine::SectionId::weight_sources));
    check_weights(state->weights, *state->program->graph);
    state->record = file.optional_section(engine::SectionId::record);
    if (metadata.contains("weights_bytes") && metadata["weights_bytes"].is_number_integer()) state->weights_bytes = metadata["weights_bytes"];
    return Engine(std::move(state));
  });
}

}  // namespace burnish
