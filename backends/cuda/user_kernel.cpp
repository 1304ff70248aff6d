// Kernels of the user's own: every thread of a grid calls the function of the op's text, with the arguments
// and then the results as burnish::Tensor (kernels/user_kernel.cuh). It shares the work out by blockIdx.x and
// gridDim.x, whatever their number, which is measured here.
#include <algorithm>
#include <charconv>

#include "cuda/body_text.h"
#include "cuda/kernel_text.h"
#include "cuda/tactics.h"
#include "ops/table.h"
#include "ops/user.h"

namespace burnish::cuda {
namespace {

using device::Problem;

const ops::UserAttributes& attributes_of(const Problem& problem) {
  return problem.node(0).attributes.as<ops::UserAttributes>();
}

Support takes(const ir::TensorType& type) {
  return type.layout == ir::Layout::plain ? Support::yes() : Support::no("it takes plain tensors");
}

void add_tensor(Sizes& sizes, const std::string& name, const ir::TensorType& type) {
  for (size_t d = 0; d < type.shape.size(); ++d) sizes.add(fmt::format("{}_{}", name, d), type.shape[d]);
}

std::string tensor_text(const std::string& qualifier, const std::string& pointer, const std::string& name,
                        const ir::TensorType& type) {
  std::string sizes;
  for (int64_t d = 0; d < type.rank(); ++d) sizes += fmt::format("{}s.{}_{}", d ? ", " : "", name, d);
  return fmt::format("Tensor<{}{}, {}>{{{}, {{{}}}}}", qualifier, memory_type(type.dtype), type.rank(),
                     pointer, sizes.empty() ? "1" : sizes);
}

class UserKernel : public GeneratedTactic {
 public:
  std::string name() const override { return "cuda.user_kernel"; }

  Support supports(const Problem& problem, const device::DeviceInfo&) const override {
    const ir::Node* node = problem.single(ops::def::user_kernel);
    if (!node) return Support::no("not a kernel of the user's own");
    if (Support support = has_user_text(*node); !support) return support;
    const int64_t threads = attributes_of(problem).threads;
    if (threads < 1 || threads > 1024)
      return Support::no("a block of {} threads: 1 to 1024 are expected", threads);
    for (ir::ValueId input : node->inputs)
      if (problem.input_index(input) < 0)
        return Support::no("an argument is a number that is known at build");
    for (int i = 0; i < problem.input_count(); ++i)
      if (Support support = takes(problem.input(i)); !support) return support;
    for (int i = 0; i < problem.output_count(); ++i)
      if (Support support = takes(problem.output(i)); !support) return support;
    return Support::yes();
  }

  std::vector<device::Candidate> configurations(const Problem&, const Gpu& gpu) const override {
    std::vector<device::Candidate> all = {{"per_element", 0}, {"per_row", 0}};
    for (int each : {1, 4}) all.push_back({std::to_string(each * gpu.multiprocessors), 0});
    return all;
  }

  std::string source(const Problem& problem, const std::string&, const Arch&) const override {
    std::string arguments;
    const auto add = [&](const std::string& text) { arguments += (arguments.empty() ? "" : ", ") + text; };
    for (ir::ValueId value : problem.node(0).inputs) {
      const int i = problem.input_index(value);
      add(tensor_text("const ", operand_pointer(problem, i), fmt::format("x{}", i), problem.input(i)));
    }
    for (int i = 0; i < problem.output_count(); ++i)
      add(tensor_text("", fmt::format("p.y{}", i), fmt::format("y{}", i), problem.output(i)));
    return kernel_text("user_kernel") + user_text("user", problem.node(0)) +
           fmt::format(
               "extern \"C\" __global__ void __launch_bounds__({}) kernel(const Operands p, const Sizes s) "
               "{{\n"
               "  wait_for_inputs(p);\n  let_next_start();\n  ::user::{}({});\n}}\n",
               attributes_of(problem).threads, attributes_of(problem).name, arguments);
  }

  Sizes sizes(const Problem& problem, const std::string&) const override {
    Sizes sizes;
    for (int i = 0; i < problem.input_count(); ++i)
      add_tensor(sizes, fmt::format("x{}", i), problem.input(i));
    for (int i = 0; i < problem.output_count(); ++i)
      add_tensor(sizes, fmt::format("y{}", i), problem.output(i));
    return sizes;
  }

  std::vector<Launch> launches(const Problem& problem, const Problem&, const std::string& candidate,
                               const Arch&) const override {
    Launch launch;
    launch.threads = static_cast<unsigned>(attributes_of(problem).threads);
    launch.grid[0] = blocks(problem, candidate);
    return {launch};
  }

 private:
  /// Of one of configurations(): none where the results have no elements.
  static unsigned blocks(const Problem& problem, const std::string& candidate) {
    int64_t most = 0, blocks = 0;
    for (int i = 0; i < problem.output_count(); ++i)
      most = std::max(most, ir::product(problem.output(i).shape).constant());
    const ir::TensorType& y = problem.output(0);
    const int64_t threads = attributes_of(problem).threads;
    if (candidate == "per_element")
      blocks = (most + threads - 1) / threads;
    else if (candidate == "per_row")
      blocks = most / std::max<int64_t>(1, y.rank() > 0 ? y.shape.back().constant() : 1);
    else
      std::from_chars(candidate.data(), candidate.data() + candidate.size(), blocks);
    return most == 0 ? 0 : static_cast<unsigned>(std::clamp<int64_t>(blocks, 1, INT32_MAX));
  }
};

}  // namespace

const device::Tactic& user_kernel_tactic() {
  static const UserKernel tactic;
  return tactic;
}

}  // namespace burnish::cuda
