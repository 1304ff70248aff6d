// What the CPU backend uses of oneDNN. All that differs between its 2.x and 3.x interfaces is in onednn.cpp.
//
// A describe_*() function gives the implementation that oneDNN would run, or an empty Description where it
// has none: no code is made yet. Compiled makes the code; a Call holds one run's memory objects.
#pragma once

#include <dnnl.hpp>
#include <string>
#include <vector>

#include "device/tactic.h"

namespace burnish::cpu::onednn {

using Desc = dnnl::memory::desc;
using Description = dnnl::primitive_desc_base;

/// The widest instructions that oneDNN uses here: "sse2", "sse41", "avx", "avx2", "avx512_core",
/// "avx512_vnni", "avx512_bf16", "amx" ... Follows ONEDNN_MAX_CPU_ISA, as packed formats do.
std::string instruction_set();
/// The blocked layout that oneDNN's kernels for these instructions take.
ir::Layout native_blocks();
/// "2.6.3"
std::string version();
dnnl::engine& engine();

// --- memory ---
/// Whether oneDNN has this element type on a CPU.
bool has_type(DType dtype);
/// A tensor as it lies. The type must be one that oneDNN has, the rank 1 to 5 (to 12 in plain layout).
Desc desc_of(DType dtype, const Shape& shape, ir::Layout layout = ir::Layout::plain);
Desc desc_of(const device::BoundTensor& tensor);
Desc strided_desc(DType dtype, const Shape& shape, const Shape& strides);
/// The primitive chooses the format.
Desc free_desc(DType dtype, const Shape& shape);
/// The number of bytes and the element type that memory of this kind takes.
size_t bytes_of(const Desc& desc);

// --- what follows a contraction in the same kernel ---
struct PostOp {
  enum class Kind : uint8_t {
    eltwise,  ///< x = algorithm(x)
    binary,   ///< x = algorithm(x, operand), broadcast
    sum,      ///< x = x + what lies in the destination
  };
  Kind kind = Kind::eltwise;
  dnnl::algorithm algorithm = dnnl::algorithm::undef;
  float alpha = 0, beta = 0;
  Desc operand;
};
using PostOps = std::vector<PostOp>;

// --- operations ---
enum class Convolution : uint8_t { direct, winograd, transposed };

/// Shapes are oneDNN's: with groups, weights are [group, output channels, input channels, kernel...]. One
/// entry per spatial dimension; dilations count from 1. An empty bias desc: none.
struct ConvolutionSpec {
  Convolution kind = Convolution::direct;
  Desc source, weights, bias, destination;
  Shape strides, dilations, pads_begin, pads_end;
};
/// oneDNN's first choice; or, for a part of an implementation's name, the first in its list behind that
/// choice.
Description describe(const ConvolutionSpec& spec, const PostOps& post_ops,
                     std::string_view implementation = {});

struct MatMulSpec {
  Desc a, b, bias, destination;
};
Description describe(const MatMulSpec& spec, const PostOps& post_ops, std::string_view implementation = {});

struct PoolSpec {
  dnnl::algorithm algorithm = dnnl::algorithm::pooling_max;
  Desc source, destination;
  Shape kernel, strides, dilations, pads_begin, pads_end;
};
Description describe(const PoolSpec& spec);

struct SoftmaxSpec {
  Desc source, destination;
  int axis = 0;
  bool logarithm = false;
};
Description describe(const SoftmaxSpec& spec);

struct LrnSpec {
  Desc source, destination;
  int64_t size = 5;
  float alpha = 1e-4f, beta = 0.75f, bias = 1;
};
Description describe(const LrnSpec& spec);

/// Over the last axis.
struct LayerNormSpec {
  Desc source, destination;
  float epsilon = 1e-5f;
  bool scale = false, shift = false;
};
Description describe(const LayerNormSpec& spec);

/// The axes over which it reduces have size 1 in the destination.
struct ReductionSpec {
  dnnl::algorithm algorithm = dnnl::algorithm::reduction_mean;
  Desc source, destination;
};
Description describe(const ReductionSpec& spec);

/// Copies between two formats of one shape.
struct ReorderSpec {
  Desc from, to;
};
Description describe(const ReorderSpec& spec);

// --- running ---
/// The name of the implementation: "jit:avx512_core", "brgemm:avx512_core", "ref:any".
std::string implementation_name(const Description& description);

/// Code for a Description, and the scratch memory that it wants. Immutable: shared by sessions.
struct Compiled {
  explicit Compiled(const Description& description);
  dnnl::primitive primitive;
  Desc scratchpad;
};

/// One session's memory objects for a primitive. Pointers that stay the same from run to run cost nothing.
class Call {
 public:
  explicit Call(const Compiled& compiled) : primitive_(compiled.primitive) {
    add(DNNL_ARG_SCRATCHPAD, compiled.scratchpad);
  }
  /// Arguments are set() in the order of their being added; the scratchpad is number 0.
  void add(int argument, const Desc& desc);
  void set(size_t number, const void* memory);
  void run();

 private:
  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
  std::vector<const void*> pointers_;
};

/// Copies `from` into fresh host memory of the format `to`; an f32 tensor of one dimension or, for other
/// types, bytes. Run it on the executor.
Tensor reordered(const Tensor& from, const Desc& from_desc, const Desc& to);

}  // namespace burnish::cpu::onednn
