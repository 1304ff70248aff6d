#include "backends/cpu/onednn.h"

#include <fmt/core.h>

#include <algorithm>
#include <numeric>

#include "base/error.h"

namespace burnish::cpu::onednn {
namespace {

using dnnl::algorithm;
using dnnl::memory;
using dnnl::prop_kind;

dnnl::stream& stream() {
  static dnnl::stream instance(engine());
  return instance;
}

memory::data_type type_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return memory::data_type::f32;
    case DType::bf16:
      return memory::data_type::bf16;
    case DType::i8:
      return memory::data_type::s8;
    case DType::u8:
      return memory::data_type::u8;
    case DType::i32:
      return memory::data_type::s32;
    default:
      return memory::data_type::undef;
  }
}

/// Row-major strides of the dimensions in `order`, outermost first.
Shape strides_in_order(const Shape& shape, const std::vector<size_t>& order) {
  Shape strides(shape.size());
  int64_t stride = 1;
  for (size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = stride;
    stride *= std::max<int64_t>(shape[order[i]], 1);
  }
  return strides;
}

memory::format_tag blocked_tag(size_t rank, ir::Layout layout) {
  using tag = memory::format_tag;
  const bool wide = layout == ir::Layout::c16;
  switch (rank) {
    case 3:
      return wide ? tag::aBc16b : tag::aBc8b;
    case 4:
      return wide ? tag::aBcd16b : tag::aBcd8b;
    case 5:
      return wide ? tag::aBcde16b : tag::aBcde8b;
    default:
      fail("internal: there is no blocked layout of rank {}", rank);
  }
}

Shape from_zero(const Shape& dilations) {
  Shape counted = dilations;
  for (int64_t& dilation : counted) --dilation;
  return counted;
}

dnnl::primitive_attr attributes_with(const PostOps& steps) {
  dnnl::post_ops post_ops;
  for (const PostOp& step : steps) {
    if (step.kind == PostOp::Kind::binary)
      post_ops.append_binary(step.algorithm, step.operand);
    else if (step.kind == PostOp::Kind::sum)
      post_ops.append_sum(1);
#if DNNL_VERSION_MAJOR == 2
    else
      post_ops.append_eltwise(1, step.algorithm, step.alpha, step.beta);
#else
    else
      post_ops.append_eltwise(step.algorithm, step.alpha, step.beta);
#endif
  }
  dnnl::primitive_attr attributes;
  attributes.set_post_ops(post_ops);
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

/// The same dimensions in row-major order, outermost first.
Desc row_major(const Desc& desc) {
#if DNNL_VERSION_MAJOR == 2
  const Shape shape = desc.dims();
  const memory::data_type type = desc.data_type();
#else
  const Shape shape = desc.get_dims();
  const memory::data_type type = desc.get_data_type();
#endif
  std::vector<size_t> order(shape.size());
  std::iota(order.begin(), order.end(), size_t{0});
  return Desc(shape, type, strides_in_order(shape, order));
}

bool is_blocked(const Desc& desc) {
#if DNNL_VERSION_MAJOR == 2
  return desc.data.format_kind == dnnl_blocked && desc.data.format_desc.blocking.inner_nblks > 0;
#else
  return desc.get_format_kind() == memory::format_kind::blocked && desc.get_inner_nblks() > 0;
#endif
}

bool is_slow_reorder(const Description& description) {
  const std::string name = implementation_name(description);
  return name.starts_with("simple") || name.starts_with("ref");
}

/// True for steps that the library runs as they are written. 2.x keeps one piece of code an algorithm, so
/// that a later step of it gets the parameters of the first.
bool runs_as_written([[maybe_unused]] const PostOps& steps) {
#if DNNL_VERSION_MAJOR == 2
  for (size_t i = 0; i < steps.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (steps[i].kind == PostOp::Kind::eltwise && steps[j].kind == PostOp::Kind::eltwise &&
          steps[i].algorithm == steps[j].algorithm &&
          (steps[i].alpha != steps[j].alpha || steps[i].beta != steps[j].beta))
        return false;
#endif
  return true;
}

/// oneDNN throws where it refuses a combination outright and gives an empty handle where it lacks code; to us
/// both are a "no".
template <class Make>
Description attempt(Make&& make, std::string_view implementation = {}) {
  try {
    dnnl::primitive_desc found = make();
    if (!found || implementation.empty()) return found;
    while (found.next_impl())
      if (implementation_name(found).find(implementation) != std::string::npos) return found;
    return {};
  } catch (const dnnl::error&) {
    return {};
  }
}

/// Makes the primitive descriptor of `Primitive` from the arguments of its operation, which 2.x first packs
/// into a descriptor of the operation and 3.x takes at once.
template <class Primitive, class... Arguments>
dnnl::primitive_desc make_description(const dnnl::primitive_attr& attributes, const Arguments&... arguments) {
#if DNNL_VERSION_MAJOR == 2
  return
      typename Primitive::primitive_desc(typename Primitive::desc(arguments...), attributes, engine(), true);
#else
  return typename Primitive::primitive_desc(engine(), arguments..., attributes, true);
#endif
}

}  // namespace

std::string instruction_set() {
  using isa = dnnl::cpu_isa;
  constexpr isa none = static_cast<isa>(0);  // its name differs between versions
  switch (dnnl::get_effective_cpu_isa()) {
    case none:
      return "sse2";
    case isa::sse41:
      return "sse41";
    case isa::avx:
      return "avx";
    case isa::avx2:
      return "avx2";
    case isa::avx2_vnni:
      return "avx2_vnni";
    case isa::avx512_core:
      return "avx512_core";
    case isa::avx512_core_vnni:
      return "avx512_vnni";
    case isa::avx512_core_bf16:
      return "avx512_bf16";
    default:
      return "amx";
  }
}

ir::Layout native_blocks() {
  static const std::string instructions = instruction_set();
  return instructions.starts_with("avx512") || instructions == "amx" ? ir::Layout::c16 : ir::Layout::c8;
}

std::string version() {
  const dnnl::version_t& v = *dnnl::version();
  return fmt::format("{}.{}.{}", v.major, v.minor, v.patch);
}

dnnl::engine& engine() {
  static dnnl::engine instance = [] {
    // 2.6's cache mixes up the implementations of one operation when they are listed; kernels keep their own
    // code.
    dnnl::set_primitive_cache_capacity(0);
    return dnnl::engine(dnnl::engine::kind::cpu, 0);
  }();
  return instance;
}

bool has_type(DType dtype) { return type_of(dtype) != memory::data_type::undef; }

Desc desc_of(DType dtype, const Shape& shape, ir::Layout layout) {
  const memory::data_type type = type_of(dtype);
  const size_t rank = shape.size();
  if (rank == 0) return Desc({1}, type, Shape{1});
  if (layout == ir::Layout::c8 || layout == ir::Layout::c16)
    return Desc(shape, type, blocked_tag(rank, layout));
  std::vector<size_t> order;
  for (size_t d = 0; d < rank; ++d) order.push_back(d);
  if (rank > 2 && layout == ir::Layout::nhwc) std::rotate(order.begin() + 1, order.begin() + 2, order.end());
  return Desc(shape, type, strides_in_order(shape, order));
}

Desc desc_of(const device::BoundTensor& tensor) { return desc_of(tensor.dtype, tensor.shape, tensor.layout); }

Desc strided_desc(DType dtype, const Shape& shape, const Shape& strides) {
  return Desc(shape, type_of(dtype), strides);
}

Desc free_desc(DType dtype, const Shape& shape) {
  return Desc(shape, type_of(dtype), memory::format_tag::any);
}

size_t bytes_of(const Desc& desc) { return desc.get_size(); }

Description describe(const ConvolutionSpec& spec, const PostOps& post_ops, std::string_view implementation) {
  if (!runs_as_written(post_ops)) return {};
  const Shape dilations = from_zero(spec.dilations);
  const auto make = [&]<class Primitive>(algorithm kind) {
    return make_description<Primitive>(attributes_with(post_ops), prop_kind::forward_inference, kind,
                                       spec.source, spec.weights, spec.bias, spec.destination, spec.strides,
                                       dilations, spec.pads_begin, spec.pads_end);
  };
  return attempt(
      [&]() -> dnnl::primitive_desc {
        switch (spec.kind) {
          case Convolution::transposed:
            return make.template operator()<dnnl::deconvolution_forward>(algorithm::deconvolution_direct);
          case Convolution::winograd:
            return make.template operator()<dnnl::convolution_forward>(algorithm::convolution_winograd);
          default:
            return make.template operator()<dnnl::convolution_forward>(algorithm::convolution_direct);
        }
      },
      implementation);
}

Description describe(const MatMulSpec& spec, const PostOps& post_ops, std::string_view implementation) {
  if (!runs_as_written(post_ops)) return {};
  return attempt(
      [&] {
        return make_description<dnnl::matmul>(attributes_with(post_ops), spec.a, spec.b, spec.bias,
                                              spec.destination);
      },
      implementation);
}

Description describe(const PoolSpec& spec) {
#if DNNL_VERSION_MAJOR == 2
  using Pooling = dnnl::pooling_v2_forward;
#else
  using Pooling = dnnl::pooling_forward;
#endif
  return attempt([&] {
    return make_description<Pooling>(attributes_with({}), prop_kind::forward_inference, spec.algorithm,
                                     spec.source, spec.destination, spec.strides, spec.kernel,
                                     from_zero(spec.dilations), spec.pads_begin, spec.pads_end);
  });
}

Description describe(const SoftmaxSpec& spec) {
#if DNNL_VERSION_MAJOR == 2
  using Softmax = dnnl::softmax_v2_forward;
#else
  using Softmax = dnnl::softmax_forward;
#endif
  return attempt([&] {
    return make_description<Softmax>(attributes_with({}), prop_kind::forward_inference,
                                     spec.logarithm ? algorithm::softmax_log : algorithm::softmax_accurate,
                                     spec.source, spec.destination, spec.axis);
  });
}

Description describe(const LrnSpec& spec) {
  return attempt([&] {
#if DNNL_VERSION_MAJOR == 2
    return make_description<dnnl::lrn_forward>(attributes_with({}), prop_kind::forward_inference,
                                               algorithm::lrn_across_channels, spec.source, spec.size,
                                               spec.alpha, spec.beta, spec.bias);
#else
    return make_description<dnnl::lrn_forward>(attributes_with({}), prop_kind::forward_inference,
                                               algorithm::lrn_across_channels, spec.source, spec.destination,
                                               spec.size, spec.alpha, spec.beta, spec.bias);
#endif
  });
}

Description describe(const LayerNormSpec& spec) {
  using flags = dnnl::normalization_flags;
  const flags wanted =
      (spec.scale ? flags::use_scale : flags::none) | (spec.shift ? flags::use_shift : flags::none);
  return attempt([&] {
#if DNNL_VERSION_MAJOR == 2
    return make_description<dnnl::layer_normalization_forward>(
        attributes_with({}), prop_kind::forward_inference, spec.source, spec.epsilon, wanted);
#else
    return make_description<dnnl::layer_normalization_forward>(attributes_with({}),
                                                               prop_kind::forward_inference, spec.source,
                                                               spec.destination, spec.epsilon, wanted);
#endif
  });
}

Description describe(const ReductionSpec& spec) {
  return attempt([&] {
    return make_description<dnnl::reduction>(attributes_with({}), spec.algorithm, spec.source,
                                             spec.destination, 0.0f, 0.0f);
  });
}

Description describe(const ReorderSpec& spec) {
  try {
    return dnnl::reorder::primitive_desc(engine(), spec.from, engine(), spec.to, attributes_with({}), true);
  } catch (const dnnl::error&) {
    return {};
  }
}

std::string implementation_name(const Description& description) { return description.impl_info_str(); }

Compiled::Compiled(const Description& description)
    : primitive(description.get()), scratchpad(description.query_md(dnnl::query::scratchpad_md)) {}

void Call::add(int argument, const Desc& desc) {
  memories_.push_back(dnnl::memory(desc, engine(), DNNL_MEMORY_NONE));
  arguments_.push_back({argument, memories_.back().get()});
  pointers_.push_back(nullptr);
}

void Call::set(size_t number, const void* memory) {
  if (pointers_[number] == memory) return;
  memories_[number].set_data_handle(const_cast<void*>(memory));
  pointers_[number] = memory;
}

void Call::run() {
  const dnnl_status_t status = dnnl_primitive_execute(primitive_.get(), stream().get(),
                                                      static_cast<int>(arguments_.size()), arguments_.data());
  require(status == dnnl_success, "oneDNN failed to run a primitive (status {})", static_cast<int>(status));
}

Tensor reordered(const Tensor& from, const Desc& from_desc, const Desc& to) {
  const int64_t bytes = static_cast<int64_t>(bytes_of(to));
  const Description description = describe(ReorderSpec{from_desc, to});
  require(static_cast<bool>(description), "oneDNN cannot pack these weights ({} {})",
          dtype_name(from.dtype()), shape_text(from.shape()));
  // Between two blocked formats it may have element-by-element code alone, many times as slow as two steps.
  if (is_slow_reorder(description) && is_blocked(from_desc) && is_blocked(to)) {
    const Desc plain = row_major(to);
    return reordered(reordered(from, from_desc, plain), plain, to);
  }
  Tensor made = from.dtype() == DType::f32 ? Tensor(DType::f32, {bytes / 4}) : Tensor(DType::u8, {bytes});
  const Compiled compiled(description);
  const Tensor scratch(DType::u8, {static_cast<int64_t>(bytes_of(compiled.scratchpad))});
  Call call(compiled);
  call.add(DNNL_ARG_FROM, from_desc);
  call.add(DNNL_ARG_TO, to);
  call.set(0, scratch.raw());
  call.set(1, from.raw());
  call.set(2, made.raw());
  call.run();
  return made;
}

}  // namespace burnish::cpu::onednn
