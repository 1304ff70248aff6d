// Convolutions with bias, residual and activation through cuDNN's graph interface. Its kernels fill the chip
// on large batches; small ones are left to our own.
#include <cudnn.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <mutex>

#include "base/dispatch.h"
#include "base/parallel.h"
#include "cuda/bound_at.h"
#include "cuda/contraction.h"
#include "cuda/library.h"
#include "cuda/tactics.h"
#include "ops/activation.h"
#include "ops/table.h"

namespace burnish::cuda {
namespace {

using device::Candidate;
using device::Problem;

#define BURNISH_CUDNN_FUNCTIONS(X)                                                         \
  X(cudnnCreate)                                                                           \
  X(cudnnSetStream)                                                                        \
  X(cudnnBackendCreateDescriptor)                                                          \
  X(cudnnBackendDestroyDescriptor) X(cudnnBackendSetAttribute) X(cudnnBackendGetAttribute) \
      X(cudnnBackendFinalize) X(cudnnBackendExecute)

struct Cudnn {
#define BURNISH_FIELD(NAME) decltype(&::NAME) NAME = nullptr;
  BURNISH_CUDNN_FUNCTIONS(BURNISH_FIELD)
#undef BURNISH_FIELD
  Cudnn() {
    const Library library("cuDNN", {"libcudnn.so.9", "libcudnn.so"});
#define BURNISH_LOAD(NAME) NAME = reinterpret_cast<decltype(NAME)>(library.get(#NAME));
    BURNISH_CUDNN_FUNCTIONS(BURNISH_LOAD)
#undef BURNISH_LOAD
  }
};

/// Null where the library is missing.
const Cudnn* cudnn_if_there() {
  static const Cudnn* const found = [] {
    try {
      return static_cast<const Cudnn*>(new Cudnn);  // lives as long as the process
    } catch (const Error&) {
      return static_cast<const Cudnn*>(nullptr);
    }
  }();
  return found;
}

const Cudnn& cudnn() {
  const Cudnn* found = cudnn_if_there();
  require(found != nullptr, "cuDNN was not found");
  return *found;
}

void check(cudnnStatus_t status, const char* what) {
  require(status == CUDNN_STATUS_SUCCESS, "cuDNN: {} failed with status {}", what, static_cast<int>(status));
}

/// One of the graph interface's descriptors.
class Descriptor {
 public:
  explicit Descriptor(cudnnBackendDescriptorType_t type) {
    check(cudnn().cudnnBackendCreateDescriptor(type, &descriptor_), "cudnnBackendCreateDescriptor");
  }
  Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, nullptr)) {}
  ~Descriptor() {
    if (descriptor_) cudnn().cudnnBackendDestroyDescriptor(descriptor_);
  }

  template <class T>
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                  const std::vector<T>& values) {
    check(cudnn().cudnnBackendSetAttribute(descriptor_, name, type, static_cast<int64_t>(values.size()),
                                           values.data()),
          "cudnnBackendSetAttribute");
    return *this;
  }
  Descriptor& set(cudnnBackendAttributeName_t name, int64_t value) {
    return set(name, CUDNN_TYPE_INT64, std::vector<int64_t>{value});
  }
  Descriptor& set(cudnnBackendAttributeName_t name, const Descriptor& other) {
    return set(name, CUDNN_TYPE_BACKEND_DESCRIPTOR, std::vector<cudnnBackendDescriptor_t>{other.descriptor_});
  }
  Descriptor& set(cudnnBackendAttributeName_t name, cudnnDataType_t value) {
    return set(name, CUDNN_TYPE_DATA_TYPE, std::vector<cudnnDataType_t>{value});
  }
  /// False where cuDNN does not support what the descriptor says.
  bool try_finalize() { return cudnn().cudnnBackendFinalize(descriptor_) == CUDNN_STATUS_SUCCESS; }
  Descriptor finalize() && {
    check(cudnn().cudnnBackendFinalize(descriptor_), "cudnnBackendFinalize");
    return std::move(*this);
  }
  cudnnBackendDescriptor_t native() const { return descriptor_; }

 private:
  cudnnBackendDescriptor_t descriptor_ = nullptr;
};

cudnnDataType_t data_type(DType dtype) {
  return dtype == DType::bf16 ? CUDNN_DATA_BFLOAT16 : CUDNN_DATA_HALF;
}

/// The convolution and what follows it: [+ bias] [+ residual] [activation].
struct Shape {
  Contraction contraction;
  int residual = -1;
  enum Activation : uint8_t { none, relu, relu6, silu } activation = none;
};

/// The activation of a node, if cuDNN has it.
std::optional<Shape::Activation> activation_of(const ir::Node& node) {
  if (node.op == &ops::def::relu) return Shape::relu;
  if (node.op == &ops::def::silu) return Shape::silu;
  if (node.op != &ops::def::clip) return std::nullopt;
  const auto& limits = node.attributes.as<ops::ClipAttributes>();
  return limits.min == 0 && limits.max == 6 ? std::optional(Shape::relu6) : std::nullopt;
}

Support analyse(const Problem& problem, Shape& shape) {
  if (Support support = Contraction::analyse(problem, shape.contraction); !support) return support;
  const Contraction& c = shape.contraction;
  if (!c.conv || c.phases || problem.input(c.left).rank() != 4) return Support::no("no convolution over two dimensions");
  if (c.dtype != DType::f16 && c.dtype != DType::bf16) return Support::no("it takes f16 and bf16");
  if (c.groups > 1) return Support::no("groups are left to our own kernels");
  if (c.node != 0) return Support::no("ops before the convolution");
  if (c.channels.is_constant() && c.channels.constant() % 8)
    return Support::no("channels of no whole 16-byte pieces");
  ir::ValueId value = c.output;
  for (size_t i = 1; i < problem.nodes().size(); ++i) {
    const ir::Node& node = problem.node(i);
    const bool follows = shape.activation == Shape::none &&
                         std::find(node.inputs.begin(), node.inputs.end(), value) != node.inputs.end();
    if (!follows) return Support::no("its epilogue is not this one");
    if (const auto activation = activation_of(node)) {
      shape.activation = *activation;
    } else if (node.op == &ops::def::add && node.inputs[0] != node.inputs[1] && shape.residual < 0) {
      shape.residual = problem.input_index(node.inputs[node.inputs[0] == value ? 1 : 0]);
      if (shape.residual < 0 || !(problem.input(shape.residual) == problem.output(0)))
        return Support::no("it adds something else");
    } else {
      return Support::no("its epilogue has no {}", node.op->name);
    }
    value = node.outputs[0];
  }
  return Support::yes();
}

Shape shape_of(const Problem& problem) {
  Shape shape;
  const Support support = analyse(problem, shape);
  require(static_cast<bool>(support), "internal: {}", support.reason());
  return shape;
}

enum Id : int64_t { x_id = 1, weights_id, bias_id, residual_id, output_id, first_virtual_id };

/// The operations of one problem as cuDNN's graph.
class Graph {
 public:
  Graph(const Problem& problem, cudnnHandle_t handle) : shape_(shape_of(problem)) {
    const Contraction& c = shape_.contraction;
    const cudnnDataType_t type = data_type(c.dtype);
    const std::vector<int64_t> y = *ir::constants(problem.output(0).shape),
                               x = *ir::constants(problem.input(c.left).shape),
                               w = *ir::constants(problem.input(c.right).shape);
    const bool bare = c.bias < 0 && shape_.residual < 0 && shape_.activation == Shape::none;
    const Descriptor image = tensor(x_id, type, x, false), weights = tensor(weights_id, type, w, false);
    tensors_.push_back(bare ? tensor(output_id, type, y, false)
                            : tensor(first_virtual_id, CUDNN_DATA_FLOAT, y, true));
    convolve(c, image, weights);
    int steps = (c.bias >= 0) + (shape_.residual >= 0) + (shape_.activation != Shape::none);
    const auto result = [&] {
      return --steps == 0 ? tensor(output_id, type, y, false)
                          : tensor(first_virtual_id + steps, CUDNN_DATA_FLOAT, y, true);
    };
    if (c.bias >= 0) add(tensor(bias_id, type, {1, y[1], 1, 1}, false), result());
    if (shape_.residual >= 0) add(tensor(residual_id, type, y, false), result());
    if (shape_.activation != Shape::none) activate(result());
    std::vector<cudnnBackendDescriptor_t> natives;
    for (const Descriptor& operation : operations_) natives.push_back(operation.native());
    graph_.set(CUDNN_ATTR_OPERATIONGRAPH_OPS, CUDNN_TYPE_BACKEND_DESCRIPTOR, natives)
        .set(CUDNN_ATTR_OPERATIONGRAPH_HANDLE, CUDNN_TYPE_HANDLE, std::vector<cudnnHandle_t>{handle});
    require(graph_.try_finalize(), "cuDNN does not take the graph");
  }

  /// How to run it, in the order of cuDNN's heuristics; making a plan of one takes long, and may fail.
  std::vector<Descriptor> configurations() const {
    std::vector<Descriptor> found;
    Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, graph_)
        .set(CUDNN_ATTR_ENGINEHEUR_MODE, CUDNN_TYPE_HEUR_MODE,
             std::vector<cudnnBackendHeurMode_t>{CUDNN_HEUR_MODE_A});
    if (!heuristics.try_finalize()) return found;
    int64_t count = 0;
    const auto get = [&](int64_t most, void* into) {
      check(cudnn().cudnnBackendGetAttribute(heuristics.native(), CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                             CUDNN_TYPE_BACKEND_DESCRIPTOR, most, &count, into),
            "cudnnBackendGetAttribute");
    };
    get(0, nullptr);
    std::vector<cudnnBackendDescriptor_t> natives;
    for (int64_t i = 0; i < count; ++i)
      natives.push_back(found.emplace_back(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR).native());
    get(count, natives.data());
    while (static_cast<int64_t>(found.size()) > count) found.pop_back();
    return found;
  }

 private:
  /// Channels last, of rank 4.
  static Descriptor tensor(int64_t id, cudnnDataType_t type, const std::vector<int64_t>& dims,
                           bool is_virtual) {
    const std::vector<int64_t> strides = {dims[1] * dims[2] * dims[3], 1, dims[3] * dims[1], dims[1]};
    Descriptor made(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    made.set(CUDNN_ATTR_TENSOR_UNIQUE_ID, id)
        .set(CUDNN_ATTR_TENSOR_DATA_TYPE, type)
        .set(CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, int64_t{16})
        .set(CUDNN_ATTR_TENSOR_DIMENSIONS, CUDNN_TYPE_INT64, dims)
        .set(CUDNN_ATTR_TENSOR_STRIDES, CUDNN_TYPE_INT64, strides)
        .set(CUDNN_ATTR_TENSOR_IS_VIRTUAL, CUDNN_TYPE_BOOLEAN, std::vector<char>{is_virtual});
    return std::move(made).finalize();
  }

  void convolve(const Contraction& c, const Descriptor& x, const Descriptor& w) {
    const auto list = [](const int64_t(&values)[2]) { return std::vector<int64_t>{values[0], values[1]}; };
    Descriptor window(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    window.set(CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, int64_t{2})
        .set(CUDNN_ATTR_CONVOLUTION_COMP_TYPE, CUDNN_DATA_FLOAT)
        .set(CUDNN_ATTR_CONVOLUTION_CONV_MODE, CUDNN_TYPE_CONVOLUTION_MODE,
             std::vector<cudnnConvolutionMode_t>{CUDNN_CROSS_CORRELATION})
        .set(CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, CUDNN_TYPE_INT64, list(c.pads))
        .set(CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, CUDNN_TYPE_INT64, list(c.pads_end))
        .set(CUDNN_ATTR_CONVOLUTION_DILATIONS, CUDNN_TYPE_INT64, list(c.dilations))
        .set(CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, CUDNN_TYPE_INT64, list(c.strides));
    const Descriptor finished = std::move(window).finalize();
    Descriptor operation(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X, x)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, w)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y, tensors_.back())
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, finished)
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA, CUDNN_TYPE_FLOAT, std::vector<float>{1})
        .set(CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA, CUDNN_TYPE_FLOAT, std::vector<float>{0});
    operations_.push_back(std::move(operation).finalize());
  }

  /// A pointwise operation from the last tensor to `result`, with a second operand if there is one.
  void follow(Descriptor&& pointwise, const Descriptor* other, Descriptor&& result) {
    const Descriptor kind =
        std::move(pointwise.set(CUDNN_ATTR_POINTWISE_MATH_PREC, CUDNN_DATA_FLOAT)).finalize();
    Descriptor operation(CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR, kind)
        .set(CUDNN_ATTR_OPERATION_POINTWISE_XDESC, tensors_.back());
    if (other) operation.set(CUDNN_ATTR_OPERATION_POINTWISE_BDESC, *other);
    operation.set(CUDNN_ATTR_OPERATION_POINTWISE_YDESC, result);
    operations_.push_back(std::move(operation).finalize());
    tensors_.push_back(std::move(result));
  }
  static Descriptor pointwise(cudnnPointwiseMode_t mode) {
    Descriptor made(CUDNN_BACKEND_POINTWISE_DESCRIPTOR);
    made.set(CUDNN_ATTR_POINTWISE_MODE, CUDNN_TYPE_POINTWISE_MODE, std::vector<cudnnPointwiseMode_t>{mode});
    return made;
  }
  void add(const Descriptor& other, Descriptor&& result) {
    follow(pointwise(CUDNN_POINTWISE_ADD), &other, std::move(result));
  }
  void activate(Descriptor&& result) {
    Descriptor kind =
        pointwise(shape_.activation == Shape::silu ? CUDNN_POINTWISE_SWISH_FWD : CUDNN_POINTWISE_RELU_FWD);
    if (shape_.activation == Shape::relu6)
      kind.set(CUDNN_ATTR_POINTWISE_RELU_LOWER_CLIP, CUDNN_TYPE_DOUBLE, std::vector<double>{0})
          .set(CUDNN_ATTR_POINTWISE_RELU_UPPER_CLIP, CUDNN_TYPE_DOUBLE, std::vector<double>{6});
    follow(std::move(kind), nullptr, std::move(result));
  }

  Shape shape_;
  std::vector<Descriptor> tensors_, operations_;
  Descriptor graph_{CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR};
};

/// The device's handle, which one thread uses at a time.
struct Handle {
  cudnnHandle_t native = nullptr;
  std::mutex mutex;
};

Handle& handle_of(CudaDevice& device) {
  const ContextScope scope(device.context());
  static std::mutex mutex;
  static std::map<CUcontext, Handle> handles;
  std::lock_guard lock(mutex);
  Handle& handle = handles[device.context()];
  if (!handle.native) check(cudnn().cudnnCreate(&handle.native), "cudnnCreate");
  return handle;
}

constexpr size_t most_configurations = 3;
constexpr int64_t most_workspace = 256 << 20;

class Bound : public device::BoundKernel {
 public:
  Bound(const Problem& problem, size_t which, CudaDevice& device)
      : problem_(problem), shape_(shape_of(problem)), device_(device), handle_(handle_of(device)) {
    std::lock_guard lock(handle_.mutex);
    const Graph graph(problem, handle_.native);  // configurations refer to it until the plan is made
    const std::vector<Descriptor> configurations = graph.configurations();
    require(which < configurations.size(), "cuDNN has no such configuration for these shapes");
    plan_ = std::make_unique<Descriptor>(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan_->set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, configurations[which])
        .set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, CUDNN_TYPE_HANDLE, std::vector<cudnnHandle_t>{handle_.native});
    require(plan_->try_finalize(), "cuDNN makes no plan of this configuration");
    int64_t count = 0;
    check(cudnn().cudnnBackendGetAttribute(plan_->native(), CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE,
                                           CUDNN_TYPE_INT64, 1, &count, &workspace_),
          "cudnnBackendGetAttribute");
    require(workspace_ <= most_workspace, "cuDNN wants a workspace of {} bytes", workspace_);
  }

  size_t workspace_bytes() const override { return static_cast<size_t>(workspace_); }

  void enqueue(device::Stream& any_stream, const device::Arguments& arguments) override {
    CudaStream& stream = cuda_stream(any_stream);
    std::vector<int64_t> ids;
    std::vector<void*> pointers;
    const auto bind = [&](Id id, int input) {
      if (input < 0) return;
      const void* pointer =
          problem_.is_weight(input)
              ? arguments.constants[static_cast<size_t>(weight_order(problem_, input))].raw()
              : arguments.inputs[static_cast<size_t>(input)];
      ids.push_back(id);
      pointers.push_back(const_cast<void*>(pointer));
    };
    bind(x_id, shape_.contraction.left);
    bind(weights_id, shape_.contraction.right);
    bind(bias_id, shape_.contraction.bias);
    bind(residual_id, shape_.residual);
    ids.push_back(output_id);
    pointers.push_back(arguments.outputs[0]);
    Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
    pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, CUDNN_TYPE_INT64, ids)
        .set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, CUDNN_TYPE_VOID_PTR, pointers)
        .set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, CUDNN_TYPE_VOID_PTR, std::vector<void*>{arguments.workspace});
    const Descriptor finished = std::move(pack).finalize();
    std::lock_guard lock(handle_.mutex);
    check(cudnn().cudnnSetStream(handle_.native, reinterpret_cast<cudaStream_t>(stream.native())),
          "cudnnSetStream");
    check(cudnn().cudnnBackendExecute(handle_.native, plan_->native(), finished.native()),
          "cudnnBackendExecute");
    stream.set_follows_kernel(false);
    stream.set_last_kernel("cudnn.conv");
  }

 private:
  Problem problem_;
  Shape shape_;
  CudaDevice& device_;
  Handle& handle_;
  std::unique_ptr<Descriptor> plan_;
  int64_t workspace_ = 0;
};

class CudnnTactic : public device::Tactic {
 public:
  std::string name() const override { return "cudnn.conv"; }

  Support supports(const Problem& problem, const device::DeviceInfo& device) const override {
    if (device.elsewhere) return Support::no("its algorithms can be chosen on the chip itself only");
    if (Support support = supports_layouts(problem); !support) return support;
    Shape shape;
    if (Support support = analyse(problem, shape); !support) return support;
    if (problem.output_count() != 1 || problem.output(0).dtype != shape.contraction.dtype)
      return Support::no("it gives one tensor of the operands' type");
    if (problem.input(shape.contraction.left).layout != ir::Layout::nhwc ||
        problem.output(0).layout != ir::Layout::nhwc)
      return Support::no("it takes nhwc");
    if (shape.contraction.bias >= 0 && problem.input(shape.contraction.bias).dtype != shape.contraction.dtype)
      return Support::no("a bias of another type");
    constexpr double least_flops = 2e9;
    if (flops(problem) < least_flops) return Support::no("a problem too small for it");
    return cudnn_if_there() ? Support::yes() : Support::no("cuDNN was not found");
  }

  std::vector<std::vector<ir::Layout>> layouts(const Problem& problem,
                                               const device::DeviceInfo&) const override {
    return {uniform_layouts(problem)[0]};
  }

  std::vector<Candidate> candidates(const Problem& problem, device::Device& device) const override {
    std::vector<Candidate> found;
    for (size_t i = 0; i < std::max<size_t>(count_configurations(problem.at_opt(), cuda_device(device)), 1);
         ++i)
      found.push_back(
          {fmt::format("plan{}", i), (3 + flops(problem) / 5.5e8) * (1 + 0.02 * static_cast<double>(i))});
    return found;
  }

  std::unique_ptr<device::Kernel> load(const Problem& problem, const Candidate& candidate, const std::string&,
                                       device::Device& device) const override {
    int plan = 0;
    const bool read = std::sscanf(candidate.id.c_str(), "plan%d", &plan) == 1;
    require(read && plan >= 0 && plan < static_cast<int>(most_configurations),
            "'{}' is no candidate of cudnn.conv", candidate.id);
    return std::make_unique<BoundAt<Bound>>(problem, static_cast<size_t>(plan), cuda_device(device));
  }

  /// Weights as [filter][kernel row][kernel column][channel].
  std::vector<Tensor> pack(const Problem& problem, const Candidate& candidate,
                           std::span<const Tensor> weights, device::Device& device) const override {
    std::vector<Tensor> packed = Tactic::pack(problem, candidate, weights, device);
    const Contraction c = shape_of(problem).contraction;
    const Tensor& from = weights[static_cast<size_t>(c.right)];
    const int64_t filters = from.shape()[0], channels = from.shape()[1],
                  positions = c.kernel[0] * c.kernel[1];
    Tensor to(from.dtype(), from.shape());
    dispatch_bytes(from.dtype(), [&]<class T>(Type<T>) {
      parallel_for(filters, 4, [&](int64_t begin, int64_t end) {
        for (int64_t filter = begin; filter < end; ++filter)
          for (int64_t channel = 0; channel < channels; ++channel)
            for (int64_t i = 0; i < positions; ++i)
              static_cast<T*>(to.raw())[(filter * positions + i) * channels + channel] =
                  static_cast<const T*>(from.raw())[(filter * channels + channel) * positions + i];
      });
    });
    packed[static_cast<size_t>(weight_order(problem, c.right))] = to;
    return packed;
  }

 private:
  /// At most most_configurations; 0 where cuDNN refuses the graph, which trying the first one then says.
  static size_t count_configurations(const Problem& problem, CudaDevice& device) {
    try {
      Handle& handle = handle_of(device);
      const ContextScope scope(device.context());
      std::lock_guard lock(handle.mutex);
      return std::min(most_configurations, Graph(problem, handle.native).configurations().size());
    } catch (const Error&) {
      return 0;
    }
  }

  static double flops(const Problem& problem) {
    const Contraction c = Contraction::of(problem.at_opt());
    return 2.0 * static_cast<double>(c.total_rows.constant()) * static_cast<double>(c.columns.constant()) *
           static_cast<double>(c.inner.constant());
  }
};

}  // namespace

const device::Tactic& cudnn_tactic() {
  static const CudnnTactic tactic;
  return tactic;
}

}  // namespace burnish::cuda
