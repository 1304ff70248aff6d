// A device on the host whose tactics the test gives.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "device/host_device.h"

namespace burnish::testing {

/// Another kernel, and something behind it.
class KernelWithEnd : public device::Kernel {
 public:
  using End = std::function<void(const device::Arguments&)>;
  KernelWithEnd(std::unique_ptr<device::Kernel> kernel, End end) : kernel_(std::move(kernel)), end_(std::move(end)) {}
  std::unique_ptr<device::BoundKernel> bind(const device::BindArguments& arguments) const override {
    return std::make_unique<Bound>(kernel_->bind(arguments), end_);
  }

 private:
  class Bound : public device::BoundKernel {
   public:
    Bound(std::unique_ptr<device::BoundKernel> kernel, End end) : kernel_(std::move(kernel)), end_(std::move(end)) {}
    void enqueue(device::Stream& stream, const device::Arguments& arguments) override {
      kernel_->enqueue(stream, arguments);
      if (end_) end_(arguments);
    }

   private:
    std::unique_ptr<device::BoundKernel> kernel_;
    End end_;
  };

  std::unique_ptr<device::Kernel> kernel_;
  End end_;
};

/// Runs what a function says; the kernel computes the problem's body on the reference, as if all lay in plain layout.
class FakeTactic : public device::Tactic {
 public:
  FakeTactic(std::string name, ir::Layout layout) : name_(std::move(name)), layout_(layout) {}

  std::string name() const override { return name_; }
  /// Tensors of rank 4 in this tactic's layout alone.
  Support supports(const device::Problem& problem, const device::DeviceInfo&) const override {
    return problem.with_layouts(set(problem)).text() == problem.text() ? Support::yes()
                                                                       : Support::no("another layout");
  }
  std::vector<std::vector<ir::Layout>> layouts(const device::Problem& problem,
                                               const device::DeviceInfo&) const override {
    return {set(problem)};
  }
  std::string compile(const device::Problem& problem, const device::Candidate& candidate,
                      device::Device&) const override {
    return on_compile ? on_compile(problem, candidate) : std::string();
  }
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate& candidate,
                                       const std::string& code, device::Device& device) const override {
    if (on_load) on_load(problem);
    const auto plain = problem.with_layouts(std::vector<ir::Layout>(
        static_cast<size_t>(problem.input_count() + problem.output_count()), ir::Layout::plain));
    return std::make_unique<KernelWithEnd>(device::fallback_tactic().load(plain, candidate, code, device), at_end);
  }

  std::function<void(const device::Problem&)> on_load;
  std::function<std::string(const device::Problem&, const device::Candidate&)> on_compile;
  KernelWithEnd::End at_end;  ///< of each call of the kernel

 private:
  std::vector<ir::Layout> set(const device::Problem& problem) const {
    std::vector<ir::Layout> layouts;
    const auto add = [&](const ir::TensorType& type, bool weight) {
      layouts.push_back(type.rank() == 4 && !weight ? layout_ : ir::Layout::plain);
    };
    for (int i = 0; i < problem.input_count(); ++i) add(problem.input(i), problem.is_weight(i));
    for (int i = 0; i < problem.output_count(); ++i) add(problem.output(i), false);
    return layouts;
  }

  std::string name_;
  ir::Layout layout_;
};

class FakeDevice : public device::HostDevice {
 public:
  /// `id`: of a GPU, to be taken for one, whose memory the host can read nevertheless.
  explicit FakeDevice(std::vector<const device::Tactic*> tactics, DeviceId id = {})
      : HostDevice(information()), tactics_(std::move(tactics)), id_(id) {}

  DeviceId id() const override { return id_; }

  void execute(const std::function<void()>& body) override {
    require(fault.empty(), "{}", fault);
    body();
  }
  std::span<const device::Tactic* const> tactics() const override { return tactics_; }

  std::string fault;  ///< what made the device unusable, if anything did

 private:
  static device::DeviceInfo information() {
    device::DeviceInfo info;
    info.backend = info.tuning_key = "fake";
    return info;
  }

  std::vector<const device::Tactic*> tactics_;
  DeviceId id_;
};

}  // namespace burnish::testing
