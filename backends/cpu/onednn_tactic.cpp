#include "backends/cpu/onednn_tactic.h"

#include <algorithm>
#include <cstring>
#include <list>
#include <map>
#include <mutex>

#include "base/parallel.h"

namespace burnish::cpu {
namespace {

using device::BindArguments;
using device::BoundTensor;
using device::Problem;

/// An operation and its code: made once per set of shapes, shared by sessions.
struct Ready {
  explicit Ready(Operation made) : operation(std::move(made)), compiled(operation.description) {}
  Operation operation;
  onednn::Compiled compiled;
};

/// A kernel's weights in formats other than the packed one, which some shapes want: made once, shared by
/// sessions.
class Repacked {
 public:
  explicit Repacked(std::vector<onednn::Desc> packed) : packed_(std::move(packed)) {}
  const std::vector<onednn::Desc>& packed() const { return packed_; }

  /// Weight `i` in the format `wanted`; `weight` is its packed form.
  Tensor in_format(size_t i, const Tensor& weight, const onednn::Desc& wanted) {
    if (packed_[i] == wanted) return weight;
    std::lock_guard lock(mutex_);
    for (const Form& form : forms_)
      if (form.weight == i && form.desc == wanted) return form.data;
    forms_.push_back({i, wanted, onednn::reordered(weight, packed_[i], wanted)});
    return forms_.back().data;
  }

 private:
  struct Form {
    size_t weight;
    onednn::Desc desc;
    Tensor data;
  };
  const std::vector<onednn::Desc> packed_;
  std::mutex mutex_;
  std::vector<Form> forms_;
};

class OnednnBound : public device::BoundKernel {
 public:
  OnednnBound(std::shared_ptr<const Ready> ready, std::shared_ptr<Repacked> repacked,
              std::span<const BoundTensor> outputs)
      : ready_(std::move(ready)),
        repacked_(std::move(repacked)),
        call_(ready_->compiled),
        output_bytes_(outputs.empty() ? 0 : outputs[0].bytes()) {
    for (const Operand& operand : ready_->operation.operands) call_.add(operand.argument, operand.desc);
  }

  size_t workspace_bytes() const override { return onednn::bytes_of(ready_->compiled.scratchpad); }
  int in_place_input() const override { return ready_->operation.accumulates; }

  void enqueue(device::Stream&, const device::Arguments& arguments) override {
    const Operation& operation = ready_->operation;
    if (operation.accumulates >= 0)
      copy_summand(arguments.inputs[static_cast<size_t>(operation.accumulates)], arguments.outputs[0]);
    call_.set(0, arguments.workspace);
    if (weights_.empty()) take_weights(arguments.constants);
    size_t weight = 0;
    for (size_t i = 0; i < operation.operands.size(); ++i)
      call_.set(i + 1, address(operation.operands[i], arguments, weight));
    call_.run();
  }

 private:
  const void* address(const Operand& operand, const device::Arguments& arguments, size_t& weight) const {
    const size_t index = static_cast<size_t>(operand.index);
    if (operand.from == Operand::From::input) return arguments.inputs[index];
    if (operand.from == Operand::From::output) return arguments.outputs[index];
    return weights_[weight++].raw();
  }

  /// At the first run: the engine's constants never change after.
  void take_weights(std::span<const Tensor> constants) {
    for (const Operand& operand : ready_->operation.operands) {
      if (operand.from != Operand::From::weight) continue;
      const size_t i = weights_.size();
      require(i < constants.size(), "a packed weight is missing: build the engine again");
      const size_t expected = onednn::bytes_of(repacked_->packed()[i]);
      require(static_cast<size_t>(constants[i].bytes()) >= expected,
              "a packed weight has {} bytes where {} were expected: build the engine again",
              constants[i].bytes(), expected);
      weights_.push_back(repacked_->in_format(i, constants[i], operand.desc));
    }
  }

  void copy_summand(const void* from, void* to) const {
    if (from == to) return;
    parallel_for(output_bytes_, 1 << 16, [&](int64_t begin, int64_t end) {
      std::memcpy(static_cast<char*>(to) + begin, static_cast<const char*>(from) + begin,
                  static_cast<size_t>(end - begin));
    });
  }

  std::shared_ptr<const Ready> ready_;
  std::shared_ptr<Repacked> repacked_;
  std::vector<Tensor> weights_;  // in the order of the operands
  onednn::Call call_;
  int64_t output_bytes_;
};

/// Outputs without elements: nothing to do.
class NothingBound : public device::BoundKernel {
 public:
  void enqueue(device::Stream&, const device::Arguments&) override {}
};

int64_t elements(std::span<const BoundTensor> tensors) {
  int64_t count = 0;
  for (const BoundTensor& tensor : tensors) count += element_count(tensor.shape);
  return count;
}

/// oneDNN skips primitives with an empty operand, which would leave the output as it was.
bool has_empty(std::span<const BoundTensor> tensors) {
  return std::any_of(tensors.begin(), tensors.end(),
                     [](const BoundTensor& tensor) { return element_count(tensor.shape) == 0; });
}

Support check_layouts(std::span<const BoundTensor> tensors) {
  for (const BoundTensor& tensor : tensors) {
    if (tensor.layout != ir::Layout::c8 && tensor.layout != ir::Layout::c16) continue;
    if (tensor.shape.size() < 3 || tensor.shape.size() > 5)
      return Support::no("blocked layouts have rank 3 to 5 here");
    if (tensor.layout != onednn::native_blocks())
      return Support::no("oneDNN's kernels for these instructions have blocks of another size");
  }
  return Support::yes();
}

bool all_plain(std::span<const BoundTensor> tensors) {
  return std::all_of(tensors.begin(), tensors.end(),
                     [](const BoundTensor& tensor) { return tensor.layout == ir::Layout::plain; });
}

bool has_negative(std::span<const BoundTensor> tensors) {
  return std::any_of(tensors.begin(), tensors.end(), [](const BoundTensor& tensor) {
    return std::any_of(tensor.shape.begin(), tensor.shape.end(), [](int64_t size) { return size < 0; });
  });
}

bool is_reference_code(const Operation& operation) {
  return onednn::implementation_name(operation.description).starts_with("ref");
}

/// The operation for concrete shapes, whatever code oneDNN has for it.
Support make_any(const OnednnTactic& tactic, const Request& request, Operation& operation) {
  if (has_negative(request.inputs) || has_negative(request.outputs))
    return Support::no("a dimension is negative");
  if (has_empty(request.inputs)) return Support::no("an input has no elements");
  if (const Support inputs = check_layouts(request.inputs); !inputs) return inputs;
  if (const Support outputs = check_layouts(request.outputs); !outputs) return outputs;
  try {
    if (const Support made = tactic.make(request, operation); !made) return made;
  } catch (const dnnl::error& error) {
    return Support::no("oneDNN: {}", error.message);
  }
  if (!operation.description) return Support::no("oneDNN has no such primitive for these shapes and layouts");
  return Support::yes();
}

/// The same where the choice is still open, at opt. oneDNN's reference code is slow enough to be worth no
/// trial; in plain layout it still beats having nothing.
Support make_checked(const OnednnTactic& tactic, const Request& request, Operation& operation) {
  if (const Support made = make_any(tactic, request, operation); !made) return made;
  const bool plain = all_plain(request.inputs) && all_plain(request.outputs);
  if (!plain && is_reference_code(operation))
    return Support::no("oneDNN has only reference code for these layouts");
  return Support::yes();
}

std::vector<onednn::Desc> packed_formats(const Operation& operation) {
  std::vector<onednn::Desc> formats;
  for (const Operand& operand : operation.operands)
    if (operand.from == Operand::From::weight) formats.push_back(operand.desc);
  return formats;
}

/// The operation at the opt of the problem's symbols: its weights' formats are those of every other shape.
Operation make_at_opt(const OnednnTactic& tactic, const Problem& problem, std::string_view candidate) {
  const std::vector<BoundTensor> inputs = inputs_at_opt(problem), outputs = outputs_at_opt(problem);
  Operation operation;
  const Support made = make_checked(tactic, {problem, candidate, inputs, outputs, {}}, operation);
  require(static_cast<bool>(made), "{} cannot run '{}': {}", tactic.name(), problem.text(), made.reason());
  return operation;
}

/// What tells one set of shapes from another.
std::string shapes_key(const BindArguments& arguments) {
  std::string key;
  for (const auto& tensors : {arguments.inputs, arguments.outputs})
    for (const BoundTensor& tensor : tensors) key += shape_text(tensor.shape) + " ";
  return key;
}

/// What `make` gives, or what an equal kernel made before and still keeps: networks repeat their layers.
template <class Make>
std::shared_ptr<const Ready> shared(const std::string& key, Make&& make) {
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<const Ready>> all;
  {
    std::lock_guard lock(mutex);
    if (const auto found = all.find(key); found != all.end())
      if (std::shared_ptr<const Ready> alive = found->second.lock()) return alive;
  }
  std::shared_ptr<const Ready> made = make();
  std::lock_guard lock(mutex);
  std::erase_if(all, [](const auto& entry) { return entry.second.expired(); });
  all[key] = made;
  return made;
}

class OnednnKernel : public device::Kernel {
 public:
  OnednnKernel(const OnednnTactic& tactic, Problem problem, std::string candidate, device::Device& device)
      : tactic_(tactic), problem_(std::move(problem)), candidate_(std::move(candidate)), device_(device) {
    device_.execute([&] {
      repacked_ = std::make_shared<Repacked>(packed_formats(make_at_opt(tactic_, problem_, candidate_)));
    });
  }

  std::unique_ptr<device::BoundKernel> bind(const BindArguments& arguments) const override {
    if (elements(arguments.outputs) == 0) return std::make_unique<NothingBound>();
    return std::make_unique<OnednnBound>(ready_for(arguments), repacked_, arguments.outputs);
  }

 private:
  /// Plans of this many sets of shapes keep their code; sessions hold on to what they use themselves.
  static constexpr size_t most_kept = 64;

  std::shared_ptr<const Ready> ready_for(const BindArguments& arguments) const {
    const std::string key = shapes_key(arguments);
    std::lock_guard lock(mutex_);
    for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
      if (kept->first != key) continue;
      kept_.splice(kept_.begin(), kept_, kept);
      return kept_.front().second;
    }
    const std::string whole = fmt::format("{} {} {} {} {}", tactic_.name(), problem_.text(), candidate_,
                                          device_.info().threads, key);
    kept_.emplace_front(key, shared(whole, [&] { return make(arguments); }));
    if (kept_.size() > most_kept) kept_.pop_back();
    return kept_.front().second;
  }

  /// The packed weights are kept as they are where oneDNN has code for them at these shapes; else they are
  /// packed anew, and its reference code, which is slower by far, is the last resort.
  std::shared_ptr<const Ready> make(const BindArguments& arguments) const {
    std::shared_ptr<const Ready> ready;
    device_.execute([&] {
      Operation operation;
      Support made = Support::yes();
      const auto try_to_make = [&](bool checked, std::string_view candidate,
                                   std::span<const onednn::Desc> packed) {
        const Request request{problem_, candidate, arguments.inputs, arguments.outputs, packed};
        operation = {};
        made = make_any(tactic_, request, operation);
        return made && !(checked && is_reference_code(operation));
      };
      const std::vector<onednn::Desc>& packed = repacked_->packed();
      const bool found = try_to_make(true, candidate_, packed) || try_to_make(true, {}, packed) ||
                         try_to_make(true, {}, {}) || try_to_make(false, candidate_, packed) ||
                         try_to_make(false, {}, packed);
      require(found, "{} cannot run '{}' at {}: {}", tactic_.name(), problem_.text(), shapes_key(arguments),
              made.reason());
      ready = std::make_shared<const Ready>(std::move(operation));
    });
    return ready;
  }

  const OnednnTactic& tactic_;
  const Problem problem_;
  const std::string candidate_;
  device::Device& device_;
  std::shared_ptr<Repacked> repacked_;
  mutable std::mutex mutex_;
  mutable std::list<std::pair<std::string, std::shared_ptr<const Ready>>> kept_;  // last used first
};

BoundTensor bound(const ir::TensorType& type) {
  return {type.dtype, *ir::constants(type.shape), type.layout};
}

}  // namespace

std::vector<std::vector<ir::Layout>> same_layouts(const Problem& problem,
                                                  std::initializer_list<ir::Layout> layouts) {
  const size_t tensors = static_cast<size_t>(problem.input_count() + problem.output_count());
  if (problem.input_count() != 1 || problem.output_count() != 1)
    return {std::vector<ir::Layout>(tensors, ir::Layout::plain)};
  std::vector<std::vector<ir::Layout>> sets;
  for (ir::Layout layout : layouts) sets.push_back({layout, layout});
  return sets;
}

std::vector<BoundTensor> inputs_at_opt(const Problem& problem) {
  const Problem opt = problem.at_opt();
  std::vector<BoundTensor> tensors;
  for (int i = 0; i < opt.input_count(); ++i) tensors.push_back(bound(opt.input(i)));
  return tensors;
}

std::vector<BoundTensor> outputs_at_opt(const Problem& problem) {
  const Problem opt = problem.at_opt();
  std::vector<BoundTensor> tensors;
  for (int i = 0; i < opt.output_count(); ++i) tensors.push_back(bound(opt.output(i)));
  return tensors;
}

Support OnednnTactic::supports(const Problem& problem, const device::DeviceInfo&) const {
  for (int i = 0; i < problem.input_count(); ++i)
    if (!onednn::has_type(problem.input(i).dtype))
      return Support::no("oneDNN has no {} on this device", dtype_name(problem.input(i).dtype));
  for (int i = 0; i < problem.output_count(); ++i)
    if (!onednn::has_type(problem.output(i).dtype))
      return Support::no("oneDNN has no {} on this device", dtype_name(problem.output(i).dtype));
  Operation operation;
  const std::vector<BoundTensor> inputs = inputs_at_opt(problem), outputs = outputs_at_opt(problem);
  return make_checked(*this, {problem, {}, inputs, outputs, {}}, operation);
}

std::vector<std::string> OnednnTactic::ids(const Problem&) const { return {"only"}; }

std::vector<device::Candidate> OnednnTactic::candidates(const Problem& problem,
                                                        device::Device& device) const {
  std::vector<device::Candidate> working;
  const std::vector<BoundTensor> inputs = inputs_at_opt(problem), outputs = outputs_at_opt(problem);
  device.execute([&] {
    for (const std::string& id : ids(problem)) {
      Operation operation;
      if (make_checked(*this, {problem, id, inputs, outputs, {}}, operation)) working.push_back({id, 0});
    }
  });
  return working;
}

std::vector<Tensor> OnednnTactic::pack(const Problem& problem, const device::Candidate& candidate,
                                       std::span<const Tensor> weights, device::Device& device) const {
  std::vector<Tensor> packed;
  device.execute([&] {
    for (const Operand& operand : make_at_opt(*this, problem, candidate.id).operands) {
      if (operand.from != Operand::From::weight) continue;
      const Tensor& weight = weights[static_cast<size_t>(operand.index)];
      packed.push_back(
          operand.desc == operand.stored ? weight : onednn::reordered(weight, operand.stored, operand.desc));
    }
  });
  return packed;
}

std::unique_ptr<device::Kernel> OnednnTactic::load(const Problem& problem, const device::Candidate& candidate,
                                                   const std::string&, device::Device& device) const {
  return std::make_unique<OnednnKernel>(*this, problem, candidate.id, device);
}

}  // namespace burnish::cpu
