// One way to run a kind of problem, and the kernels that come of it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "device/problem.h"

namespace burnish::device {

class Device;
class Stream;
struct DeviceInfo;

/// A tensor at the moment of binding: everything is a number.
struct BoundTensor {
  DType dtype = DType::f32;
  Shape shape;
  ir::Layout layout = ir::Layout::plain;
  int64_t pitch = 0;  ///< as TensorType's
  int64_t bytes() const { return ir::storage_bytes(dtype, shape, layout, pitch); }
};

/// What a kernel is told once per set of shapes, in the order of the problem's inputs and outputs.
struct BindArguments {
  std::span<const BoundTensor> inputs;
  std::span<const BoundTensor> outputs;
  /// Data of those inputs that the op wants on the host (InputSpec::host); empty Tensors elsewhere.
  std::span<const Tensor> host_inputs;
  /// What is known of the values of the problem's symbols; null where nothing is.
  const ir::Bindings* symbols = nullptr;
};

/// Pointers of one run. Weights' entries in `inputs` are null: their packed form is in `constants`.
struct Arguments {
  std::span<const void* const> inputs;
  std::span<void* const> outputs;
  std::span<const Tensor> constants;
  void* workspace = nullptr;
  /// Weights of the kernel that follows, which this one may bring into the device's cache; null where nothing is wanted.
  const void* ahead = nullptr;
  size_t ahead_bytes = 0;
};

/// A kernel for one set of shapes, owned by one session's plan. enqueue allocates nothing and does not wait.
class BoundKernel {
 public:
  virtual ~BoundKernel() = default;
  virtual size_t workspace_bytes() const { return 0; }
  /// The input whose buffer output 0 may share (same bytes, read before written), or -1.
  virtual int in_place_input() const { return -1; }
  virtual void enqueue(Stream& stream, const Arguments& arguments) = 0;
};

/// Code and settings for one problem and candidate: immutable, shared by sessions.
class Kernel {
 public:
  virtual ~Kernel() = default;
  /// Throws Error where these shapes cannot be run.
  virtual std::unique_ptr<BoundKernel> bind(const BindArguments& arguments) const = 0;
  /// True where output shapes depend on what is computed; run() is then called instead of bind().
  virtual bool makes_outputs() const { return false; }
  /// For makes_outputs(): tensors on the host in plain layout, in and out.
  virtual std::vector<Tensor> run(std::span<const Tensor> inputs) const;
};

/// One configuration of a tactic: the id is stable between releases and short ("winograd", "128x64x32.s4").
struct Candidate {
  std::string id;
  double estimate_us = 0;  ///< a model's guess, for ranking; 0: none
};

class Tactic {
 public:
  virtual ~Tactic() = default;
  /// "onednn.conv", "fused.pointwise": stable, names the library or the kernel.
  virtual std::string name() const = 0;
  /// Whether it can run the problem with the layouts that it has, on that device.
  virtual Support supports(const Problem& problem, const DeviceInfo& device) const = 0;
  /// Whether its kernels go by TensorType::pitch; runs() asks. Weights are packed for a problem with pitches
  /// as without.
  virtual bool takes_pitch() const { return false; }
  /// Sets of layouts (one per input, then one per output) worth trying for a problem whose layouts are all
  /// plain, best guess first; a weight's is plain. It is asked of every problem: a set of another length than the
  /// problem's is passed over, so a tactic need not look at what it never takes.
  virtual std::vector<std::vector<ir::Layout>> layouts(const Problem& problem, const DeviceInfo& device) const;
  /// Configurations, best first; at least one.
  virtual std::vector<Candidate> candidates(const Problem& problem, Device& device) const;
  /// At build: what load() needs besides the candidate's id (a cubin and its source, say). May take long.
  virtual std::string compile(const Problem& problem, const Candidate& candidate, Device& device) const;
  /// At build, and again at refit: the packed forms of the problem's weights, on the host, of any number and
  /// any dtype; in `weights` entry i is input i of the problem, empty where that is no weight.
  virtual std::vector<Tensor> pack(const Problem& problem, const Candidate& candidate, std::span<const Tensor> weights,
                                   Device& device) const;
  /// At load: compiles and packs nothing.
  virtual std::unique_ptr<Kernel> load(const Problem& problem, const Candidate& candidate, const std::string& code,
                                       Device& device) const = 0;
  /// True for the one that runs a problem's body on the reference.
  virtual bool is_fallback() const { return false; }
};

/// One way to run a problem that the tuner looked at.
struct Alternative {
  std::string tactic, candidate;  ///< no candidate: the tactic as a whole
  double microseconds = 0;        ///< as measured, in hundredths; 0: not measured
  std::string refused;            ///< why it may not run the problem; empty where it may
};

/// What cover chose for one node.
struct Choice {
  std::string tactic, candidate;
  std::string code;               ///< of Tactic::compile
  std::vector<Tensor> constants;  ///< of Tactic::pack
  double microseconds = 0;        ///< as measured; 0: not measured
  std::vector<Alternative> alternatives;  ///< every way that was looked at, this one too; not saved with the program
};

/// Whether the tactic runs the problem on that device, pitches and all.
Support runs(const Tactic& tactic, const Problem& problem, const DeviceInfo& device);
/// Runs any problem on the reference kernels, on the host, with copies where the device is not.
const Tactic& fallback_tactic();
/// The device's tactic of that name, or the fallback; null if there is none.
const Tactic* find_tactic(const Device& device, std::string_view name);

}  // namespace burnish::device
