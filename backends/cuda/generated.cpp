#include "cuda/generated.h"

#include <algorithm>
#include <map>

#include "cuda/body_text.h"
#include "cuda/kernel_text.h"
#include "cuda/module.h"

namespace burnish::cuda {
namespace {

constexpr std::string_view code_magic = "burnish-cuda-1";
constexpr double much_faster = 0.9;  ///< of another's time by the model, which is right to about that

/// What an engine keeps of a kernel: "burnish-cuda-1 sm_90a SOURCE_BYTES\n", the source, the cubin.
struct Code {
  std::string target, source, cubin;

  std::string str() const {
    return fmt::format("{} {} {}\n", code_magic, target, source.size()) + source + cubin;
  }

  static Code parse(const std::string& text) {
    Code code;
    const size_t end = text.find('\n'), first = text.find(' '), second = text.find(' ', first + 1);
    const bool header = end != std::string::npos && second < end && text.substr(0, first) == code_magic;
    require(header, "a CUDA kernel's code is damaged: it has no header");
    const std::string digits = text.substr(second + 1, end - second - 1);
    const bool number =
        !digits.empty() && digits.size() < 10 && digits.find_first_not_of("0123456789") == std::string::npos;
    require(number && std::stoul(digits) <= text.size() - end - 1,
            "a CUDA kernel's code is damaged: its length is wrong");
    code.target = text.substr(first + 1, second - first - 1);
    code.source = text.substr(end + 1, std::stoul(digits));
    code.cubin = text.substr(end + 1 + code.source.size());
    return code;
  }
};

constexpr std::string_view set_magic = "burnish-cuda-set-1";

/// The codes of several candidates, by their ids: "burnish-cuda-set-1 COUNT\n", then "ID BYTES\n" before
/// each. One alone stands without.
using CodeSet = std::vector<std::pair<std::string, std::string>>;

std::string text_of(const CodeSet& set) {
  if (set.size() == 1) return set[0].second;
  std::string text = fmt::format("{} {}\n", set_magic, set.size());
  for (const auto& [id, code] : set) text += fmt::format("{} {}\n", id, code.size()) + code;
  return text;
}

/// `candidate`: of a code that stands alone.
CodeSet parse_set(const std::string& text, const std::string& candidate) {
  if (!text.starts_with(set_magic)) return {{candidate, text}};
  constexpr const char* damaged = "the code of a CUDA kernel's candidates is damaged";
  CodeSet set;
  size_t at = text.find('\n');
  while (at != std::string::npos && ++at < text.size()) {
    const size_t end = text.find('\n', at), space = text.find(' ', at);
    require(end != std::string::npos && space < end && end - space <= 10, damaged);
    const std::string digits = text.substr(space + 1, end - space - 1);
    require(!digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos, damaged);
    const size_t bytes = std::stoul(digits);
    require(bytes <= text.size() - end - 1, damaged);
    set.emplace_back(text.substr(at, space - at), text.substr(end + 1, bytes));
    at = end + bytes;
  }
  require(!set.empty() && set[0].first == candidate, damaged);
  return set;
}

/// The problem with the data of those operands that the host knows as literals. Only problems of one op have
/// such operands.
device::Problem with_host_data(const device::Problem& problem, std::span<const Tensor> host_inputs) {
  if (std::all_of(host_inputs.begin(), host_inputs.end(), [](const Tensor& data) { return data.empty(); }))
    return problem;
  require(problem.nodes().size() == 1, "internal: a region with operands on the host");
  const ir::Graph& body = problem.body();
  const ir::Node& node = problem.node(0);
  ir::Graph graph("bound");
  std::map<ir::ValueId, ir::ValueId> copied;
  for (int i = 0; i < problem.input_count(); ++i) {
    const ir::ValueId input = body.inputs()[static_cast<size_t>(i)];
    const Tensor& data = host_inputs[static_cast<size_t>(i)];
    copied[input] = data.empty() ? graph.add_input(body.value(input).name, problem.input(i))
                                 : graph.add_constant(body.value(input).name, data);
  }
  std::vector<ir::ValueId> operands;
  for (ir::ValueId value : node.inputs) {
    if (value && !copied.contains(value))
      copied[value] = graph.add_constant(body.value(value).name, problem.literal(value));
    operands.push_back(value ? copied.at(value) : ir::ValueId{});
  }
  const ir::NodeId made =
      graph.add_node(*node.op, node.attributes, operands, static_cast<int>(node.outputs.size()));
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    graph.value(graph.node(made).outputs[i]).type = body.value(node.outputs[i]).type;
    graph.outputs.push_back({"", graph.node(made).outputs[i]});
  }
  return device::Problem::of(graph, made);
}

struct BoundLaunch {
  CUfunction function = nullptr;
  Launch launch;
  CUtensorMap map{};  // of launch.map, over mapped
  const void* mapped = nullptr;
};

/// What the copy engine is told of `map` at `pointer`.
CUtensorMap encode(CudaDevice& device, const CopyMap& map, const void* pointer) {
  CUtensorMap encoded;
  const CUtensorMapDataType type = map.dtype == DType::f16    ? CU_TENSOR_MAP_DATA_TYPE_FLOAT16
                                   : map.dtype == DType::bf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                                              : CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
  const cuuint64_t bytes = static_cast<cuuint64_t>(dtype_bytes(map.dtype));
  constexpr size_t most_axes = 5;
  cuuint64_t sizes[most_axes], strides[most_axes];
  cuuint32_t box[most_axes] = {static_cast<cuuint32_t>(128 / bytes)}, steps[most_axes] = {1};
  const size_t axes = map.sizes.size();
  require(axes >= 2 && axes <= most_axes, "internal: a copy of {} axes", axes);
  for (size_t i = 0; i < axes; ++i) sizes[i] = static_cast<cuuint64_t>(map.sizes[i]);
  for (size_t i = 1; i < axes; ++i) {
    strides[i - 1] = static_cast<cuuint64_t>(map.strides[i - 1]) * bytes;
    box[i] = map.box[i - 1];
    steps[i] = map.steps[i - 1];
  }
  char* first = static_cast<char*>(const_cast<void*>(pointer)) + map.offset * dtype_bytes(map.dtype);
  device.check(
      driver().cuTensorMapEncodeTiled(&encoded, type, static_cast<cuuint32_t>(axes), first, sizes, strides,
                                      box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
                                      CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE),
      "cuTensorMapEncodeTiled");
  return encoded;
}

class GeneratedBound : public device::BoundKernel {
 public:
  GeneratedBound(CudaDevice& device, std::string name, std::vector<BoundLaunch> launches,
                 std::vector<int> inputs, std::vector<int32_t> sizes, size_t workspace, int in_place)
      : device_(device),
        name_(std::move(name)),
        launches_(std::move(launches)),
        inputs_(std::move(inputs)),
        sizes_(std::move(sizes)),
        workspace_(workspace),
        in_place_(in_place) {}

  size_t workspace_bytes() const override { return workspace_; }
  int in_place_input() const override { return in_place_; }

  void enqueue(device::Stream& any_stream, const device::Arguments& arguments) override {
    CudaStream& stream = cuda_stream(any_stream);
    constexpr size_t most_operands = 64, others = 3;  // behind inputs, weights and outputs
    const void* operands[most_operands];
    size_t count = 0;
    require(inputs_.size() + arguments.constants.size() + arguments.outputs.size() + others <= most_operands,
            "{} packed weights are more than the kernel takes: build the engine again",
            arguments.constants.size());
    for (int input : inputs_) operands[count++] = arguments.inputs[static_cast<size_t>(input)];
    for (const Tensor& constant : arguments.constants) operands[count++] = constant.raw();
    for (void* output : arguments.outputs) operands[count++] = output;
    operands[count++] = arguments.workspace;
    operands[count++] = arguments.ahead;
    operands[count] = reinterpret_cast<const void*>(arguments.ahead_bytes);
    for (BoundLaunch& bound : launches_) {
      if (bound.launch.map) {
        const void* pointer = arguments.inputs[static_cast<size_t>(bound.launch.map->input)];
        if (pointer != bound.mapped) bound.map = encode(device_, *bound.launch.map, pointer);
        bound.mapped = pointer;
      }
      void* parameters[] = {operands, sizes_.data(), &bound.map};
      run(stream, bound, parameters);
    }
  }

 private:
  void run(CudaStream& stream, const BoundLaunch& bound, void** parameters) {
    const Launch& launch = bound.launch;
    CUlaunchAttribute attributes[2];
    unsigned count = 0;
    if (launch.cluster != std::array<unsigned, 3>{1, 1, 1}) {
      attributes[count].id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
      attributes[count++].value.clusterDim = {launch.cluster[0], launch.cluster[1], launch.cluster[2]};
    }
    if (stream.follows_kernel() && device_.arch().number >= 90) {
      attributes[count].id = CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION;
      attributes[count++].value.programmaticStreamSerializationAllowed = 1;
    }
    const CUlaunchConfig config = {launch.grid[0],
                                   launch.grid[1],
                                   launch.grid[2],
                                   launch.threads,
                                   1,
                                   1,
                                   static_cast<unsigned>(launch.shared_bytes),
                                   stream.native(),
                                   attributes,
                                   count};
    device_.check(driver().cuLaunchKernelEx(&config, bound.function, parameters, nullptr), "cuLaunchKernelEx",
                  name_.c_str());
    stream.set_follows_kernel(true);
    stream.set_last_kernel(name_.c_str());
  }

  CudaDevice& device_;
  std::string name_;
  std::vector<BoundLaunch> launches_;
  std::vector<int> inputs_;
  std::vector<int32_t> sizes_;
  size_t workspace_;
  int in_place_;
};

/// A candidate's code on the device.
struct Variant {
  std::string candidate;
  std::shared_ptr<Module> module;
  Sizes sizes;
  double tuned_us = 0;  ///< by the model, at the sizes that the first one was measured at
};

class GeneratedKernel : public device::Kernel {
 public:
  GeneratedKernel(const GeneratedTactic& tactic, device::Problem problem, std::vector<Variant> variants,
                  CudaDevice& device)
      : tactic_(tactic), problem_(std::move(problem)), variants_(std::move(variants)), device_(device) {
    if (!problem_.is_static())  // some would wait for the first run at sizes that they are chosen for
      for (const Variant& variant : variants_) variant.module->load_functions();
    if (variants_.size() == 1) return;
    const device::Problem tuned = problem_.at_opt();
    for (Variant& variant : variants_)
      variant.tuned_us = tactic_.modelled_us(tuned, variant.candidate, device.gpu());
  }

  std::unique_ptr<device::BoundKernel> bind(const device::BindArguments& arguments) const override {
    ir::Bindings bindings = bindings_of(problem_, arguments);
    const device::Problem concrete = with_host_data(problem_.at(bindings), arguments.host_inputs);
    bindings.merge(tactic_.late_sizes(concrete));
    const Variant& variant = best_of(concrete);
    const std::string& candidate = variant.candidate;
    std::vector<BoundLaunch> launches;
    for (Launch& launch : tactic_.launches(concrete, problem_, candidate, device_.arch()))
      if (launch.grid[0] > 0 && launch.grid[1] > 0 && launch.grid[2] > 0)  // nothing to do on empty tensors
        launches.push_back(
            {variant.module->function(launch.entry, launch.shared_bytes), launch, {}, nullptr});
    std::vector<int> inputs;
    for (int i = 0; i < problem_.input_count(); ++i)
      if (!problem_.is_weight(i)) inputs.push_back(i);
    std::vector<int32_t> sizes = variant.sizes.values(bindings);
    if (sizes.empty()) sizes.push_back(0);  // an empty struct is one byte
    return std::make_unique<GeneratedBound>(
        device_, tactic_.name() + " " + candidate, std::move(launches), std::move(inputs), std::move(sizes),
        tactic_.workspace_bytes(concrete, candidate, device_.arch()), tactic_.in_place_input(concrete));
  }

 private:
  /// The first, which was measured where sizes are tuned for, unless the model, as far as it was right there,
  /// finds another much faster.
  const Variant& best_of(const device::Problem& concrete) const {
    if (variants_.size() == 1) return variants_[0];
    const auto now_us = [&](const Variant& variant) {
      return tactic_.modelled_us(concrete, variant.candidate, device_.gpu());
    };
    const double first = now_us(variants_[0]);
    const Variant* best = &variants_[0];
    double least = much_faster;
    for (size_t i = 1; i < variants_.size(); ++i) {
      const double wrong_by = std::min(1.0, variants_[i].tuned_us / variants_[0].tuned_us);
      const double share = now_us(variants_[i]) / (first * wrong_by);
      if (share > 0 && share < least) {
        least = share;
        best = &variants_[i];
      }
    }
    return *best;
  }

  const GeneratedTactic& tactic_;
  device::Problem problem_;
  std::vector<Variant> variants_;
  CudaDevice& device_;
};

}  // namespace

std::string Sizes::declaration() const {
  std::string text = "struct Sizes {\n";
  for (const Entry& entry : entries_) {
    if (entry.in_text())
      text += fmt::format("  static constexpr int {} = {};\n", entry.name, entry.value.constant());
    else
      text += fmt::format("  int {};\n", entry.name);
  }
  return text + "};\n";
}

std::vector<int32_t> Sizes::values(const ir::Bindings& bindings) const {
  std::vector<int32_t> values;
  for (const Entry& entry : entries_) {
    if (entry.in_text()) continue;
    const int64_t value = entry.value.evaluate(bindings);
    require(value >= INT32_MIN && value <= INT32_MAX,
            "a tensor of more than 2^31 elements has no CUDA kernel");
    values.push_back(static_cast<int32_t>(value));
  }
  return values;
}

std::string operands_declaration(const device::Problem& problem) {
  std::string inputs, constants, outputs;
  int order = 0;
  for (int i = 0; i < problem.input_count(); ++i) {
    if (problem.is_weight(i))
      constants += fmt::format("  const void* c{};\n", order++);
    else
      inputs += fmt::format("  const {}* x{};\n", memory_type(problem.input(i).dtype), i);
  }
  for (int i = 0; i < problem.output_count(); ++i)
    outputs += fmt::format("  {}* y{};\n", memory_type(problem.output(i).dtype), i);
  return "struct Operands {\n" + inputs + constants + outputs +
         "  char* workspace;\n  const char* ahead;\n  uint64_t ahead_bytes;\n};\n"
         "/// As wait_for_inputs(), having asked for the next kernel's weights.\n"
         "BURNISH_DEVICE void wait_for_inputs(const Operands& p) {\n  if (threadIdx.x == 0) Ahead(p.ahead, "
         "p.ahead_bytes, 1).fetch();\n  wait_for_inputs();\n}\n";
}

int weight_order(const device::Problem& problem, int input) {
  int order = 0;
  for (int i = 0; i < input; ++i) order += problem.is_weight(i);
  return order;
}

std::string operand_pointer(const device::Problem& problem, int input) {
  if (!problem.is_weight(input)) return fmt::format("p.x{}", input);
  return fmt::format("static_cast<const {}*>(p.c{})", memory_type(problem.input(input).dtype),
                     weight_order(problem, input));
}

std::string GeneratedTactic::program(const device::Problem& problem, const std::string& candidate,
                                     const Arch& arch) const {
  bool narrow = true;  // all results are rounded to 16 bits
  for (int i = 0; i < problem.output_count(); ++i)
    narrow = narrow && dtype_bytes(problem.output(i).dtype) <= 2;
  return (narrow ? "#define BURNISH_FAST\n" : "") + kernel_text("prelude") + "namespace burnish {\n" +
         operands_declaration(problem) + sizes(problem, candidate).declaration() +
         source(problem, candidate, arch) + "}  // namespace burnish\n";
}

std::vector<std::string> GeneratedTactic::variants(const device::Problem& problem,
                                                   const std::string& candidate, const Gpu& gpu) const {
  std::vector<std::string> found = {candidate};
  const auto& symbols = problem.body().symbols;
  const bool bounded =
      std::all_of(symbols.begin(), symbols.end(), [](const auto& each) { return each.second.max >= 0; });
  if (symbols.empty() || !bounded || modelled_us(problem.at_opt(), candidate, gpu) == 0) return found;
  constexpr size_t most_variants = 6;
  ir::Bindings tuned;
  for (const auto& [symbol, range] : problem.body().symbols) tuned[symbol] = range.opt;
  for (const auto& [symbol, range] : problem.body().symbols) {
    for (int64_t size = range.max; size >= 1 && size >= range.min; size /= 2) {
      ir::Bindings bindings = tuned;
      bindings[symbol] = size;
      const device::Problem concrete = problem.at(bindings);
      double least = modelled_us(concrete, candidate, gpu);
      for (const std::string& id : found) least = std::min(least, modelled_us(concrete, id, gpu));
      std::string best;
      for (const device::Candidate& other : configurations(concrete, gpu))
        if (other.estimate_us > 0 && other.estimate_us < much_faster * least &&
            pack_alike(problem, candidate, other.id)) {
          best = other.id;
          least = other.estimate_us / much_faster;
        }
      if (!best.empty() && found.size() < most_variants) found.push_back(best);
    }
  }
  return found;
}

std::string GeneratedTactic::compile(const device::Problem& problem, const device::Candidate& candidate,
                                     device::Device& device) const {
  const Gpu& gpu = cuda_device(device).gpu();
  CodeSet set;
  for (const std::string& id : variants(problem, candidate.id, gpu)) {
    Code code;
    code.target = target(gpu.arch);
    code.source = program(problem, id, gpu.arch);
    code.cubin = compile_cuda(code.source, code.target);
    set.emplace_back(id, code.str());
  }
  return text_of(set);
}

std::unique_ptr<device::Kernel> GeneratedTactic::load(const device::Problem& problem,
                                                      const device::Candidate& candidate,
                                                      const std::string& text, device::Device& device) const {
  CudaDevice& cuda = cuda_device(device);
  std::vector<Variant> variants;
  for (const auto& [id, each] : parse_set(text, candidate.id)) {
    Code code = Code::parse(each);
    if (code.target != target(cuda.arch()))
      code.cubin = compile_cuda(program(problem, id, cuda.arch()), target(cuda.arch()));
    variants.push_back({id, Module::of(cuda, code.cubin), sizes(problem, id)});
  }
  return std::make_unique<GeneratedKernel>(*this, problem, std::move(variants), cuda);
}

void sort_by_estimate(std::vector<device::Candidate>& candidates) {
  std::stable_sort(
      candidates.begin(), candidates.end(),
      [](const device::Candidate& a, const device::Candidate& b) { return a.estimate_us < b.estimate_us; });
}

std::string constants_text(std::initializer_list<std::pair<const char*, int64_t>> constants) {
  std::string text;
  for (const auto& [name, value] : constants) text += fmt::format("constexpr int {} = {};\n", name, value);
  return text;
}

const std::string& kernel_text(const std::string& name) {
  const auto found = kernel_texts().find(name);
  require(found != kernel_texts().end(), "internal: there is no kernel text '{}'", name);
  return found->second;
}

}  // namespace burnish::cuda
