// What all tactics share whose kernels are our own text, compiled by NVRTC.
#pragma once

#include <optional>

#include "cuda/access.h"
#include "cuda/device.h"
#include "device/bindings.h"

namespace burnish::cuda {

/// The numbers that a kernel is written over. Those known at build are constants of its text, the others are
/// handed over at each launch: either way the text says s.NAME.
class Sizes {
 public:
  void add(std::string name, ir::Dim value) {
    entries_.push_back({std::move(name), std::move(value), false});
  }
  /// Passed with each launch even where it is known at build, for kernels that are as fast so: their text,
  /// and with it their code, is then one for many problems.
  void add_at_launch(std::string name, ir::Dim value) {
    entries_.push_back({std::move(name), std::move(value), true});
  }
  /// "struct Sizes { static constexpr int C = 64; int M; };"
  std::string declaration() const;
  /// What the struct holds for these values of the symbols.
  std::vector<int32_t> values(const ir::Bindings& bindings) const;

 private:
  struct Entry {
    std::string name;
    ir::Dim value;
    bool at_launch;
    bool in_text() const { return value.is_constant() && !at_launch; }
  };
  std::vector<Entry> entries_;
};

/// An input as a tensor that the copy engine reads in boxes, whose first axis is 128 bytes of neighbours;
/// their 16-byte chunks it permutes so that eight rows of them meet all banks of shared memory. Zeros lie
/// outside.
struct CopyMap {
  int input = -1;      ///< of the problem; no weight
  int64_t offset = 0;  ///< elements of that input before the tensor
  DType dtype = DType::f16;
  std::vector<int64_t> sizes;    ///< innermost first
  std::vector<int64_t> strides;  ///< in elements, of all axes but the first; multiples of 16 bytes
  std::vector<unsigned> box;     ///< of all axes but the first: what a copy spans, 256 at most
  std::vector<unsigned> steps;   ///< of all axes but the first: it takes every so manieth of them
};

/// One launch of a kernel with the signature (Operands, Sizes), and (..., const __grid_constant__ TensorMap)
/// with a map.
struct Launch {
  std::string entry = "kernel";
  std::array<unsigned, 3> grid = {1, 1, 1};
  unsigned threads = 128;
  std::array<unsigned, 3> cluster = {1, 1, 1};  ///< blocks of a cluster along each axis of the grid
  size_t shared_bytes = 0;
  std::optional<CopyMap> map;
};

using device::bindings_of;

/// "struct Operands { const f16* x0; const void* c0; f16* y0; char* workspace; };": what a kernel reads and
/// writes. x and y by index of input and output, c by order among the weights.
std::string operands_declaration(const device::Problem& problem);
/// The operand's pointer in kernels' text: "p.x0", or "static_cast<const f16*>(p.c1)" for a weight.
std::string operand_pointer(const device::Problem& problem, int input);
/// The order of input `i` among the weights.
int weight_order(const device::Problem& problem, int input);

/// A tactic that writes its kernel's text. Subclasses say what they support, write, and launch.
class GeneratedTactic : public device::Tactic {
 public:
  std::vector<device::Candidate> candidates(const device::Problem& problem,
                                            device::Device& device) const final {
    return configurations(problem, cuda_device(device).gpu());
  }
  std::string compile(const device::Problem& problem, const device::Candidate& candidate,
                      device::Device& device) const final;
  std::unique_ptr<device::Kernel> load(const device::Problem& problem, const device::Candidate& candidate,
                                       const std::string& code, device::Device& device) const final;

  /// Candidates, best first.
  virtual std::vector<device::Candidate> configurations(const device::Problem&, const Gpu&) const {
    return {{"only", 0}};
  }
  /// The whole text but for the prelude, Operands and Sizes, which come before it. Dimensions may be
  /// symbolic.
  virtual std::string source(const device::Problem& problem, const std::string& candidate,
                             const Arch& arch) const = 0;
  virtual Sizes sizes(const device::Problem& problem, const std::string& candidate) const = 0;
  /// `problem` has numbers only; `written` is the one that the text was written for.
  virtual std::vector<Launch> launches(const device::Problem& problem, const device::Problem& written,
                                       const std::string& candidate, const Arch& arch) const = 0;
  /// The values of symbols of the tactic's own in sizes(), from a problem whose host operands are all known.
  virtual ir::Bindings late_sizes(const device::Problem&) const { return {}; }
  virtual size_t workspace_bytes(const device::Problem&, const std::string& /*candidate*/,
                                 const Arch&) const {
    return 0;
  }
  virtual int in_place_input(const device::Problem&) const { return -1; }
  /// Whether two candidates take the same packed weights, so that an engine may hold both for different
  /// sizes.
  virtual bool pack_alike(const device::Problem&, const std::string& /*one*/,
                          const std::string& /*other*/) const {
    return false;
  }
  /// Microseconds of a problem of known sizes, by a model; 0: it tells nothing.
  virtual double modelled_us(const device::Problem&, const std::string& /*candidate*/, const Gpu&) const {
    return 0;
  }
  /// What to compile for: a tactic that uses no architecture's own instructions takes the plain name.
  virtual std::string target(const Arch& arch) const { return arch.name(); }

  /// The candidates whose kernels an engine holds for a problem: the one that was chosen, and, where sizes
  /// are left open, a few that pack alike and should be much faster at some of them.
  std::vector<std::string> variants(const device::Problem& problem, const std::string& candidate,
                                    const Gpu& gpu) const;
  /// The complete text of the kernel, as compile() gives it to NVRTC.
  std::string program(const device::Problem& problem, const std::string& candidate, const Arch& arch) const;
};

/// Best first; equals stay in order.
void sort_by_estimate(std::vector<device::Candidate>& candidates);
/// Text with "NAME" replaced by values: {"TILE_M", 64} gives "constexpr int TILE_M = 64;".
std::string constants_text(std::initializer_list<std::pair<const char*, int64_t>> constants);
/// An embedded kernel's text by the name of its file.
const std::string& kernel_text(const std::string& name);

}  // namespace burnish::cuda
